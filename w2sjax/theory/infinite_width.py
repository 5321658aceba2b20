"""Networks of infinite width: arc-cosine kernels of any depth, and the weak-to-strong experiment on them.

The last-layer features of a ReLU network whose width goes to infinity, everything else fixed, have the inner products

    k_0 = x'x',   k_l(x, x') = sqrt(k_(l-1)(x, x) k_(l-1)(x', x')) kappa(cos),
    kappa(c) = (sqrt(1 - c^2) + (pi - arccos c) c) / pi,   cos = k_(l-1)(x, x') / sqrt(k_(l-1)(x, x) k_(l-1)(x', x')),

so that a linear head on them is kernel regression, and the target, a random head on the target network, a Gaussian
process. Given the inputs, every prediction is linear in the true labels, whose covariance is known: errors and misfit
are expectations over networks and tasks in closed form. Only inputs are sampled, widths are not.

At widths of 60 and more and depths up to 3 simulated errors were within 40 / width of weak_error of the limit; the
distance shrinks as 1 / width.

Reference: Cho and Saul 2009, "Kernel methods for deep learning", degree 1 (recalled, checked by simulation); the
setting is the limit of that of Charikar, Pabbaraju and Shiragur 2024 (arXiv 2405.15116), the limit is this project's.
"""

from typing import Any

import numpy as np
import scipy.linalg

from w2sjax.engine.protocol import Protocol
from w2sjax.heads import RidgeThroughOrigin
from w2sjax.theory.base import Theory, require
from w2sjax.theory.usual import require_chain, require_world
from w2sjax.worlds.random_mlp import RandomMLP

DRAWS = 100
"""Draws of the inputs over which expectations are averaged."""

ROWS = 100
"""Evaluation inputs of each."""


def arc_cosine_kernel(a: Any, b: Any, depth: int) -> Any:
    """Return the kernel of `depth` ReLU layers of infinite width, which keep E|h|^2 = |x|^2.

    Args:
        a, b: inputs `[n, d]` and `[m, d]`, NumPy.
        depth: layers, >= 0; 0 is the inner product.

    Returns:
        `[n, m]`. Cost: O(n m (d + depth)).
    """
    norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None, :]
    cosine = np.clip(a @ b.T / np.where(norms > 0, norms, 1), -1, 1)
    for _ in range(depth):
        angle = np.arccos(cosine)
        cosine = np.clip((np.sin(angle) + (np.pi - angle) * cosine) / np.pi, -1, 1)
    return norms * cosine


def expected_errors(world: RandomMLP, protocol: Protocol, draws: int = DRAWS, rows: int = ROWS) -> Any:
    """Return the mean and the standard error over draws of the inputs of every expected result, by name.

    Args:
        world: whose width is not looked at.
        protocol: with heads `RidgeThroughOrigin`.
        draws, rows: of inputs, and evaluation inputs of each.

    Cost: draws times a Cholesky factorization of n_weak and n_strong rows.
    """
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        sizes = (protocol.n_weak, protocol.n_strong, rows)
        inputs = [rng.standard_normal((n, world.input_dim)) / world.input_dim**0.5 for n in sizes]
        for name, value in _given_inputs(world, protocol, *inputs).items():
            found.setdefault(name, []).append(value)
    return {name: (np.mean(v), np.std(v, ddof=1) / draws**0.5) for name, v in found.items()}


def _given_inputs(
    world: RandomMLP, protocol: Protocol, weak: Any, strong: Any, test: Any
) -> dict[str, float]:
    noise = float(protocol.label_noise) ** 2
    weak_ridge, ridge = (float(stage.head.ridge) for stage in protocol.chain()[:2])  # type: ignore[attr-defined]
    points = np.concatenate([weak, strong, test])
    truth = arc_cosine_kernel(points, points, world.target_depth)
    n, m = len(weak), len(weak) + len(strong)

    def regression(x: Any, at: Any, depth: int, ridge: float) -> Any:
        """Return the matrix from labels at x to predictions at other points."""
        gram = arc_cosine_kernel(x, x, depth) + len(x) * ridge * np.eye(len(x))
        return scipy.linalg.cho_solve(
            scipy.linalg.cho_factor(gram), arc_cosine_kernel(x, at, depth), check_finite=False
        ).T

    def mean_square(of_weak: Any, of_strong: Any, of_test: Any) -> float:
        """Return the mean over test inputs of E(A f(weak) + B f(strong) + c f(test))^2."""
        whole = np.concatenate([of_weak, of_strong, of_test * np.eye(len(test))], axis=1)
        return float(np.vdot(whole @ truth, whole)) / len(test)

    taught = regression(weak, points[n:], world.weak_depth, weak_ridge)
    student = regression(strong, test, world.strong_depth, ridge)
    weak_map, nothing = taught[m - n :], np.zeros((len(test), len(strong)))
    w2s_map = student @ taught[: m - n]
    spread = {
        name: noise * float((mapping**2).sum()) / len(test)
        for name, mapping in (("weak", weak_map), ("w2s", w2s_map), ("ceiling", student))
    }
    spread["misfit"] = noise * float(((w2s_map - weak_map) ** 2).sum()) / len(test)
    errors = {
        "weak_error": mean_square(weak_map, nothing, -1) + spread["weak"],
        "w2s_error": mean_square(w2s_map, nothing, -1) + spread["w2s"],
        "ceiling_error": mean_square(0 * weak_map, student, -1) + spread["ceiling"],
        "misfit": mean_square(w2s_map - weak_map, nothing, 0) + spread["misfit"],
    }
    errors["gain"] = errors["weak_error"] - errors["w2s_error"]
    return errors | {"deviation": errors["gain"] - errors["misfit"]}


def _assume(world: Any, protocol: Protocol) -> None:
    require_world(world, RandomMLP, "ReLU networks of independent Gaussian weights")
    require_chain(protocol, RidgeThroughOrigin, "kernel ridge regression")
    for stage in protocol.chain()[:2]:
        ridge = float(stage.head.ridge)  # type: ignore[attr-defined]
        require(
            ridge > 0,
            "a positive ridge, without which widths must be far larger",
            f"ridge={ridge:g}",
            "raise it",
        )
    most = max(protocol.n_weak, protocol.n_strong)
    require(
        world.width >= most,
        "features that are many more than samples",
        f"width={world.width} with {most} samples",
        f"set width to {most} or more",
    )


def _expect(world: Any, protocol: Protocol) -> dict[str, float]:
    return {name: float(mean) for name, (mean, _) in expected_errors(world, protocol).items()}


INFINITE_WIDTH = Theory(
    name="networks of infinite width",
    reference="arc-cosine kernels, Cho, Saul 2009; the limit is this project's",
    assume=_assume,
    expect=_expect,
    finite_size=lambda world, protocol: 40 / world.width,
)
