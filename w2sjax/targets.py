"""Target functions: true labels of the scores of a pair's target heads, and how training labels are spoiled."""

import dataclasses
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.heads.linear import Linear
from w2sjax.pytrees import pytree
from w2sjax.random.draws import normal, uniform
from w2sjax.validation import Checked, check_share, known_number, real, share, shown, whole

PILOT = 2000
"""Rows of the pilot sample, which is no part of the experiment, that scores are standardized by."""

PRIOR_STEPS = 300


@runtime_checkable
class Target(Protocol):
    """A kind of labels: a frozen object, and a pytree for numbers that can be swept without compiling anew.

    `heads` is how many target heads a task has, `noisy` whether training labels differ from the truth.
    """

    @property
    def heads(self) -> int: ...

    @property
    def noisy(self) -> bool: ...

    def prepare(self, scores: jax.Array) -> Any:
        """Return what `truth` needs to know of the scores `[PILOT, task * heads]` of a pilot sample."""
        ...

    def truth(self, prepared: Any, scores: jax.Array) -> jax.Array:
        """Return true labels, `[n, task]` or `[n, task, class]`, of scores `[n, task * heads]`."""
        ...

    def spoil(self, truth: jax.Array, unit: jax.Array) -> jax.Array:
        """Return training labels of true ones and independent numbers `[n, task]`, uniform on [0, 1)."""
        ...


