"""Principal representations, and what they say of the distance between the w2s model and the ceiling.

Xue, Li and Mirzasoleiman 2025 (arXiv 2502.00620). Of a representation only the directions of large variance, its
principal part, are learned; the rest acts as a further ridge gamma. With the smoother of the student on its n inputs,

    P_s = (1/n) K_s ((1/n) K_s + (beta_s + gamma_s) I)^-1,

and the weak model's predictions there, P_w y = K_w(transfer, train) (K_w(train) + m (beta_w + gamma_w) I)^-1 y from m
labels, the predicted gap is E (w2s - ceiling)^2 = |P_s (y - P_w y_train)|^2 / n up to o(1), and w2s_error is at most
2 (gap + ceiling_error). Labels left out, |P_s (I - P_w)| is a metric of the two representations alone.

The definitions are recollections, not verified against the paper: that of P_w by the cross kernel was checked by
simulation, where the kernel of one sample gives a gap a quarter too small; the metric takes P_w of the transfer inputs
themselves, as third parties implement it. Kernels are centred, for the intercept. Principal directions are those of
the sample, which the rest contaminates: gamma should be small beside the principal variances.
"""

from typing import Any, NamedTuple

import numpy as np

from w2sjax.engine.metrics import Metric
from w2sjax.engine.protocol import Protocol
from w2sjax.engine.redraw import redraw
from w2sjax.heads.ridge import Ridge
from w2sjax.methods.base import Naive
from w2sjax.theory.base import Theory, require

PREDICTION_GAP = Metric(
    "prediction_gap",
    "mean squared distance between the w2s model and the ceiling",
    "squared label unit",
    lambda p: ((p["w2s"] - p["truth"]) - (p["ceiling"] - p["truth"])) ** 2,
    quadratic=True,
)
"""What the theory predicts, as a metric of sweeps and of given features."""


