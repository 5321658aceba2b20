"""Random ReLU networks of any depth, scaled so that their features have a limit of infinite width."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import default_dtype, fold_in, normal
from w2sjax.random.keys import Purpose
from w2sjax.validation import check_boolean
from w2sjax.worlds.layers import relu
from w2sjax.worlds.perceptron import check_network

NAMES = ("target", "weak", "strong")


@pytree("weights")
@dataclasses.dataclass(frozen=True)
class RandomPair:
    """Weights of networks by name, a list of matrices `[in, out]` each, which include the layer's scale."""

    weights: dict[str, list[jax.Array]]
    input_dim: int
    width: int

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw n Gaussian inputs with E|x|^2 = 1, `[n, input_dim]`."""
        return normal(key, (n, self.input_dim)) * self.input_dim**-0.5

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return the named features `[n, width]`; their inner products tend to the arc-cosine kernel."""
        values = inputs
        for weight in self.weights[name]:
            values = relu(jnp.matmul(values, weight, precision=jax.lax.Precision.HIGHEST))
        return values

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Draw standard normal target heads without bias: the target tends to a Gaussian process."""
        return normal(key, (tasks, self.width)), jnp.zeros(tasks, default_dtype())


@pytree()
@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomMLP:
    """Weak, target and strong representations are independent random ReLU networks, each of its own depth.

    A layer is h -> sqrt(2 / width) relu(W h) with independent standard normal W and no bias, so that E|h|^2 = |x|^2 at
    every depth; features are the last layer, in units in which h(x)'h(x') tends to the arc-cosine kernel of that depth.
    Inputs are N(0, I / input_dim), target heads standard normal.

    The limit of the synthetic setting of Charikar, Pabbaraju and Shiragur 2024 (arXiv 2405.15116) where width goes to
    infinity with everything else fixed. There, copies of the target network with noise on its parameters have the
    target's kernel up to a factor: depth is what tells representations apart.

    Args:
        input_dim: >= 1.
        width: units per layer, >= 1.
        weak_depth, target_depth, strong_depth: layers, >= 1.
        shared: the strong network is the target network itself; needs strong_depth = target_depth.
    """

    input_dim: int = 8
    width: int = 256
    weak_depth: int = 1
    target_depth: int = 3
    strong_depth: int = 3
    shared: bool = False

    def __post_init__(self) -> None:
        depths = {f"{name}_depth": getattr(self, f"{name}_depth") for name in NAMES}
        check_network(self.input_dim, self.width, depths)
        if check_boolean("shared", self.shared) and self.strong_depth != self.target_depth:
            raise W2SError(
                f"shared=True needs strong_depth = target_depth, but strong_depth={self.strong_depth} and "
                f"target_depth={self.target_depth}: make them equal, or leave shared=False."
            )

    def draw(self, key: jax.Array) -> RandomPair:
        """Draw one pair of networks, and their target."""
        weights: dict[str, Any] = {}
        for place, name in enumerate(NAMES):
            depth = getattr(self, f"{name}_depth")
            numbers = [Purpose.START.of_network(place) + 64 * layer for layer in range(depth)]
            keys = fold_in(key, np.array(numbers, np.uint32))
            sizes = [self.input_dim] + [self.width] * depth
            scale = (2 / self.width) ** 0.5
            weights[name] = [
                normal(keys[layer], (sizes[layer], sizes[layer + 1])) * scale for layer in range(depth)
            ]
        if self.shared:
            weights["strong"] = weights["target"]
        return RandomPair(weights, self.input_dim, self.width)
