"""A world of candidates: noisy copies of one target network that do not share the directions of their noise."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in
from w2sjax.random.keys import CANDIDATE_NOISE, Purpose
from w2sjax.worlds.mlp import PerceptronPair, PerturbedMLP
from w2sjax.worlds.perceptron import draw_parameters, parameter_shapes, perturbed_copies, unpack


@pytree("input_scale", "weak_noise", "strong_noise")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PerturbedCandidates(PerturbedMLP):
    """`PerturbedMLP` whose noise is drawn anew for every noise level, the target network being the same.

    In a sweep over `weak_noise`, the weak networks of `PerturbedMLP` lie on a line through the target network: each is
    the target plus its noise level times one common direction, so that they are nearly ordered by their level. Here the
    direction depends on the level too (its float32 bits, folded into the key), and the candidates are independent given
    the target. The same holds for `strong_noise`. Fields are those of `PerturbedMLP`.
    """

    def draw(self, key: jax.Array) -> PerceptronPair:
        """Draw the target's parameters and two noisy copies, whose noise is a function of (key, role, level)."""
        target_key, *noise_keys = fold_in(key, np.array([Purpose.TARGET, *CANDIDATE_NOISE], np.uint32))
        shapes = parameter_shapes(self.module, self.input_dim)
        target = draw_parameters(target_key, shapes)
        dtype = default_dtype()
        copies = []
        for noise_key, noise in zip(noise_keys, (self.weak_noise, self.strong_noise), strict=True):
            level = jax.lax.bitcast_convert_type(jnp.asarray(noise, jnp.float32), jnp.uint32)
            own_key = fold_in(noise_key, level[None])[0]
            copies.append(perturbed_copies(own_key, target, jnp.asarray(noise, dtype)[None])[0])
        return PerceptronPair(
            parameters=unpack(shapes, jnp.stack([copies[0], target, copies[1]])),
            input_scale=jnp.asarray(self.input_scale, dtype),
            input_dim=self.input_dim,
            module=self.module,
            kind=self.inputs,
            degrees_of_freedom=self.degrees_of_freedom,
        )
