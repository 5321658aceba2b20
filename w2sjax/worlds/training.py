"""Training of a representation on tasks whose heads are frozen at the truth, compiled as one program per run."""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.pytrees import pytree
from w2sjax.random.draws import fold_in, normal
from w2sjax.random.keys import Purpose
from w2sjax.random.shuffles import shuffled
from w2sjax.rounding import constant_below
from w2sjax.worlds.base import default_heads
from w2sjax.worlds.layers import fixed_sum, train_by_sums, trainable_rows
from w2sjax.worlds.mlp import draw_inputs
from w2sjax.worlds.perceptron import Perceptron, draw_parameters, layers_of, parameter_shapes, unpack

CURVE_POINTS = 32
"""Points of a training curve, at equal steps of progress."""

TRAINING_DTYPE = jnp.float32
"""Networks are trained in single precision whatever the engine computes in, as the released notebook does.

Their inputs and labels are rounded from the default dtype.
"""

PASSES_TOGETHER = 40
"""Passes through a task whose orders are drawn together: as many as sort fastest, see `w2sjax.random.shuffles`."""


class Trained(NamedTuple):
    """A trained representation.

    Attributes:
        parameters: `[size]`, to be unpacked by the network's shapes.
        curve: `[CURVE_POINTS]`, mean loss of the batches of an epoch at (j + 1) / CURVE_POINTS of the epochs.
        diverged: whether a parameter or the last loss is not finite.
        dead: whether all features are constant over the first task's inputs.
    """

    parameters: jax.Array
    curve: jax.Array
    diverged: jax.Array
    dead: jax.Array


def curve_epochs(epochs: int) -> np.ndarray:
    """Return the epochs at which a training curve has its `CURVE_POINTS` points, counted from 0."""
    return np.ceil(np.arange(1, CURVE_POINTS + 1) * epochs / CURVE_POINTS).astype(int) - 1


def target_parameters(key: jax.Array, shapes: Any) -> jax.Array:
    """Draw the parameters of h* from the key of a pair: the same as `PerturbedMLP` draws."""
    return draw_parameters(fold_in(key, np.array([Purpose.TARGET], np.uint32))[0], shapes)


