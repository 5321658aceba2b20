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
from w2sjax.analysis.points import draw_points
from w2sjax.figures.scatter import scatter
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
    assert captured.out == f"wrote {finished}, with summary.json in it\n"
    assert run("sweep", str(TINY), "--out", str(finished), "--quiet") == 0
    assert capsys.readouterr().err == ""


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
        assert run("sweep", str(file), "--out", str(out)) == 130
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == (
        f"stopped with 1 of 6 chunks done in {out}; resume with: w2sjax sweep '{file}' --out {out}"
    )
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
    figure = scatter(blocks, x="misfit", y="gain", color="weak_noise", facet="ridge")
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
    assert figure.get_suptitle().endswith("\npooled: 24 pairs, 3 tasks")


def test_plot_without_options_writes_beside_the_store(finished: Path, tmp_path: Path) -> None:
    store = tmp_path / "mine.zarr"
    shutil.copytree(finished, store)
    assert run("plot", str(store)) == 0
    assert (tmp_path / "mine.zarr.png").stat().st_size > 10_000


def test_plot_of_an_axis_shows_medians_and_says_what_is_pooled(finished: Path) -> None:
    ds = xr.open_zarr(finished, chunks=None)
    figure = scatter([ds.isel(weak_noise=[i]) for i in range(2)], x="ridge", y="deviation")
    assert "squared feature unit" in figure.get_supxlabel()
    bars = figure.axes[0].containers[0]
    np.testing.assert_allclose(
        bars.lines[0].get_ydata(), ds["deviation"].median(("pair", "task", "weak_noise"))
    )
    low, high = ds["deviation"].quantile([0.1, 0.9], ("pair", "task", "weak_noise")).values
    ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, np.stack([low, high], axis=1))
    assert "pooled: weak_noise (2 values, 0.02 to 0.1), 24 pairs, 3 tasks" in figure.get_suptitle()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["median, 10–90%\nof the points drawn"]
    coloured = scatter([ds], x="ridge", y="deviation", color="weak_noise")
    for bars, noise in zip(coloured.axes[0].containers, (0.02, 0.1), strict=True):
        expected = ds["deviation"].sel(weak_noise=noise).median(("pair", "task"))
        np.testing.assert_allclose(bars.lines[0].get_ydata(), expected)


def test_a_part_of_the_points_is_spread_over_chunks_pairs_and_tasks(finished: Path) -> None:
    ds = xr.open_zarr(finished, chunks=None)
    blocks = [ds.isel(pair=slice(a, b)) for a, b in ((0, 10), (10, 20), (20, 24))]
    data = draw_points(["pair", "task", "gain"], blocks, 48)
    pairs = data.columns["pair"]
    assert (pairs.size, data.total, data.complete) == (48, 288, False)
    assert [np.count_nonzero((pairs >= a) & (pairs < b)) for a, b in ((0, 10), (10, 20), (20, 24))] == [
        20,
        20,
        8,
    ]
    assert np.unique(pairs).size > 16 and set(data.columns["task"].tolist()) == {0, 1, 2}
    few = draw_points(["pair", "gain"], blocks, 2)
    assert few.columns["gain"].size == 2
    text = scatter(blocks, x="pair", y="weak_error", points=48).get_suptitle()
    assert "48 of 288 points drawn, spread evenly" in text


def test_long_labels_are_wrapped_within_the_figure(finished: Path, tmp_path: Path) -> None:
    figure = scatter([xr.open_zarr(finished, chunks=None)], x="pair", y="weak_error")
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
        (("--facet", "pair"), "--facet pair has 24 values"),
        (("--points", "0"), "--points=0 is too small"),
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
