"""Random multilayer perceptrons, and the worlds in which weak and strong are noisy copies of the target.

The perturbation setting of Charikar, Pabbaraju and Shiragur, "Quantifying the Gain in Weak-to-Strong Generalization"
(2024), section 5.
"""

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any, ClassVar

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
from w2sjax.random.keys import CANDIDATE_NOISE, Purpose
from w2sjax.random.threefry import as_threefry
from w2sjax.validation import Checked, choice, real
from w2sjax.worlds.layers import ACTIVATIONS
from w2sjax.worlds.perceptron import (
    Perceptron,
    check_network,
    draw_parameters,
    features_of,
    parameter_shapes,
    perturbed_copies,
    unpack,
)

INPUTS = ("gaussian", "uniform", "student_t")


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


class PairOfNetworks:
    """What pairs of perceptrons share: independent inputs of a kind, the same law in every split; layers as columns."""

    kind: str
    input_dim: int
    input_scale: jax.Array
    degrees_of_freedom: float

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        """Draw n inputs, `[input_dim, n]`."""
        return draw_inputs(self.kind, key, (self.input_dim, n), self.input_scale, self.degrees_of_freedom)

    def inputs_of_bits(self, bits: jax.Array) -> jax.Array:
        """Map random bits, uint32 `[input_dim, n]`, to inputs."""
        return inputs_of_bits(self.kind, bits, self.input_scale)

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        """Return the named features of inputs `[input_dim, n]`, `[n, width]`."""
        return self.columns((name,), inputs).T

    def columns(self, names: tuple[str, ...], inputs: jax.Array) -> jax.Array:
        """Return the named features of inputs `[input_dim, n]`, `[len(names) * width, n]`: the engine's own layout."""
        raise NotImplementedError


@pytree("parameters", "input_scale")
@dataclasses.dataclass(frozen=True)
class PerceptronPair(PairOfNetworks):
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

    def columns(self, names: tuple[str, ...], inputs: jax.Array) -> jax.Array:
        """Return the named features of inputs `[input_dim, n]`, `[len(names) * width, n]`: the engine's own layout."""
        leading = names == NETWORKS[: len(names)]  # a slice, where stacking would copy
        rows = slice(len(names)) if leading else np.array([NETWORKS.index(name) for name in names])
        chosen = jax.tree.map(lambda p: p[rows], self.parameters)
        features = jax.vmap(functools.partial(features_of, self.module), in_axes=(0, None))(chosen, inputs)
        return features.reshape(len(names) * self.module.width, -1)


@pytree("input_scale", "weak_noise", "strong_noise")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PerturbedMLP(Checked):
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

    Reference: Charikar, Pabbaraju and Shiragur 2024 (arXiv 2405.15116), section 5.1, perturbation case.
    """

    input_dim: int = 8
    width: int = 16
    depth: int = 5
    input_scale: float | jax.Array = real(500.0, above=0)
    weak_noise: float | jax.Array = real(0.05, least=0)
    strong_noise: float | jax.Array = real(0.01, least=0)
    activation: str = choice("relu", tuple(ACTIVATIONS))
    inputs: str = choice("gaussian", INPUTS)
    degrees_of_freedom: float = real(5.0, above=2)

    noise_draws: ClassVar[tuple[int, ...]] = (Purpose.COPIES,)
    """Purposes of the keys of `copies`."""

    def __post_init__(self) -> None:
        check_network(self.input_dim, self.width, {"depth": self.depth})
        super().__post_init__()

    @property
    def module(self) -> Perceptron:
        """The flax module of all three networks."""
        return Perceptron(width=self.width, depth=self.depth, activation=self.activation)

    def draw(self, key: jax.Array) -> PerceptronPair:
        """Draw one pair: target parameters, and two noisy copies of them."""
        target_key, *noise_keys = fold_in(key, np.array([Purpose.TARGET, *self.noise_draws], np.uint32))
        shapes = parameter_shapes(self.module, self.input_dim)
        target = draw_parameters(target_key, shapes)
        weak, strong = self.copies(noise_keys, target)
        return PerceptronPair(
            parameters=unpack(shapes, jnp.stack([weak, target, strong])),
            input_scale=jnp.asarray(self.input_scale, default_dtype()),
            input_dim=self.input_dim,
            module=self.module,
            kind=self.inputs,
            degrees_of_freedom=self.degrees_of_freedom,
        )

    def copies(self, keys: list[jax.Array], target: jax.Array) -> Iterable[jax.Array]:
        """Return the parameters of the weak and of the strong copy, `[size]` each."""
        noises = [jnp.asarray(noise, default_dtype()) for noise in (self.weak_noise, self.strong_noise)]
        return perturbed_copies(keys[0], target, jnp.stack(noises))


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

    def copies(self, keys: list[jax.Array], target: jax.Array) -> Iterable[jax.Array]:
        """Return both copies, whose noise is a function of (key, role, level)."""
        found = []
        for key, noise in zip(keys, (self.weak_noise, self.strong_noise), strict=True):
            level = jax.lax.bitcast_convert_type(jnp.asarray(noise, jnp.float32), jnp.uint32)
            own_key = fold_in(key, level[None])[0]
            found.append(perturbed_copies(own_key, target, jnp.asarray(noise, default_dtype())[None])[0])
        return found
