"""A store knows a user's world by its name and its code, and is not continued by another version of either."""

import dataclasses
import importlib
import itertools
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import w2sjax as w2s
from w2sjax.sweeps.grid import make_grid
from w2sjax.sweeps.identity import kind_of, sources
from w2sjax.sweeps.provenance import code_of

PROTOCOL = w2s.Protocol(n_weak=40, n_strong=40, n_eval=40, tasks=1)

MODULE = """
import dataclasses
import functools

import jax.numpy as jnp
from w2sjax.random.draws import normal

POWER = 1
TABLE = {"a": [1, 2]}
UNUSED = 5


def bend(x):
    return jnp.tanh(x)


def twice(function):
    @functools.wraps(function)
    def wrapped(*arguments):
        return function(*arguments)
    return wrapped


class Base:
    offset = 0.0

    def shift(self, x):
        return x + self.offset


@dataclasses.dataclass(frozen=True)
class Pair(Base):
    weights: object

    @twice
    def features(self, key, n, slope=1.0):
        x = self.shift(normal(key, (n, 3)) @ self.weights)
        return slope * x**POWER, bend(x[:, :2]), jnp.tanh(x) * TABLE["a"][0]


@dataclasses.dataclass(frozen=True)
class Mine:
    scale: float = 1.0

    def draw(self, key):
        return Pair(self.scale * normal(key, (3, 3)))
"""

CHANGES = {
    "a constant": ("POWER = 1", "POWER = 3"),
    "a table": ("[1, 2]", "[2, 2]"),
    "a helper": ("return jnp.tanh(x)\n\n\ndef twice", "return jnp.sin(x)\n\n\ndef twice"),
    "a decorator": ("return function(*arguments)", "return function(*arguments) if True else None"),
    "a base class": ("return x + self.offset", "return x - self.offset"),
    "an attribute of a base class": ("offset = 0.0", "offset = 1.0"),
    "a default": ("slope=1.0", "slope=2.0"),
    "a method of the pair": ("jnp.tanh(x) *", "jnp.sin(x) *"),
    "the world": ("self.scale * normal", "2 * self.scale * normal"),
}

names = (f"users_world_{i}" for i in itertools.count())


def load(folder: Path, text: str, name: str) -> Any:
    """Import a module from a file that may have been imported with another text."""
    (folder / f"{name}.py").write_text(text)
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "dont_write_bytecode", True)
            module = importlib.import_module(name)
        __import__("linecache").checkcache()
        return module
    finally:
        sys.path.remove(str(folder))


def test_the_same_code_resumes(tmp_path: Path) -> None:
    name = next(names)
    for text in (MODULE, MODULE, MODULE.replace("UNUSED = 5", "UNUSED = 6"), f"# a comment\n{MODULE}"):
        world = load(tmp_path, text, name).Mine()
        assert kind_of(world) == f"{name}.Mine"
        ds = w2s.sweep(world, PROTOCOL, pairs=4, chunk_pairs=2, store=tmp_path / "m.zarr")
    configuration = json.loads(ds.attrs["configuration"])
    assert configuration["world"] == {"kind": f"{name}.Mine", "scale": 1.0}
    assert {f"{name}.{code}" for code in ("Mine", "Pair", "Base", "bend", "twice")} <= configuration[
        "code"
    ].keys()
    assert configuration["generator"] == "threefry2x32" and configuration["algorithm"] >= 2


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The name of a module, and a store of its world."""
    folder, name = tmp_path_factory.mktemp("identity"), next(names)
    world = load(folder, MODULE, name).Mine()
    w2s.sweep(world, PROTOCOL, pairs=4, chunk_pairs=2, store=folder / "m.zarr")
    return name, folder / "m.zarr"


@pytest.mark.parametrize("change", CHANGES)
def test_another_version_is_refused_by_name(change: str, written: tuple[str, Path], tmp_path: Path) -> None:
    name, store = written
    old, new = CHANGES[change]
    assert MODULE.count(old) == 1
    changed = load(tmp_path, MODULE.replace(old, new), name).Mine()
    with pytest.raises(
        w2s.StoreError, match=rf"another version of {name}\.\w+, or of what its code refers to"
    ):
        w2s.sweep(changed, PROTOCOL, pairs=4, store=store)


def test_another_module_or_class_is_refused(tmp_path: Path) -> None:
    name = next(names)
    world = load(tmp_path, MODULE, name).Mine()
    w2s.sweep(world, PROTOCOL, pairs=2, store=tmp_path / "m.zarr")
    other = load(tmp_path, MODULE, next(names)).Mine()
    with pytest.raises(w2s.StoreError, match="world.kind="):
        w2s.sweep(other, PROTOCOL, pairs=2, store=tmp_path / "m.zarr")
    renamed = load(tmp_path, MODULE.replace("class Mine", "class Ours"), name).Ours()
    with pytest.raises(w2s.StoreError, match="world.kind="):
        w2s.sweep(renamed, PROTOCOL, pairs=2, store=tmp_path / "m.zarr")


def test_what_a_function_closes_over_counts() -> None:
    def made(power: int) -> Any:
        class World:
            def draw(self, key: Any) -> Any:
                return key**power

        return World()

    assert sources(made(1)) != sources(made(2)) and sources(made(1)) == sources(made(1))


def test_what_a_loss_is_made_of_counts() -> None:
    """A divergence is code of this package, made of a user's generator."""

    def made(power: int) -> w2s.losses.Loss:
        return w2s.losses.bregman("mine", lambda p: p**power)

    assert sources(made(4).value) != sources(made(6).value)
    assert sources(made(4).value) == sources(made(4).value) and sources(w2s.losses.KL.value) == ({}, [])


def test_all_code_of_a_user_counts() -> None:
    def ranked(seen: Any, inside: Any) -> Any:
        return seen["w2s"].max(axis=1)

    class Target(w2s.targets.Binary):
        pass

    metric = w2s.Metric("x", "x", "1", of_sample=ranked)
    grid = make_grid(
        w2s.worlds.PerturbedMLP(), dataclasses.replace(PROTOCOL, target=Target()), {}, metrics=(metric,)
    )
    assert {name.rpartition(".")[2] for name in code_of(grid)[0]} == {"ranked", "Target"}


def test_another_metric_is_named_before_its_code(written: tuple[str, Path], tmp_path: Path) -> None:
    name, store = written
    world = load(tmp_path, MODULE, name).Mine()
    metric = w2s.Metric("x", "x", "1", lambda p: p["w2s"])
    with pytest.raises(w2s.StoreError, match=r'holds metrics=\[\] but this sweep has metrics=\["x"\]'):
        w2s.sweep(world, PROTOCOL, pairs=4, metrics=[metric], store=store)


def test_a_source_that_cannot_be_read_is_a_warning(tmp_path: Path) -> None:
    def defined(power: int) -> Any:
        space: dict[str, Any] = {"__name__": "typed_in"}
        exec(MODULE.replace("POWER = 1", f"POWER = {power}"), space)
        return space["Mine"]()

    with pytest.warns(UserWarning, match=r"the source of typed_in\.Mine cannot be read"):
        w2s.sweep(defined(1), PROTOCOL, pairs=4, chunk_pairs=2, store=tmp_path / "m.zarr")
    with warnings.catch_warnings(), pytest.raises(w2s.StoreError, match="another version of typed_in"):
        warnings.simplefilter("ignore")
        w2s.sweep(defined(3), PROTOCOL, pairs=4, store=tmp_path / "m.zarr")


def test_worlds_of_this_package_are_known_by_its_version() -> None:
    assert sources(w2s.worlds.PerturbedMLP()) == ({}, [])
