"""Chains of linear heads on arrays that are there, centred beforehand so that large means cost no digits."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.chain import Stage, groups_of
from w2sjax.engine.given import EVAL, run_given
from w2sjax.engine.outcome import Models, Outcome, with_flag
from w2sjax.flags import Flag
from w2sjax.heads.linear import CONSTANT_IN_EPS, Linear
from w2sjax.linalg import namespace, product

Features = Mapping[str, Mapping[str, Any]]
"""Features `[n, width]` by split and representation."""


def run_centred(
    stages: tuple[Stage, ...],
    features: Features,
    truth: Mapping[str, Any],
    key: jax.Array,
    *,
    blurred: bool = False,
    **options: Any,
) -> tuple[Outcome, Models]:
    """Run a chain of linear heads with features and labels less their training means; see `run_given`.

    Labels less their mean are exact where they are near it; elsewhere nothing is gained.

    Args:
        stages, features, truth, key, options: as for `run_given`.
        blurred: whether a feature is known to be constant but for rounding, which the status then says.
    """
    mean: dict[str, Any] = {}
    for group in groups_of(stages):
        mean.setdefault(group.features, features[group.split][group.features].mean(axis=0))
    moved = {
        split: {name: named[name] - mean[name][None, :] for name in mean if name in named}
        for split, named in features.items()
    }
    labels = truth[stages[0].split]
    xp = namespace(labels)
    origin = labels.mean(axis=0)
    far = xp.max(xp.abs(labels - origin[None, :]), axis=0) < xp.abs(origin) / 2
    origin = xp.where(far, origin, xp.zeros_like(origin))
    less = {split: values - origin[None, :] for split, values in truth.items()}
    outcome, models = run_given(stages, moved, less, key, **options)
    fitted = {}
    for stage in stages:
        head = models.fitted[stage.name]
        bias = head.bias + origin - product(mean[stage.features][None, :], head.weights)[0]
        fitted[stage.name] = Linear(head.weights, bias)
    predictions = {name: values + origin[None, :] for name, values in models.predictions.items()}
    if blurred:
        status = with_flag(outcome.status, True, Flag.FEATURE_BELOW_ROUNDING)
        outcome = dataclasses.replace(outcome, status=status)
    return outcome, Models(fitted, dict(features[EVAL]), predictions)


def is_blurred(values: Any) -> bool:
    """Say whether a feature varies, but by no more than rounding of the dtype that it is given in."""
    eps, wide = float(jnp.finfo(values.dtype).eps), np.asarray(values, np.float64)
    spread = np.ptp(wide, axis=0)
    return bool(((spread > 0) & (spread <= 2 * CONSTANT_IN_EPS * eps * np.abs(wide).max(axis=0))).any())
