"""A target of two indices: a linear part that any model learns, and a hard one that only pre-training gives."""

import dataclasses

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, normal
from w2sjax.validation import Checked, real, whole


@pytree("easy", "hard")
@dataclasses.dataclass(frozen=True)
class MultiIndexPair:
    """Sizes of both parts; rotations of the input do not matter, so that the indices are the first two coordinates."""

    easy: jax.Array
    hard: jax.Array
    dim: int

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw standard normal inputs `[n, dim]`."""
        return normal(key, (n, self.dim))

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return both parts `[n, 2]`, the inputs, or inputs and the hard feature, (x_2^3 - 3 x_2) / sqrt 6."""
        second = inputs[:, 1]
        hard = ((second**3 - 3 * second) / 6**0.5)[:, None]
        if name == "target":
            return jnp.concatenate([self.easy * inputs[:, :1], self.hard * hard], axis=1)
        if name in ("weak", "strong"):
            return inputs if name == "weak" else jnp.concatenate([inputs, hard], axis=1)
        raise W2SError(f"a stage is on {name!r}: this world has target, weak and strong.")

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Return the target function for every task: tasks differ in their label noise alone."""
        return jnp.ones((tasks, 2), default_dtype()), jnp.zeros(tasks, default_dtype())


@pytree("easy", "hard")
@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiIndex(Checked):
    """The target easy * u'x + hard * He_3(v'x) / sqrt 6 of x ~ N(0, I), u and v orthonormal.

    The weak model is linear in x: it learns the easy part, and the hard one is noise to it. The strong representation
    has the hard feature too, from pre-training; `w2sjax.heads.FineTuned` has its coefficient from there.

    Args:
        dim: of x, >= 2.
        easy, hard: standard deviations of both parts, in label units, >= 0.

    Reference: the third mechanism of Moniri and Hassani 2025 (arXiv 2505.18346), whose text was not at hand.
    """

    dim: int = whole(50, least=2)
    easy: float | jax.Array = real(1.0, least=0)
    hard: float | jax.Array = real(1.0, least=0)

    def draw(self, key: jax.Array) -> MultiIndexPair:
        """Return the pair: nothing in it is random."""
        dtype = default_dtype()
        return MultiIndexPair(jnp.asarray(self.easy, dtype), jnp.asarray(self.hard, dtype), self.dim)
