"""Labels of rows that stay in one split: equal rows, and clusters of rows that are alike."""

from typing import Any

import numpy as np

from w2sjax.validation import check_array, check_integer


def duplicate_groups(values: Any) -> np.ndarray:
    """Return int `[rows]`, equal for rows of equal features, which as `groups` stay in one split: against leakage."""
    return np.unique(np.asarray(values), axis=0, return_inverse=True)[1].reshape(-1)


def cluster_groups(values: Any, count: int, *, seed: int = 0) -> np.ndarray:
    """Return int64 `[rows]`, the cluster of each row by k-means, which as `groups` stays in one split.

    What is evaluated is then unlike what was learned from.

    Args:
        values: floating `[rows, width]`; columns count by their spread, of which `standardized` makes one.
        count: of clusters, from 2 to the number of rows. Some may be left empty. Pools of exact sizes need clusters of
            a single row to fill what is left: where `Resampled` refuses a few large ones, take a quarter of the rows.
        seed: of the first centres (k-means++, Arthur and Vassilvitskii 2007).

    Raises:
        W2SError: for what is no such array, or a count out of range.

    Cost: ten rounds of rows count width multiplications.
    """
    array = np.asarray(check_array("values", values, layout="[rows, width]", ranks=(2,)), np.float64)
    count = check_integer("count", count, least=2, most=len(array))
    from scipy.cluster.vq import kmeans2

    found: np.ndarray = kmeans2(array, count, minit="++", rng=np.random.default_rng(seed))[1]
    return found.astype(np.int64)
