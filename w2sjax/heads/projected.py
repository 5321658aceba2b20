"""Students by projection: heads that minimize a Bregman divergence from their teacher, in either order."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.flags import Flag
from w2sjax.heads.base import Fit, Rows
from w2sjax.heads.lbfgs import lbfgs
from w2sjax.heads.newton import make_round
from w2sjax.linalg import product
from w2sjax.losses import CROSS_ENTROPY, KL, LOGISTIC, ZERO_ONE, Loss, check_loss, over_classes
from w2sjax.pytrees import pytree
from w2sjax.random.draws import normal
from w2sjax.validation import Checked, check_boolean, choice, known_number, real, switch, whole

LINKS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "softmax": lambda logits: jax.nn.softmax(logits, axis=0),
    "exp": jnp.exp,
    "identity": lambda logits: logits,
}
"""From scores `[logit, ...]` to predictions of that shape, by name."""

START = 0.5
"""Standard deviation of the first coordinates of several copies, which would stay equal from equal ones."""


OF_PROBABILITIES = ("sigmoid", "softmax")
"""The links to probabilities."""


class Projection(NamedTuple):
    """Fitted heads: weights `[width, logit * copy, task]`, bias `[logit * copy, task]`, log weights `[copy, task]`."""

    weights: jax.Array
    bias: jax.Array
    mixing: jax.Array


def _check_slope(loss: Any) -> None:
    check_loss(loss)
    if loss == ZERO_ONE:
        raise W2SError(
            f"loss={loss.name!r} has no slope to follow: pass one of losses.bregman, such as LOGISTIC."
        )


@pytree("ridge", "clip")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Projected(Checked):
    """Heads that minimize a divergence from their labels, reverse D(student, label) or forward D(label, student).

        minimize (1/n) sum D(s(z), y) + ridge |b|^2,    s(z) = sum_k a_k link(B_k'z + c_k),  a in the simplex,

    for reverse projections, with |b|^2 over the weights of all copies and D the divergence of `loss`. Copies are mixed
    in the space of predictions, where k of them come near the convex hull of one: for reverse projections on a convex
    class that holds the truth, gain >= misfit in the population limit (Mulgund and Pabbaraju 2025, arXiv 2501.19105),
    while logistic or softmax heads by themselves are no convex class. Forward projections with `LOGISTIC` and `KL`
    minimize cross-entropy, as `Logistic` and `Softmax` do. Solved by optax's L-BFGS in whitened coordinates; a local
    minimum where the objective is not convex (reverse, or several copies).

    Args:
        loss: its `divergence` is minimized: one of `losses.bregman`, or `CROSS_ENTROPY`, whose divergence is KL.
        reverse: the student is the first argument of D.
        link: from scores to predictions: "sigmoid" for probabilities of class 1, "softmax" for shares of classes, "exp"
            for positive numbers, "identity".
        copies: k >= 1; more than one start from random coordinates.
        ridge: >= 0, in squared feature units; intercepts are not penalized.
        clip: in [0, 0.5), for the links to probabilities; labels, whatever they are, are clipped to [clip, 1 - clip],
            without which the reverse divergence from a hard label is that from one at rounding.
    """

    needs: ClassVar[str] = "rows"
    joint: ClassVar[bool] = True

    loss: Loss = LOGISTIC
    reverse: bool = switch(True)
    link: str = choice("sigmoid", tuple(LINKS))
    copies: int = whole(1, least=1)
    ridge: Any = real(0.0, least=0)
    clip: Any = real(0.0, least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_slope(self.loss)
        if self.loss in (CROSS_ENTROPY, KL, LOGISTIC) and self.link not in OF_PROBABILITIES:
            raise W2SError(
                f"loss={self.loss.name!r} is of probabilities, which link={self.link!r} leaves: pass "
                'link="sigmoid", or "softmax" for shares of classes.'
            )
        if (known_number(self.clip) or 0) >= 0.5:
            raise W2SError(f"clip={self.clip} leaves nothing of probabilities: pass less than 0.5.")
        if known_number(self.clip) and self.link not in OF_PROBABILITIES:
            raise W2SError(
                f"clip={self.clip} is for probabilities, not for link={self.link!r}: leave it out."
            )

    def fit(self, sample: Rows, labels: jax.Array, key: jax.Array) -> tuple[Projection, Fit]:
        """Fit one head per task.

        Args:
            sample: features `[n, width]`.
            labels: `[n, task]`, or `[n, task, class]` with the softmax link.
            key: where the copies start.

        Cost: some tens to hundreds of passes of O(n width logit copies task).
        """
        features = jnp.asarray(sample.features)
        labels = jnp.asarray(labels, features.dtype)
        if (labels.ndim == 3) != (self.link == "softmax"):
            raise W2SError(
                f"labels of shape {labels.shape} are not for link={self.link!r}: softmax is for classes."
            )
        clip = jnp.asarray(self.clip, labels.dtype)
        labels = jnp.where(clip > 0, jnp.clip(labels, clip, 1 - clip), labels)
        targets = jnp.moveaxis(labels, 2, 0) if labels.ndim == 3 else labels[None]  # [logit, n, task]
        problem = make_round(features, jnp.asarray(self.ridge, features.dtype))
        size, logits = problem.rows.shape[1], len(targets)
        start = jnp.zeros((size, logits * self.copies), features.dtype)
        if self.copies > 1:
            start = START * normal(key, start.shape)
        first = (start, jnp.zeros(self.copies, features.dtype))

        def one(target: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
            def value(found: tuple[jax.Array, jax.Array]) -> jax.Array:
                coordinates, mixing = found
                own = self._mixed(product(problem.rows, coordinates).T, mixing)
                penalty = jnp.sum(coordinates * product(problem.penalty, coordinates)) / 2
                return mean_divergence(self.loss, own, target, reverse=self.reverse) + penalty

            return lbfgs(value, first, tolerance_of(features.dtype, 0.6 if self.copies == 1 else 0.4))

        (found, mixing), converged = jax.vmap(one, in_axes=2, out_axes=(-1, 0))(targets)
        fit = Fit(
            rank=problem.rank,
            condition=problem.condition,
            dropped=features.shape[1] - problem.rank,
            effect=jnp.zeros((), features.dtype),
            code=not_converged(converged),
        )
        return Projection(*problem.weights(found), mixing), fit

    def _mixed(self, scores: jax.Array, mixing: jax.Array) -> jax.Array:
        """Return predictions `[logit, n]` of scores `[logit * copy, n]`."""
        parts = LINKS[self.link](scores.reshape(-1, self.copies, scores.shape[1]))
        return jnp.sum(parts * jax.nn.softmax(mixing)[None, :, None], axis=1)

    def predict(self, fitted: Projection, features: jax.Array) -> jax.Array:
        """Return predictions `[n, task]` on features `[n, width]`, or `[n, task, class]` with the softmax link."""
        flat = product(jnp.asarray(features), fitted.weights.reshape(features.shape[1], -1))
        scores = flat.reshape(-1, *fitted.bias.shape) + fitted.bias[None]
        found = jax.vmap(self._mixed, in_axes=(2, 1), out_axes=2)(jnp.moveaxis(scores, 1, 0), fitted.mixing)
        return jnp.moveaxis(found, 0, 2) if self.link == "softmax" else found[0]


@pytree()
@dataclasses.dataclass(frozen=True, kw_only=True)
class Mixture:
    """Convex combinations of the features themselves, each of which is a model: a convex class in prediction space.

        minimize (1/n) sum D(s(z), y),    s(z) = a'z,  a in the simplex,

    or of D(y, s(z)) for forward projections. For targets that are such mixtures, reverse projections have gain >=
    misfit in the population limit for every Bregman divergence, and gain = misfit inside the simplex. Solved as
    `Projected`.

    Args:
        loss, reverse: see `Projected`.

    Raises:
        W2SError: for what is no loss.
    """

    needs: ClassVar[str] = "rows"
    joint: ClassVar[bool] = True

    loss: Loss = LOGISTIC
    reverse: bool = True

    def __post_init__(self) -> None:
        _check_slope(self.loss)
        check_boolean("reverse", self.reverse)

    def fit(self, sample: Rows, labels: jax.Array, key: jax.Array) -> tuple[jax.Array, Fit]:
        """Fit weights `[width, task]` to labels `[n, task]`; see `Projected.fit`."""
        features = jnp.asarray(sample.features)
        width, dtype = features.shape[1], features.dtype

        def one(target: jax.Array) -> tuple[jax.Array, jax.Array]:
            def value(logits: jax.Array) -> jax.Array:
                own = product(features, jax.nn.softmax(logits)[:, None]).T
                return mean_divergence(self.loss, own, target[None], reverse=self.reverse)

            return lbfgs(value, jnp.zeros(width, dtype), tolerance_of(dtype, 0.5))

        found, converged = jax.vmap(one, in_axes=1, out_axes=(1, 0))(jnp.asarray(labels, dtype))
        fit = Fit(
            rank=jnp.asarray(width, jnp.int32),
            condition=jnp.full((), jnp.nan, dtype),
            dropped=jnp.zeros((), jnp.int32),
            effect=jnp.zeros((), dtype),
            code=not_converged(converged),
        )
        return jax.nn.softmax(found, axis=0), fit

    def predict(self, fitted: jax.Array, features: jax.Array) -> jax.Array:
        """Return predictions `[n, task]` on features `[n, width]`."""
        return product(jnp.asarray(features), fitted)


def mean_divergence(loss: Loss, student: jax.Array, label: jax.Array, *, reverse: bool) -> jax.Array:
    """Return the mean of D(student, label), or of D(label, student), of `[logit, n]` over n."""
    divergence = loss.divergence or loss.value
    pair = (student, label) if reverse else (label, student)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        first, second = (each[:, None] if len(student) > 1 else each for each in pair)
        terms = divergence(first, second)
    return jnp.mean(over_classes(terms))


def tolerance_of(dtype: Any, power: float) -> float:
    """Return the norm of the gradient at which L-BFGS stops, a power of the rounding: less where valleys are flat."""
    return float(jnp.finfo(dtype).eps) ** power


def not_converged(converged: jax.Array) -> jax.Array:
    """Return the status bits of fits `[task]`, int32."""
    return jnp.where(jnp.all(converged), 0, int(Flag.FIT_NOT_CONVERGED)).astype(jnp.int32)
