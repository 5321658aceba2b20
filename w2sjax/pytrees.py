"""Dataclasses as pytrees whose values are checked where a user builds them, and nowhere else."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax


def pytree[T](*data_fields: str) -> Callable[[type[T]], type[T]]:
    """Return a decorator that registers a frozen dataclass as a pytree; other fields than these are static.

    JAX rebuilds pytrees from whatever it maps over: tracers, shapes, None. The values were checked when the user built
    the object, so that rebuilding it runs no `__post_init__`, as `jax.tree_util.register_dataclass` would.
    """

    def register(kind: type[T]) -> type[T]:
        static = tuple(f.name for f in dataclasses.fields(kind) if f.name not in data_fields)  # type: ignore[arg-type]

        def keyed(value: T) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
            data = [(jax.tree_util.GetAttrKey(name), getattr(value, name)) for name in data_fields]
            return data, tuple(getattr(value, name) for name in static)

        def flat(value: T) -> tuple[list[Any], tuple[Any, ...]]:
            return [getattr(value, name) for name in data_fields], tuple(getattr(value, n) for n in static)

        def rebuilt(settings: tuple[Any, ...], data: Any) -> T:
            value = object.__new__(kind)
            for name, entry in zip((*data_fields, *static), (*data, *settings), strict=True):
                object.__setattr__(value, name, entry)
            return value

        jax.tree_util.register_pytree_with_keys(kind, keyed, rebuilt, flat)
        return kind

    return register
