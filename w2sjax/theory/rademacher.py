"""Rademacher complexity of norm-bounded linear heads, computable from features or from their second moment.

Reference: Bartlett and Mendelson 2002, "Rademacher and Gaussian complexities", Lemma 22 (kernel classes). Recalled, not
verified against the paper; the derivation is in docs/theory.md.
"""

import math
from typing import Any

import numpy as np

from w2sjax.errors import W2SError
from w2sjax.validation import check_number, plain_array


def empirical_rademacher_bound(features: Any, radius: float, intercept_radius: float = 0.0) -> float:
    """Bound the empirical Rademacher complexity of {z'b + c : |b| <= B, |c| <= C} on given features.

        R_n = E_s sup (1/n) sum s_i (z_i'b + c) = (B/n) E|sum s_i z_i| + (C/n) E|sum s_i|
            <= (B/n) sqrt(sum |z_i|^2) + C / sqrt(n),       s_i = +-1 independent and fair.

    Args:
        features: `[n, width]`.
        radius: B >= 0, in label units per feature unit.
        intercept_radius: C >= 0, in label units; 0 for heads without an intercept.

    Returns:
        The bound, in label units. It exceeds R_n by a factor of at most sqrt(2) (Khintchine), and by little where
        many directions matter.

    Raises:
        W2SError: for features that are not a finite, non-empty matrix, and radii that are negative or not finite.

    Cost: O(n width).
    """
    z = plain_array("features", features)
    if z.ndim != 2 or z.size == 0 or not np.isfinite(z).all():
        raise W2SError(f"features has shape {z.shape}: pass a finite, non-empty array [n, width].")
    return float(linear_rademacher_bound(radius, (z**2).sum() / len(z), len(z), intercept_radius))


def linear_rademacher_bound(radius: Any, second_moment: Any, n: Any, intercept_radius: Any = 0.0) -> Any:
    """Bound the expected Rademacher complexity of {z'b + c : |b| <= B, |c| <= C} for n samples.

        E R_n <= (B sqrt(E|z|^2) + C) / sqrt(n),    E|z|^2 = trace of E[z z'].

    The features may be transformed linearly beforehand, z -> A z, which changes the class: in whitened coordinates
    |b| is the root mean square of the outputs, and E|z|^2 the number of linearly independent features.

    Args:
        radius: B >= 0, in label units per feature unit.
        second_moment: E|z|^2 >= 0, the trace of the second-moment matrix (of the covariance, for centred features).
        n: samples, >= 1.
        intercept_radius: C >= 0, in label units.

    Returns:
        The bound, in label units, of the shape that the arguments broadcast to.

    Raises:
        W2SError: for arguments out of range.
    """
    for name, value in (
        ("radius", radius),
        ("second_moment", second_moment),
        ("intercept_radius", intercept_radius),
    ):
        if np.ndim(value) == 0 and not hasattr(value, "dims"):
            check_number(name, value, least=0)
    if np.ndim(n) == 0 and not hasattr(n, "dims"):
        check_number("n", n, least=1)
    return (radius * second_moment**0.5 + intercept_radius) / (math.sqrt(n) if isinstance(n, int) else n**0.5)
