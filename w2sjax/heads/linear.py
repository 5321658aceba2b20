"""Linear heads under squared loss: all that they need of a sample is a factorization of its covariance."""

import dataclasses
import math
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.flags import Flag
from w2sjax.heads.base import Fit, Rows
from w2sjax.heads.factor import RANK_TOLERANCE_IN_EPS, Factor, dropped_effect, factorize, merge_proportional
from w2sjax.linalg import namespace, power_of_two, product

CONSTANT_IN_EPS = 4
"""A feature that deviates from its mean by fewer units of rounding of its largest value is a constant."""


class Linear(NamedTuple):
    """Linear functions of features u: u' weights + bias, weights `[width, task]`, bias `[task]`."""

    weights: Any
    bias: Any

    def of_columns(self, columns: jax.Array) -> jax.Array:
        """Return the predictions `[task, n]` for features `[width, n]`."""
        return product(self.weights.T, columns.astype(self.weights.dtype)) + self.bias[:, None]

    def of_rows(self, rows: Any) -> Any:
        """Return the predictions `[n, task]` for features `[n, width]`."""
        return product(rows, self.weights) + self.bias[None, :]


class LinearHead:
    """A class of linear heads that minimize a squared error, by a factorization that all ridges and labels share.

    Subclasses are pytrees with a field `ridge`, and say how weights follow from a factorization.
    """

    needs: ClassVar[str] = "moments"
    joint: ClassVar[bool] = True

    cheap: ClassVar[tuple[str, ...]] = ("ridge",)
    """Fields of which many values share one factorization."""

    on_host: ClassVar[bool] = True

    decomposes: ClassVar[bool] = False
    """Whether weights need the singular values of the core, beside many ridges."""

    ridge: Any

    def weights(self, factor: Factor, targets: Any, *, ridgeless: bool) -> Any:
        """Return the weights `[width, task]`.

        Args:
            factor: from `factorize`; rows carry the 1/n.
            targets: `[r, task]`, centred and scaled like the rows.
            ridgeless: the ridge is known to be 0, which saves a factorization.
        """
        raise NotImplementedError

    def head_for(self, mean: Any, factor: Factor, labels: tuple[Any, Any], *, ridgeless: bool) -> Linear:
        """Return the heads for labels with mean `[task]` and centred rows `[r, task]`, given the features' mean."""
        label_mean, rows = labels
        weights = self.weights(factor, rows, ridgeless=ridgeless)
        return Linear(weights, label_mean - product(mean[None, :], weights)[0])

    def fit(
        self, sample: Rows, labels: Any, key: jax.Array | None = None, *, intercept: bool = True
    ) -> tuple[Linear, Fit]:
        """Minimize (1/n) sum (z'b + c - y)^2 + ridge |b|^2 row by row, without a Gram matrix.

        Args:
            sample: features `[n, width]`, JAX or NumPy.
            labels: `[n, task]`.
            key: not used.
            intercept: whether c is fitted, or 0.

        Cost: O(n d min(n, d)). Constant columns, and directions below eps max(64, d, sqrt(n)) of the largest, are
        dropped.
        """
        xp = namespace(sample.features)
        if labels.ndim != 2:
            raise W2SError(
                f"labels of shape {labels.shape} are of several classes: use a head such as Softmax."
            )
        labels = xp.asarray(labels, sample.features.dtype)
        rows, width = sample.features.shape
        eps = float(jnp.finfo(sample.features.dtype).eps)
        # A power of two, so that no square overflows or vanishes: nothing is rounded.
        unit = xp.max(power_of_two(sample.features, axis=0))
        features = sample.features / unit
        mean, label_mean = xp.zeros_like(features[0]), xp.zeros_like(labels[0])
        largest = xp.max(xp.abs(features), axis=0)
        if intercept:  # centred twice, so that a large mean costs no digits
            mean, label_mean = xp.mean(features, axis=0), xp.mean(labels, axis=0)
            features, labels = features - mean[None, :], labels - label_mean[None, :]
            more, label_more = xp.mean(features, axis=0), xp.mean(labels, axis=0)
            features, labels = features - more[None, :], labels - label_more[None, :]
            mean, label_mean = mean + more, label_mean + label_more
        constant = xp.max(xp.abs(features), axis=0) <= CONSTANT_IN_EPS * eps * largest
        merged = merge_proportional(xp.where(constant[None, :], xp.zeros_like(features), features))
        features, targets = merged.columns / math.sqrt(rows), labels / math.sqrt(rows)
        if rows > width:
            orthogonal, features = xp.linalg.qr(features)
            targets = product(orthogonal.T, targets)
        tolerance = eps * max(RANK_TOLERANCE_IN_EPS, width, math.sqrt(rows))
        factor = factorize(
            features, tolerance, rows - 1 if intercept else rows, decompose_core=self.decomposes
        )
        # Columns that are constant or joined to others could account for nothing: no part in what was lost.
        lost = xp.arange(factor.discarded_left.shape[1], dtype=jnp.int32) < merged.occupied
        factor = dataclasses.replace(
            factor,
            frame=factor.frame[merged.source] * merged.share[:, None],
            discarded_left=xp.where(lost[None, :], factor.discarded_left, xp.zeros_like(factor.left)),
        )
        scaled = self.in_units(unit)
        head = scaled.head_for(mean, factor, (label_mean, targets), ridgeless=False)
        blurred = xp.any(constant & (xp.max(sample.features, axis=0) > xp.min(sample.features, axis=0)))
        fit = Fit(
            rank=factor.rank,
            condition=factor.condition,
            dropped=width - factor.rank,
            effect=dropped_effect(factor, targets),
            code=xp.where(blurred & intercept, int(Flag.FEATURE_BELOW_ROUNDING), 0).astype(jnp.int32),
        )
        return Linear(head.weights / unit, head.bias if intercept else xp.zeros_like(head.bias)), fit

    def in_units(self, unit: Any) -> "LinearHead":
        """Return the same class of heads for features divided by `unit`: what it is of weights multiplied by that."""
        raise NotImplementedError

    def predict(self, fitted: Linear, features: Any) -> Any:
        """Return predictions `[n, task]` on features `[n, width]`."""
        return fitted.of_rows(features)
