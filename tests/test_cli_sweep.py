"""The sweep and plot commands: files, exit status, one-line messages, Ctrl-C."""

import shutil
import signal
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests.test_cli import run
from w2sjax.analysis.points import Quantity, draw_points
from w2sjax.figures import plot
from w2sjax.medians import median_and_interval
from w2sjax.sweeps.configuration import load_configuration
from w2sjax.sweeps.store.writing import Writer

TINY = Path(__file__).parents[1] / "examples" / "tiny.toml"


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Commands set JAX's cache; the tests after these must not see it."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sweep") / "tiny.zarr"
    assert run("sweep", str(TINY), "--out", str(out)) == 0
    return out


def test_sweep_writes_what_python_returns(finished: Path, capsys: pytest.CaptureFixture) -> None:
    expected = w2s.sweep(**load_configuration(TINY).arguments())
    assert capsys.readouterr().err == ""
    ds = xr.open_zarr(finished, chunks=None)
    for name in expected.data_vars:
        np.testing.assert_allclose(ds[name], expected[name], rtol=1e-12)
    assert run("sweep", str(TINY), "--out", str(finished)) == 0
    captured = capsys.readouterr()
    assert "plan: 4 cells (2 runs of 24 pairs), 0 compilations, 2 chunks" in captured.err
    assert "2 chunks done already" in captured.err
    assert captured.out.endswith(f"\nwrote {finished}, with summary.json in it\n")
    found = w2s.analysis.summarize(expected)
    for cell in found["gain"].stack(cell=("weak_noise", "ridge")).transpose("cell", "of").values:
        assert f"{cell[0]:.3g}" in captured.out
        assert "[{:.2g}, {:.2g}]".format(*cell[1:]) in captured.out
    count = int(found["flagged_pairs"].sel(flag="weak_rank_deficient").sum())
    assert f"weak rank deficient, {count} of 96 (4 cells of 24 pairs): weak features repeat" in captured.out
    assert run("sweep", str(TINY), "--out", str(finished), "--quiet") == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (f"wrote {finished}, with summary.json in it\n", "")


@pytest.mark.parametrize("command", ["plot", "report"])
def test_a_damaged_chunk_is_named(
    command: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    store = tmp_path / "cut.zarr"
    shutil.copytree(finished, store)
    file = next((store / "gain").glob("c.0.0.*"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    capsys.readouterr()
    assert run(command, str(store)) == 2
    assert capsys.readouterr().err.endswith(
        f"{file} is damaged: run the sweep again to compute its region anew.\n"
    )
    assert run(command, str(store)) == 0
    assert capsys.readouterr().out.endswith("50.0% of the sweep is done\n")


def test_a_dry_run_plans_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "a.zarr"
    changes = ("--set", "axes.n_strong=[50, 60]", "--set", "protocol.tasks=5", "--set", "pairs=7")
    changes += ("--set", "memory_budget=1")
    assert run("sweep", str(TINY), "--out", str(out), "--dry-run", *changes) == 0
    captured = capsys.readouterr()
    assert "plan: 8 cells (2 runs of 7 pairs), 1 compilation, 2 chunks" in captured.out
    assert captured.err.startswith("warning: one pair") and captured.err.count("\n") == 1
    assert not out.exists()


def test_set_replaces_a_field_of_the_file(
    tmp_path: Path, finished: Path, capsys: pytest.CaptureFixture
) -> None:
    changed = load_configuration(TINY, changes=[("protocol.tasks", 5), ("axes.ridge", [0.1])])
    assert (changed.protocol.tasks, changed.axes["ridge"], changed.pairs) == (5, [0.1], 24)
    assert run("sweep", str(TINY), "--out", str(tmp_path / "a"), "--set", "protocol.task=5") == 2
    assert "did you mean protocol.tasks?" in capsys.readouterr().err
    assert run("sweep", str(TINY), "--out", str(tmp_path / "a"), "--set", "pairs.n=5") == 2
    assert "pairs is no table" in capsys.readouterr().err


def test_ctrl_c_prints_how_to_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, finished: Path
) -> None:
    file, out = tmp_path / "my sweep.toml", tmp_path / "a.zarr"
    file.write_text(TINY.read_text().replace("pairs = 24", "pairs = 24\nchunk_pairs = 8"))
    write = Writer.write_item

    def interrupted(self: Writer, *arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        write(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "write_item", interrupted)
        patch.setattr("w2sjax.commands.processes.join", lambda *_: None)  # devices are there already
        assert run("sweep", str(file), "--out", str(out), "--cpu-devices", "1") == 130
    told = f"stopped with 1 of 6 chunks done in {out}; resume with: w2sjax sweep '{file}' --out {out} --cpu-devices 1"
    assert capsys.readouterr().err.strip().splitlines()[-1] == told
    assert run("plot", str(out), "--out", str(tmp_path / "a.png")) == 0
    assert "16.7% of the sweep is done" in capsys.readouterr().out
    assert run("sweep", str(file), "--out", str(out)) == 0
    xr.testing.assert_equal(xr.open_zarr(out, chunks=None), xr.open_zarr(finished, chunks=None))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            ("weak_noise", "weak_nois"),
            (),
            "axes has no field 'weak_nois' to vary: did you mean 'weak_noise'?",
        ),
        (("width = 4", "width = 5"), (), "holds world.width=4 but this sweep has world.width=5"),
        (("", ""), ("--precision", "float32"), 'holds dtype="float64" but this sweep has dtype="float32"'),
        (("", ""), ("--precision", "half"), "--precision 'half' is not known"),
    ],
)
def test_sweep_mistakes_exit_two(
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    change: tuple[str, str],
    options: tuple[str, ...],
    message: str,
) -> None:
    file = tmp_path / "changed.toml"
    file.write_text(TINY.read_text().replace(*change, 1) if change[0] != "weak_noise" else _last(change))
    try:
        assert run("sweep", str(file), "--out", str(finished), "--quiet", *options) == 2
    finally:
        jax.config.update("jax_enable_x64", True)
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def _last(change: tuple[str, str]) -> str:
    head, tail = TINY.read_text().split("[axes]")
    return f"{head}[axes]{tail.replace(*change)}"


