"""Formulas of papers against independent ones, published numbers, and what violates their assumptions."""

from typing import Any

import numpy as np
import pytest

import w2sjax as w2s
from w2sjax import theory
from w2sjax.theory.dong2025 import bounds, excess_risks, sizes_of
from w2sjax.theory.xue2025 import decomposability, error_bound, principal

RNG = np.random.default_rng(0)

# (overlap, noise, n, N): weak, baseline, ceiling on n + N labels and w2s error without an intercept, from the setting
# of the public code, where an independent simulation agrees with them.
DONG = {
    (10, 0.1, 400, 4000): (1.056e-2, 3.418e-3, 2.887e-4, 1.077e-3),
    (10, 0.1, 2000, 400): (1.396e-3, 5.842e-4, 4.921e-4, 7.459e-4),
    (90, 0.1, 2000, 4000): (1.294e-3, 5.842e-4, 2.252e-4, 7.266e-4),
    (90, 0.02, 2000, 4000): (2.270e-4, 7.871e-5, 6.247e-5, 2.313e-4),
}


@pytest.mark.parametrize("case", DONG)
def test_excess_risks_are_those_of_the_public_setting(case: tuple[int, float, int, int]) -> None:
    overlap, noise, n, more = case
    sizes: Any = sizes_of(w2s.worlds.OverlappingSubspaces(overlap=overlap))
    risks = excess_risks(n_weak=n, n_strong=more, noise=noise, intercept=False, **sizes)
    whole = excess_risks(n_weak=n, n_strong=n + more, noise=noise, intercept=False, **sizes)
    names = ("weak_error", "baseline_error", "ceiling_error", "w2s_error")
    found = [(whole if name == "ceiling_error" else risks)[name] for name in names]
    np.testing.assert_allclose(found, DONG[case], rtol=6e-4)
    with_intercept = excess_risks(n_weak=n, n_strong=more, noise=noise, **sizes)
    assert all(1 < with_intercept[name] / risks[name] < 1.05 for name in names)


def test_missed_variance_of_the_public_setting() -> None:
    sizes = {d: sizes_of(w2s.worlds.OverlappingSubspaces(overlap=d)) for d in (10, 50, 90)}
    weak = [round(sizes[d]["missed_by_weak"], 6) for d in sizes]
    assert weak == [2.56e-4, 2.34e-4, 1.64e-4]
    assert sizes[10]["missed_by_strong"] == pytest.approx(5.48e-5, rel=1e-3)
    given: Any = {name: v for name, v in sizes[10].items() if not name.startswith("only")}
    curves = bounds(n_weak=2000, n_strong=4000, noise=0.1, **given)
    assert curves["weak_error"] == pytest.approx(1e-2 * 200 / 2000 + sizes[10]["missed_by_weak"])


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (
            {"n_weak": 202},
            "n_weak=202 with 200 features violates the assumption of more samples than features",
        ),
        ({"n_strong": 60}, "n_strong=60 with 100 features .*: set n_strong to 103 or more"),
        ({"head": w2s.heads.Ridge(0.1)}, "violates the assumption of least squares"),
        ({"reuse_inputs": True}, "violates the assumption of fresh inputs"),
    ],
)
def test_subspaces_refuse_what_they_do_not_cover(protocol: dict[str, Any], message: str) -> None:
    with pytest.raises(w2s.W2SError, match=message):
        theory.SUBSPACES.predict(w2s.worlds.OverlappingSubspaces(), w2s.Protocol(**protocol))


def test_a_window_outside_of_the_coordinates_is_refused() -> None:
    with pytest.raises(w2s.W2SError, match="overlap=101 is too large"):
        w2s.worlds.OverlappingSubspaces(overlap=101)
    with pytest.raises(w2s.W2SError, match="noise_scale=-1 is out of range"):
        w2s.worlds.RotatedSpectra(noise_scale=-1.0)


def smoother(features: np.ndarray, ridge: float) -> np.ndarray:
    """Return (K/n) (K/n + ridge)^-1 of centred features, n x n."""
    centred = features - features.mean(0)
    kernel = centred @ centred.T / len(features)
    return kernel @ np.linalg.inv(kernel + ridge * np.eye(len(features)))


