"""Columns of features that say the same: they go into a factorization as one."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from w2sjax.linalg import column_norms, namespace, product

PROPORTIONAL_IN_EPS = 8
"""Columns that agree to so many units of rounding of their largest entry, once of unit norm, are the same feature."""


class Merged(NamedTuple):
    """Columns `[n, d]` of which those that are multiples of one another are one.

    Attributes:
        columns: `[n, d]`, zero where joined to another.
        source: `[d]`, the column that stands for each.
        share: `[d]`: weights of all columns are weights[source] * share.
        occupied: how many columns are not zero.
    """

    columns: Any
    source: Any
    share: Any
    occupied: Any


def merge_proportional(columns: Any) -> Merged:
    """Join columns `[n, d]` that are multiples of each other into one of them, which takes their joint norm.

    With z_i = s_i u for i in a group and S^2 = sum s_i^2, the minimum-norm weights are s_i / S times the weight of the
    one column S u. Left to a factorization, rounding in the difference of two large copies would drown the features
    that are smaller by more than the working precision.
    """
    xp = namespace(columns)
    rows, width = columns.shape
    eps = float(jnp.finfo(columns.dtype).eps)
    norm = column_norms(columns)
    unit = columns / xp.where(norm > 0, norm, xp.ones_like(norm))[None, :]
    # Along a random direction multiples of each other are neighbours, and hardly anything comes between them.
    direction = xp.asarray(np.random.default_rng(0).standard_normal(rows), columns.dtype)
    along = product(direction, unit)
    sign = xp.where(along < 0, -xp.ones_like(along), xp.ones_like(along))
    order = xp.argsort(xp.abs(along))
    ordered = (unit * sign[None, :])[:, order]
    previous = xp.roll(ordered, 1, axis=1)
    distance = xp.max(xp.abs(ordered - previous), axis=0)
    place = xp.arange(width, dtype=order.dtype)
    new = (distance > PROPORTIONAL_IN_EPS * eps * xp.max(xp.abs(previous), axis=0)) | (place == 0)
    number = (xp.cumsum(new) - 1).astype(order.dtype)  # of the group, along the order
    first = xp.argmax(number[None, :] == place[:, None], axis=1)  # of each group
    source = order[first[number]][xp.argsort(order)]
    member = source[None, :] == place[:, None]
    # Norms are divided by their largest in the group: squares of the smallest would underflow in float32.
    largest = xp.max(xp.where(member, norm[None, :], xp.zeros_like(norm)[None, :]), axis=1)
    relative = norm / xp.where(largest > 0, largest, xp.ones_like(largest))[source]
    joint = xp.sqrt(
        xp.sum(xp.where(member, (relative * relative)[None, :], xp.zeros_like(norm)[None, :]), axis=1)
    )
    share = sign * sign[source] * relative / xp.where(joint > 0, joint, xp.ones_like(joint))[source]
    size = largest * joint
    return Merged(unit * size[None, :], source, share, xp.sum(size > 0, dtype=jnp.int32))