class Principal(NamedTuple):
    """The directions of large variance of a sample of features.

    Attributes:
        mean: `[width]`.
        directions: `[width, k]`, orthonormal, of decreasing variance.
        variances: `[k]`.
        rest: variance of all other directions together.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    rest: float

    def project(self, features: np.ndarray) -> np.ndarray:
        """Return the principal coordinates `[n, k]` of features `[n, width]`."""
        return (features - self.mean) @ self.directions


def principal(features: Any, threshold: float = 0.0) -> Principal:
    """Return the directions whose variance exceeds a threshold, in squared feature units; at 0 all that vary."""
    features = np.asarray(features, float)
    mean = features.mean(0)
    _, singular, directions = np.linalg.svd(features - mean, full_matrices=False)
    variances = singular**2 / len(features)
    rounding = variances[:1].sum() * np.finfo(float).eps * max(features.shape)
    kept = variances > max(threshold, rounding)
    return Principal(mean, directions[kept].T, variances[kept], float(variances[~kept].sum()))


class Decomposability(NamedTuple):
    """How nearly a representation consists of a concentrated principal part and isotropic noise; all in its units.

    Attributes:
        dimension: of the principal part.
        gamma_train, gamma_transfer: the ridge that the rest amounts to, the mean eigenvalue of its kernel / n.
        anisotropy: largest distance of an eigenvalue of that kernel / n from gamma, the larger of both samples.
        cross: norm of the rest's kernel between the samples, / sqrt(n m).
        concentration: norm of the difference of the principal covariances of both samples.
    """

    dimension: int
    gamma_train: float
    gamma_transfer: float
    anisotropy: float
    cross: float
    concentration: float

    @property
    def delta(self) -> float:
        """The largest of the three distances."""
        return max(self.anisotropy, self.cross, self.concentration)


def decomposability(train: Any, transfer: Any, threshold: float) -> Decomposability:
    """Measure the (delta, gamma)-decomposability of one representation on two samples, `[n, width]` each.

    Cost: O(n^2 width).
    """
    train, transfer = np.asarray(train, float), np.asarray(transfer, float)
    part = principal(np.concatenate([train, transfer]), threshold)
    samples, covariances, rests, gammas, distances = (train, transfer), [], [], [], []
    for sample in samples:
        inside = part.project(sample)
        rest = (sample - part.mean) - inside @ part.directions.T
        covariances.append(inside.T @ inside / len(sample))
        rests.append(rest / len(sample) ** 0.5)
        eigenvalues = np.linalg.eigvalsh(rests[-1] @ rests[-1].T)
        gammas.append(float(eigenvalues.mean()))
        distances.append(float(np.abs(eigenvalues - gammas[-1]).max()))
    return Decomposability(
        dimension=part.directions.shape[1],
        gamma_train=gammas[0],
        gamma_transfer=gammas[1],
        anisotropy=max(distances),
        cross=float(np.linalg.norm(rests[0] @ rests[1].T, 2)),
        concentration=float(np.linalg.norm(covariances[0] - covariances[1], 2)),
    )


def predicted_gap(
    weak_train: Any,
    y_train: Any,
    weak_transfer: Any,
    strong_transfer: Any,
    y_transfer: Any,
    *,
    weak_ridge: float,
    strong_ridge: float,
    weak_threshold: float = 0.0,
    strong_threshold: float = 0.0,
    label_noise: float = 0.0,
    same_sample: bool = False,
) -> np.ndarray:
    """Return |P_s (y - P_w y_train)|^2 / n, the predicted E (w2s - ceiling)^2, `[task]`, in squared label units.

    Args:
        weak_train, weak_transfer: `[m, d_w]` and `[n, d_w]`; `strong_transfer`: `[n, d_s]`.
        y_train, y_transfer: noiseless labels, `[m, task]` and `[n, task]`.
        weak_ridge, strong_ridge: beta of `w2sjax.heads.Ridge`, >= 0, to which gamma = rest / samples is added.
        weak_threshold, strong_threshold: variances above which directions are principal.
        label_noise: standard deviation of independent noise on the labels of both, whose expectation is added.
        same_sample: take P_w of the transfer inputs and labels themselves in place of the cross kernel.

    Cost: O(n d min(n, d)) per representation.
    """
    weak_train, weak_transfer, strong = (
        np.asarray(a, float) for a in (weak_train, weak_transfer, strong_transfer)
    )
    y_train, y = np.asarray(y_train, float), np.asarray(y_transfer, float)
    if same_sample:
        weak_train, y_train = weak_transfer, y
    weak_part = principal(weak_train, weak_threshold)
    ridge = weak_ridge + weak_part.rest / len(weak_train)
    # The head of the principal coordinates that m labels give, [k, m] times labels.
    solver = weak_part.project(weak_train).T / (weak_part.variances + ridge)[:, None] / len(weak_train)
    inside = weak_part.project(weak_transfer)
    by_weak = inside @ (solver @ (y_train - y_train.mean(0))) + y_train.mean(0)
    strong_part = principal(strong, strong_threshold)
    ridge = strong_ridge + strong_part.rest / len(strong)
    left = strong_part.project(strong) / (strong_part.variances * len(strong)) ** 0.5
    shrink = strong_part.variances / (strong_part.variances + ridge)
    difference = y - by_weak
    smoothed = shrink[:, None] * (left.T @ (difference - difference.mean(0)))
    gap = (smoothed**2).sum(0) / len(y) + difference.mean(0) ** 2
    if label_noise:
        through = shrink[:, None] * (left.T @ (inside - inside.mean(0)) @ solver)
        shared = (through**2).sum() / len(y) + 1 / len(y_train)
        gap = gap + label_noise**2 * (shared + ((shrink**2).sum() + 1) / len(y))
    return gap


def error_bound(gap: Any, ceiling_error: Any) -> Any:
    """Return 2 (gap + ceiling_error), which bounds w2s_error: (a + b)^2 <= 2 a^2 + 2 b^2."""
    return 2 * (gap + ceiling_error)


def label_free_metric(
    weak: Any,
    strong: Any,
    *,
    weak_ridge: float | None = None,
    strong_ridge: float | None = None,
    share: float = 0.1,
) -> np.ndarray:
    """Return |P_s (I - P_w)|, a metric in [0, 1] of what the strong representation learns and the weak one does not.

    Args:
        weak, strong: features of the same inputs, `[..., n, d_w]` and `[..., n, d_s]`; leading axes are independent.
        weak_ridge, strong_ridge: beta + gamma. By default `share` times the mean eigenvalue tr(K) / n of each kernel
            / n, as third parties implement it.
        share: > 0.

    Returns:
        The largest singular value, `[...]`. Cost: O(n d^2); no n x n matrix is formed.
    """
    lefts, filters = [], []
    for features, given in ((weak, weak_ridge), (strong, strong_ridge)):
        features = np.asarray(features, float)
        left, singular, _ = np.linalg.svd(features - features.mean(-2, keepdims=True), full_matrices=False)
        variances = singular**2 / features.shape[-2]
        ridge = share * variances.sum(-1, keepdims=True) / features.shape[-1] if given is None else given
        lefts.append(left)
        filters.append(variances / (variances + ridge))
    across = np.swapaxes(lefts[1], -1, -2) @ lefts[0]  # P_s (I - P_w)^2 P_s in the basis of the strong kernel
    less = filters[0] * (2 - filters[0])
    inner = np.eye(across.shape[-2]) - (across * less[..., None, :]) @ np.swapaxes(across, -1, -2)
    inner = filters[1][..., :, None] * inner * filters[1][..., None, :]
    return np.sqrt(np.maximum(np.linalg.eigvalsh(inner)[..., -1], 0))


def _ridges(protocol: Protocol) -> tuple[float, float]:
    stages = {stage.name: stage for stage in protocol.chain()}
    require(
        {"weak", "w2s", "ceiling"} <= set(stages),
        "a weak model, a w2s model and a ceiling",
        "the chain",
        "name them so",
    )
    for stage in stages.values():
        plain = isinstance(stage.head, Ridge) and isinstance(stage.method, Naive)
        require(plain, "ridge regression", f"head={stage.head!r} of {stage.name}", "set head=Ridge(...)")
    weak, strong, ceiling = (float(stages[name].head.ridge) for name in ("weak", "w2s", "ceiling"))  # type: ignore[attr-defined]
    require(
        strong == ceiling,
        "one ridge of w2s model and ceiling",
        f"ridge={strong:g} and {ceiling:g}",
        "use one",
    )
    return weak, strong


def _features_per_sample(world: Any, protocol: Protocol) -> float:
    """Return how far the prediction, which is of the training inputs, is from that of fresh ones."""
    width: Any = getattr(world, "dim", None) or getattr(world, "width", 0)
    return float(width / min(protocol.n_weak, protocol.n_strong))


def prediction_gap(weak_threshold: float = 0.0, strong_threshold: float = 0.0) -> Theory:
    """Return the theory of `prediction_gap` by pair, with thresholds of the principal parts; measure `PREDICTION_GAP`.

    Labels and features are rows that no split of the sweep has.
    """

    def assume(world: Any, protocol: Protocol) -> None:
        weak, _ = _ridges(protocol)
        require(not protocol.reuse_inputs, "fresh inputs", "reuse_inputs=True", "set reuse_inputs=False")
        require(
            weak > 0 or weak_threshold > 0,
            "a weak model with a ridge, its own or that of non-principal directions",
            f"ridge={weak:g} of the weak model with weak_threshold={weak_threshold:g}",
            "set weak_head=Ridge(...) above 0, or a threshold",
        )

    def expect(world: Any, protocol: Protocol, seed: int, pairs: range) -> dict[str, Any]:
        weak, strong = _ridges(protocol)
        m, n = protocol.n_weak, protocol.n_strong
        names = ("weak", "strong")
        features, labels = redraw(world, protocol, protocol.chain()[:1], names, m + n, seed, pairs)
        arrays = features["weak"], features["strong"], labels["truth"]
        found = [
            predicted_gap(
                own_weak[:m],
                truth[:m],
                own_weak[m : m + n],
                own_strong[m : m + n],
                truth[m : m + n],
                weak_ridge=weak,
                strong_ridge=strong,
                weak_threshold=weak_threshold,
                strong_threshold=strong_threshold,
                label_noise=float(protocol.label_noise),
            )
            for own_weak, own_strong, truth in zip(*arrays, strict=True)
        ]
        return {"prediction_gap": np.stack(found)}

    return Theory(
        name="principal representations",
        reference="Xue, Li, Mirzasoleiman 2025 (recalled, not verified)",
        assume=assume,
        expect=expect,
        by_pair=True,
        finite_size=_features_per_sample,
    )


PRINCIPAL = prediction_gap()
"""With all directions principal."""
