"""Axes of a sweep: fields of the world and of the protocol, by their shortest unique name or their path."""

import dataclasses
import numbers
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from w2sjax.engine.chain import Stage
from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError
from w2sjax.validation import check_unmasked, nearest, shown

Path = tuple[str, ...]
"""Names of fields from the outside in; the first is "world" or "protocol"."""

RESERVED = ("pair", "task", "tasks", "progress", "status", "criterion")
"""Names that are no axes: those of dimensions, and the number of tasks, which is one."""

_NO_AXES = ("tasks", "standard_errors", "stages", "loss", "numerics")


def field_paths(world: Any, protocol: Protocol) -> list[Path]:
    """Return every field that can be an axis."""
    found: list[Path] = []
    inside: Any = world
    path: Path = ("world",)
    while dataclasses.is_dataclass(inside):  # a world may be made of another
        found += [(*path, name) for name in _fields(inside)]
        inside, path = getattr(inside, "world", None), (*path, "world")
    found += [
        ("protocol", *rest) for rest in _nested(protocol) if rest[0] != "weak_head" or protocol.weak_head
    ]
    return found


def _fields(value: Any) -> list[str]:
    return [f.name for f in dataclasses.fields(value) if f.init] if dataclasses.is_dataclass(value) else []


def _nested(protocol: Protocol) -> Iterator[Path]:
    for name in _fields(protocol):
        value = getattr(protocol, name)
        if name == "stages":
            for stage in value or ():
                for part in ("head", "method"):
                    yield from ((stage.name, part, field) for field in _fields(getattr(stage, part)))
            continue
        if protocol.stages is not None and name in ("head", "weak_head", "baseline"):
            continue
        if name not in _NO_AXES:
            yield (name,)
        if name in ("head", "weak_head", "target", "numerics"):
            yield from ((name, field) for field in _fields(value))


def find(name: Any, world: Any, protocol: Protocol) -> Path:
    """Return the path of the field that an axis is named after.

    Raises:
        W2SError: for a name that no field has, with the nearest one, or several.
    """
    if not isinstance(name, str):
        raise W2SError(f"axes has a key {shown(name)}, which is not text: pass names of fields.")
    if name in ("tasks", "protocol.tasks"):
        raise W2SError(
            "axes has no field 'tasks' to vary: run the most, of which every first few are a prefix."
        )
    paths = field_paths(world, protocol)
    parts = tuple(name.split("."))
    found = [path for path in paths if path[-len(parts) :] == parts]
    exact = [path for path in found if len(path) == min(map(len, found))] if found else []
    if len(found) > 1 and (len(exact) > 1 or len(parts) == 1):
        options = ", ".join(".".join(path if path[0] == "world" else path[1:]) for path in found)
        raise W2SError(f"axes field {name!r} is one of several, {options}: name one of them.")
    if not found or name in RESERVED:
        names = [shortest(path, paths) for path in paths]
        names = [each for each in names if each not in RESERVED]
        raise W2SError(
            f"axes has no field {name!r} to vary: did you mean {nearest(name, names)!r}? "
            f"The fields are {', '.join(names)}."
        )
    return exact[0]


def shortest(path: Path, paths: Sequence[Path]) -> str:
    """Return the shortest name of a field that no other has."""
    for length in range(1, len(path) + 1):
        if sum(other[-length:] == path[-length:] for other in paths) == 1:
            return ".".join(path[-length:])
    return ".".join(path)


def values_of(name: str, given: Any) -> tuple[Any, ...]:
    """Return the values of an axis as plain Python values or objects, or refuse them."""
    if isinstance(given, str | bytes) or not isinstance(given, Sequence | np.ndarray | jax.Array):
        raise W2SError(f"axes[{name!r}]={shown(given)} is not a list: pass a list of values.")
    if isinstance(given, np.ndarray | jax.Array) and given.ndim != 1:
        raise W2SError(f"axes[{name!r}] has {given.ndim} dimensions: pass a list of single values.")
    check_unmasked(f"axes[{name!r}]", given)
    values = tuple(_single_value(name, value) for value in given)
    if not values:
        raise W2SError(f"axes[{name!r}] is empty: pass at least one value.")
    labels = [label_of(value) for value in values]
    if len(set(labels)) < len(labels):
        raise W2SError(f"axes[{name!r}] repeats a value: pass each value once.")
    return values


def of_one_kind(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return floats where one of numbers is: 0 beside 0.1 would otherwise compile a program of its own."""
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    return tuple(map(float, values)) if numeric and any(isinstance(v, float) for v in values) else values


def _single_value(name: str, value: Any) -> Any:
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
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and not isinstance(value, Stage):
        return value
    raise W2SError(f"axes[{name!r}] holds {shown(value)}: pass single numbers, truth values, text or heads.")


def check_distinct(values: Mapping[str, tuple[Any, ...]], paths: Mapping[str, Path]) -> None:
    """Refuse values of an axis, such as heads, that differ only in a field which another axis sets."""
    for name, path in paths.items():
        for other, inside in paths.items():
            if inside[:-1] != path:
                continue
            first: dict[Any, Any] = {}
            for value in values[name]:
                same = first.setdefault(label_of(_replace(value, inside[-1], values[other][0])), value)
                if same is not value:
                    raise W2SError(
                        f"axes[{name!r}] has {shown(same)} and {shown(value)}, which differ in {inside[-1]} alone, and "
                        f"axes[{other!r}] sets that: leave one of them out."
                    )


def label_of(value: Any) -> Any:
    """Return what stands for a value on the axis of a Dataset: itself, or its kind and the fields that were set."""
    if not dataclasses.is_dataclass(value):
        return value
    changed = [
        f"{f.name}={getattr(value, f.name)!r}"
        for f in dataclasses.fields(value)
        if f.default is dataclasses.MISSING or bool(getattr(value, f.name) != f.default)
    ]
    return f"{type(value).__name__}({', '.join(changed)})"


def put(world: Any, protocol: Protocol, values: Mapping[Path, Any]) -> tuple[Any, Protocol]:
    """Return the world and the protocol with some of their fields replaced, those of each at once."""
    top: dict[str, Any] = {}
    stages = protocol.stages
    for path, value in sorted(values.items(), key=lambda item: len(item[0])):
        if path[0] == "world":
            continue
        if len(path) == 2:
            top[path[1]] = value
        elif len(path) == 3:
            inside = top.get(path[1], getattr(protocol, path[1]))
            top[path[1]] = _replace(inside, path[2], value)
        else:
            assert stages is not None  # as such a path was found
            stages = tuple(
                dataclasses.replace(s, **{path[2]: _replace(getattr(s, path[2]), path[3], value)})
                if s.name == path[1]
                else s
                for s in stages
            )
            top["stages"] = stages
    world = _put_into_world(world, {path[1:]: value for path, value in values.items() if path[0] == "world"})
    return world, dataclasses.replace(protocol, **top) if top else protocol


def _put_into_world(world: Any, values: Mapping[Path, Any]) -> Any:
    """Replace fields of a world, and of the one that it is made of, each world's at once."""
    own = {path[0]: value for path, value in values.items() if len(path) == 1}
    inner = {path[1:]: value for path, value in values.items() if len(path) > 1}
    if inner:
        own["world"] = _put_into_world(own.get("world", world.world), inner)
    return dataclasses.replace(world, **own) if own else world


def _replace(value: Any, field: str, new: Any) -> Any:
    if field not in _fields(value):
        raise W2SError(
            f"{type(value).__name__} has no field {field}: leave the axis out, or vary another head."
        )
    return dataclasses.replace(value, **{field: new})
