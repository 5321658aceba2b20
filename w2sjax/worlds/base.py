"""What a world is: anything that draws pairs, and pairs that draw features."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp


class Features(NamedTuple):
    """Features of the same inputs under the three representations, each `[n, width]`."""

    target: jax.Array
    weak: jax.Array
    strong: jax.Array


@runtime_checkable
class Pair(Protocol):
    """One draw of (h*, h_w, h_s).

    A pair may also have two methods that the engine uses when they are there:

    - `heads(key, tasks) -> (weights [task, width], bias [task])`, its prior over target heads; without one, heads are
      drawn like `torch.nn.Linear` layers (see `default_heads`);
    - `columns(key, n, names) -> {name: [width, n]}`, the same features as `features` in the engine's layout, for the
      names asked for ("target", "weak", "strong") only.
    """

    def features(self, key: jax.Array, n: int) -> Any:
        """Draw n inputs and return (target, weak, strong), each `[n, width]` of its own width."""
        ...


@runtime_checkable
class World(Protocol):
    """A frozen object that draws pairs."""

    def draw(self, key: jax.Array) -> Any:
        """Draw one pair."""
        ...


def default_heads(key: jax.Array, tasks: int, width: int) -> tuple[jax.Array, jax.Array]:
    """Draw linear heads with bias, every entry uniform on +-1/sqrt(width): the default of `torch.nn.Linear`.

    Returns:
        weights `[task, width]` and bias `[task]`. The first t tasks do not depend on how many are drawn.
    """
    draws = uniform(key, (tasks, width + 1), width**-0.5)
    return draws[:, :-1], draws[:, -1]


def uniform(key: jax.Array, shape: tuple[int, ...], bound: float) -> jax.Array:
    """Uniform on [-bound, bound), drawn in float32 and cast, so that both precisions see the same numbers."""
    draws = jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)
    return draws.astype(default_dtype()) * bound


def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal, drawn in float32 and cast, so that both precisions see the same numbers."""
    return jax.random.normal(key, shape, jnp.float32).astype(default_dtype())


def default_dtype() -> Any:
    """float64 where JAX's x64 flag is set, else float32."""
    return jnp.float64 if jax.config.jax_enable_x64 else jnp.float32
