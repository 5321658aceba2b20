"""The two theorems of Charikar, Pabbaraju and Shiragur 2024 (arXiv 2405.15116), with explicit constants.

Notation: truth g, weak model w, w2s model s, and p the best element of the strong class F to the truth; |.| is the root
mean square over the input distribution, so that weak_error = |w - g|^2, w2s_error = |s - g|^2, misfit = |s - w|^2 and
eps = |p - g|^2. F is convex, and s minimizes the mean squared distance to w over F on n samples that w has not seen.

The paper's Theorem 2 adds to Theorem 1 a term O(sqrt(eps)) and uniform-convergence terms; its text was not at hand, so
its statement and constants are not verified against the paper. The constants below are derived in docs/theory.md; the
argument used there gives uniform-convergence terms of order n^(-1/2).

All functions take numbers, NumPy or JAX arrays, or xarray DataArrays, which broadcast. Errors are in squared label
units.
"""

import math
from typing import Any, NamedTuple

from w2sjax.errors import W2SError
from w2sjax.validation import check_number


class Theorem2(NamedTuple):
    """The terms whose sum bounds w2s_error, in squared label units.

    Attributes:
        theorem1: weak_error - misfit.
        nonrealizable: 2 sqrt(eps misfit); 0 where the class holds the truth.
        complexity: 16 M R_n, from the Rademacher complexity R_n of the class; 0 for infinitely many samples.
        confidence: 10 M^2 sqrt(log(1/delta) / (2 n)).
    """

    theorem1: Any
    nonrealizable: Any
    complexity: Any
    confidence: Any

    @property
    def allowance(self) -> Any:
        """What the bound adds to Theorem 1: an upper bound on misfit - gain."""
        return self.nonrealizable + self.complexity + self.confidence

    @property
    def total(self) -> Any:
        """The upper bound on w2s_error."""
        return self.theorem1 + self.allowance


def theorem1_bound(weak_error: Any, misfit: Any) -> Any:
    """Return weak_error - misfit >= w2s_error, for a convex class that holds the truth, in the population limit.

    Equality holds for a linear class. Estimated on few samples, or where the strong class does not hold the truth, it
    can be negative, and then bounds nothing. Charikar et al. 2024, Theorem 1.

    Args:
        weak_error, misfit: arrays of one shape, in squared label units, >= 0.
    """
    return weak_error - misfit


def nonrealizable_term(ceiling_error: Any, misfit: Any) -> Any:
    """Return 2 sqrt(eps misfit), by which a truth outside the class can break Theorem 1 in the population limit.

    It is 2 |p - g| |s - w| >= 2 E(p - g)(s - w): Cauchy and Schwarz, with equality where the error of the best strong
    head is proportional to what the strong class cannot fit of the weak model. With outputs in [-M, M] it is at most
    4 M sqrt(eps), the O(sqrt(eps)) of Theorem 2.

    Args:
        ceiling_error: eps >= 0, the error of the best strong head. The error of the fitted ceiling is an upper bound.
        misfit: >= 0.
    """
    return 2 * (ceiling_error * misfit) ** 0.5


def complexity_term(rademacher: Any, output_bound: Any) -> Any:
    """Return 16 M R_n: twice the symmetrized contraction of v -> (p - v)(v - w), which is 4 M Lipschitz.

    Args:
        rademacher: R_n >= 0, the expected Rademacher complexity of the class for n samples, or an upper bound such as
            `linear_rademacher_bound`; in label units.
        output_bound: M >= 0; the weak model and all of the class have outputs in [-M, M].
    """
    return 16 * output_bound * rademacher


def confidence_term(output_bound: Any, n: Any, delta: float = 0.05) -> Any:
    """Return 10 M^2 sqrt(log(1/delta) / (2 n)): McDiarmid for products in [-4 M^2, M^2].

    Args:
        output_bound: M >= 0, as in `complexity_term`.
        n: samples, >= 1.
        delta: probability with which the bound may fail, in (0, 1].

    Raises:
        W2SError: if delta is out of range.
    """
    _check_delta(delta)
    return 10 * output_bound**2 * (math.log(1 / delta) / 2 / n) ** 0.5


def theorem2_bound(
    weak_error: Any,
    misfit: Any,
    ceiling_error: Any,
    rademacher: Any,
    output_bound: Any,
    n: Any,
    delta: float = 0.05,
) -> Theorem2:
    """Bound w2s_error for a class that may lack the truth and n samples, with probability at least 1 - delta.

        w2s_error <= weak_error - misfit + 2 sqrt(eps misfit) + 16 M R_n + 10 M^2 sqrt(log(1/delta) / (2 n))

    Args:
        weak_error, misfit: of the w2s model in question, over the input distribution, >= 0.
        ceiling_error: eps, as in `nonrealizable_term`.
        rademacher, output_bound: R_n and M, as in `complexity_term`.
        n: samples of the w2s model, n_strong, >= 1. They must be fresh: the weak model has not seen them.
        delta: probability of failure, in (0, 1].

    Returns:
        `Theorem2`, the terms and their sum.

    Raises:
        W2SError: if delta is out of range.

    Reference: Charikar et al. 2024, Theorem 2; constants derived in docs/theory.md, not verified against the paper.
    """
    return Theorem2(
        theorem1=theorem1_bound(weak_error, misfit),
        nonrealizable=nonrealizable_term(ceiling_error, misfit),
        complexity=complexity_term(rademacher, output_bound),
        confidence=confidence_term(output_bound, n, delta),
    )


def localized_term(distance: Any, cross_moment: Any, fourth_moment: Any, n: Any, delta: float = 0.05) -> Any:
    """Bound what n samples add to misfit - gain for linear heads, without any bound on outputs.

        2 sqrt(2/delta) (H sqrt(E[(p - w)^2 |z|^2] / n) + H^2 sqrt(E|z|^4 / n)),    H = |s - p|,

    with whitened features z, a constant one for the intercept among them. It holds with probability 1 - delta for every
    s in the linear class at once, by Chebyshev, and shrinks as s approaches p: an a-posteriori bound.

    Args:
        distance: H >= 0, the root mean square of s - p; sqrt(w2s_error - eps) for unconstrained linear heads, and
            sqrt(w2s_error) from above.
        cross_moment: E[(p - w)^2 |z|^2] >= 0.
        fourth_moment: E|z|^4 >= 0. Where it is infinite, so is the bound.
        n: samples, >= 1.
        delta: probability of failure, in (0, 1].

    Raises:
        W2SError: if delta is out of range.

    This is not in the paper; see docs/theory.md for the derivation.
    """
    _check_delta(delta)
    spread = distance * cross_moment**0.5 + distance**2 * fourth_moment**0.5
    return 2 * (2 / delta) ** 0.5 * spread / n**0.5


def _check_delta(delta: float) -> None:
    check_number("delta", delta, above=0)
    if delta > 1:
        raise W2SError(f"delta={delta:g} is out of range: pass a probability > 0 and <= 1.")
