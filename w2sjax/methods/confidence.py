"""The confidence and product losses of Burns et al. 2023, as targets that change while a head is trained."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.pytrees import pytree
from w2sjax.validation import Checked, real, share, switch


@pytree("alpha", "warmup")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Confidence(Checked):
    """Labels mixed with what the student predicts itself, hardened: (1 - a) labels + a 1[prediction > t].

    As cross-entropy is linear in its target, that is (1 - a) CE(f, labels) + a CE(f, hardened f) (Burns et al. 2023,
    arXiv 2312.09390, section 4.3 and Appendix A.4). t is set anew for every batch and task so that half of the batch is
    above, where no two predictions are equal; a rises linearly from 0 to `alpha` over the first `warmup` of training.

    Args:
        alpha: in [0, 1]; 0 is naive training. The paper has 0.75 for its largest students and 0.5 for others.
        warmup: share of training in [0, 1]; 0 is none. The paper's 0.2 is a recollection, not verified.
        released: the variant of the released code: a = alpha * progress until `warmup`, and alpha from then on, which
            is a step; and the share of the batch that is above t is the mean of its labels.

    For trained heads on labels `[n, task]` of two classes.

    Raises:
        W2SError: if a field is out of range.
    """

    alpha: Any = share(0.5)
    warmup: Any = share(0.2)
    released: bool = switch(False)

    def weight(self, progress: Any) -> jax.Array:
        """Return a, given the share of training that is done."""
        progress = jnp.asarray(progress)
        alpha, warmup = (jnp.asarray(value, progress.dtype) for value in (self.alpha, self.warmup))
        if self.released:
            return alpha * jnp.where(progress > warmup, 1, progress)
        return alpha * jnp.where(progress >= warmup, 1, progress / jnp.where(warmup > 0, warmup, 1))

    def targets(self, labels: Any, predictions: Any = None, progress: Any = None) -> Any:
        """Return the targets of a batch `[n, task]`.

        Raises:
            W2SError: for a head in closed form, which has no predictions while it is fitted.
        """
        if predictions is None:
            raise W2SError(
                "Confidence needs the predictions of a head in training: use it with a head such as Trained."
            )
        n = len(labels)
        place = jnp.argsort(jnp.argsort(predictions, axis=0), axis=0)  # 0 is the least
        share = jnp.mean(labels, axis=0) if self.released else jnp.full_like(labels[0], 0.5)
        above = place >= n - jnp.round(share * n).astype(place.dtype)[None, :]
        weight = self.weight(progress).astype(labels.dtype)
        mixed = (1 - weight) * labels + weight * above.astype(labels.dtype)
        return jnp.where(weight > 0, mixed, labels)


@pytree("alpha", "beta")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Product(Checked):
    """Labels times what the student predicts itself, normalized: y^alpha p^beta over that plus the same of class 0.

    The product loss of the code released with Burns et al. 2023. Predictions are clipped to [0, 1].

    Args:
        alpha, beta: >= 0, exponents of the labels and of the predictions; beta = 0 and alpha = 1 are naive training.

    For trained heads on labels `[n, task]` of two classes.

    Raises:
        W2SError: if a field is out of range.
    """

    alpha: Any = real(1.0, least=0)
    beta: Any = real(1.0, least=0)

    def targets(self, labels: Any, predictions: Any = None, progress: Any = None) -> Any:
        """Return the targets of a batch `[n, task]`.

        Raises:
            W2SError: for a head in closed form, which has no predictions while it is fitted.
        """
        if predictions is None:
            raise W2SError(
                "Product needs the predictions of a head in training: use it with a head such as Trained."
            )
        eps = float(jnp.finfo(labels.dtype).eps)
        alpha, beta = (jnp.asarray(value, labels.dtype) for value in (self.alpha, self.beta))
        y, p = (jnp.clip(values, eps, 1 - eps) for values in (labels, predictions))
        one, zero = y**alpha * p**beta, (1 - y) ** alpha * (1 - p) ** beta
        return one / (one + zero)
