"""Which surrogate of the truth is the best to learn from, with fewer samples than features.

Labels x'b_s are fitted by minimum norm on n samples of independent Gaussian features with variances lambda. With kappa,
zeta and omega of `w2sjax.theory.equivalents` at ridge 0, in the limit of many features, the student's error is

    sum lambda ((1 - zeta) b_s - b*)^2 + omega / (1 - omega) (noise^2 + sum lambda zeta^2 b_s^2),

a quadratic form in b_s: the best surrogate amplifies large coefficients and shrinks small ones. Reference: Ildiz et
al. 2024 (arXiv 2410.18837), whose text was not at hand: the expressions are this project's, checked by simulation.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.engine.protocol import Protocol
from w2sjax.heads import AsIs, RidgeThroughOrigin
from w2sjax.theory.base import Theory, require
from w2sjax.theory.equivalents import Effective, effective_ridge
from w2sjax.theory.usual import require_world
from w2sjax.worlds.surrogates import Surrogates

_solved = jax.jit(effective_ridge)


def surrogate_risk(spectrum: Any, target: Any, surrogate: Any, n: float, noise: float = 0.0) -> float:
    """Return E |b_hat - target|^2 in squared label units, b_hat of minimum norm on n labels x'surrogate + noise.

        sum lambda ((1 - zeta) b_s - b*)^2 + omega / (1 - omega) (noise^2 + sum lambda zeta^2 b_s^2)

    Without an intercept, in the limit of many features; n < features. Ildiz et al. 2024.
    """
    spectrum, target, surrogate = (np.asarray(a, float) for a in (spectrum, target, surrogate))
    found = _of_surrogate(spectrum, n)
    variance = found.omega / (1 - found.omega) * (noise**2 + (spectrum * found.zeta**2 * surrogate**2).sum())
    return float((spectrum * ((1 - found.zeta) * surrogate - target) ** 2).sum() + variance)


def optimal_surrogate(spectrum: Any, target: Any, n: float) -> np.ndarray:
    """Return the coefficients `[feature]` whose labels are the best to learn from, b* (1 - zeta) / (...).

    The denominator is (1 - zeta)^2 + omega / (1 - omega) zeta^2: coefficient i is amplified iff zeta_i < 1 - omega.
    """
    found = _of_surrogate(np.asarray(spectrum, float), n)
    kept = 1 - found.zeta
    denominator = kept**2 + found.omega / (1 - found.omega) * found.zeta**2
    return np.asarray(np.asarray(target, float) * kept / denominator)


def optimal_mask(spectrum: Any, target: Any, n: float) -> np.ndarray:
    """Return the target with the features left out, `[feature]`, that are better unlabelled: 1 - zeta^2 <= omega."""
    found = _of_surrogate(np.asarray(spectrum, float), n)
    return np.where(1 - found.zeta**2 > found.omega, np.asarray(target, float), 0.0)


def _of_surrogate(spectrum: np.ndarray, n: float) -> Effective:
    require(
        n < len(spectrum),
        "fewer samples than features, where the truth is not the best surrogate",
        f"n={n:g} with {len(spectrum)} features",
        "lower n",
    )
    with jax.enable_x64(True):
        found = jax.tree.map(np.asarray, _solved(jnp.asarray(spectrum), jnp.asarray(float(n))))
    require(
        bool(found.converged), "a fixed point that converges", f"n={n:g}", "take n further from the features"
    )
    return found


def _assume(world: Any, protocol: Protocol) -> None:
    require_world(world, Surrogates, "independent Gaussian features and given weak models")
    require(not protocol.reuse_inputs, "fresh inputs", "reuse_inputs=True", "set it to False")
    for stage in protocol.chain():
        given = stage.features != "strong"
        fits = isinstance(stage.head, AsIs) or (
            not given and isinstance(stage.head, RidgeThroughOrigin) and float(stage.head.ridge) == 0
        )
        wanted = "AsIs()" if given else "RidgeThroughOrigin(0)"
        require(
            fits and isinstance(stage.head, AsIs) == given,
            "given weak models, and students by minimum norm",
            f"head={stage.head!r} of {stage.name}",
            f"set it to {wanted}",
        )
    n = protocol.n_strong
    require(n >= 20, "many samples", f"n_strong={n}", "set it to 20 or more")
    require(
        n <= 0.9 * world.dim,
        "fewer samples than 0.9 times the features, where the variance is finite",
        f"n_strong={n} with {world.dim} features",
        "lower n_strong",
    )


def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    spectrum, truth, n = world.spectrum(), world.target(), float(world.designed_for)
    models = {"optimal": optimal_surrogate(spectrum, truth, n), "mask": optimal_mask(spectrum, truth, n)}
    taught, errors = {"truth": truth}, {}
    for stage in protocol.chain():
        if stage.features in models:
            taught[stage.name] = models[stage.features]
            errors[stage.name] = float((spectrum * (taught[stage.name] - truth) ** 2).sum())
        else:
            noise = float(protocol.label_noise) if stage.labels == "truth" else 0.0
            errors[stage.name] = surrogate_risk(
                spectrum, truth, taught[stage.labels], protocol.n_strong, noise
            )
    found = {f"{name}_error": error for name, error in errors.items()}
    return found | {"gain": found["weak_error"] - found["w2s_error"]}


SURROGATES = Theory(
    name="surrogates in high dimension",
    reference="Ildiz et al. 2024 (expressions of this project)",
    assume=_assume,
    expect=_expect,
    finite_size=lambda world, protocol: 1 / protocol.n_strong,
)