def test_plot_draws_panels_with_units(finished: Path, tmp_path: Path) -> None:
    for name in ("a.png", "a.svg"):
        arguments = ("--x", "misfit", "--y", "gain", "--color", "weak_noise", "--facet", "ridge")
        assert run("plot", str(finished), *arguments, "--out", str(tmp_path / name)) == 0
        assert (tmp_path / name).stat().st_size > 10_000
    blocks = [xr.open_zarr(finished, chunks=None)]
    figure = plot(blocks, x="misfit", y="gain", color="weak_noise", facet="ridge")
    assert (
        "[squared label unit]" in figure.get_supxlabel() and "[squared label unit]" in figure.get_supylabel()
    )
    assert [panel.get_title() for panel in figure.axes] == ["ridge = 0", "ridge = 0.001"]
    line = figure.axes[0].lines[0].get_xydata()
    np.testing.assert_array_equal(line[:, 0], line[:, 1])
    drawn = figure.axes[0].collections[0].get_offsets()
    expected = blocks[0].isel(ridge=0)
    assert {tuple(point) for point in np.asarray(drawn)} == set(
        zip(expected["misfit"].values.ravel(), expected["gain"].values.ravel(), strict=True)
    )
    assert figure.get_suptitle().startswith("288 points")
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim()


def test_plot_without_options_writes_beside_the_store(finished: Path, tmp_path: Path) -> None:
    store = tmp_path / "mine.zarr"
    shutil.copytree(finished, store)
    assert run("plot", str(store)) == 0
    assert (tmp_path / "mine.zarr.png").stat().st_size > 10_000


def test_plot_along_an_axis_has_the_medians_of_pairs(finished: Path) -> None:
    ds = xr.open_zarr(finished, chunks=None)
    blocks = [ds.isel(weak_noise=[i], pair=part) for i in range(2) for part in (slice(0, 9), slice(9, 24))]
    figure = plot(blocks, x="ridge", y="abs(deviation)/weak_error", log="y")
    assert "squared feature unit" in figure.get_supxlabel() and "[1]" in figure.get_supylabel()
    by_pair = abs(ds["deviation"]).mean("task") / ds["weak_error"].mean("task")
    for bars, noise in zip(figure.axes[0].containers, (0.02, 0.1), strict=True):
        values = by_pair.sel(weak_noise=noise).transpose("pair", "ridge").values
        median, low, high = median_and_interval(values)
        np.testing.assert_allclose(bars.lines[0].get_ydata(), median, rtol=1e-12)
        np.testing.assert_allclose(bars.lines[0].get_ydata(), np.median(values, axis=0), rtol=1e-12)
        ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
        np.testing.assert_allclose(ends, np.stack([low, high], axis=1), rtol=1e-9)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["weak_noise = 0.02", "weak_noise = 0.1"]
    assert "medians over 24 pairs, bars: their 95% intervals" in figure.get_suptitle().replace("\n", " ")


