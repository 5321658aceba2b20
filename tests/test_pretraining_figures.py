"""Figures and reports over trained networks, on Datasets with known answers."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from w2sjax import analysis, figures, studies
from w2sjax.analysis.weak_quality import task_means
from w2sjax.cli import main
from w2sjax.engine.axes import find
from w2sjax.flags import Flag
from w2sjax.studies.index import INDEX


def made_up(slopes: list[float], tasks: int = 20) -> xr.Dataset:
    """Return pairs whose gain is `slope` times their misfit, without noise."""
    misfit = np.linspace(0.1, 1.0, tasks)[None, :].repeat(len(slopes), 0)
    gain = np.array(slopes)[:, None] * misfit
    weak = np.full_like(misfit, 2.0)
    data = {
        "weak_error": weak,
        "w2s_error": weak - gain,
        "ceiling_error": np.full_like(misfit, 0.5),
        "misfit": misfit,
        "gain": gain,
        "deviation": gain - misfit,
        "pgr": gain / 1.5,
    }
    dataset = xr.Dataset({name: (("pair", "task"), values) for name, values in data.items()})
    for name in ("code", "strong_rank", "strong_dropped"):
        dataset[f"status_{name}"] = (
            "pair",
            np.full(len(slopes), {"code": 0, "strong_rank": 12}.get(name, 4)),
        )
    dataset["status_strong_condition"] = ("pair", np.full(len(slopes), 100.0))
    return dataset.assign_coords(pair=np.arange(len(slopes)))


def test_typicality_counts_each_world_once_and_leaves_failures_out() -> None:
    dataset = made_up([0.5, 0.8, -0.2, 9.0])
    dataset["status_code"][3] = int(Flag.STRONG_TRAINING_DIVERGED)
    numbers = analysis.per_pair(dataset)
    np.testing.assert_allclose(numbers["slope"], [0.5, 0.8, -0.2])
    np.testing.assert_allclose(numbers["correlation"], [1, 1, -1])
    np.testing.assert_allclose(numbers["relative_deviation"], (np.array([0.5, 0.8, -0.2]) - 1) * 0.55 / 2)
    np.testing.assert_allclose(numbers["ceiling_share"], 0.25)
    np.testing.assert_allclose(numbers["dead_share"], 0.25)
    report = analysis.typicality_report(numbers)
    assert report["pairs"] == 4 and report["pairs_without_failure"] == 3
    assert report["slope"]["0.5"] == pytest.approx(0.5)
    json.dumps(report)
    assert len(figures.typicality(numbers).axes) == 6


def test_typicality_without_a_world_left() -> None:
    dataset = made_up([0.5, 0.8])
    dataset["status_code"] = ("pair", [int(Flag.NOT_FINITE)] * 2)
    numbers = analysis.per_pair(dataset)
    report = analysis.typicality_report(numbers)
    assert report == {"pairs": 2, "pairs_without_failure": 0, "headline": "0 of 2 worlds: no slope"}
    assert len(figures.typicality(numbers, "title").axes) == 6


def test_weak_quality_is_relative_to_the_reference_and_leaves_failures_out() -> None:
    one = made_up([0.5, 0.5, 0.5])
    cells = [one * factor for factor in (1.0, 3.0)]
    grid = xr.concat(cells, xr.IndexVariable("weak_pretrain_tasks", [10, 2]))
    code = np.zeros((2, 3), int)
    code[1, 0] = int(Flag.WEAK_TRAINING_DIVERGED)
    grid["status_code"] = (("weak_pretrain_tasks", "pair"), code)
    means = task_means(grid)
    np.testing.assert_allclose(means["weak_error"].sel(weak_pretrain_tasks=10), 1)
    np.testing.assert_allclose(means["gain"].sel(weak_pretrain_tasks=2), [np.nan, 3 * 0.1375, 3 * 0.1375])
    np.testing.assert_allclose(means["recovered"].sel(weak_pretrain_tasks=10), 0.275 / 1.5)
    result = analysis.weak_quality_quartiles(grid)
    report = analysis.weak_quality_report(result)
    assert report["weak_pretrain_tasks"]["weak_error"] == pytest.approx([1, 3])
    assert len(figures.weak_quality(result).axes) == 3


def test_head_study_separates_width_activation_and_training() -> None:
    def cell(slope: float, loss: float) -> xr.Dataset:
        one = made_up([slope, slope, slope])
        one["w2s_head_loss_curve"] = (("pair", "progress"), np.full((3, 2), [2 * loss, loss]))
        return one

    lengths = xr.IndexVariable("head.epochs", [10, 100])
    by_width = [
        xr.concat([cell(1 + 0.1 * width + 0.01 * epochs, 0.3 / epochs) for epochs in (10, 100)], lengths)
        for width in (0, 4)
    ]
    grid = xr.concat(by_width, xr.IndexVariable("head.width", [0, 4])).expand_dims(
        {"head.activation": ["tanh"]}
    )
    grid["status_code"] = grid["status_code"].copy()
    grid["status_code"][{"head.width": 1, "head.epochs": 1, "pair": 0}] = int(Flag.NOT_FINITE)
    result = analysis.by_head_class(grid)
    report = analysis.head_study_report(result)
    assert report["failed_cells"] == 1 and report["widths"] == [0, 4]
    assert report["tanh, 100 epochs"]["slope"] == pytest.approx([2.0, 2.4])
    assert report["tanh, 10 epochs"]["training_loss"] == pytest.approx([0.015, 0.015])
    json.dumps(report)
    assert len(figures.head_study(result, "title").axes) == 3


def test_panels_name_their_studies_and_all_errors() -> None:
    result = analysis.gain_on_misfit(made_up([1.0]))
    figure = figures.gain_against_misfit_panels([result] * 4, ["a", "b", "c", "d"], "all")
    assert [axes.get_title().split("\n")[0] for axes in figure.axes] == ["a", "b", "c", "d"]
    note = figure.axes[0].get_legend().get_title().get_text()
    assert "weak on truth 2" in note and "strong on truth 0.5" in note


def test_the_collection_holds_every_panel_and_all_studies_are_valid() -> None:
    names = studies.names()
    collection = studies.get("charikar2024")
    assert isinstance(collection, studies.Collection)
    assert {member.name for member in collection.members} <= set(names)
    for name in (name for name in names if not INDEX[name].data):
        one = studies.get(name)
        assert (one.name, one.title, one.reference) == (name, *INDEX[name][1:3])
        assert callable(one.figure)
        if isinstance(one, studies.Study):
            assert callable(one.analysis) and callable(one.report) and one.pairs >= 1
            for field in one.unverified:
                find(field, one.world, one.protocol)


def test_every_study_of_a_module_is_in_the_index() -> None:
    modules = {entry.module for entry in INDEX.values() if not entry.data}
    defined = [
        study.name
        for module in modules
        for study in importlib.import_module(f"w2sjax.studies.{module}").STUDIES
    ]
    assert sorted(defined) == sorted(name for name, entry in INDEX.items() if not entry.data)


def test_a_pretraining_panel_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--out", str(tmp_path / "r"), "--tasks", "3", "--epochs", "1"]
    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", "charikar2024-pretraining-realizable", *options])
    assert not stopped.value.code, capsys.readouterr().err
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert summary["configuration"]["world"]["epochs"] == 1
    dataset = xr.open_zarr(tmp_path / "r" / "data.zarr")
    assert dataset["weak_loss_curve"].dims == ("pair", "progress")
    assert float(abs(dataset["deviation"]).max() / dataset["weak_error"].max()) < 0.2
    assert (tmp_path / "r" / "figure.png").stat().st_size > 10_000

    with pytest.raises(SystemExit) as stopped:
        main(["reproduce", "charikar2024-perturbation-realizable", *options])
    assert stopped.value.code == 2
    assert "--epochs 1 has nothing to train" in capsys.readouterr().err
