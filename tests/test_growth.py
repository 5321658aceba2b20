"""Stores that grow: only what is new is computed, and what was there stays bit for bit."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from w2sjax.sweeps.plan import Item, Plan
from w2sjax.sweeps.store.writing import Writer

WORLD = w2s.worlds.PerturbedMLP(width=4, depth=2)
PROTOCOL = w2s.Protocol(n_weak=40, n_strong=60, n_eval=50, tasks=2)
AXES: dict[str, Any] = {"weak_noise": [0.02, 0.1], "ridge": [0.0, 1e-3]}
SMALL: dict[str, Any] = {"pairs": 7, "chunk_pairs": 3, "axes": AXES}
"""Three runs of pairs, the last of which is cut."""


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many pairs times settings of the axes each write brings, as it is written."""
    counts: list[int] = []
    write = Writer.write_item

    def spy(self: Writer, plan: Plan, item: Item, arrays: Any) -> None:
        write(self, plan, item, arrays)
        counts.append(int(np.prod(arrays["status_code"].shape)))

    monkeypatch.setattr(Writer, "write_item", spy)
    yield counts


def sweep(path: Path | None, **changes: Any) -> xr.Dataset:
    return w2s.sweep(WORLD, PROTOCOL, **(SMALL | {"store": path} | changes))


def loaded(path: Path) -> xr.Dataset:
    return w2s.open_store(path).load()


def assert_kept(old: xr.Dataset, new: xr.Dataset) -> None:
    """Every value of a store is there in the one that it grew to, bit for bit, found by its labels."""
    places = {
        name: [new[name].values.tolist().index(v) for v in old[name].values.tolist()] for name in old.dims
    }
    chosen = new.isel(places)
    for name in old.data_vars:
        assert old[name].values.tobytes() == chosen[name].transpose(*old[name].dims).values.tobytes(), name


def assert_equal(found: xr.Dataset, expected: xr.Dataset) -> None:
    """All variables are those of a sweep at once, to rounding, and complete."""
    expected = expected.sel({name: found[name].values for name in AXES})
    for name in expected.data_vars:
        scale = float(np.nanmax(np.abs(expected[name]), initial=1e-300))
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-12 * scale)


GROWTH: dict[str, tuple[dict[str, Any], int]] = {
    "more pairs": ({"pairs": 11}, 4 * 4),
    "more pairs of a run that was cut": ({"pairs": 8}, 1 * 4),
    "an outer value after the others": ({"axes": AXES | {"weak_noise": [0.02, 0.1, 0.3]}}, 7 * 2),
    "outer values before and between": ({"axes": AXES | {"weak_noise": [0.3, 0.1, 0.05, 0.02]}}, 7 * 4),
    "inner values before and between": ({"axes": AXES | {"ridge": [1.0, 0.0, 0.1, 1e-3]}}, 7 * 4),
    "everything": (
        {"pairs": 8, "axes": {"weak_noise": [0.1, 0.3, 0.02], "ridge": [0.1, 0.0, 1e-3]}},
        8 * 9 - 7 * 4,
    ),
}


@pytest.mark.parametrize("name", GROWTH)
def test_only_what_is_new_is_computed(name: str, tmp_path: Path, computed: list[int]) -> None:
    changes, new = GROWTH[name]
    path = tmp_path / "a.zarr"
    sweep(path)
    old = loaded(path)
    computed.clear()
    returned = sweep(path, **changes)
    assert sum(computed) == new
    for axis, values in (SMALL | changes)["axes"].items():
        assert returned[axis].values.tolist() == values  # in the order of the caller
    found = loaded(path)
    assert found.attrs["finished"] == 1
    assert_kept(old, found)
    assert_kept(found, returned.load())
    assert_equal(found, sweep(None, **changes))
    configuration = json.loads(found.attrs["configuration"])
    assert configuration["pairs"] == (SMALL | changes)["pairs"]
    assert len(json.loads((path / "summary.json").read_text())["cells"]) == found.gain[0, ..., 0].size
    computed.clear()
    sweep(path, **changes)
    assert computed == []


def test_a_store_grows_again_and_again(tmp_path: Path, computed: list[int]) -> None:
    """An inner axis that has more values than a region holds, then more pairs of all."""
    path = tmp_path / "a.zarr"
    steps: list[dict[str, Any]] = [
        {"pairs": 2},
        {"pairs": 2, "axes": AXES | {"ridge": [0.0, 1e-3, 0.1]}},
        {"pairs": 5, "axes": AXES | {"ridge": [0.0, 1e-3, 0.1, 1.0]}},
        {"pairs": 5, "axes": {"weak_noise": [0.02, 0.1, 0.3], "ridge": [2.0, 0.0, 1e-3, 0.1, 1.0]}},
    ]
    done = 0
    for changes in steps:
        old = loaded(path) if path.exists() else None
        computed.clear()
        sweep(path, **changes)
        found = loaded(path)
        cells = found.status_code.size
        assert sum(computed) == cells - done
        done = cells
        if old is not None:
            assert_kept(old, found)
    assert_equal(found, sweep(None, **steps[-1]))


