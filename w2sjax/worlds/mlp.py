"""Random multilayer perceptrons, and the world in which weak and strong are noisy copies of the target.

The perturbation setting of Charikar, Pabbaraju and Shiragur, "Quantifying the Gain in Weak-to-Strong Generalization"
(2024), section 5.
"""

import dataclasses
import functools
import itertools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.random.draws import (
    default_dtype,
    fold_in,
    normal,
    uniform,
    uniform_of_bits,
    widened_normal,
)
from w2sjax.random.keys import Purpose
from w2sjax.random.threefry import as_threefry, seed_key
from w2sjax.validation import check_choice, check_integer, check_number
from w2sjax.worlds.base import default_heads
from w2sjax.worlds.layers import ACTIVATIONS, Layer, apply_by_sums, columns_by_sums

INPUTS = ("gaussian", "uniform", "student_t")


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
    features: Any = module.apply(parameters, inputs)
    return features


def inputs_of_bits(kind: str, bits: jax.Array, scale: jax.Array) -> jax.Array:
    """Map random bits, uint32, to inputs of the given kind with mean zero and standard deviation `scale`.

    Raises:
        W2SError: for Student-t inputs, which are no function of one uniform number each here.
    """
    if kind == "gaussian":
        return widened_normal(bits) * scale
    if kind == "uniform":
        return uniform_of_bits(bits, 3**0.5) * scale
    raise W2SError(
        f"evaluation_points='sobol' needs inputs 'gaussian' or 'uniform', not {kind!r}: leave it at 'random'."
    )


def draw_inputs(
    kind: str, key: jax.Array, shape: tuple[int, ...], scale: jax.Array, degrees_of_freedom: float
) -> jax.Array:
    """Draw independent inputs of the given kind with mean zero and standard deviation `scale`."""
    if kind == "gaussian":
        return normal(key, shape) * scale
    if kind == "uniform":
        return uniform(key, shape, 3**0.5) * scale
    with jax.threefry_partitionable(
        True
    ):  # the default: another setting of the user's would draw other numbers
        draws = jax.random.t(as_threefry(key), degrees_of_freedom, shape, jnp.float32).astype(default_dtype())
    return draws * (scale * ((degrees_of_freedom - 2) / degrees_of_freedom) ** 0.5)


NETWORKS = ("weak", "target", "strong")


@pytree("parameters", "input_scale")
@dataclasses.dataclass(frozen=True)
class PerceptronPair:
    """Three perceptrons of one architecture on one input distribution.

    Attributes:
        parameters: the flax parameters of the three networks, a plain pytree stacked on a leading axis of 3 in the
            order of `NETWORKS`.
        input_scale, kind, degrees_of_freedom: of the inputs, as in `PerturbedMLP`, whose `inputs` is their kind.
    """

    parameters: Any
    input_scale: jax.Array
    input_dim: int
    module: Perceptron
    kind: str
    degrees_of_freedom: float

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw n inputs, `[input_dim, n]`: the same law in every split."""
        return draw_inputs(self.kind, key, (self.input_dim, n), self.input_scale, self.degrees_of_freedom)

    def inputs_of_bits(self, bits: jax.Array) -> jax.Array:
        """Map random bits, uint32 `[input_dim, n]`, to inputs."""
        return inputs_of_bits(self.kind, bits, self.input_scale)

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return the named features of inputs `[input_dim, n]`, `[n, width]`."""
        return self.columns((name,), inputs).T

    def columns(self, names: tuple[str, ...], inputs: jax.Array) -> jax.Array:
        """Return the named features of inputs `[input_dim, n]`, `[len(names) * width, n]`: the engine's own layout."""
        leading = names == NETWORKS[: len(names)]  # a slice, where stacking would copy
        rows = slice(len(names)) if leading else np.array([NETWORKS.index(name) for name in names])
        chosen = jax.tree.map(lambda p: p[rows], self.parameters)
        features = jax.vmap(functools.partial(features_of, self.module), in_axes=(0, None))(chosen, inputs)
        return features.reshape(len(names) * self.module.width, -1)

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        """Draw target heads initialized like `torch.nn.Linear`: weights `[task, width]`, bias `[task]`."""
        return default_heads(key, tasks, self.module.width)


@pytree("input_scale", "weak_noise", "strong_noise")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PerturbedMLP:
    """Random MLP target; weak and strong representations are the target plus Gaussian parameter noise.

    h* has `depth` layers of `width` units, the activation after every layer, biases, and torch's default linear
    initialization. h_w = h*(theta + weak_noise * z) and h_s = h*(theta + strong_noise * z') with independent standard
    normal z, z' over every weight and bias. Target heads are linear with bias, initialized the same way.

    Args:
        input_dim: dimension of the inputs, >= 1.
        width: units per layer, >= 1.
        depth: layers, >= 1.
        input_scale: standard deviation of each input coordinate (the published notebook's `var = 500` is one).
        weak_noise: standard deviation of the noise on the weak parameters, >= 0. The published value is not verified
            against the paper: 0.05 is a recollection.
        strong_noise: the same for the strong parameters; 0 is the realizable case (h_s = h* exactly). 0.01 is a
            recollection, not verified against the paper.
        activation: "relu", "tanh", "sigmoid", "gelu" or "identity".
        inputs: "gaussian", "uniform" or "student_t", independent coordinates of standard deviation `input_scale`.
        degrees_of_freedom: of Student-t inputs, > 2.

    Raises:
        W2SError: if a field is out of range; the message names it.

    Reference: Charikar, Pabbaraju and Shiragur 2024 (arXiv 2405.15116), section 5.1, perturbation case.
    """

    input_dim: int = 8
    width: int = 16
    depth: int = 5
    input_scale: float | jax.Array = 500.0
    weak_noise: float | jax.Array = 0.05
    strong_noise: float | jax.Array = 0.01
    activation: str = "relu"
    inputs: str = "gaussian"
    degrees_of_freedom: float = 5.0

    def __post_init__(self) -> None:
        check_network(self.input_dim, self.width, {"depth": self.depth})
        check_number("input_scale", self.input_scale, above=0)
        check_number("weak_noise", self.weak_noise, least=0)
        check_number("strong_noise", self.strong_noise, least=0)
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        check_choice("inputs", self.inputs, INPUTS)
        check_number("degrees_of_freedom", self.degrees_of_freedom, above=2)

    @property
    def module(self) -> Perceptron:
        """The flax module of all three networks."""
        return Perceptron(width=self.width, depth=self.depth, activation=self.activation)

    def draw(self, key: jax.Array) -> PerceptronPair:
        """Draw one pair: target parameters, and two noisy copies of them."""
        target_key, noise_key = fold_in(key, np.array([Purpose.TARGET, Purpose.COPIES], np.uint32))
        shapes = parameter_shapes(self.module, self.input_dim)
        target = draw_parameters(target_key, shapes)
        dtype = default_dtype()
        noises = jnp.stack([jnp.asarray(noise, dtype) for noise in (self.weak_noise, self.strong_noise)])
        weak, strong = perturbed_copies(noise_key, target, noises)
        return PerceptronPair(
            parameters=unpack(shapes, jnp.stack([weak, target, strong])),
            input_scale=jnp.asarray(self.input_scale, dtype),
            input_dim=self.input_dim,
            module=self.module,
            kind=self.inputs,
            degrees_of_freedom=self.degrees_of_freedom,
        )
