"""Random perceptrons of which the weak one is blind to some of the inputs."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.pytrees import pytree
from w2sjax.validation import check_integer
from w2sjax.worlds.mlp import NETWORKS, PerceptronPair, PerturbedMLP


@pytree("input_scale", "weak_noise", "strong_noise")
@dataclasses.dataclass(frozen=True, kw_only=True)
class TruncatedMLP(PerturbedMLP):
    """`PerturbedMLP` whose weak network sees the first `weak_inputs` inputs alone: others have weight 0 in it.

    With strong_noise = 0 the strong representation is that of the target, and with weak_noise = 0 the weak network is
    the target network without some inputs.

    Args:
        weak_inputs: from 1 to input_dim.

    Reference: the truncated perceptron in the synthetic notebook of Mulgund and Pabbaraju 2025 (arXiv 2501.19105) sees
    half of 3072 inputs, and has two layers of width 50; target and weak network are trained there, and random here.
    """

    input_dim: int = 32
    width: int = 50
    depth: int = 2
    input_scale: Any = 1.0
    weak_noise: Any = 0.0
    strong_noise: Any = 0.0
    weak_inputs: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("weak_inputs", self.weak_inputs, least=1, most=self.input_dim)

    def draw(self, key: jax.Array) -> PerceptronPair:
        """Draw one pair: target parameters, and two copies of them."""
        pair = super().draw(key)
        seen = jnp.arange(self.input_dim, dtype=jnp.int32) < self.weak_inputs
        mask = jnp.ones((len(NETWORKS), 1, self.input_dim), bool).at[NETWORKS.index("weak"), 0].set(seen)
        layers = pair.parameters["params"]
        first = layers["layer_0"] | {"weight": jnp.where(mask, layers["layer_0"]["weight"], 0)}
        return dataclasses.replace(pair, parameters={"params": layers | {"layer_0": first}})
