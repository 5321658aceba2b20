"""Training of heads by AdamW, all columns of labels at once, compiled as one program."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.heads.functions import HeadFunctions
from w2sjax.random.draws import fold_in
from w2sjax.random.shuffles import shuffled
from w2sjax.random.threefry import IMPLEMENTATION
from w2sjax.worlds.training import CURVE_POINTS, curve_epochs

Targets = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]
"""Maps labels `[batch, column]`, predictions of the same shape and progress in [0, 1] to targets."""


class TrainingLoss(NamedTuple):
    """What training minimizes.

    Attributes:
        link: maps outputs of functions, in the shape of the labels, to predictions.
        terms: maps outputs and labels, `[n, task]` or `[n, task, class]`, to losses `[n, task]`.
    """

    link: Callable[[jax.Array], jax.Array]
    terms: Callable[[jax.Array, jax.Array], jax.Array]


SQUARES = TrainingLoss(lambda outputs: outputs, lambda outputs, labels: (outputs - labels) ** 2)
"""(output - label)^2."""

BERNOULLI = TrainingLoss(jax.nn.sigmoid, lambda outputs, labels: jax.nn.softplus(outputs) - labels * outputs)
"""Cross-entropy of the probability of class 1, of which outputs are logits: log(1 + exp(l)) - y l."""

CATEGORICAL = TrainingLoss(
    lambda outputs: jax.nn.softmax(outputs, axis=-1),
    lambda outputs, labels: jax.nn.logsumexp(outputs, axis=-1) - jnp.sum(labels * outputs, axis=-1),
)
"""Cross-entropy of shares of classes, of which outputs are logits: log sum exp(l) - y'l."""


class Schedule(NamedTuple):
    """How long heads are trained, and in what batches: `epochs`, `batch_size` and `schedule` of `Trained`."""

    epochs: int
    batch_size: int
    schedule: str


