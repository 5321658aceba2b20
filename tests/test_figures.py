"""What figures and headlines say, and that legends and notes hide no data."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from tests.test_pretraining_figures import made_up
from w2sjax import analysis, figures
from w2sjax.figures.style import new_figure


def hidden_points(figure: Figure, file: Path) -> int:
    """Return how many markers of the first panel lie under its legend or a note."""
    figure.savefig(file)
    axes = figure.axes[0]
    boxes = [axes.get_legend().get_window_extent()]
    boxes += [note.get_bbox_patch().get_window_extent() for note in axes.texts]
    points = axes.transData.transform(axes.containers[0].lines[0].get_xydata())
    return sum(box.contains(*point) for box in boxes for point in points)


@pytest.mark.parametrize("slope", [1.0, -0.9, 0.0])
@pytest.mark.parametrize("with_bars", [True, False])
def test_legend_and_note_hide_no_task(tmp_path: Path, slope: float, with_bars: bool) -> None:
    dataset = made_up([slope], 100)
    dataset["gain"] = dataset["gain"] + np.random.default_rng(0).normal(0, 0.02, dataset["gain"].shape)
    if with_bars:
        for name in ("misfit", "gain"):
            dataset[f"{name}_standard_error"] = 0.01 * dataset["misfit"]
    assert (
        hidden_points(figures.gain_against_misfit(analysis.gain_on_misfit(dataset)), tmp_path / "a.png") == 0
    )


def test_room_is_made_where_every_corner_has_data(tmp_path: Path) -> None:
    across, up = np.meshgrid(np.linspace(0, 1, 12), np.linspace(0, 1, 12))
    dataset = made_up([1.0], across.size)
    dataset["misfit"] = ("pair", "task"), across.reshape(1, -1)
    dataset["gain"] = ("pair", "task"), up.reshape(1, -1)
    assert (
        hidden_points(figures.gain_against_misfit(analysis.gain_on_misfit(dataset)), tmp_path / "a.png") == 0
    )


def test_one_task_has_no_slope_and_no_warning() -> None:
    dataset = made_up([0.5, 0.8], tasks=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits, pairs = analysis.gain_on_misfit(dataset), analysis.per_pair(dataset)
        reports = [analysis.gain_report(fits), analysis.typicality_report(pairs)]
        drawn = [figures.gain_against_misfit(fits), figures.typicality(pairs, "title")]
    headlines = "".join(report["headline"] for report in reports)
    assert headlines.count("no slope, which needs 3 tasks") == 2
    titles = [axes.get_title() for axes in drawn[0].axes]
    assert titles == ["pair 0: no slope, which needs 3 tasks", "2 pairs: no slope, which needs 3 tasks"]
    assert "nan" not in headlines + "".join(titles)


def test_summary_without_a_slope_is_json() -> None:
    numbers = analysis.gain_report(analysis.gain_on_misfit(made_up([0.5, 0.8], tasks=1)))
    assert numbers["gain_on_misfit"] == {"slope": None, "r2": None}
    assert numbers["headline"].startswith("median gain 0.065, median misfit 0.1; no slope")
    json.dumps(numbers, allow_nan=False)


def test_summary_gives_quantiles_over_pairs_and_spreads() -> None:
    slopes = [0.1, 0.5, 0.6, 0.8, 1.2]
    numbers = analysis.gain_report(analysis.gain_on_misfit(made_up(slopes, tasks=10)))
    fit = numbers["gain_on_misfit"]["slope"]
    expected = np.quantile(slopes, (0.1, 0.5, 0.9))
    np.testing.assert_allclose([fit["quantile_10"], fit["median"], fit["quantile_90"]], expected)
    means = 0.55 * np.array(slopes)
    assert numbers["gain"]["mean"] == pytest.approx(means.mean())
    assert numbers["gain"]["std_over_pairs"] == pytest.approx(means.std(ddof=1))
    assert numbers["headline"].startswith("gain on misfit: slope 0.600, R2 1.000")


def test_medians_in_bins_are_those_of_their_tasks() -> None:
    dataset = made_up([0.2] * 30 + [0.6] * 70, tasks=40)
    dataset["misfit"] = ("pair", "task"), np.random.default_rng(0).random((100, 40))
    result = analysis.gain_on_misfit(dataset)
    misfit, gain = (result[f"relative_{name}"].values for name in ("misfit", "gain"))
    np.testing.assert_allclose(misfit, dataset["misfit"] / 2)
    bins = result["gain_in_bins"].dropna("bin")
    assert bins.sizes["bin"] == 23  # few tasks are beyond the 99.5% quantile
    width = float(bins["bin"][1] - bins["bin"][0])
    for one in bins.transpose("bin", ...):
        inside = abs(misfit - float(one["bin"])) < width / 2
        np.testing.assert_allclose(one, np.quantile(gain[inside], (0.1, 0.5, 0.9)))
    assert result["largest_misfit"] == pytest.approx(1.05 * np.quantile(misfit, 0.995))
    lines = figures.gain_against_misfit(result).axes[1].lines
    np.testing.assert_array_equal(lines[0].get_ydata(), bins.sel(quantile=0.5))


def test_headline_by_size_is_a_sentence_of_three_digits() -> None:
    sizes = [500, 20_000]
    along = dict.fromkeys(("n_weak", "n_strong", "n_eval"), sizes)
    deviation = np.broadcast_to(1 / np.array(sizes), (2, 3, 2, 2, 2)) / 3
    dims = ("pair", "task", *along)
    dataset = xr.Dataset(
        {"deviation": (dims, deviation), "weak_error": (dims, np.ones_like(deviation))}, coords=along
    )
    result = analysis.deviation_by_size(dataset)
    assert analysis.medians_by_size(result)["headline"] == (
        "median |deviation| / weak_error by samples in each split: 0.000667 at 500, 1.67e-05 at 20,000"
    )


def test_typicality_of_a_few_worlds_counts_in_integers() -> None:
    figure = figures.typicality(analysis.per_pair(made_up([0.5, 0.8, -0.2, 1.1])))
    figure.draw_without_rendering()
    for axes in figure.axes[::2]:
        box = axes.get_legend().get_window_extent()
        assert box.y0 >= axes.get_window_extent().y1
        if axes.get_ylabel() == "worlds":
            assert all(tick == int(tick) for tick in axes.get_yticks())


def test_notebooks_show_figures() -> None:
    figure: Any = new_figure(2, 1)
    figure.subplots().plot([1, 2])
    assert figure._repr_png_().startswith(b"\x89PNG")
