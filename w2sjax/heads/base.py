"""What a head is: a class of functions on features, with how it is fitted to labels."""

import itertools
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from w2sjax.errors import W2SError
from w2sjax.linalg import namespace
from w2sjax.methods.base import Method
from w2sjax.validation import shown


class Rows(NamedTuple):
    """A training sample row by row.

    Attributes:
        features: `[n, width]`, of the fitted representation.
        kept: what heads keep of the sample for further fits on it, by names of theirs; None where nothing is kept.
        truth: true labels of the rows without noise, for oracles; None where nobody knows them.
    """

    features: Any
    kept: dict[Any, Any] | None = None
    truth: Any = None


class Fit(NamedTuple):
    """How well posed a fit was.

    Attributes:
        rank: int32, numerical rank of the centred features.
        condition: ratio of the extreme singular values kept, columns scaled to unit norm; NaN where none is known.
        dropped: int32, directions dropped.
        effect: in [0, 1], the share of the explained label variance that they account for.
        code: int32, bits of `w2sjax.Flag` that the fit raised.
    """

    rank: Any
    condition: Any
    dropped: Any
    effect: Any
    code: Any


@runtime_checkable
class Head(Protocol):
    """A class of heads: a frozen object. One that is a pytree compiles once for all values of its numeric fields.

    `needs` says what the head is fitted to. "rows": the features themselves, held in memory. "moments": a factorization
    of their covariance; such heads are linear, under squared loss, and subclasses of `w2sjax.heads.linear.LinearHead`.
    A class whose `fit` and `predict` take NumPy arrays and draw nothing may say so by `on_host = True`.
    A head with `sees_truth = True` simulates a supervisor: its `predict` takes the truth on the rows as well.
    """

    needs: ClassVar[str]

    def fit(self, sample: Rows, labels: Any, key: jax.Array) -> Any:
        """Fit one head per task.

        Args:
            sample: features `[n, width]`.
            labels: `[n, task]`.
            key: a typed key of its own.

        Returns:
            What `predict` takes: any pytree of arrays; or a tuple of that and a `Fit`.
        """
        ...

    def predict(self, fitted: Any, features: Any) -> Any:
        """Return predictions `[n, task]` on features `[n, width]`."""
        ...


def check_head(name: str, head: Any) -> None:
    """Refuse what is no head.

    Raises:
        W2SError: naming the argument and what it lacks.
    """
    if isinstance(head, type) or not all(callable(getattr(head, part, None)) for part in ("fit", "predict")):
        raise W2SError(f"{name}={shown(head)} is not a head: pass one of w2sjax.heads, such as Ridge(1e-8).")
    if getattr(head, "needs", None) not in ("moments", "rows"):
        raise W2SError(f'{name}={shown(head)} does not say what it needs: give its class needs = "rows".')


def predicted(head: Head, fitted: Any, features: Any, truth: Any) -> Any:
    """Return predictions `[n, task]` on features `[n, width]`, of supervisors by the truth on these rows.

    Raises:
        W2SError: for a supervisor where nobody knows the truth.
    """
    if not getattr(head, "sees_truth", False):
        return head.predict(fitted, features)
    if truth is None:
        raise W2SError(
            f"{type(head).__name__} needs the truth on the rows that it labels: give labels for them."
        )
    return head.predict(fitted, features, truth)  # type: ignore[call-arg]


def worse_of(before: Fit, after: Fit) -> Fit:
    """Return how well posed two fits on one sample were: their flags, and the larger effect of dropped directions."""
    effect = namespace(after.effect).maximum(before.effect, after.effect)
    return after._replace(effect=effect, code=before.code | after.code)


def fit_all(
    head: Any,
    method: Method,
    sample: Rows,
    labels: list[Any],
    keys: list[jax.Array],
    shared_key: jax.Array,
    **options: Any,
) -> list[tuple[Any, Fit]]:
    """Fit a head to the labels of several stages on one sample, together where the head can.

    Args:
        head: with `fit`, and where tasks are fitted each on its own, `joint`, one fit for all stages; or
            also with `fit_all(sample, labels, keys, shared_key, method)`, which returns a list of what `fit` would, and
            asks the method for targets as it goes.
        method: how labels become targets.
        sample: features `[n, width]`.
        labels: `[n, task]` each.
        keys: one per stage.
        shared_key: for what all of them share, such as the order of rows.
        options: of the head's `fit`.
    """
    if hasattr(head, "fit_all"):
        return [with_fit(each, sample) for each in head.fit_all(sample, labels, keys, shared_key, method)]
    targets = [method.targets(own) for own in labels]
    if not getattr(head, "joint", False):
        found = [head.fit(sample, own, key) for own, key in zip(targets, keys, strict=True)]
        return [with_fit(each, sample) for each in found]
    together, fit = head.fit(sample, namespace(targets[0]).concatenate(targets, axis=1), keys[0], **options)
    stops = list(itertools.accumulate(own.shape[1] for own in targets))
    return [
        (jax.tree.map(lambda a, part=slice(stop - own.shape[1], stop): a[..., part], together), fit)
        for own, stop in zip(targets, stops, strict=True)
    ]


def with_fit(found: Any, sample: Rows) -> tuple[Any, Fit]:
    """Return what a head's `fit` returned as (fitted, fit), the fit unknown where the head does not tell."""
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Fit):
        return found
    none = jnp.zeros((), jnp.int32)
    dtype = sample.features.dtype
    return found, Fit(
        rank=jnp.asarray(sample.features.shape[1], jnp.int32),
        condition=jnp.full((), jnp.nan, dtype),
        dropped=none,
        effect=jnp.zeros((), dtype),
        code=none,
    )
