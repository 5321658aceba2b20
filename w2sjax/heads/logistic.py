"""Logistic and softmax regression, solved to convergence for all tasks at once."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.flags import Flag
from w2sjax.heads.base import Fit, Rows
from w2sjax.heads.lbfgs import minimize_by_lbfgs
from w2sjax.heads.newton import Family, Found, make_round, minimize_by_newton
from w2sjax.linalg import product
from w2sjax.pytrees import pytree
from w2sjax.validation import Checked, real, switch

WIDEST_HESSIAN = 128
"""Coefficients of a task beyond which L-BFGS takes the place of Newton's method."""


class Bernoulli:
    """Labels in [0, 1] and one logit: loss log(1 + exp(l)) - y l."""

    def residual(self, logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return p - y and p (1 - p)."""
        small = jnp.exp(-jnp.abs(logits))
        large = 1 / (1 + small)
        small = small * large
        return jnp.where(logits >= 0, large, small) - labels, large * small

    def losses(self, logits: jax.Array, labels: jax.Array) -> jax.Array:
        """Return the losses `[n, task]`."""
        return jnp.sum(jax.nn.softplus(logits) - labels * logits, axis=1)


class Categorical:
    """Labels that are shares of classes, and one logit per class: loss log sum exp(l) - y'l.

    The logits of a row are determined up to a shift, which the second derivatives here hold at 0.
    """

    def residual(self, logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return p - y and p_i (1[i = j] - p_j), plus 1 / classes along the shift."""
        shares = jax.nn.softmax(logits, axis=1)
        classes = logits.shape[1]
        curvature = [
            (shares[:, i] if i == j else 0) - shares[:, i] * shares[:, j] + 1 / classes
            for i in range(classes)
            for j in range(i, classes)
        ]
        return shares - labels, jnp.stack(curvature, axis=1)

    def losses(self, logits: jax.Array, labels: jax.Array) -> jax.Array:
        """Return the losses `[n, task]`."""
        return jax.nn.logsumexp(logits, axis=1) - jnp.sum(labels * logits, axis=1)


class Classifier(NamedTuple):
    """Fitted heads: weights `[width, logit, task]` and bias `[logit, task]`."""

    weights: jax.Array
    bias: jax.Array

    def logits(self, features: jax.Array) -> jax.Array:
        """Return logits `[n, logit, task]` on features `[n, width]`."""
        flat = product(features, self.weights.reshape(features.shape[1], -1))
        return flat.reshape(-1, *self.bias.shape) + self.bias[None]


@pytree("ridge", "C")
@dataclasses.dataclass(frozen=True)
class Logistic(Checked):
    """Logistic regression: predictions are probabilities, labels are classes 0 and 1 or anything between.

        minimize (1/n) sum [ log(1 + exp(l)) - y l ] + ridge |b|^2,    l = z'b + c,

    with an intercept c that is not penalized: scikit-learn's `LogisticRegression(C=1 / (2 n ridge))`. Newton's method
    for all tasks at once up to `WIDEST_HESSIAN` coefficients, beyond them the L-BFGS of optax, in coordinates that take
    scales and correlations of features away.

    Args:
        ridge: >= 0, in squared feature units. At 0 there is no solution where a hyperplane separates the labels: the
            logits are then about 30 on what is separated, and `Flag.SEPARABLE` is set.
        C: > 0; scikit-learn's inverse of the penalty in place of `ridge`: ridge = 1 / (2 n C).
        intercept: whether c is fitted, or 0.

    Raises:
        W2SError: if one is out of range, or both are given.
    """

    needs: ClassVar[str] = "rows"
    joint: ClassVar[bool] = True
    labels: ClassVar[str] = "binary"

    ridge: Any = real(0.0, least=0)
    C: Any = real(None, above=0)
    intercept: bool = switch(True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.C is not None and isinstance(self.ridge, int | float) and self.ridge != 0:
            raise W2SError(f"C={self.C} and ridge={self.ridge} both set the penalty: pass one.")

    def penalty(self, n: int, dtype: Any) -> jax.Array:
        """Return the ridge for n rows."""
        return jnp.asarray(self.ridge if self.C is None else 1 / (2 * n * self.C), dtype)

    def fit(self, sample: Rows, labels: jax.Array, key: jax.Array | None = None) -> tuple[Classifier, Fit]:
        """Fit one head per task.

        Args:
            sample: features `[n, width]`.
            labels: `[n, task]`, each in [0, 1].
            key: not used.

        Cost: some ten passes of O(n width^2 task) each; memory for a few arrays of the size of the labels.
        """
        if labels.ndim != 2:
            raise W2SError(f"labels of shape {labels.shape} are of several classes: use Softmax.")
        return _fit(self, sample, labels[:, None, :], Bernoulli())

    def predict(self, fitted: Classifier, features: jax.Array) -> jax.Array:
        """Return probabilities `[n, task]` of class 1 on features `[n, width]`."""
        return jax.nn.sigmoid(fitted.logits(jnp.asarray(features))[:, 0])


@pytree("ridge", "C")
@dataclasses.dataclass(frozen=True)
class Softmax(Logistic):
    """Softmax regression: predictions and labels are shares of classes, `[n, task, class]`.

        minimize (1/n) sum [ log sum_k exp(l_k) - sum_k y_k l_k ] + ridge sum_k |b_k|^2,    l_k = z'b_k + c_k,

    scikit-learn's `LogisticRegression(C=1 / (2 n ridge))` of several classes. See `Logistic`.
    """

    labels: ClassVar[str] = "classes"

    def fit(self, sample: Rows, labels: jax.Array, key: jax.Array | None = None) -> tuple[Classifier, Fit]:
        """Fit one head per task to labels `[n, task, class]`; see `Logistic.fit`."""
        if labels.ndim != 3:
            raise W2SError(f"labels of shape {labels.shape} are not [n, task, class]: use Logistic.")
        return _fit(self, sample, jnp.swapaxes(labels, 1, 2), Categorical())

    def predict(self, fitted: Classifier, features: jax.Array) -> jax.Array:
        """Return probabilities `[n, task, class]` on features `[n, width]`."""
        return jnp.swapaxes(jax.nn.softmax(fitted.logits(jnp.asarray(features)), axis=1), 1, 2)


def _fit(head: Logistic, sample: Rows, labels: jax.Array, family: Family) -> tuple[Classifier, Fit]:
    features = jnp.asarray(sample.features)
    labels = jnp.asarray(labels, features.dtype)
    ridge = head.penalty(len(features), features.dtype)
    problem = make_round(features, ridge, intercept=head.intercept)
    wide = problem.rows.shape[1] * labels.shape[1] > WIDEST_HESSIAN
    found: Found = (minimize_by_lbfgs if wide else minimize_by_newton)(problem, labels, family)
    flat = found.curvature < 1e3 * float(jnp.finfo(features.dtype).eps)
    separable = jnp.any((ridge == 0) & (~found.converged | flat))
    unfinished = jnp.any((ridge > 0) & ~found.converged)
    code = jnp.where(separable, int(Flag.SEPARABLE), 0) | jnp.where(
        unfinished, int(Flag.FIT_NOT_CONVERGED), 0
    )
    fit = Fit(
        rank=problem.rank,
        condition=problem.condition,
        dropped=features.shape[1] - problem.rank,
        effect=jnp.zeros((), features.dtype),
        code=code.astype(jnp.int32),
    )
    return Classifier(*problem.weights(found.coordinates)), fit