def train(
    head: HeadFunctions,
    plan: Schedule,
    rows: jax.Array,
    labels: jax.Array,
    start: jax.Array,
    learning_rate: jax.Array,
    weight_decay: jax.Array,
    key: jax.Array,
    targets: Targets | None = None,
    loss: TrainingLoss = SQUARES,
    keep: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    """Minimize the mean loss of every task by AdamW on shuffled batches.

    An epoch goes through all rows in an order drawn anew, in batches of `batch_size`; the loss of a batch is the mean
    over its own rows, the last batch of an epoch included, which holds the rest. All columns see the same order. A step
    with gradient g of the parameters p, at step t = 1, 2, ... and learning rate r, is

        m <- 0.9 m + 0.1 g,  v <- 0.999 v + 0.001 g^2,
        p <- p - r ((m / (1 - 0.9^t)) / (sqrt(v / (1 - 0.999^t)) + 1e-8) + weight_decay p),

    which is `torch.optim.AdamW`. Under the "cosine" schedule r falls as learning_rate (1 + cos(pi t / steps)) / 2, with
    t counted from 0.

    Args:
        head, plan: what is trained, and for how long.
        rows, labels: `[n, features]`, and `[n, task]` or `[n, task, class]`, whose columns functions have one each.
        start: `[head.size, column]`, initial parameters.
        learning_rate, weight_decay: scalars.
        key: of the shuffles; that of epoch e is a function of (key, e) only.
        targets: what takes the place of labels at every step, if anything does.
        loss: what is minimized.
        keep: also return parameters along training.

    Returns:
        Parameters `[head.size, column]`; the training curve `[CURVE_POINTS, task]`: the mean loss over the rows of
        an epoch, each at the step that used it, at (j + 1) / CURVE_POINTS of the epochs; and, with `keep`, parameters
        `[CURVE_POINTS, head.size, column]` at (j + 1) / CURVE_POINTS of the steps, else None.

    Under `jax.vmap`, runs are batched on accelerators and go one after another on a CPU, where columns fill the vector
    units already and batched matrix products take twice the time.
    """

    def run(key_data: jax.Array, *arrays: jax.Array) -> Any:
        key = jax.random.wrap_key_data(key_data, impl=IMPLEMENTATION)
        return _train(head, plan, targets, loss, keep, key, *arrays)

    if jax.default_backend() == "cpu":
        run = jax.custom_batching.sequential_vmap(run)
    found: tuple[jax.Array, jax.Array, jax.Array | None] = run(
        jax.random.key_data(key), rows, labels, start, learning_rate, weight_decay
    )
    return found


def _train(
    head: HeadFunctions,
    plan: Schedule,
    targets: Targets | None,
    training_loss: TrainingLoss,
    keep: bool,
    key: jax.Array,
    rows: jax.Array,
    labels: jax.Array,
    start: jax.Array,
    learning_rate: jax.Array,
    weight_decay: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    n, features = rows.shape
    size = min(plan.batch_size or n, n)
    batches = math.ceil(n / size)
    # Rows that fill up the last batch have weight zero.
    position = np.arange(batches * size).reshape(batches, size)
    counts = np.minimum(n - position[:, :1], size)
    weights = jnp.asarray(np.where(position < n, 1 / counts, 0), rows.dtype)
    shares = jnp.asarray(counts[:, 0] / n, rows.dtype)
    table = jnp.concatenate([rows, labels.reshape(n, -1)], axis=1)
    steps = plan.epochs * batches
    points = min(CURVE_POINTS, steps)
    optimizer = _optimizer(plan, steps, learning_rate, weight_decay)

    def loss(
        parameters: jax.Array, batch: jax.Array, weight: jax.Array, number: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        wanted = batch[:, features:].reshape(size, *labels.shape[1:])
        outputs = head(parameters, batch[:, :features]).reshape(wanted.shape)
        if targets is not None:
            progress = number.astype(rows.dtype) / steps
            wanted = targets(wanted, jax.lax.stop_gradient(training_loss.link(outputs)), progress)
        by_task = jnp.sum(weight[:, None] * training_loss.terms(outputs, wanted), axis=0)
        return jnp.sum(by_task), by_task

    def step(state: Any, given: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[Any, None]:
        parameters, moments, number, kept, total = state
        batch, weight, share = given
        (_, by_task), gradient = jax.value_and_grad(loss, has_aux=True)(parameters, batch, weight, number)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to the power of an integer count
            update, moments = optimizer.update(gradient, moments, parameters)
        parameters = parameters + update
        if keep:  # of the steps that share a place, the last one stays
            kept = jax.lax.dynamic_update_index_in_dim(kept, parameters, number * points // steps, 0)
        return (parameters, moments, number + 1, kept, total + share * by_task), None

    def epoch(state: Any, epoch_key: jax.Array) -> tuple[Any, jax.Array]:
        ordered = table
        if batches > 1:
            ordered = table[shuffled(epoch_key, n, batches * size)]
        zero = jnp.zeros(labels.shape[1], rows.dtype)
        given = (ordered.reshape(batches, size, -1), weights, shares)
        (*state, total), _ = jax.lax.scan(step, (*state, zero), given)
        return tuple(state), total

    keys = jax.lax.optimization_barrier(fold_in(key, np.arange(plan.epochs, dtype=np.uint32)))
    places = jnp.zeros((points, *start.shape), start.dtype) if keep else None
    first = (start, optimizer.init(start), jnp.zeros((), jnp.int32), places)
    (parameters, _, _, kept), losses = jax.lax.scan(epoch, first, keys)
    curve = losses[curve_epochs(plan.epochs)]
    return parameters, curve, None if kept is None else kept[curve_epochs(points)]


def _optimizer(plan: Schedule, steps: int, learning_rate: jax.Array, weight_decay: jax.Array) -> Any:
    import optax  # takes long to import, and most sweeps train nothing

    def cosine(count: jax.Array) -> jax.Array:
        progress = count.astype(learning_rate.dtype) / steps
        return learning_rate * (1 + jnp.cos(jnp.pi * progress)) / 2

    rate: Any = cosine if plan.schedule == "cosine" else learning_rate
    decay: Any = weight_decay
    return optax.adamw(rate, weight_decay=decay)
