"""Sweeps in a store: the numbers of the sweep in memory, whatever was interrupted, damaged, split or reordered."""

import errno
import json
import os
import pathlib
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from w2sjax.errors import StoreError
from w2sjax.sweeps import run
from w2sjax.sweeps.batch import group_program
from w2sjax.sweeps.grid import make_grid
from w2sjax.sweeps.interrupt import SweepInterrupted
from w2sjax.sweeps.labels import Variable
from w2sjax.sweeps.plan import Item, Plan, choose_chunk_pairs, make_plan
from w2sjax.sweeps.store.layout import first_difference
from w2sjax.sweeps.store.summary import RELATIVE_ERROR, Distribution
from w2sjax.sweeps.store.writing import Writer

WORLD = w2s.worlds.PerturbedMLP(input_dim=3, width=4, depth=2, input_scale=1.0, activation="tanh")
PROTOCOL = w2s.Protocol(n_weak=50, n_strong=60, n_eval=70, tasks=3)
AXES: dict[str, list[Any]] = {"ridge": [0, 1e-3], "weak_noise": [0.02, 0.05], "n_strong": [60, 30]}
SETTINGS: dict[str, Any] = {"pairs": 14, "seed": 3, "axes": AXES}
CHUNK = 5
REGIONS = 2 * 3  # two values of weak_noise, the only outer axis, and three runs of at most five pairs


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    """Others may commit between two sweeps of a test."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*git_revision.*")
        yield


@pytest.fixture(scope="module")
def memory() -> xr.Dataset:
    return w2s.sweep(WORLD, PROTOCOL, **SETTINGS)


def stored(path: Path, **changes: Any) -> xr.Dataset:
    return w2s.sweep(WORLD, PROTOCOL, **(SETTINGS | {"store": path, "chunk_pairs": CHUNK} | changes))


def assert_same(a: xr.Dataset, b: xr.Dataset) -> None:
    """Every variable to 1e-12, relative to its largest value; labels exactly."""
    assert list(a.data_vars) == list(b.data_vars)
    for name in a.data_vars:
        assert a[name].dims == b[name].dims and a[name].dtype == b[name].dtype
        assert a[name].attrs == b[name].attrs
        scale = np.nanmax(np.abs(a[name].values), initial=1e-300)
        np.testing.assert_allclose(b[name].values, a[name].values, rtol=1e-12, atol=1e-12 * scale)
    for name in a.coords:
        xr.testing.assert_identical(a[name], b[name])
    assert a.attrs["configuration"] == b.attrs["configuration"]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs of pairs and the positions on the outer axes of what sweeps write, as it is written."""
    names: list[str] = []
    write = Writer.write_item

    def spy(self: Writer, plan: Plan, item: Item, arrays: Any) -> None:
        write(self, plan, item, arrays)
        names.append(".".join(map(str, (item.run, *plan.cells[item.cell].position.values()))))

    monkeypatch.setattr(Writer, "write_item", spy)
    return names


def stop_after(monkeypatch: pytest.MonkeyPatch, regions: int, error: BaseException) -> None:
    write = Writer.write_item
    written = []

    def failing(self: Writer, *arguments: Any) -> None:
        if len(written) == regions:
            raise error
        written.append(None)
        write(self, *arguments)

    monkeypatch.setattr(Writer, "write_item", failing)


@pytest.mark.parametrize("chunk", [2, 14, None])
def test_a_store_holds_what_memory_holds(memory: xr.Dataset, tmp_path: Path, chunk: int | None) -> None:
    ds = stored(tmp_path / "a.zarr", chunk_pairs=chunk)
    assert not any(array.variable._in_memory for array in ds.data_vars.values())
    assert_same(memory, ds)
    assert_same(memory, xr.open_zarr(tmp_path / "a.zarr", chunks=None)[list(memory.data_vars)])
    for name in ("jax_version", "device", "git_revision"):
        assert ds.attrs[name]
    assert sorted(os.listdir(tmp_path)) == ["a.zarr"]