@pytree("prior", "temperature", "flip", "flip_to_one")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Binary(Checked):
    """Two classes: labels 0 and 1, or the probability of 1.

    With s the score of a task's target head less the `1 - prior` quantile of the scores of a pilot sample, over their
    standard deviation, the truth is 1[s > 0] at temperature 0 and 1 / (1 + exp(-s / temperature)) above.

    Args:
        prior: share of class 1, in (0, 1); None is whatever it is with a threshold at score 0.
        temperature: >= 0, in standard deviations of the score.
        flip: probability that a training label, of the weak model and of the ceiling, is exchanged, in [0, 1]; the
            truth that errors are measured against has none.
        flip_to_one: of labels of class 0, if another; `flip` is then of labels of class 1 alone.

    Raises:
        W2SError: if a field is out of range.
    """

    prior: Any = 0.5
    temperature: Any = real(0.0, least=0)
    flip: Any = share(0.0)
    flip_to_one: Any = share(None)

    heads = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prior is not None:
            check_share("prior", self.prior, inside=True)

    @property
    def noisy(self) -> bool:
        """Whether some labels are exchanged."""
        return known_number(self.flip) != 0 or self.flip_to_one is not None

    def prepare(self, scores: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return threshold and scale `[task]`."""
        scale = _positive(jnp.std(scores, axis=0))
        if self.prior is None:
            return jnp.zeros_like(scale), scale
        return jnp.quantile(scores, 1 - jnp.asarray(self.prior, scores.dtype), axis=0), scale

    def truth(self, prepared: tuple[jax.Array, jax.Array], scores: jax.Array) -> jax.Array:
        """Return labels `[n, task]`."""
        threshold, scale = prepared
        standard = (scores - threshold[None, :]) / scale[None, :]
        temperature = jnp.asarray(self.temperature, scores.dtype)
        soft = jax.nn.sigmoid(standard / jnp.where(temperature > 0, temperature, 1))
        return jnp.where(temperature > 0, soft, (standard > 0).astype(scores.dtype))

    def spoil(self, truth: jax.Array, unit: jax.Array) -> jax.Array:
        """Return labels with some exchanged, y by 1 - y; soft ones count as the class that is more probable."""
        down = jnp.asarray(self.flip, truth.dtype)
        up = down if self.flip_to_one is None else jnp.asarray(self.flip_to_one, truth.dtype)
        return jnp.where(unit < jnp.where(truth > 0.5, down, up), 1 - truth, truth)


@pytree("temperature", "flip")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Classes(Checked):
    """Several classes: labels are shares of them, `[n, task, class]`.

    With s_k the scores of a task's target heads, standardized over a pilot sample, and offsets b_k that give every
    class its prior there, the truth is the largest s_k + b_k at temperature 0 and softmax((s + b) / temperature) above.

    Args:
        count: of classes, >= 2.
        temperature: >= 0, in standard deviations of a score.
        prior: shares of the classes, which sum to 1; None is equal ones. They hold on the pilot sample to about 0.01.
        flip: probability that a training label is exchanged for that of another class, drawn uniformly, in [0, 1].

    Raises:
        W2SError: if a field is out of range.
    """

    count: int = whole(3, least=2)
    temperature: Any = real(0.0, least=0)
    prior: tuple[float, ...] | None = None
    flip: Any = share(0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prior is not None:
            object.__setattr__(self, "prior", tuple(self.prior))
            if len(self.prior) != self.count or min(self.prior) <= 0 or abs(sum(self.prior) - 1) > 1e-6:
                raise W2SError(
                    f"prior={shown(self.prior)} is not {self.count} shares: pass positive numbers that sum to 1."
                )

    @property
    def heads(self) -> int:
        """One target head per class."""
        return self.count

    @property
    def noisy(self) -> bool:
        """Whether some labels are exchanged."""
        return known_number(self.flip) != 0

    def prepare(self, scores: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return means and scales `[task * class]` and offsets `[task, class]`."""
        mean, scale = jnp.mean(scores, axis=0), _positive(jnp.std(scores, axis=0))
        standard = self._by_class((scores - mean[None, :]) / scale[None, :])
        prior = jnp.asarray(self.prior or (1 / self.count,) * self.count, scores.dtype)[None]

        def nearer(step: Any, offset: jax.Array) -> jax.Array:
            share = jnp.mean(self._labels(standard + offset[None]), axis=0)
            return offset + (prior - share) * (2 / (1 + step / 20)).astype(offset.dtype)

        zero = jnp.zeros(standard.shape[1:], standard.dtype)
        return mean, scale, jax.lax.fori_loop(0, PRIOR_STEPS, nearer, zero)

    def truth(self, prepared: tuple[jax.Array, jax.Array, jax.Array], scores: jax.Array) -> jax.Array:
        """Return labels `[n, task, class]`."""
        mean, scale, offset = prepared
        return self._labels(self._by_class((scores - mean[None, :]) / scale[None, :]) + offset[None])

    def spoil(self, truth: jax.Array, unit: jax.Array) -> jax.Array:
        """Return labels with some moved by 1, 2, ... classes, each as often."""
        flip = jnp.asarray(self.flip, truth.dtype)
        number = jnp.floor(unit / jnp.where(flip > 0, flip, 1) * (self.count - 1)).astype(jnp.int32)
        moved = jnp.where(unit < flip, jnp.minimum(number, self.count - 2) + 1, 0)
        place = (jnp.arange(self.count, dtype=jnp.int32)[None, None] - moved[..., None]) % self.count
        return jnp.take_along_axis(truth, place, axis=2)

    def _by_class(self, scores: jax.Array) -> jax.Array:
        return scores.reshape(len(scores), -1, self.count)

    def _labels(self, scores: jax.Array) -> jax.Array:
        temperature = jnp.asarray(self.temperature, scores.dtype)
        hard = jax.nn.one_hot(jnp.argmax(scores, axis=2), self.count, dtype=scores.dtype)
        soft = jax.nn.softmax(scores / jnp.where(temperature > 0, temperature, 1), axis=2)
        return jnp.where(temperature > 0, soft, hard)


class TargetFunctions(NamedTuple):
    """Target functions of a pair: its target heads, and what labels are of their scores.

    Attributes:
        scores: the heads, of all tasks.
        target: a `Target`.
        prepared: see `Target.prepare`.
    """

    scores: Linear
    target: Any
    prepared: Any

    def of_rows(self, rows: jax.Array) -> jax.Array:
        """Return true labels, `[n, task]` or `[n, task, class]`, for features `[n, width]`."""
        labels: jax.Array = self.target.truth(self.prepared, self.scores.of_rows(rows))
        return labels

    def of_columns(self, columns: jax.Array) -> jax.Array:
        """Return true labels, `[task, n]` or `[class, task, n]`, for features `[width, n]`."""
        return self.of_rows(columns.T.astype(self.scores.weights.dtype)).T


def training_labels(target: Any, truth: jax.Array, draws: jax.Array, scale: jax.Array) -> jax.Array:
    """Return training labels of true ones: with noise of a scale, or as a `Target` spoils them."""
    if isinstance(target, TargetFunctions):
        return target.target.spoil(truth, draws)
    return truth + scale * draws


def draws_for_labels(target: Any, key: jax.Array, tasks: int, rows: int) -> jax.Array:
    """Return independent numbers `[rows, task]`: normal, or uniform on [0, 1) for a `Target`."""
    if isinstance(target, TargetFunctions):
        return (uniform(key, (tasks, rows), 0.5) + 0.5).T
    return normal(key, (tasks, rows)).T


def _positive(scale: jax.Array) -> jax.Array:
    return jnp.where(scale > 0, scale, 1)
