"""Lets any object with a `draw` method go through jit: as a pytree if it is one, else as a constant."""

import dataclasses
from typing import Any

import jax

from w2sjax.errors import W2SError


@jax.tree_util.register_static
class StaticWorld:
    """A world that is not a pytree, carried through jit as a compile-time constant: itself, or by its identity."""

    def __init__(self, world: Any) -> None:
        self.draw, self._world = world.draw, world
        try:
            hash(world)
            self._same: Any = world
        except TypeError:
            self._same = id(world)

    def __hash__(self) -> int:
        return hash(self._same)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StaticWorld) and bool(self._same == other._same)


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
    return StaticWorld(world)
