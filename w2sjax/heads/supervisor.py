"""Simulated supervisors: labels that are wrong as often as the weak model's, in places that are chosen."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.heads.base import Fit, Rows, with_fit
from w2sjax.heads.logistic import Classifier, Logistic
from w2sjax.linalg import product
from w2sjax.pytrees import pytree
from w2sjax.random.draws import normal
from w2sjax.validation import check_choice

ERRORS = ("random", "easy", "unconfident", "confident")

_SPREAD = 1e3
"""Standard deviations of a projection in units of the period whose fraction is a pseudo-random number."""


class SupervisorHead(NamedTuple):
    """What says where labels are wrong.

    Attributes:
        mean, scale: of the features, `[width]`.
        projection: `[width, task]`.
        expert: a model of the truth, or None.
        threshold: of the scores above which labels are wrong, `[task]`.
    """

    mean: jax.Array
    scale: jax.Array
    projection: jax.Array
    expert: Classifier | None
    threshold: jax.Array


@pytree("ridge")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Supervisor:
    """A supervisor that gives the truth but for errors, of which it has as many as its labels' own model on its split.

    In a chain, `Stage("flips", "strong", "weak", "strong", Supervisor(errors="random"))` is wrong on as large a share
    of the training rows as the weak model, task by task, and a student of "flips" is compared with one of "weak" (Burns
    et al. 2023, arXiv 2312.09390, Appendix E.2). With s(z) a score of the stage's features, labels are wrong where
    s(z) is above its quantile of that share on the training rows:

        random       a pseudo-random function of z that no model fits: random flips
        easy         the first principal component of z, largest: errors that are easy to fit (there: long prompts)
        unconfident  minus |logit| of a model of the truth on z: errors where that one is unsure
        confident    |logit| where that model is right: errors where it is sure

    Args:
        errors: one of these.
        ridge: of the model of the truth, `Logistic(ridge)` on the same rows.

    Its labels are hard. It sees the truth wherever it predicts. For labels of two classes.
    """

    needs: ClassVar[str] = "rows"
    labels: ClassVar[str] = "binary"
    sees_truth: ClassVar[bool] = True

    errors: str = "random"
    ridge: Any = 1e-3

    def __post_init__(self) -> None:
        check_choice("errors", self.errors, ERRORS)

    def fit(self, sample: Rows, labels: jax.Array, key: jax.Array) -> tuple[SupervisorHead, Fit]:
        """Find where so many labels are wrong.

        Raises:
            W2SError: where nobody knows the truth, or for several classes.
        """
        if sample.truth is None:
            raise W2SError(
                "Supervisor needs the truth on its training rows, which is not given: pass y_transfer."
            )
        if labels.ndim != 2:
            raise W2SError(f"labels of shape {labels.shape} are of several classes: use Supervisor with two.")
        z, truth = sample.features, (sample.truth > 0.5).astype(labels.dtype)
        mean, scale = jnp.mean(z, axis=0), jnp.std(z, axis=0)
        scale = jnp.where(scale > 0, scale, 1)
        expert, projection = None, jnp.zeros((z.shape[1], labels.shape[1]), z.dtype)
        if self.errors == "random":
            projection = _SPREAD * normal(key, projection.shape)
        elif self.errors == "easy":
            first = jnp.linalg.svd(z - mean[None, :], full_matrices=False)[2][0] * scale
            projection = projection + first[:, None]
        else:
            expert, _ = Logistic(self.ridge).fit(sample, truth)
        head = SupervisorHead(mean, scale, projection, expert, jnp.zeros(labels.shape[1], z.dtype))
        wrong = jnp.sum((labels > 0.5) != (truth > 0.5), axis=0)
        ordered = jnp.sort(self.score(head, z, truth), axis=0)  # the last ones are wrong
        place = jnp.clip(len(z) - 1 - wrong, 0, len(z) - 1)
        below = jnp.take_along_axis(ordered, place[None], axis=0)[0]
        return with_fit(head._replace(threshold=jnp.where(wrong < len(z), below, -jnp.inf)), sample)

    def score(self, fitted: SupervisorHead, features: jax.Array, truth: jax.Array) -> jax.Array:
        """Return scores `[n, task]`; labels are wrong where they are large."""
        if fitted.expert is not None:
            logits = fitted.expert.logits(features)[:, 0]
            sure = jnp.abs(logits)
            return (
                -sure
                if self.errors == "unconfident"
                else jnp.where((logits > 0) == (truth > 0.5), sure, -1 - sure)
            )
        projected = product((features - fitted.mean[None, :]) / fitted.scale[None, :], fitted.projection)
        return projected - jnp.floor(projected) if self.errors == "random" else projected

    def predict(self, fitted: SupervisorHead, features: jax.Array, truth: Any = None) -> jax.Array:
        """Return labels 0 and 1, `[n, task]`, on features `[n, width]` whose truth `[n, task]` is given."""
        wrong = self.score(fitted, features, truth) > fitted.threshold[None, :]
        return ((truth > 0.5) != wrong).astype(truth.dtype)
