"""Medians with their intervals, and paired differences, against SciPy, NumPy and Monte Carlo."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from tests.test_pretraining_figures import made_up
from w2sjax import analysis
from w2sjax.flags import Flag
from w2sjax.medians import FEWEST_RESAMPLED, interval_ranks, median_and_interval


@pytest.fixture(scope="module")
def grid() -> xr.Dataset:
    """Forty pairs whose gain grows by a pair's own amount along n_strong; one pair in the first cell diverged."""
    rng = np.random.default_rng(0)
    cells = [made_up(list(rng.normal(0.5 + grown, 0.3, 40)), tasks=4) for grown in (0.0, 0.2, 0.0)]
    dataset = xr.concat(cells, xr.Variable("n_strong", [50, 100, 200]), data_vars="all")
    dataset["status_code"].loc[{"pair": 3, "n_strong": 50}] = int(Flag.STRONG_TRAINING_DIVERGED)
    dataset["status_code"].loc[{"pair": 4}] = int(Flag.ILL_CONDITIONED)
    return dataset


@pytest.mark.parametrize("count", [9, 51])
def test_interval_is_the_percentile_bootstrap(count: int) -> None:
    values = np.random.default_rng(count).standard_cauchy(count)
    # With so many resamples the limits of the drawn interval are those order statistics: no rank is near a tie.
    drawn = stats.bootstrap((values,), np.median, method="percentile", n_resamples=20_000, random_state=0)
    expected = [np.median(values), *drawn.confidence_interval]
    np.testing.assert_allclose(median_and_interval(values[:, None])[:, 0], expected, rtol=1e-12)


def test_interval_holds_the_median_of_skewed_values_as_often_as_it_says() -> None:
    draws = 4000
    values = np.exp(2 * np.random.default_rng(0).normal(size=(60, draws)))
    _, low, high = median_and_interval(values)
    share = np.mean((low <= 1) & (high >= 1))
    assert abs(share - 0.95) < 0.02 + 3 * np.sqrt(
        0.95 * 0.05 / draws
    )  # the bootstrap's own error is below 0.02


def test_what_is_not_finite_counts_as_no_pair() -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    holes = values.copy()
    holes[[2, 5], 0], holes[:, 1] = (np.nan, np.inf), np.nan
    holes[FEWEST_RESAMPLED - 1 :, 2] = np.nan
    found = median_and_interval(holes)
    np.testing.assert_array_equal(found[:, :1], median_and_interval(np.delete(values[:, :1], [2, 5], axis=0)))
    assert np.isnan(found[:, 1]).all()
    assert found[0, 2] == np.median(values[: FEWEST_RESAMPLED - 1, 2]) and np.isnan(found[1:, 2]).all()
    low, high = interval_ranks(2**32) or (0, 0)
    assert high - low == pytest.approx(2 * 1.96 * 2**16 / 2, rel=1e-3)  # the normal limit, at no cost


def test_summary_has_medians_over_usable_pairs(grid: xr.Dataset) -> None:
    found = analysis.summarize(grid)
    assert found.attrs == {"pairs": 40, "tasks": 4}
    gain = grid["gain"].mean("task").values
    np.testing.assert_allclose(found["gain"].sel(of="median", n_strong=100), np.median(gain[1]))
    np.testing.assert_allclose(found["gain"].sel(of="median", n_strong=50), np.median(np.delete(gain[0], 3)))
    gap = (grid["weak_error"] - grid["ceiling_error"]).mean("task").values
    np.testing.assert_allclose(found["pgr"].sel(of="median", n_strong=200), np.median(gain[2] / gap[2]))
    assert (found["gain"].sel(of="low") < found["gain"].sel(of="median")).all()
    assert found["usable_pairs"].values.tolist() == [39, 40, 40]
    assert found["flagged_pairs"].sel(flag="ill_conditioned").values.tolist() == [1, 1, 1]
    assert found["flagged_pairs"].sel(flag="strong_training_diverged").values.tolist() == [1, 0, 0]
    with pytest.raises(ValueError, match="dataset has no dimension task"):
        analysis.summarize(grid.mean("task"))


def test_comparison_is_pair_by_pair(grid: xr.Dataset) -> None:
    found = analysis.compare(grid, "n_strong", reference=100)
    gain = grid["gain"].mean("task")
    difference = (gain.sel(n_strong=200) - gain.sel(n_strong=100)).values
    expected = median_and_interval(difference[:, None])[:, 0]
    np.testing.assert_allclose(found["gain"].sel(n_strong=200, of=["median", "low", "high"]), expected)
    test = stats.binomtest(int((difference > 0).sum()), 40)
    np.testing.assert_allclose(found["gain"].sel(n_strong=200, of="p_value"), test.pvalue)
    np.testing.assert_allclose(found["gain"].sel(n_strong=200, of="larger"), test.statistic)
    at_reference = found["gain"].sel(n_strong=100)
    assert at_reference.sel(of="median") == 0 and np.isnan(at_reference.sel(of="p_value"))
    assert found.attrs["reference"] == 100
    assert analysis.compare(grid, "n_strong").attrs["reference"] == 50
    scaled = grid.assign_coords(n_strong=[0.1, 0.2, 0.3])
    assert analysis.compare(scaled, "n_strong", np.float32(0.2)).attrs["reference"] == 0.2


def test_comparison_is_finer_than_either_cell() -> None:
    """What a pair has in common in all cells is no noise of a difference."""
    own = np.random.default_rng(1).normal(0, 5, 60)
    cells = [made_up(list(own + 0.01 * grown), tasks=4) for grown in range(2)]
    dataset = xr.concat(cells, xr.Variable("n_strong", [50, 100]), data_vars="all")
    low, high = analysis.compare(dataset, "n_strong")["gain"].sel(n_strong=100, of=["low", "high"]).values
    alone = analysis.summarize(dataset)["gain"].sel(n_strong=100)
    assert 0 < low <= high and high - low < 1e-6 * float(alone.sel(of="high") - alone.sel(of="low"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("n_stron",), "axis='n_stron' is no axis of this sweep: did you mean n_strong"),
        (("n_strong", 70), "reference=70 is no value of n_strong: use one of"),
    ],
)
def test_what_cannot_be_compared_is_refused(grid: xr.Dataset, arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        analysis.compare(grid, *arguments)
    for part, fault in (
        (grid["gain"], "is no Dataset"),
        (grid[["gain"]], "no status_code"),
        (grid.isel(pair=[]), "no dimension pair"),
    ):
        with pytest.raises(ValueError, match=fault):
            analysis.summarize(part)
    unpaired = grid.assign_attrs(configuration=json.dumps({"paired": False}))
    with pytest.raises(ValueError, match="draws of its own in every cell"):
        analysis.compare(unpaired, "n_strong")


def test_every_flag_has_a_meaning_in_words() -> None:
    assert all(flag.meaning() and flag.words() for flag in Flag if flag)
