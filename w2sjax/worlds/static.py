"""Lets any object with a `draw` method go through jit: as a pytree if it is one, else as a constant."""

import dataclasses
from collections.abc import Hashable
from typing import Any

import jax

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree


@pytree()
@dataclasses.dataclass(frozen=True)
class StaticWorld:
    """A world that is not a pytree, carried through jit as a compile-time constant."""

    world: Hashable

    def draw(self, key: jax.Array) -> Any:
        """Draw a pair from the world inside."""
        return self.world.draw(key)  # type: ignore[attr-defined]


class _ByIdentity:
    """Makes an unhashable world usable as a compile-time constant."""

    def __init__(self, world: Any) -> None:
        self.draw = world.draw
        self._world = world

    def __hash__(self) -> int:
        return id(self._world)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and self._world is other._world


def check_world(world: Any) -> None:
    """Refuse what does not draw pairs.

    Raises:
        W2SError: if it is a class, or has no `draw`.
    """
    if isinstance(world, type) or not callable(getattr(world, "draw", None)):
        raise W2SError(
            f"world={world!r} is not a world: pass an object with draw(key), such as PerturbedMLP()."
        )


def as_pytree(world: Any) -> Any:
    """Return the world if it is a pytree, else a wrapper that makes it a compile-time constant.

    Raises:
        W2SError: for what is no world, and for a dataclass that is neither a pytree nor frozen.
    """
    check_world(world)
    if not jax.tree_util.all_leaves([world]) and not isinstance(world, tuple):
        return world
    if dataclasses.is_dataclass(world) and not getattr(type(world), "__dataclass_params__").frozen:  # noqa: B009
        raise W2SError(
            f"world={world!r} can change after it was compiled: declare it with @dataclasses.dataclass(frozen=True)."
        )
    try:
        hash(world)
    except TypeError:
        return StaticWorld(_ByIdentity(world))
    return StaticWorld(world)
