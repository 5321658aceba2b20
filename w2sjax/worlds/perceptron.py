"""Perceptrons with ReLU: their modules, parameters as one vector, and features."""

import itertools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.random.draws import (
    default_dtype,
    normal,
    uniform,
)
from w2sjax.random.threefry import seed_key
from w2sjax.validation import check_integer
from w2sjax.worlds.layers import ACTIVATIONS, Layer, apply_by_sums, columns_by_sums
from w2sjax.worlds.tiles import apply_in_tiles, columns_in_tiles

LARGEST_WIDTH = 2**15
"""Moments of the joint features of three such networks take 77 GB."""


MOST_PARAMETERS = 2**28
"""Of one network."""


def check_network(input_dim: int, width: int, depths: dict[str, int]) -> None:
    """Refuse sizes of networks that no machine holds.

    Args:
        input_dim, width: as in `PerturbedMLP`.
        depths: by the name of the field.

    Raises:
        W2SError: naming the field and the limit.
    """
    check_integer("input_dim", input_dim, least=1, most=MOST_PARAMETERS)
    check_integer("width", width, least=1, most=LARGEST_WIDTH)
    for name, depth in depths.items():
        check_integer(name, depth, least=1, most=MOST_PARAMETERS)
        parameters = width * (input_dim + 1) + (depth - 1) * width * (width + 1)
        if parameters > MOST_PARAMETERS:
            raise W2SError(
                f"{name}={depth} with width={width} and input_dim={input_dim} is a network of {parameters} "
                f"parameters: make it one of at most {MOST_PARAMETERS}."
            )


class TorchLinear(nn.Module):
    """A linear layer on columns, initialized like `torch.nn.Linear`: entries uniform on +-1/sqrt(fan_in)."""

    width: int

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        fan_in = inputs.shape[0]
        weight = self._parameter("weight", (self.width, fan_in), fan_in)
        bias = self._parameter("bias", (self.width,), fan_in)
        product = jnp.matmul(weight, inputs, precision=jax.lax.Precision.HIGHEST)
        return product + bias[:, None]

    def _parameter(self, name: str, shape: tuple[int, ...], fan_in: int) -> jax.Array:
        # `param` traces the initializer at every application; parameters that are there need no such check.
        if self.has_variable("params", name):
            return self.get_variable("params", name)
        return self.param(name, lambda key, shape: uniform(key, shape, fan_in**-0.5), shape)


class Perceptron(nn.Module):
    """A multilayer perceptron with the activation after every layer, the last included.

    Samples are columns: inputs `[input_dim, n]` become features `[width, n]`. With 16 units this keeps the long axis
    contiguous, which a matrix multiplication needs in order to fill the vector units.

    Attributes:
        width: units per layer.
        depth: number of layers.
        activation: a key of `ACTIVATIONS`.
    """

    width: int
    depth: int
    activation: str = "relu"

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        hidden = inputs
        for layer in range(self.depth):
            hidden = TorchLinear(self.width, name=f"layer_{layer}")(hidden)
            hidden = ACTIVATIONS[self.activation](hidden)
        return hidden


def parameter_shapes(module: Perceptron, input_dim: int) -> Any:
    """Return the shapes of `module`'s parameters, a pytree."""
    inputs = jax.ShapeDtypeStruct((input_dim, 1), default_dtype())
    return jax.eval_shape(module.init, seed_key(0), inputs)


def draw_parameters(key: jax.Array, shapes: Any) -> jax.Array:
    """Draw the parameters that `Perceptron.init` describes as one array: see `unpack` for the pytree.

    The distribution is that of `module.init`; one draw instead of two per layer compiles many times faster.
    """
    bounds: list[np.ndarray] = []
    for layer in shapes["params"].values():
        size = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(layer))
        bounds.append(np.full(size, layer["weight"].shape[1] ** -0.5))
    bound = jnp.asarray(np.concatenate(bounds), default_dtype())
    return uniform(key, bound.shape, 1.0) * bound


def perturbed_copies(key: jax.Array, parameters: jax.Array, noises: jax.Array) -> jax.Array:
    """Return copies of an array of parameters with independent Gaussian noise on every one.

    Args:
        key: consumed.
        parameters: `[size]`.
        noises: `[copy]`, the standard deviation of each copy's noise; 0 copies exactly.

    Returns:
        `[copy, size]`.
    """
    draws = normal(key, (noises.shape[0], parameters.shape[0]))
    return parameters[None, :] + noises[:, None] * draws


def unpack(shapes: Any, flat: jax.Array) -> Any:
    """Return a pytree of the given shapes, each with the leading axes of `flat` `[..., size]`, which fills it."""
    # Without the barrier every slice is fused with its own copy of the random number generator.
    flat = jax.lax.optimization_barrier(flat)
    leaves, structure = jax.tree.flatten(shapes)
    sizes = [math.prod(leaf.shape) for leaf in leaves]
    stops = list(itertools.accumulate(sizes))
    parts = [
        flat[..., stop - size : stop].reshape(*flat.shape[:-1], *leaf.shape)
        for leaf, size, stop in zip(leaves, sizes, stops, strict=True)
    ]
    return jax.tree.unflatten(structure, parts)


def layers_of(module: Perceptron, parameters: Any) -> list[Layer]:
    """Return the weights and biases of a perceptron's layers, in order."""
    layers = [parameters["params"][f"layer_{i}"] for i in range(module.depth)]
    return [(layer["weight"], layer["bias"]) for layer in layers]


def features_of(module: Perceptron, parameters: Any, inputs: jax.Array) -> jax.Array:
    """Return the features of many inputs, `[input_dim, n]`, as columns `[width, n]`: `module.apply`, in less time."""
    if apply_by_sums(inputs.shape[0], module.width, module.depth):
        return columns_by_sums(layers_of(module, parameters), inputs, module.activation)
    if apply_in_tiles(inputs.shape[0], module.width):
        return columns_in_tiles(layers_of(module, parameters), inputs, module.activation)
    features: Any = module.apply(parameters, inputs)
    return features