def test_several_quantities_have_the_colours_and_zero_a_line(finished: Path) -> None:
    ds = xr.open_zarr(finished, chunks=None)
    figure = plot(ds, x="weak_noise", y=["gain", "deviation"], sel={"ridge": 0.001})
    bars = figure.axes[0].containers
    for drawn, name in zip(bars, ("gain", "deviation"), strict=True):
        expected = ds[name].sel(ridge=0.001).mean("task").median("pair")
        np.testing.assert_allclose(drawn.lines[0].get_ydata(), expected)
    assert any(set(line.get_ydata()) == {0} for line in figure.axes[0].lines)
    points = plot(ds, x="weak_error", y=["gain/weak_error", "pgr"], sel={"ridge": 0.0, "weak_noise": 0.1})
    assert [text.get_text() for text in points.legends[0].get_texts()] == ["gain/weak_error", "pgr"]


def test_cells_are_not_pooled_unasked(finished: Path, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    ds = xr.open_zarr(finished, chunks=None)
    several = ("--y", "gain", "--y", "deviation", "--facet", "ridge")
    out = ("--out", str(tmp_path / "a.png"))
    assert run("plot", str(finished), *several, *out) == 2
    message = capsys.readouterr().err
    assert (
        "cells of different weak_noise would be mixed: choose some, such as --sel weak_noise=0.02" in message
    )
    assert run("plot", str(finished), *several, *out, "--pool") == 0
    assert run("plot", str(finished), *several, *out, "--sel", "weak_noise=0.02") == 0
    pooled = plot(ds, x="ridge", color="ridge", pool=True).get_suptitle()
    assert "POOLED, cells of different settings mixed: weak_noise (2 values, 0.02 to 0.1)" in pooled.replace(
        "\n", " "
    )


def test_a_part_of_the_points_is_spread_over_chunks_pairs_and_tasks(finished: Path) -> None:
    ds = xr.open_zarr(finished, chunks=None)
    blocks = [ds.isel(pair=slice(a, b)) for a, b in ((0, 10), (10, 20), (20, 24))]
    data = draw_points([Quantity.parse(name) for name in ("pair", "task", "gain")], blocks, 48)
    pairs = data.columns["pair"]
    assert (pairs.size, data.total, data.complete) == (48, 288, False)
    assert [np.count_nonzero((pairs >= a) & (pairs < b)) for a, b in ((0, 10), (10, 20), (20, 24))] == [
        20,
        20,
        8,
    ]
    assert np.unique(pairs).size > 16 and set(data.columns["task"].tolist()) == {0, 1, 2}
    few = draw_points([Quantity.parse("pair"), Quantity.parse("gain")], blocks, 2)
    assert few.columns["gain"].size == 2
    text = plot(blocks, x="pair", y="weak_error", points=48).get_suptitle()
    assert "48 of 288 points, spread evenly" in text


def test_long_labels_are_wrapped_within_the_figure(finished: Path, tmp_path: Path) -> None:
    figure = plot([xr.open_zarr(finished, chunks=None)], x="pair", y="weak_error")
    figure.savefig(tmp_path / "a.png")
    for text in figure.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    assert "mean squared error of the weak model" in figure.get_supylabel().replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--x", "misfitt"), "--x misfitt is no variable or axis of this store: did you mean misfit?"),
        (("--color", "weaknoise"), "--color weaknoise is no axis of this store: did you mean weak_noise?"),
        (("--facet", "gain"), "--facet gain is no axis"),
        (("--facet", "pair", "--pool"), "--facet pair has 24 values"),
        (("--points", "0"), "--points=0 is too small"),
        (("--log", "z"), "--log"),
        (("--sel", "ridge=7"), "--sel ridge=7 is no value of ridge, which has [0.0, 0.001]"),
        (("--sel", "rige=0"), "rige is no axis: did you mean ridge?"),
        (("--sel", "ridge"), "'ridge' is not NAME=VALUE"),
        (("--y", "gain/(x)"), "gain/(x) is no quantity"),
        (("--y", "gain", "--y", "pgr", "--color", "ridge"), "use --facet ridge"),
        (("--out", "a.pgn"), "has no known ending"),
        (("--out", "/proc/a.png"), "cannot be written"),
    ],
)
def test_plot_mistakes_exit_two(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture, options: tuple[str, ...], message: str
) -> None:
    out = () if "--out" in options else ("--out", str(tmp_path / "a.png"))
    assert run("plot", str(finished), *options, *out) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_plot_needs_a_store_with_something_done(
    tmp_path: Path, finished: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run("plot", str(tmp_path), "--out", str(tmp_path / "a.png")) == 2
    assert "is not a Zarr v3 store" in capsys.readouterr().err
