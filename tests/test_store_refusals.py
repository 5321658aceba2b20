"""Stores that cannot take a sweep: of another sweep, another version, other files, or damaged."""

import copy
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import jax
import pytest
import xarray as xr

import w2sjax as w2s
from tests.test_store import AXES, PROTOCOL, SETTINGS, WORLD, assert_same, stored
from w2sjax.errors import StoreError
from w2sjax.sweeps import provenance


@pytest.fixture(scope="module")
def memory() -> xr.Dataset:
    return w2s.sweep(WORLD, PROTOCOL, **SETTINGS)


@pytest.mark.parametrize(
    ("world", "protocol", "changes", "message"),
    [
        (
            {"weak_noise": 0.1},
            {},
            {},
            r"holds world\.weak_noise=0\.05 but this sweep has world\.weak_noise=0\.1",
        ),
        ({}, {"n_weak": 51}, {}, r"protocol\.n_weak=50 but .*protocol\.n_weak=51"),
        ({}, {}, {"axes": AXES | {"ridge": [1.0, 1e-2]}}, r"axes\.ridge=\[0\.0, 0\.001\] but"),
        ({}, {}, {"axes": {"ridge": [0, 1e-3]}}, r"axes\.weak_noise=\[0\.02, 0\.05\] but .*=nothing"),
        ({}, {}, {"axes": dict(reversed(AXES.items()))}, r"axes \(order\)=ridge, weak_noise, n_strong but"),
        (
            {},
            {},
            {"seed": 4},
            r"seed=3 but this sweep has seed=4: go back to seed=3, or write to another path",
        ),
        ({}, {}, {"pairs": 13}, "pairs=14 but"),
        ({}, {}, {"first_pair": 1}, "first_pair=0 but"),
        ({}, {}, {"axes": AXES | {"weak_noise": [0.02, 0.1]}}, r"holds weak_noise=0\.05 among others"),
        ({}, {}, {"paired": False}, "paired=true but"),
    ],
)
def test_another_sweep_is_refused_by_its_first_difference(
    tmp_path_factory: pytest.TempPathFactory,
    world: dict[str, Any],
    protocol: dict[str, Any],
    changes: dict[str, Any],
    message: str,
    memory: xr.Dataset,
) -> None:
    path = tmp_path_factory.getbasetemp() / "refused.zarr"
    stored(path)
    with pytest.raises(StoreError, match=message) as refused:
        w2s.sweep(
            dataclasses.replace(WORLD, **world),
            dataclasses.replace(PROTOCOL, **protocol),
            **(SETTINGS | {"store": path} | changes),
        )
    assert "\n" not in str(refused.value)
    assert_same(memory, stored(path))


def test_another_dtype_or_version_is_refused(
    tmp_path: Path, memory: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    stored(path)
    with jax.enable_x64(False), pytest.raises(StoreError, match='dtype="float64" but .*"float32"'):
        stored(path)
    known = provenance.provenance() | {"jax_version": "0.0.1"}
    monkeypatch.setattr(provenance, "provenance", lambda: known)
    with pytest.raises(StoreError, match="jax_version=.* but this sweep has jax_version=.*0.0.1"):
        stored(path)


def test_paths_that_cannot_hold_a_store(tmp_path: Path, memory: xr.Dataset) -> None:
    with pytest.raises(StoreError, match="cannot be created"):
        stored(Path("/proc/a.zarr"))
    memory.to_zarr(tmp_path / "plain.zarr")
    with pytest.raises(StoreError, match="not written by a sweep with a store: choose another path"):
        stored(tmp_path / "plain.zarr")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes").write_text("mine")
    with pytest.raises(StoreError, match="is not a Zarr v3 store: choose another path"):
        stored(tmp_path / "text")
    stored(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "regions" / "0.0.0.0.json").unlink()
    (tmp_path / "a.zarr" / "gain" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match=r"gain/zarr\.json is damaged: restore it"):
        stored(tmp_path / "a.zarr")
    metadata = tmp_path / "a.zarr" / "zarr.json"
    whole = json.loads(metadata.read_text())
    for name, change in (
        ("configuration", {"protocol": []}),
        ("configuration", {"world": None}),
        ("configuration", {"pairs": "many"}),
        ("w2sjax_store", {"blocks": {}}),
        ("w2sjax_store", {"chunk_pairs": 0}),
    ):
        damaged = copy.deepcopy(whole)
        attributes = damaged["attributes"]
        attributes[name] = json.dumps(json.loads(attributes[name]) | change)
        metadata.write_text(json.dumps(damaged))
        with pytest.raises(StoreError, match=r"a\.zarr/zarr\.json is damaged: restore it"):
            stored(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match=r"a\.zarr/zarr\.json is damaged: restore it"):
        stored(tmp_path / "a.zarr")
    assert (tmp_path / "text" / "notes").read_text() == "mine"


def test_a_world_without_a_description_is_refused(tmp_path: Path) -> None:
    class Nameless:
        def draw(self, key: jax.Array) -> Any:
            return WORLD.draw(key)

    @dataclasses.dataclass(frozen=True)
    class Called(Nameless):
        function: Any

    for world in (Nameless(), Called(lambda x: x)):
        with pytest.raises(StoreError, match="use dataclasses"):
            w2s.sweep(world, PROTOCOL, pairs=2, store=tmp_path / "a.zarr")
    assert not os.listdir(tmp_path)
