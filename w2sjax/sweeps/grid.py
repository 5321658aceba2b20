"""The grid of a sweep: which axes share their draws in one pass, and which need a run of their own."""

import dataclasses
import itertools
import json
import numbers
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.design import Design, Numbers, design_of, numbers_of
from w2sjax.engine.outcome import Outcome
from w2sjax.engine.protocol import RIDGES, SIZES, Protocol, check_head_fields, check_protocol, fields_set
from w2sjax.errors import W2SError
from w2sjax.validation import check_boolean, check_unmasked, nearest, shown
from w2sjax.worlds.static import check_world

INNER = (*SIZES, *RIDGES)
"""Axes that cost little: sample sizes are prefixes of one stream, ridges share a factorization. Canonical order."""

RESERVED = ("pair", "task", "tasks", "progress", *(f.name for f in dataclasses.fields(Outcome)))
"""Names that are no axes: those of dimensions and variables of results, and the number of tasks, which is one."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One setting of the outer axes, with every setting of the inner axes at once.

    Attributes:
        position: index along each outer axis, by name.
        world, protocol: with the outer values put in.
        design, numbers: the inner grid in the engine's form.
        own_draws: the setting of the axes as text, where a cell has draws of its own; None where all share theirs.
    """

    position: dict[str, int]
    world: Any
    protocol: Protocol
    design: Design
    numbers: Numbers
    own_draws: str | None


@dataclasses.dataclass(frozen=True)
class Grid:
    """Validated axes of a sweep, in the caller's order."""

    world: Any
    protocol: Protocol
    axes: dict[str, tuple[Any, ...]]
    paired: bool = True

    @property
    def inner(self) -> tuple[str, ...]:
        """Names of the axes that one run covers, in canonical order."""
        return tuple(name for name in INNER if name in self.axes) if self.paired else ()

    @property
    def outer(self) -> tuple[str, ...]:
        """Names of the axes with a run per value, in the caller's order."""
        return tuple(name for name in self.axes if name not in self.inner)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis, in the caller's order."""
        return tuple(len(values) for values in self.axes.values())

    def cells(self) -> Iterator[Cell]:
        """Yield the outer cells. Each is run on its own; those of equal static shape share a compilation."""
        for indices in itertools.product(*(range(len(self.axes[name])) for name in self.outer)):
            position = dict(zip(self.outer, indices, strict=True))
            chosen = {name: self.axes[name][i] for name, i in position.items()}
            world, protocol = put(self.world, self.protocol, chosen)
            yield Cell(
                position=position,
                world=world,
                protocol=protocol,
                design=self._design(protocol),
                numbers=self._numbers(protocol),
                own_draws=None if self.paired else _as_text(chosen),
            )

    def _values(self, protocol: Protocol, name: str) -> tuple[Any, ...]:
        return self.axes[name] if name in self.inner else (getattr(protocol, name),)

    def _design(self, protocol: Protocol) -> Design:
        return dataclasses.replace(
            design_of(protocol),
            n_weak=self._values(protocol, "n_weak"),
            n_strong=self._values(protocol, "n_strong"),
            n_eval=self._values(protocol, "n_eval"),
            noisy=float(protocol.label_noise) > 0 or any(v > 0 for v in self.axes.get("label_noise", ())),
            ridgeless=all(float(ridge) == 0 for ridges in self._ridges(protocol) for ridge in ridges),
            head_curves="trained" in self.axes.get("head", (protocol.head,)),
        )

    def _numbers(self, protocol: Protocol) -> Numbers:
        dtype = jnp.zeros(()).dtype
        weak, strong = (jnp.asarray(np.array(ridges, float), dtype) for ridges in self._ridges(protocol))
        return numbers_of(protocol)._replace(ridge_weak=weak, ridge_strong=strong)

    def _ridges(self, protocol: Protocol) -> tuple[list[Any], list[Any]]:
        """Return the ridges of the weak and of the strong heads, by cell of the inner ridge axes."""
        weak, strong = [], []
        for both, only_weak, only_strong in itertools.product(
            *(self._values(protocol, name) for name in RIDGES)
        ):
            weak.append(both if only_weak is None else only_weak)
            strong.append(both if only_strong is None else only_strong)
        return weak, strong

    def arrange(self, values: np.ndarray) -> np.ndarray:
        """Turn engine output `[pair, n_weak, n_strong, n_eval, ridge, ...]` into `[pair, *inner axes, ...]`.

        The inner axes come in the caller's order.
        """
        lengths = [len(self.axes[name]) if name in self.inner else 1 for name in INNER]
        split = values.reshape(values.shape[:1] + tuple(lengths) + values.shape[5:])
        absent = tuple(1 + i for i, name in enumerate(INNER) if name not in self.inner)
        squeezed = split.squeeze(absent)
        order = [1 + self.inner.index(name) for name in self.axes if name in self.inner]
        rest = range(1 + len(self.inner), squeezed.ndim)
        return squeezed.transpose(0, *order, *rest)