@pytree("input_scale", "learning_rate", "weight_decay", "label_noise")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """One training run: everything that it depends on beside the key of its pair.

    `network` minimizes the squared error of v_t' h(x) + c_t against v_t' h*(x) + c_t over the parameters of h, with the
    true heads (v_t, c_t) frozen, by AdamW on shuffled batches. An epoch goes through the tasks one after another, with
    one optimizer for all; a last batch that is not full has the mean of its own samples.

    Attributes:
        network, target: architectures of h and h*.
        input_dim, inputs, input_scale, degrees_of_freedom: of the inputs, as in `PerturbedMLP`.
        tasks, samples: tasks, and samples of each.
        epochs, batch_size: of the training.
        learning_rate, weight_decay: of AdamW (decoupled decay, times the learning rate).
        label_noise: standard deviation of noise on the labels, in units of each task's label standard deviation.
        stream: number that tells apart the initializations and shuffles of several networks of one pair.
    """

    network: Perceptron
    target: Perceptron
    input_dim: int
    inputs: str
    input_scale: Any
    degrees_of_freedom: float
    tasks: int
    samples: int
    epochs: int
    batch_size: int
    learning_rate: Any
    weight_decay: Any
    label_noise: Any
    stream: int

    def __call__(self, key: jax.Array) -> Trained:
        """Train one network from the key of its pair."""
        import optax  # takes long to import, and most sweeps train nothing

        shapes = parameter_shapes(self.network, self.input_dim)
        inputs, labels, heads = self.data(key)
        start_key, shuffle_key = self._key(key, Purpose.START), self._key(key, Purpose.SHUFFLE)
        start = draw_parameters(start_key, shapes).astype(TRAINING_DTYPE)
        rate, decay = (jnp.asarray(x, TRAINING_DTYPE) for x in (self.learning_rate, self.weight_decay))
        optimizer = optax.adamw(rate, weight_decay=decay)
        sizes = _batch_sizes(self.samples, self.batch_size)
        rows, targets = inputs.reshape(-1, self.input_dim), labels.reshape(-1)
        total = fixed_sum if self._by_sums() else functools.partial(jnp.sum, axis=-1)
        passes = self.epochs * self.tasks
        in_block = min(PASSES_TOGETHER, passes)

        def loss(parameters: Any, batch: Any, head: Any) -> jax.Array:
            x, y, kept, count = batch
            weights, bias = head
            features = self._features(parameters, x)
            error = total(weights[None, :] * features) + bias - y
            return total(jnp.where(kept, error * error, 0)) / count

        def step(state: Any, batch: Any, head: Any) -> Any:
            flat, moments = state
            value, gradient = jax.value_and_grad(loss)(unpack(shapes, flat), batch, head)
            # One array: the optimizer is then one fused loop instead of several per layer.
            joined = jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(gradient)])
            with jax.numpy_dtype_promotion(
                "standard"
            ):  # optax raises a float to the power of an integer count
                update, moments = optimizer.update(joined, moments, flat)
            return (flat + update, moments), value

        def through_task(state: Any, task: jax.Array, order: jax.Array) -> Any:
            chosen = task * self.samples + order
            batches = (
                rows[chosen].reshape(sizes.size, -1, self.input_dim),
                targets[chosen].reshape(sizes.size, -1),
                jnp.arange(self.batch_size)[None, :] < sizes[:, None],
                jnp.asarray(sizes, TRAINING_DTYPE),
            )
            head = jax.tree.map(lambda of_tasks: of_tasks[task], heads)
            state, losses = jax.lax.scan(lambda state, batch: step(state, batch, head), state, batches)
            return state, total(losses) / sizes.size

        def one_pass(state: Any, given: tuple[jax.Array, jax.Array]) -> Any:
            number, order = given
            return jax.lax.cond(
                number < passes,
                lambda: through_task(state, (number % np.uint32(self.tasks)).astype(jnp.int32), order),
                lambda: (state, jnp.zeros((), TRAINING_DTYPE)),
            )

        def block(state: Any, first: jax.Array) -> Any:
            # In order already: without an XLA sort these loops become one function, which takes twice as long to
            # compile and a tenth longer to run.
            numbers = jnp.sort(first + jnp.arange(in_block, dtype=jnp.uint32))
            keys = fold_in(shuffle_key, numbers)
            orders = jax.vmap(lambda key: shuffled(key, self.samples, sizes.size * self.batch_size))(keys)
            return jax.lax.scan(one_pass, state, (numbers, orders))

        (flat, _), losses = jax.lax.scan(
            block, (start, optimizer.init(start)), jnp.arange(0, passes, in_block, dtype=jnp.uint32)
        )
        losses = total(losses.reshape(-1)[:passes].reshape(self.epochs, self.tasks)) / self.tasks
        features: Any = self.network.apply(unpack(shapes, flat), inputs[0].T)
        constant = jnp.ptp(features, axis=1) <= constant_below(features, axis=1)
        return Trained(
            parameters=flat,
            curve=losses[curve_epochs(self.epochs)],
            diverged=~(jnp.all(jnp.isfinite(flat)) & jnp.isfinite(losses[-1])),
            dead=jnp.all(constant),
        )

    def data(self, key: jax.Array) -> tuple[jax.Array, jax.Array, tuple[jax.Array, jax.Array]]:
        """Return inputs `[task, sample, input_dim]`, labels `[task, sample]` and heads (`[task, width]`, `[task]`).

        The first tasks and samples do not depend on how many there are, but for label noise: its scale does.
        """
        shapes = parameter_shapes(self.target, self.input_dim)
        parameters = unpack(shapes, target_parameters(key, shapes))
        heads_key, inputs_key = fold_in(key, np.array([Purpose.HEADS, Purpose.INPUTS], np.uint32))
        weights, bias = default_heads(heads_key, self.tasks, self.target.width)
        of_task = np.arange(self.tasks, dtype=np.uint32)

        def inputs_of(key: jax.Array) -> jax.Array:
            scale = jnp.asarray(self.input_scale)
            return draw_inputs(
                self.inputs, key, (self.samples, self.input_dim), scale, self.degrees_of_freedom
            )

        inputs = jax.vmap(inputs_of)(fold_in(inputs_key, of_task))
        features: Any = jax.vmap(lambda x: self.target.apply(parameters, x.T))(inputs)
        labels = jnp.sum(weights[:, :, None] * features, axis=1) + bias[:, None]
        noise = jax.vmap(lambda key: normal(key, (self.samples,)))(
            fold_in(self._key(key, Purpose.NOISE), of_task)
        )
        labels = labels + self.label_noise * jnp.std(labels, axis=1, keepdims=True) * noise
        return jax.tree.map(lambda a: a.astype(TRAINING_DTYPE), (inputs, labels, (weights, bias)))

    def _features(self, parameters: Any, rows: jax.Array) -> jax.Array:
        """Return the network's features of a batch, `[sample, width]`."""
        if self._by_sums():
            layers = layers_of(self.network, parameters)
            return trainable_rows(layers, rows, self.network.activation)
        features: Any = self.network.apply(parameters, rows.T)
        return features.T

    @property
    def together(self) -> int:
        """Networks that a core trains fastest in one step; their rounding does not depend on it.

        Measured on a CPU, microseconds per step and network for 1 and 2 in a step: 1.3 and 1.1 for 2 layers, 2.2 and
        1.7 for 3, 3.1 and 2.3 for 4, but 2.6 and 2.9 for 5, and 4.0 and 4.8 for 8. More than 2 gain nothing.
        """
        return 2 if self._by_sums() and self.network.depth <= 4 else 1

    def _by_sums(self) -> bool:
        return train_by_sums(self.batch_size, self.input_dim, self.network.width)

    def _key(self, key: jax.Array, purpose: Purpose) -> jax.Array:
        return fold_in(key, np.array([purpose.of_network(self.stream)], np.uint32))[0]


def _batch_sizes(samples: int, batch_size: int) -> np.ndarray:
    """Return the number of samples in each batch of an epoch."""
    sizes = np.full(math.ceil(samples / batch_size), batch_size)
    sizes[-1] = samples - batch_size * (sizes.size - 1)
    return sizes
