"""Least squares in overlapping subspaces: excess risks of Dong et al. 2025, exactly, for any number of samples.

Coordinates are independent Gaussian ones; what a representation does not see of the target is noise to it. With an
intercept, n rows, d features and noise of variance v, slopes have the covariance v / (n - d - 2) in whitened
coordinates, and a fresh row is (1 + 1/n) times as far from the sample's mean, see `w2sjax.theory.least_squares`. With
rho the target's variance that a representation misses, c(n, d) = 1/n + d / (n - d - 2) (1 + 1/n) and
a = (s^2 + rho_w) / (n_weak - d_w - 2):

    E_weak    = (s^2 + rho_w) c(n_weak, d_w) + rho_w
    E_ceiling = (s^2 + rho_s) c(n_strong, d_s) + rho_s,         E_baseline the same with n_weak
    E_w2s     = a (d_sw + (d_w + n_weak - d_w - 2) / n_weak) + |theta_(S without W)|^2 + rho_s
                + (|theta_(W without S)|^2 + a (d_w - d_sw)) c(n_strong, d_s)

The weak model's variance in the d_sw shared coordinates is inherited, that in the others is averaged out over n_strong
rows. The paper's curves leave out the intercept, and are bounds; `bounds` has them.

Reference: Dong et al. 2025 (arXiv 2502.05075) and its public code; the exact expressions are this project's.
"""

from typing import Any

from w2sjax.engine.protocol import Protocol
from w2sjax.heads.ridge import Ridge
from w2sjax.methods.base import Naive
from w2sjax.theory.base import Theory, require
from w2sjax.worlds import OverlappingSubspaces


def excess_risks(
    *,
    n_weak: Any,
    n_strong: Any,
    noise: Any,
    weak_dim: Any,
    strong_dim: Any,
    overlap: Any,
    missed_by_weak: Any,
    missed_by_strong: Any,
    only_weak: Any,
    only_strong: Any,
    intercept: bool = True,
) -> dict[str, Any]:
    """Return weak, w2s, ceiling and baseline error in squared label units; numbers or arrays that broadcast.

    Args:
        n_weak, n_strong: rows, > features + 2, or + 1 without an intercept.
        noise: standard deviation of the labels' noise, in label units.
        weak_dim, strong_dim, overlap: features of each representation, and of both.
        missed_by_weak, missed_by_strong: rho, variance of the target outside of what each sees.
        only_weak, only_strong: variance of the target in what only one of them sees.
        intercept: whether heads have one; those of this package do, those of the paper's code have none.
    """
    less = 2 if intercept else 1

    def cost(n: Any, d: Any) -> Any:
        return 1 / n + d / (n - d - 2) * (1 + 1 / n) if intercept else d / (n - d - 1)

    weak_noise, strong_noise = noise**2 + missed_by_weak, noise**2 + missed_by_strong
    slope = weak_noise / (n_weak - weak_dim - less)
    # The weak intercept is off by the mean noise, and by the slopes' error at the sample's mean.
    inherited = slope * overlap
    if intercept:
        inherited = inherited + weak_noise / n_weak + slope * weak_dim / n_weak
    unseen = only_weak + slope * (weak_dim - overlap)
    return {
        "weak_error": weak_noise * cost(n_weak, weak_dim) + missed_by_weak,
        "w2s_error": inherited + only_strong + missed_by_strong + unseen * cost(n_strong, strong_dim),
        "ceiling_error": strong_noise * cost(n_strong, strong_dim) + missed_by_strong,
        "baseline_error": strong_noise * cost(n_weak, strong_dim) + missed_by_strong,
    }


def bounds(
    *,
    n_weak: Any,
    n_strong: Any,
    noise: Any,
    weak_dim: Any,
    strong_dim: Any,
    overlap: Any,
    missed_by_weak: Any,
    missed_by_strong: Any,
) -> dict[str, Any]:
    """Return the curves that the paper's code draws as bounds: arguments as of `excess_risks`, no intercept.

    E_w2s <= s^2 (d_sw + (d_w - d_sw) d_s / n_strong) / (n_weak - d_w - 1) + rho_w + rho_s; the others s^2 d / n + rho.
    The ceiling has n_weak + n_strong true labels.
    """
    s2 = noise**2
    shared = overlap + (weak_dim - overlap) * strong_dim / n_strong
    return {
        "weak_error": s2 * weak_dim / n_weak + missed_by_weak,
        "w2s_error": s2 * shared / (n_weak - weak_dim - 1) + missed_by_weak + missed_by_strong,
        "ceiling_error": s2 * strong_dim / (n_weak + n_strong) + missed_by_strong,
        "baseline_error": s2 * strong_dim / n_weak + missed_by_strong,
    }


def sizes_of(world: OverlappingSubspaces) -> dict[str, float]:
    """Return what `excess_risks` needs to know of a world."""
    signal, weak, strong = world.signal(), world.seen_by("weak"), world.seen_by("strong")
    return {
        "weak_dim": world.weak_dim,
        "strong_dim": world.strong_dim,
        "overlap": int(world.overlap),
        "missed_by_weak": float(signal[~weak].sum()),
        "missed_by_strong": float(signal[~strong].sum()),
        "only_weak": float(signal[weak & ~strong].sum()),
        "only_strong": float(signal[strong & ~weak].sum()),
    }


def _assume(world: Any, protocol: Protocol) -> None:
    require(
        isinstance(world, OverlappingSubspaces),
        "independent Gaussian coordinates",
        f"world={type(world).__name__}(...)",
        "pass an OverlappingSubspaces",
    )
    for stage in protocol.chain():
        least_squares = isinstance(stage.head, Ridge) and float(stage.head.ridge) == 0
        plain = least_squares and isinstance(stage.method, Naive)
        require(plain, "least squares", f"head={stage.head!r} of {stage.name}", "set head=Ridge(0)")
    require(not protocol.reuse_inputs, "fresh inputs", "reuse_inputs=True", "set reuse_inputs=False")
    largest = {"n_weak": world.weak_dim, "n_strong": world.strong_dim}
    if protocol.baseline:
        largest["n_weak"] = max(world.weak_dim, world.strong_dim)
    for field, d in largest.items():
        n = getattr(protocol, field)
        require(
            n > d + 2,
            "more samples than features + 2, below which the expected error is infinite",
            f"{field}={n} with {d} features",
            f"set {field} to {d + 3} or more",
        )


def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    found = excess_risks(
        n_weak=protocol.n_weak,
        n_strong=protocol.n_strong,
        noise=float(protocol.label_noise),
        **sizes_of(world),  # type: ignore[arg-type]
    )
    if not protocol.baseline:
        del found["baseline_error"]
    return found | {"gain": found["weak_error"] - found["w2s_error"]}


SUBSPACES = Theory(
    name="least squares in subspaces",
    reference="Dong et al. 2025 (exact expressions of this project)",
    assume=_assume,
    expect=_expect,
)