def make_grid(
    world: Any, protocol: Protocol, axes: Mapping[str, Sequence[Any]] | None, *, paired: bool = True
) -> Grid:
    """Validate axes against the fields of the world and the protocol.

    Raises:
        W2SError: for an unknown axis (the nearest field is named), an empty one, a repeated value, sizes that do not
            fit `reuse_inputs` or `evaluation_points`, fields or ridges that are not for the heads in use, or a value
            that the world or the protocol refuses.
    """
    check_world(world)
    check_protocol(protocol)
    check_boolean("paired", paired)
    if axes is not None and not isinstance(axes, Mapping):
        raise W2SError(f"axes={shown(axes)} is not a mapping: pass {{field: values}}.")
    checked: dict[str, tuple[Any, ...]] = {}
    fields = axis_names(world)
    for name, given in (axes or {}).items():
        if not isinstance(name, str):
            raise W2SError(f"axes has a key {shown(name)}, which is not text: pass names of fields.")
        if name == "tasks":
            raise W2SError(
                "axes has no field 'tasks' to vary: run the most, of which every first few are a prefix."
            )
        if name not in fields:
            raise W2SError(
                f"axes has no field {name!r} to vary: did you mean {nearest(name, fields)!r}? "
                f"The fields are {', '.join(fields)}."
            )
        values = _values_of(name, given)
        for value in values:
            put(world, dataclasses.replace(protocol, reuse_inputs=False), {name: value})
        checked[name] = _one_kind(values)
    heads = checked.get("head", (protocol.head,))
    check_head_fields(heads, fields_set(protocol) | checked.keys())
    varied = [name for name in RIDGES if name in checked and checked[name] != (0,)]
    if "trained" in heads and varied:
        raise W2SError(f"axes[{varied[0]!r}] is not for head='trained': vary head_weight_decay instead.")
    grid = Grid(world=world, protocol=protocol, axes=checked, paired=paired)
    if protocol.reuse_inputs or any(checked.get("reuse_inputs", ())):
        n_weak = checked.get("n_weak", (protocol.n_weak,))
        n_strong = checked.get("n_strong", (protocol.n_strong,))
        dataclasses.replace(protocol, n_weak=min(n_weak), n_strong=max(n_strong), reuse_inputs=True)
    n_eval = checked.get("n_eval", (protocol.n_eval,))
    for points in checked.get("evaluation_points", (protocol.evaluation_points,)):
        dataclasses.replace(protocol, n_eval=max(n_eval), evaluation_points=points)
    return grid


def _values_of(name: str, given: Any) -> tuple[Any, ...]:
    """Return the values of an axis as plain Python values, or refuse them."""
    if isinstance(given, str | bytes) or not isinstance(given, Sequence | np.ndarray | jax.Array):
        raise W2SError(f"axes[{name!r}]={shown(given)} is not a list: pass a list of values.")
    if isinstance(given, np.ndarray | jax.Array) and given.ndim != 1:
        raise W2SError(f"axes[{name!r}] has {given.ndim} dimensions: pass a list of single values.")
    check_unmasked(f"axes[{name!r}]", given)
    values = tuple(_single_value(name, value) for value in given)
    if not values:
        raise W2SError(f"axes[{name!r}] is empty: pass at least one value.")
    if len(set(values)) < len(values):
        raise W2SError(f"axes[{name!r}] repeats a value: pass each value once.")
    return values


def _single_value(name: str, value: Any) -> bool | int | float | str:
    """Return a value of an axis as plain Python, or refuse it."""
    if isinstance(value, np.ndarray | jax.Array) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, numbers.Integral):
        if not -(2**63) <= int(value) < 2**63:
            raise W2SError(f"axes[{name!r}] holds {shown(int(value))}: pass numbers of at most 64 bits.")
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)  # long doubles and fractions too
    if isinstance(value, str):
        return str(value)
    raise W2SError(f"axes[{name!r}] holds {shown(value)}: pass single numbers, truth values or text.")


def axis_names(world: Any) -> list[str]:
    """Return every field that can be an axis: none that has the name of what results have already."""
    names = [f.name for f in dataclasses.fields(Protocol) if f.name != "standard_errors"]
    if dataclasses.is_dataclass(world):
        names += [f.name for f in dataclasses.fields(world) if f.init]
    return [name for name in names if name not in RESERVED]


def put(world: Any, protocol: Protocol, values: Mapping[str, Any]) -> tuple[Any, Protocol]:
    """Return the world and the protocol with some of their fields replaced."""
    of_protocol = {f.name for f in dataclasses.fields(Protocol)}
    mine = {name: v for name, v in values.items() if name in of_protocol}
    theirs = {name: v for name, v in values.items() if name not in of_protocol}
    if theirs:
        world = dataclasses.replace(world, **theirs)
    return world, dataclasses.replace(protocol, **mine) if mine else protocol


def _one_kind(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return numbers as floats where one of them is: 0 beside 0.1 would otherwise compile a program of its own."""
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if numeric and any(isinstance(v, float) for v in values):
        return tuple(float(v) for v in values)
    return values


def _as_text(chosen: Mapping[str, Any]) -> str:
    """Return one setting of the axes as text: the same for 0 and 0.0, and whatever the order of the axes."""
    plain = {
        name: float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for name, value in chosen.items()
    }
    return json.dumps(plain, sort_keys=True)
