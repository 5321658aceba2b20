"""Least squares on Gaussian inputs with noisy labels, exactly, for any number of samples.

With d linearly independent Gaussian features, an intercept, n rows and label noise of standard deviation s, the
expected squared distance of the fitted head from a truth that it can express is

    s^2 (1/n + d / (n - d - 2) (1 + 1/n)),    n > d + 2:

1/n for the mean of the labels, and for the slopes the mean of an inverse Wishart matrix with n - 1 degrees of freedom,
seen from an independent row. A w2s head that can express the weak model recovers it from n_strong > d noiseless labels:
nothing is gained, and misfit is zero.

Reference: Breiman and Freedman 1983, "How many variables should be entered in a regression equation?" (the case without
an intercept; recalled, not verified against the paper).
"""

from typing import Any

from w2sjax.engine.protocol import Protocol
from w2sjax.heads.ridge import Ridge
from w2sjax.methods.base import Naive
from w2sjax.theory.base import Theory, require
from w2sjax.worlds import PerturbedMLP


def excess_error(n: int, features: int, noise: float) -> float:
    """Return noise^2 (1/n + d / (n - d - 2) (1 + 1/n)), the expected error of least squares with an intercept.

    Args:
        n: rows, > features + 2.
        features: d >= 1, linearly independent and jointly Gaussian.
        noise: standard deviation of the labels' noise, >= 0, in label units.
    """
    return noise**2 * (1 / n + features / (n - features - 2) * (1 + 1 / n))


def _assume(world: Any, protocol: Protocol) -> None:
    require(
        isinstance(world, PerturbedMLP),
        "Gaussian features",
        f"world={type(world).__name__}(...)",
        "pass a PerturbedMLP with activation='identity'",
    )
    for field, wanted, assumption in (
        ("activation", "identity", "features that are linear in the inputs"),
        ("inputs", "gaussian", "Gaussian inputs"),
    ):
        given = getattr(world, field)
        require(given == wanted, assumption, f"{field}={given!r}", f"set {field}={wanted!r}")
    noises = {name: float(getattr(world, name)) for name in ("weak_noise", "strong_noise")}
    noisy = max(noises, key=noises.__getitem__)
    require(
        world.width >= world.input_dim or noises[noisy] == 0,
        "features that span those of the target",
        f"{noisy}={noises[noisy]:g} with width={world.width} < input_dim={world.input_dim}",
        f"set width to {world.input_dim} or more, or the noises to 0",
    )
    for stage in protocol.chain():
        plain = isinstance(stage.head, Ridge) and isinstance(stage.method, Naive)
        require(plain, "least squares", f"head={stage.head!r}", "set head=Ridge(0)")
        ridge = float(stage.head.ridge)  # type: ignore[attr-defined]
        require(ridge == 0, "least squares", f"ridge={ridge:g}", "set ridge=0")
    least = _features(world) + 3
    for field in ("n_weak", "n_strong"):
        n = getattr(protocol, field)
        require(
            n >= least,
            "more samples than linearly independent features + 2, below which the expected error is infinite",
            f"{field}={n} with {least - 3} features",
            f"set {field} to {least} or more",
        )


def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    features, noise = _features(world), float(protocol.label_noise)
    weak = excess_error(protocol.n_weak, features, noise)
    return {
        "weak_error": weak,
        "w2s_error": weak,
        "ceiling_error": excess_error(protocol.n_strong, features, noise),
        "gain": 0.0,
        "misfit": 0.0,
        "deviation": 0.0,
    }


def _features(world: PerturbedMLP) -> int:
    """Return how many features are linearly independent: layers without an activation lose none."""
    return min(world.input_dim, world.width)


LEAST_SQUARES = Theory(
    name="exact least squares",
    reference="Breiman, Freedman 1983; mean of the inverse Wishart distribution",
    assume=_assume,
    expect=_expect,
)
