"""Dataclasses as pytrees whose values are checked where a user builds them, and nowhere else."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax


def pytree[T](*data_fields: str, objects: tuple[str, ...] = ()) -> Callable[[type[T]], type[T]]:
    """Return a decorator that registers a frozen dataclass as a pytree; other fields than these are static.

    Fields of `objects`, which are data fields too, may hold a user's object that is no pytree: it is then static.

    JAX rebuilds pytrees from whatever it maps over: tracers, shapes, None. The values were checked when the user built
    the object, so that rebuilding it runs no `__post_init__`, as `jax.tree_util.register_dataclass` would.
    """

    def register(kind: type[T]) -> type[T]:
        static = tuple(f.name for f in dataclasses.fields(kind) if f.name not in data_fields)  # type: ignore[arg-type]

        def flat(value: T) -> tuple[list[Any], tuple[Any, ...]]:
            data = {name: getattr(value, name) for name in data_fields}
            fixed = {name: data[name] for name in objects if _is_opaque(data[name])}
            settings = tuple(getattr(value, name) for name in static)
            return [None if name in fixed else data[name] for name in data_fields], (
                settings,
                tuple(fixed.items()),
            )

        def keyed(value: T) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
            data, settings = flat(value)
            return [
                (jax.tree_util.GetAttrKey(n), d) for n, d in zip(data_fields, data, strict=True)
            ], settings

        def rebuilt(settings: tuple[Any, ...], data: Any) -> T:
            values, fixed = settings
            fields = dict(zip((*data_fields, *static), (*data, *values), strict=True)) | dict(fixed)
            return unchecked(kind, **fields)

        jax.tree_util.register_pytree_with_keys(kind, keyed, rebuilt, flat)
        return kind

    return register


def _is_opaque(value: Any) -> bool:
    """Say whether a value is an object with methods of a user's that is no pytree, such as a plain head or world."""
    methods = any(callable(getattr(value, name, None)) for name in ("fit", "targets", "draw"))
    return methods and jax.tree_util.all_leaves([value])


def unchecked[T](kind: type[T], /, **fields: Any) -> T:
    """Return an object of a dataclass with the given fields, whose values are not checked."""
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made
