"""Heads that are trained by AdamW: linear, with a hidden layer, or convex combinations of several."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.heads.base import Fit, Rows, with_fit
from w2sjax.heads.functions import HeadFunctions
from w2sjax.heads.training import SQUARES, Schedule, TrainingLoss, train
from w2sjax.methods.base import NAIVE, Method, Naive, Stopping
from w2sjax.pytrees import pytree
from w2sjax.rounding import constant_below
from w2sjax.validation import Checked, choice, real, switch, whole
from w2sjax.worlds.layers import ACTIVATIONS

SCHEDULES = ("constant", "cosine")


class TrainedHead(NamedTuple):
    """Trained heads.

    Attributes:
        parameters: `[size, column]`, a column per task, or per task and class.
        shift, scale: of features, `[features]`.
        curve: training loss, `[progress, task]`.
        path: parameters along training, `[progress, size, column]`, where they are kept.
        stop: share of training at which `parameters` stood, `[task]`.
    """

    parameters: jax.Array
    shift: jax.Array
    scale: jax.Array
    curve: jax.Array
    path: jax.Array | None
    stop: jax.Array

    def at(self, parameters: jax.Array) -> "TrainedHead":
        """Return the head with other parameters, such as those of one place of its path."""
        return self._replace(parameters=parameters, path=None)


@pytree("learning_rate", "weight_decay")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Trained(Checked):
    """Heads trained by AdamW on the mean squared error; see `w2sjax.heads.training.train`.

    Args:
        width: hidden units, >= 0; 0 is a linear head.
        activation: of the hidden units: "relu", "tanh", "sigmoid", "gelu" or "identity".
        copies: >= 1; k > 1 is a convex combination of k heads with softmax weights, trained together.
        epochs: passes over the training split, >= 1; its order is drawn anew for each.
        batch_size: rows per step, the last batch of an epoch smaller; 0 takes all rows.
        learning_rate: > 0.
        weight_decay: >= 0, decoupled (AdamW), on all parameters.
        schedule: "constant", or "cosine" from the learning rate down to 0 over the whole run.
        standardize: centre and scale every feature by its mean and standard deviation on the training split.
        learning_curve: also measure the head along its training: `Outcome.learning`.

    The defaults are those of the notebook released with Charikar et al. 2024; the widths of the heads with a hidden
    layer in the paper (section 5.3, Appendix D) are not verified.
    """

    needs: ClassVar[str] = "rows"
    minimizes: ClassVar[TrainingLoss] = SQUARES

    width: int = whole(0, least=0)
    activation: str = choice("relu", tuple(ACTIVATIONS))
    copies: int = whole(1, least=1)
    epochs: int = whole(1000, least=1)
    batch_size: int = whole(32, least=0)
    learning_rate: Any = real(1e-3, above=0)
    weight_decay: Any = real(1e-2, least=0)
    schedule: str = choice("constant", SCHEDULES)
    standardize: bool = switch(False)
    learning_curve: bool = switch(False)

    def functions(self, features: int) -> HeadFunctions:
        """Return the functions of so many features."""
        return HeadFunctions(features, self.width, self.activation, self.copies)

    def fit(self, sample: Rows, labels: jax.Array, key: jax.Array) -> tuple[TrainedHead, Fit]:
        """Train one head per task; `key` draws initial parameters and orders of rows."""
        start, orders = jax.random.split(key)
        return self.fit_all(sample, [labels], [start], orders)[0]

    def fit_all(
        self,
        sample: Rows,
        labels: list[jax.Array],
        keys: list[jax.Array],
        shared_key: jax.Array,
        method: Method = NAIVE,
    ) -> list[tuple[TrainedHead, Fit]]:
        """Train the heads of several stages in one run: all see the same orders of rows, drawn by `shared_key`.

        Args:
            sample: features `[n, width]`.
            labels: `[n, task]` each, or `[n, task, class]`; several stages may share one key, and so their initial
                parameters.
            keys: one per stage.
            shared_key: see above.
            method: gives the targets of every step, and, where it holds out rows, says which parameters are kept.
        """
        rows, joint = sample.features, jnp.concatenate(labels, axis=1)
        tasks, classes = joint.shape[1], joint[0, 0].size
        functions = self.functions(rows.shape[1])
        shift, scale = jnp.zeros_like(rows[0]), jnp.ones_like(rows[0])
        if self.standardize:
            shift, spread = jnp.mean(rows, axis=0), jnp.std(rows, axis=0)
            scale = jnp.where(spread > constant_below(rows, axis=0), spread, 1)
        rows = (rows - shift[None, :]) / scale[None, :]
        starts = [
            jax.lax.optimization_barrier(functions.draw(key, own[0].size))
            for key, own in zip(keys, labels, strict=True)
        ]
        stopping = method if isinstance(method, Stopping) else None
        n = len(rows) - (stopping.held_out(len(rows)) if stopping else 0)
        parameters, curve, path = train(
            functions,
            Schedule(self.epochs, self.batch_size, self.schedule),
            rows[:n],
            joint[:n],
            jnp.concatenate(starts, axis=1),
            jnp.asarray(self.learning_rate, rows.dtype),
            jnp.asarray(self.weight_decay, rows.dtype),
            shared_key,
            None if isinstance(method, Naive) else method.targets,
            self.minimizes,
            stopping is not None or self.learning_curve,
        )
        stop = jnp.ones(tasks, rows.dtype)
        if stopping is not None and path is not None:
            truth = (
                None if sample.truth is None else jnp.concatenate([sample.truth[n:]] * len(labels), axis=1)
            )

            def predicted(parameters: jax.Array) -> jax.Array:
                return self._of_standard(parameters, rows[n:], joint.shape[2:])

            best = stopping.best(joint[n:], truth, jax.vmap(predicted)(path))
            parameters = jnp.take_along_axis(path, jnp.repeat(best, classes)[None, None], axis=0)[0]
            stop = (best + 1).astype(rows.dtype) / len(path)
        kept = path if self.learning_curve else None
        found, end = [], 0
        for own in labels:
            begin, end = end, end + own.shape[1]
            columns = slice(begin * classes, end * classes)
            head = TrainedHead(
                parameters[:, columns],
                shift,
                scale,
                curve[:, begin:end],
                None if kept is None else kept[..., columns],
                stop[begin:end],
            )
            found.append(with_fit(head, sample))
        return found

    def predict(self, fitted: TrainedHead, features: jax.Array) -> jax.Array:
        """Return predictions `[n, task]` on features `[n, width]`."""
        return self._of_standard(
            fitted.parameters, (features - fitted.shift[None, :]) / fitted.scale[None, :], ()
        )

    def _of_standard(self, parameters: jax.Array, rows: jax.Array, classes: tuple[int, ...]) -> jax.Array:
        """Return predictions `[n, task]`, or `[n, task, class]` for so many classes, on standardized rows."""
        outputs = self.functions(rows.shape[1])(parameters, rows)
        return self.minimizes.link(outputs.reshape(len(rows), -1, *classes) if classes else outputs)