def test_label_free_metric_is_the_norm_of_the_operator() -> None:
    weak, strong = RNG.normal(size=(3, 50, 4)), RNG.normal(size=(3, 50, 6))
    found = theory.label_free_metric(weak, strong, share=0.2)
    for own_weak, own_strong, value in zip(weak, strong, found, strict=True):
        ridges = [0.2 * ((f - f.mean(0)) ** 2).sum() / 50 / f.shape[1] for f in (own_weak, own_strong)]
        operator = smoother(own_strong, ridges[1]) @ (np.eye(50) - smoother(own_weak, ridges[0]))
        assert value == pytest.approx(np.linalg.norm(operator, 2), rel=1e-10)
    assert theory.label_free_metric(strong[0], strong[0], weak_ridge=1e-12, strong_ridge=1e-12) < 1e-4


def test_predicted_gap_is_the_distance_of_two_ridge_fits() -> None:
    from sklearn.linear_model import Ridge

    m, n = 60, 80
    weak, strong = RNG.normal(size=(m + n, 5)), RNG.normal(size=(n, 3))
    y = RNG.normal(size=(m + n, 2))
    given: Any = {"weak_ridge": 0.1, "strong_ridge": 0.02}
    gap = theory.predicted_gap(weak[:m], y[:m], weak[m:], strong, y[m:], **given)
    labels = Ridge(alpha=0.1 * m).fit(weak[:m], y[:m]).predict(weak[m:])
    by_weak = Ridge(alpha=0.02 * n).fit(strong, labels).predict(strong)
    by_truth = Ridge(alpha=0.02 * n).fit(strong, y[m:]).predict(strong)
    np.testing.assert_allclose(gap, ((by_weak - by_truth) ** 2).mean(0), rtol=1e-10)
    noisy = [
        theory.predicted_gap(
            weak[:m], y[:m] + 0.3 * RNG.normal(size=(m, 2)), weak[m:], strong, y[m:] + 0.3 * RNG.normal(size=(n, 2)),
            **given,
        )
        for _ in range(3000)
    ]  # fmt: skip
    expected = theory.predicted_gap(weak[:m], y[:m], weak[m:], strong, y[m:], label_noise=0.3, **given)
    error = np.std(noisy, axis=0) / len(noisy) ** 0.5
    assert (np.abs(np.mean(noisy, axis=0) - expected) < 4 * error).all()
    assert error_bound(gap, gap).tolist() == (4 * gap).tolist()


def test_noise_outside_of_the_principal_part_is_a_ridge() -> None:
    """Benign overfitting: a minimum-norm weak model on small noise acts as ridge gamma on its principal part."""
    m, n, many, scale = 200, 300, 4000, 0.1
    signal, noise = RNG.normal(size=(m + n, 3)), scale * RNG.normal(size=(m + n, many))
    weak = np.concatenate([signal, noise], axis=1)
    y = signal @ RNG.normal(size=(3, 2))
    given: Any = {"weak_ridge": 0.0, "strong_ridge": 1e-3, "label_noise": 0.5}
    interpolating = theory.predicted_gap(weak[:m], y[:m], weak[m:], signal[m:], y[m:], **given)
    part = theory.predicted_gap(weak[:m], y[:m], weak[m:], signal[m:], y[m:], weak_threshold=0.3, **given)
    np.testing.assert_allclose(part, interpolating, rtol=0.15)
    found = decomposability(weak[:m], weak[m:], 0.3)
    assert found.dimension == 3 and found.gamma_train == pytest.approx(many * scale**2 / m, rel=0.05)
    assert found.delta == max(found.anisotropy, found.cross, found.concentration) < found.gamma_train
    assert principal(weak, 0.3).rest == pytest.approx(many * scale**2, rel=0.02)


def test_a_weak_model_that_interpolates_needs_a_threshold() -> None:
    protocol = w2s.Protocol(n_weak=50, n_strong=50, n_eval=50, tasks=1)
    with pytest.raises(w2s.W2SError, match="violates the assumption of a weak model with a ridge"):
        theory.PRINCIPAL.predict(w2s.worlds.RotatedSpectra(dim=5), protocol)
    uneven = w2s.Protocol(head=w2s.heads.Ball(0.5))
    with pytest.raises(w2s.W2SError, match="violates the assumption of ridge regression"):
        theory.PRINCIPAL.predict(w2s.worlds.RotatedSpectra(dim=5), uneven)
