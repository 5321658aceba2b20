"""The finite-sample map on a Dataset whose exponents are known by construction."""

import numpy as np
import pytest
import xarray as xr

from w2sjax import studies
from w2sjax.analysis import finite_sample, finite_sample_slopes
from w2sjax.analysis.samples import along, distance
from w2sjax.figures import finite_sample_map

SIZES = [100, 200, 400, 1600, 6400, 25_600, 102_400]
FLOOR = -0.08


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    """deviation / weak_error = floor + a / sqrt(n_strong) + b / n_weak with independent Gaussian a and b."""
    rng = np.random.default_rng(0)
    pairs, tasks, count = 300, 4, len(SIZES)
    n = np.array(SIZES, float)
    a, b = rng.normal(size=(2, pairs, tasks, 1, 1))
    noisy = a / n[None, None, None, :] ** 0.5 + b / n[None, None, :, None]
    deviation = np.stack([noisy, FLOOR + noisy], axis=2)
    dims = ("pair", "task", "strong_noise", "n_weak", "n_strong")
    weak_error = 2 * np.ones((pairs, tasks, 2, count, count))
    return xr.Dataset(
        {"deviation": (dims, 2 * deviation), "weak_error": (dims, weak_error)},
        coords={"strong_noise": [0.0, 0.01], "n_weak": SIZES, "n_strong": SIZES},
    )


@pytest.fixture(scope="module")
def result(dataset: xr.Dataset) -> xr.Dataset:
    return finite_sample(dataset)


def test_exponents_and_floor_are_recovered(result: xr.Dataset) -> None:
    report = finite_sample_slopes(result)
    realizable, other = report["strong_noise=0"], report["strong_noise=0.01"]
    for curve in ("n_strong", "both"):
        fit = realizable[curve]
        assert fit["slope"] == pytest.approx(-0.5, abs=0.02)  # 1/n is a few per cent of 1/sqrt(n) here
        assert fit["low"] <= fit["slope"] <= fit["high"]
    # With n_strong at its largest the change with n_weak is 1/n less its value at the largest size.
    fitted = np.array([200, 400, 1600, 6400, 25_600])
    expected = np.polyfit(np.log(fitted), np.log(1 / fitted - 1 / SIZES[-1]), 1)[0]
    assert other["n_weak"]["slope"] == pytest.approx(expected, abs=0.01)
    assert other["median_relative_deviation_at_largest_size"] == pytest.approx(FLOOR, abs=1e-3)
    assert "-0.5" in report["headline"]


def test_sizes_up_to_a_quarter_of_the_largest_are_fitted_where_the_limit_is_a_sample_too(
    result: xr.Dataset,
) -> None:
    report = finite_sample_slopes(result)
    for world, fitted in (
        ("strong_noise=0", SIZES[1:]),
        ("strong_noise=0.01", [200, 400, 1600, 6400, 25_600]),
    ):
        medians = report[world]["both"]["median_by_size"]
        slope = np.polyfit(np.log(fitted), np.log([medians[n] for n in fitted]), 1)[0]
        assert report[world]["both"]["slope"] == pytest.approx(slope)


def test_too_few_pairs_have_no_interval(dataset: xr.Dataset) -> None:
    for pairs, finite in ((7, False), (8, True)):
        few = finite_sample(dataset.isel(pair=slice(pairs)))
        fit = finite_sample_slopes(few)["strong_noise=0"]["both"]
        assert np.isfinite(fit["slope"]) and np.isfinite([fit["low"], fit["high"]]).all() == finite
        legend = finite_sample_map(few).axes[0].get_legend()
        assert ("95% interval" in legend.get_title().get_text()) == finite
        assert ("[" in legend.get_texts()[0].get_text()) == finite


def test_curves_hold_the_right_cells(dataset: xr.Dataset) -> None:
    world = dataset.sel(strong_noise=0.0)
    for n in SIZES[:2]:
        for curve, sizes in (("n_weak", (n, SIZES[-1])), ("n_strong", (SIZES[-1], n)), ("both", (n, n))):
            cell = world.sel(n_weak=sizes[0], n_strong=sizes[1])
            values = along(world, curve).sel(n=n)
            xr.testing.assert_allclose(values.drop_vars("n"), cell.drop_vars(["n_weak", "n_strong"]))
    assert distance(along(world, "both"), realizable=True).min() >= 0


def test_figure_names_its_axes_and_lines(result: xr.Dataset) -> None:
    figure = finite_sample_map(result, "title")
    left, right = figure.axes
    assert "sample size n" in left.get_xlabel() and "weak error" in left.get_ylabel()
    assert "largest n" in right.get_ylabel()
    labels = left.get_legend_handles_labels()[1]
    assert len(labels) == 5 and "n_strong = 102,400" in labels[0] and "n_weak = 102,400" in labels[1]
    titles = [axes.get_legend().get_title().get_text() for axes in (left, right)]
    assert "exponent fitted from 200 to 102,400\n[95% interval" in titles[0]
    assert "exponent fitted from 200 to 25,600\n[95% interval" in titles[1]


def test_study_spans_four_decades() -> None:
    study = studies.get("finite-sample")
    assert isinstance(study, studies.Study)
    for name in ("n_weak", "n_strong"):
        sizes = study.axes[name]
        assert len(sizes) >= 16 and sizes[-1] / sizes[0] >= 1e4
    assert study.pairs >= 1000
