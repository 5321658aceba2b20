"""A world of candidates: noisy copies of one target network that do not share the directions of their noise."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in
from w2sjax.random.keys import CANDIDATE_NOISE
from w2sjax.worlds.mlp import PerturbedMLP
from w2sjax.worlds.perceptron import perturbed_copies


@pytree("input_scale", "weak_noise", "strong_noise")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PerturbedCandidates(PerturbedMLP):
    """`PerturbedMLP` whose noise is drawn anew for every noise level, the target network being the same.

    In a sweep over `weak_noise`, the weak networks of `PerturbedMLP` lie on a line through the target network: each is
    the target plus its noise level times one common direction, so that they are nearly ordered by their level. Here the
    direction depends on the level too (its float32 bits, folded into the key), and the candidates are independent given
    the target. The same holds for `strong_noise`. Fields are those of `PerturbedMLP`.
    """

    noise_draws: ClassVar[tuple[int, ...]] = CANDIDATE_NOISE

    def copies(self, keys: list[jax.Array], target: jax.Array) -> jax.Array:
        """Return both copies, whose noise is a function of (key, role, level)."""
        found = []
        for key, noise in zip(keys, (self.weak_noise, self.strong_noise), strict=True):
            level = jax.lax.bitcast_convert_type(jnp.asarray(noise, jnp.float32), jnp.uint32)
            own_key = fold_in(key, level[None])[0]
            found.append(perturbed_copies(own_key, target, jnp.asarray(noise, default_dtype())[None])[0])
        return jnp.stack(found)