def test_resumed_sweep_computes_only_what_is_missing(
    memory: xr.Dataset, tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    with monkeypatch.context() as patch:
        stop_after(patch, 3, RuntimeError("power failure"))
        with pytest.raises(RuntimeError, match="power failure"):
            stored(path)
    assert len(computed) == 3
    assert_same(memory, stored(path))
    assert len(computed) == len(set(computed)) == REGIONS
    stored(path)
    assert len(computed) == REGIONS


def test_order_of_axes_does_not_matter(memory: xr.Dataset, tmp_path: Path) -> None:
    ds = stored(tmp_path / "a.zarr", axes=dict(reversed(AXES.items())))
    assert ds["gain"].dims == ("pair", "n_strong", "weak_noise", "ridge", "task")
    for name in ("gain", "misfit", "w2s_error"):
        expected = memory[name].transpose(*ds[name].dims)
        np.testing.assert_allclose(ds[name], expected, rtol=1e-12, atol=1e-14)


def test_deleted_cut_and_unmarked_chunks_are_computed_again(
    memory: xr.Dataset, tmp_path: Path, computed: list[str]
) -> None:
    path = tmp_path / "a.zarr"
    stored(path)
    computed.clear()
    (path / "gain" / "c.0.0.0.0.0").unlink()
    (path / "status_code" / "c.2.0.1.0").write_bytes(b"")
    mark = path / "regions" / "1.0.1.0.json"
    mark.write_text(mark.read_text()[:20])
    assert_same(memory, stored(path))
    assert sorted(computed) == ["0.0", "1.1", "2.1"]


def test_flipped_bits_are_found_named_and_mended(
    memory: xr.Dataset, tmp_path: Path, computed: list[str]
) -> None:
    path = tmp_path / "a.zarr"
    stored(path)
    file = path / "misfit" / "c.1.0.1.0.0"
    content = bytearray(file.read_bytes())
    content[11] ^= 4
    file.write_bytes(content)
    (tmp_path / "a.zarr" / "summary.json").unlink()
    computed.clear()
    with pytest.raises(StoreError, match=r"misfit/c\.1\.0\.1\.0\.0 is damaged"):
        stored(path)
    assert_same(memory, stored(path))
    assert computed == ["1.1"]


@pytest.mark.parametrize("content", [b'{"pairs": 14, "cel', b"\xff\xfe", b"{}", b"[1]"])
def test_a_damaged_summary_is_written_anew(
    memory: xr.Dataset, tmp_path: Path, computed: list[str], content: bytes
) -> None:
    stored(tmp_path / "a.zarr")
    file = tmp_path / "a.zarr" / "summary.json"
    whole = file.read_bytes()
    file.write_bytes(content)
    computed.clear()
    assert_same(memory, stored(tmp_path / "a.zarr"))
    assert file.read_bytes() == whole and not computed


def test_full_disk_keeps_what_is_written(
    memory: xr.Dataset, tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    replace = pathlib.Path.replace
    with monkeypatch.context() as patch:

        def full(self: Path, target: Path) -> Path:
            if len(computed) == 4 and "ceiling_error" in str(target):
                raise OSError(errno.ENOSPC, "No space left on device")
            return replace(self, target)

        patch.setattr(pathlib.Path, "replace", full)
        with pytest.raises(StoreError, match=r"No space left on device\): make space, .* is kept"):
            stored(path)
    assert len(computed) == 4
    assert_same(memory, stored(path))
    assert len(computed) == REGIONS


def test_two_processes_share_a_store(memory: xr.Dataset, tmp_path: Path, computed: list[str]) -> None:
    path = tmp_path / "a.zarr"
    stored(path, process=(0, 2))
    first = list(computed)
    assert not (tmp_path / "a.zarr" / "summary.json").exists()
    ds = stored(path, process=(1, 2))
    assert len(first) == REGIONS // 2 and len(set(computed)) == len(computed) == REGIONS
    assert (tmp_path / "a.zarr" / "summary.json").exists()
    assert_same(memory, ds)


def test_ctrl_c_stops_after_the_running_chunk(
    memory: xr.Dataset, tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    spied = Writer.write_item

    def interrupted(self: Writer, *arguments: Any) -> None:
        if len(computed) == 2:
            signal.raise_signal(signal.SIGINT)
        spied(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "write_item", interrupted)
        with pytest.raises(SweepInterrupted, match="stopped with 3 of 6 chunks done"):
            stored(path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert_same(memory, stored(path))
    assert len(computed) == REGIONS


def test_summary_is_that_of_the_data(memory: xr.Dataset, tmp_path: Path) -> None:
    stored(tmp_path / "a.zarr")
    summary = json.loads((tmp_path / "a.zarr" / "summary.json").read_text())
    in_memory = w2s.analysis.summarize(memory)
    assert len(summary["cells"]) == 8
    for cell in summary["cells"]:
        chosen, answer = memory.sel(cell["axes"]), in_memory.sel(cell["axes"])
        for name in ("gain", "weak_error", "pgr"):
            by_pair = chosen[name].mean("task").values
            if name == "pgr":
                gap = (chosen["weak_error"] - chosen["ceiling_error"]).mean("task").values
                by_pair = np.where(gap > 0, chosen["gain"].mean("task").values / gap, np.nan)
            levels = [float(level) for level in cell[name]["quantiles"]]
            assert levels == [0.05, 0.25, 0.5, 0.75, 0.95]
            expected = np.nanquantile(by_pair, levels)
            np.testing.assert_allclose(list(cell[name]["quantiles"].values()), expected, rtol=1e-12)
            assert cell[name]["mean"] == pytest.approx(np.nanmean(by_pair), rel=1e-12)
            found = [cell[name]["quantiles"]["0.5"], *(cell[name]["median_interval"] or [np.nan, np.nan])]
            np.testing.assert_allclose(found, answer[name].sel(of=["median", "low", "high"]), rtol=1e-9)
        assert cell["status"]["weak_rank_deficient"] == np.count_nonzero(chosen["status_code"] & 1)
        assert cell["status"]["unusable"] == 0


def test_quantiles_of_long_streams_keep_their_stated_error() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [np.exp(8 * rng.normal(size=6000)), -np.exp(3 * rng.normal(size=3000)), np.zeros(500)]
    )
    rng.shuffle(values)
    sketch = Distribution(exact=1000)
    for part in np.split(values, 5):
        sketch.add(np.append(part, np.nan))
    levels = (0.0, 0.05, 0.25, 0.34, 0.5, 0.75, 0.95, 1.0)
    expected = np.quantile(values, levels, method="nearest")
    np.testing.assert_allclose(sketch.quantiles(levels), expected, rtol=1.01 * RELATIVE_ERROR)
    assert sketch.count == values.size and sketch.total == values.size + 5
    assert sketch.mean() == pytest.approx(values.mean(), rel=1e-12)


def test_cells_of_one_shape_compile_once(memory: xr.Dataset) -> None:
    before = group_program()._cache_size()  # type: ignore[attr-defined]
    w2s.sweep(
        WORLD, PROTOCOL, **(SETTINGS | {"axes": AXES | {"weak_noise": [0, 0.5], "strong_noise": [0.0, 1]}})
    )
    assert group_program()._cache_size() == before  # type: ignore[attr-defined]
    grid = make_grid(WORLD, PROTOCOL, {"depth": [2, 3], "weak_noise": [0.0, 0.1], "n_weak": [20, 50]})
    gain = Variable(own=("task",), shape=(3,), dtype="float64", attributes={})
    plan = make_plan(grid, 0, range(100), memory_budget=2**30, variables={"gain": gain})
    assert plan.shapes == (0, 0, 1, 1)
    assert "8 cells (4 runs of 100 pairs), 2 compilations" in plan.describe()


def test_chunk_size_is_bounded_by_bytes_and_by_count() -> None:
    assert choose_chunk_pairs(10, 5000, 6000) == 10
    assert choose_chunk_pairs(10_000, 5000, 6000) == 2**24 // 6000
    assert choose_chunk_pairs(1_000_000, 5000, 6000) == 3907
    assert choose_chunk_pairs(10**8, 5000, 6000) == 2**25 // 5000
    assert choose_chunk_pairs(10, 2**30, 6000) == choose_chunk_pairs(10, 10, 10**9) == 1


def test_first_difference_is_nested_and_in_order() -> None:
    old = {"world": {"kind": "A", "noise": 1}, "seed": 0}
    assert first_difference(old, {"world": {"kind": "A", "noise": 1.0}, "seed": 0}) is None
    assert first_difference(old, {"world": {"kind": "A", "noise": 2}, "seed": 1}) == ("world.noise", "1", "2")
    assert first_difference(old, {"world": {"kind": "A"}, "seed": 0}) == ("world.noise", "1", "nothing")
    assert first_difference({"paired": True}, {"paired": 1}) == ("paired", "true", "1")


def test_process_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"process=\(2, 2\) has no such index"):
        run.sweep(WORLD, PROTOCOL, pairs=1, process=(2, 2))