def test_values_that_bring_variables_of_their_own(tmp_path: Path) -> None:
    """Those that were there have none of them: they are NaN."""
    path = tmp_path / "a.zarr"
    sweep(path, axes={"baseline": [False]})
    old = loaded(path)
    assert "opr" not in old
    found = sweep(path, axes={"baseline": [False, True]}).load()
    assert_kept(old, found)
    assert np.isnan(found.opr.sel(baseline=False)).all()
    expected = found.baseline_error / found.w2s_error
    np.testing.assert_allclose(found.opr.sel(baseline=True), expected.sel(baseline=True), rtol=1e-12)


def test_other_metrics_are_another_sweep(tmp_path: Path) -> None:
    from tests.user.absolute import ABSOLUTE

    sweep(tmp_path / "a.zarr", pairs=1)
    with pytest.raises(w2s.StoreError, match=r"another version of tests\.user\.absolute|holds .*metrics="):
        sweep(tmp_path / "a.zarr", pairs=1, metrics=ABSOLUTE)


def test_an_extension_that_was_stopped_goes_on(
    tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    more: dict[str, Any] = {"pairs": 8, "axes": AXES | {"ridge": [0.1, 0.0, 1e-3]}}
    sweep(path)
    old = loaded(path)
    computed.clear()
    write = Writer.write_item
    with monkeypatch.context() as patch:

        def stopped(self: Writer, *arguments: Any) -> None:
            if len(computed) == 2:
                raise RuntimeError("power failure")
            write(self, *arguments)

        patch.setattr(Writer, "write_item", stopped)
        with pytest.raises(RuntimeError, match="power failure"):
            sweep(path, **more)
    part = loaded(path)
    assert part.attrs["finished"] == pytest.approx((7 * 4 + sum(computed)) / (8 * 6))
    assert_kept(old, part)
    sweep(path, **more)
    assert sum(computed) == 8 * 6 - 7 * 4
    assert_kept(old, loaded(path))
    assert_equal(loaded(path), sweep(None, **more))


def test_metadata_that_were_half_extended_are_made_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from w2sjax.sweeps.store import creation

    path = tmp_path / "a.zarr"
    sweep(path)
    old = loaded(path)
    write = creation.write_atomically
    with monkeypatch.context() as patch:

        def stopped(file: Path, content: Any) -> None:
            if file.parent.name == "misfit":
                raise RuntimeError("power failure")
            write(file, content)

        patch.setattr(creation, "write_atomically", stopped)
        with pytest.raises(RuntimeError, match="power failure"):
            sweep(path, pairs=9)
    with pytest.raises(w2s.StoreError, match="was being extended when that was stopped: run its sweep again"):
        w2s.open_store(path)
    sweep(path, pairs=9)
    assert_kept(old, loaded(path))
    assert_equal(loaded(path), sweep(None, pairs=9))


def test_two_processes_extend_a_store(tmp_path: Path, computed: list[int]) -> None:
    path = tmp_path / "a.zarr"
    sweep(path)
    old = loaded(path)
    computed.clear()
    more: dict[str, Any] = {"pairs": 11, "axes": AXES | {"weak_noise": [0.3, 0.02, 0.1]}}
    sweep(path, **more, process=(0, 2))
    assert 0 < w2s.open_store(path).attrs["finished"] < 1
    sweep(path, **more, process=(1, 2))
    assert sum(computed) == 11 * 6 - 7 * 4
    assert_kept(old, loaded(path))
    assert_equal(loaded(path), sweep(None, **more))


def test_merged_stores_are_one_sweep(tmp_path: Path) -> None:
    parts = []
    for first, count in ((4, 3), (0, 4)):
        parts.append(tmp_path / f"{first}.zarr")
        sweep(parts[-1], first_pair=first, pairs=count)
    merged = w2s.merge_stores(parts, tmp_path / "merged.zarr").load()
    sweep(tmp_path / "whole.zarr")
    assert_kept(loaded(tmp_path / "whole.zarr"), merged)
    assert merged.pair.values.tolist() == list(range(7))
    assert w2s.open_store(tmp_path / "merged.zarr").attrs["finished"] == 1
    assert_kept(merged, sweep(tmp_path / "merged.zarr", pairs=8).load())
    with pytest.raises(w2s.StoreError, match="begins with pair 4: merge stores whose pairs follow"):
        sweep(tmp_path / "short.zarr", pairs=2)
        w2s.merge_stores([tmp_path / "short.zarr", parts[0]], tmp_path / "b.zarr")
    with pytest.raises(w2s.StoreError, match="is there already: choose another path"):
        w2s.merge_stores(parts, tmp_path / "merged.zarr")


def test_a_store_of_another_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    sweep(path, pairs=1)
    file = path / "zarr.json"
    content = json.loads(file.read_text())
    about = json.loads(content["attributes"]["w2sjax_store"]) | {"layout": 1}
    content["attributes"]["w2sjax_store"] = json.dumps(about)
    file.write_text(json.dumps(content))
    message = r"another version of w2sjax \(layout=1, not 2\): read it by xarray\.open_zarr\(.*a\.zarr.*\)"
    with pytest.raises(w2s.StoreError, match=message):
        sweep(path, pairs=1)
    with pytest.raises(w2s.StoreError, match=message):
        w2s.open_store(path)
    assert xr.open_zarr(path, chunks=None).gain.shape == (1, 2, 2, 2)
