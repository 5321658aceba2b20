"""Formulas of papers against independent ones, published numbers, and what violates their assumptions."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import xarray as xr

import w2sjax as w2s
from w2sjax import analysis, figures, theory
from w2sjax.theory.dong2025 import bounds, excess_risks, sizes_of
from w2sjax.theory.equivalents import effective_ridge
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
    assert all(1 < with_intercept[name] / risks[name] < 1.07 for name in names)


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
    m, n, many, scale = 200, 300, 2000, 0.02
    signal, noise = RNG.normal(size=(m + n, 3)), scale * RNG.normal(size=(m + n, many))
    weak = np.concatenate([signal, noise], axis=1)
    y = signal @ RNG.normal(size=(3, 2))
    given: Any = {"weak_ridge": 0.0, "strong_ridge": 1e-3, "label_noise": 0.5}
    interpolating = theory.predicted_gap(weak[:m], y[:m], weak[m:], signal[m:], y[m:], **given)
    part = theory.predicted_gap(weak[:m], y[:m], weak[m:], signal[m:], y[m:], weak_threshold=0.3, **given)
    np.testing.assert_allclose(part, interpolating, rtol=0.15)
    found = decomposability(weak[:m], weak[m:], 0.3)
    assert found.dimension == 3 and found.gamma_train == pytest.approx(many * scale**2 / m, rel=0.05)
    assert found.delta == max(found.anisotropy, found.cross, found.concentration)
    assert max(found.anisotropy, found.cross) < found.gamma_train
    assert principal(weak, 0.3).rest == pytest.approx(many * scale**2, rel=0.02)


def test_a_weak_model_that_interpolates_needs_a_threshold() -> None:
    protocol = w2s.Protocol(n_weak=50, n_strong=50, n_eval=50, tasks=1)
    with pytest.raises(w2s.W2SError, match="violates the assumption of a weak model with a ridge"):
        theory.PRINCIPAL.predict(w2s.worlds.RotatedSpectra(dim=5), protocol)
    uneven = w2s.Protocol(head=w2s.heads.Ball(0.5))
    with pytest.raises(w2s.W2SError, match="violates the assumption of ridge regression"):
        theory.PRINCIPAL.predict(w2s.worlds.RotatedSpectra(dim=5), uneven)


def isotropic(g: tuple[float, float], ridges: tuple[float, float]) -> tuple[float, float]:
    """Return teacher's and student's error in closed form: unit signal and noise, no intercept, d / n -> g."""

    def moments(g: float, ridge: float) -> tuple[float, float]:
        def m(own: float) -> float:
            b = 1 - g + own
            return (-b + np.sqrt(b * b + 4 * g * own)) / (2 * g * own)

        step = 1e-5 * ridge
        return m(ridge), -(m(ridge + step) - m(ridge - step)) / (2 * step)

    m, slope = moments(g[0], ridges[0])
    teacher = ridges[0] ** 2 * slope + g[0] * (m - ridges[0] * slope)
    size = 1 - 2 * ridges[0] * m + ridges[0] ** 2 * slope + g[0] * (m - ridges[0] * slope)
    along = 1 - ridges[0] * m
    m, slope = moments(g[1], ridges[1])
    return teacher, (1 - 2 * ridges[1] * m + ridges[1] ** 2 * slope) * size - 2 * (
        1 - ridges[1] * m
    ) * along + 1


@pytest.mark.parametrize(
    ("g", "ridges"),
    [((0.5, 0.5), (0.01, 0.3)), ((2, 0.5), (0.01, 0.3)), ((0.5, 2), (0.01, 0.3)), ((2, 2), (3, 0.3))],
)
def test_two_stages_are_those_of_the_closed_form(g: tuple[float, float], ridges: tuple[float, float]) -> None:
    d = 40_000  # so that the intercept counts for nothing
    found = theory.two_stage_ridge(
        np.ones(d), np.full(d, d**-0.5), d / g[0], ridges[0], d / g[1], ridges[1], 1.0
    )
    assert found.converged
    np.testing.assert_allclose((found.weak_error, found.w2s_error), isotropic(g, ridges), rtol=1e-3)


def test_a_student_wins_over_a_teacher_of_too_little_ridge() -> None:
    """With many labels some student ridge wins iff the teacher's is below the optimal one, g s^2 / |b|^2."""
    d, n = 2000, 4000
    teacher, student = np.array([0.3, 0.49, 0.51, 1.0]), np.geomspace(1e-4, 1, 60)
    found = theory.two_stage_ridge(
        np.ones(d), np.full(d, d**-0.5), n, teacher[:, None], 1e7, student[None], 1.0
    )
    assert (found.gain > 1e-6).any(1).tolist() == [True, True, False, False]


def test_the_world_of_surrogates_draws_the_best_ones(key: jax.Array) -> None:
    world = w2s.worlds.Surrogates(dim=60, designed_for=25.0)
    models = world.draw(key).models
    for name, of in (("optimal", theory.optimal_surrogate), ("mask", theory.optimal_mask)):
        best = of(world.spectrum(), world.target(), 25)
        np.testing.assert_allclose(abs(models[name]), best, rtol=1e-9)
    with pytest.raises(w2s.W2SError, match="designed_for=60 with dim=60: pass fewer samples"):
        w2s.worlds.Surrogates(dim=60, designed_for=60.0)


def test_surrogates_of_the_published_setting() -> None:
    """p = 500, n = 200, lambda = i^-2, lambda b^2 = i^-1.5; values derived and simulated independently."""
    index = np.arange(1, 501)
    spectrum, target = index**-2.0, index**0.25
    best, mask = (of(spectrum, target, 200) for of in (theory.optimal_surrogate, theory.optimal_mask))
    assert (mask > 0).sum() == 203 and (best > target).sum() == 126
    risks = [
        theory.surrogate_risk(spectrum, target, b, 200, s**0.5)
        for s in (0, 0.05)
        for b in (target, best, mask)
    ]
    np.testing.assert_allclose(risks, [0.11937, 0.08325, 0.08966, 0.19856, 0.16244, 0.16886], atol=6e-6)
    rng, errors = np.random.default_rng(1), []
    for _ in range(60):
        x = rng.normal(size=(200, 500)) * spectrum**0.5
        fit = np.linalg.lstsq(x, x @ best, rcond=None)[0]
        errors.append((spectrum * (fit - target) ** 2).sum())
    assert abs(np.mean(errors) - risks[1]) < 3 * np.std(errors) / 60**0.5 + 0.01 * risks[1]
    with pytest.raises(
        w2s.W2SError, match="n=500 with 500 features violates the assumption of fewer samples"
    ):
        theory.surrogate_risk(spectrum, target, target, 500)
    with pytest.raises(w2s.W2SError, match="n_strong=480 with 500 features violates the assumption of fewer"):
        study: Any = w2s.studies.get("ildiz2024-surrogates")
        theory.SURROGATES.predict(study.world, dataclasses.replace(study.protocol, n_strong=480))


def test_fixed_points_are_solved_mapped_and_differentiated() -> None:
    spectrum = jnp.arange(1.0, 101.0) ** -1.5
    n, ridge = jnp.array([30.0, 99.0, 300.0, 300.0]), jnp.array([0.0, 1e-6, 0.1, 0.0])
    found = jax.vmap(effective_ridge, (None, 0, 0))(spectrum, n, ridge)
    assert found.converged.all() and (found.residual < 1e-10).all() and found.kappa[3] == 0
    for own_n, own_ridge, kappa in zip(n[:3], ridge[:3], found.kappa[:3], strict=True):
        oracle = scipy.optimize.brentq(
            lambda k, m=own_n, own=own_ridge: own + k / m * float((spectrum / (spectrum + k)).sum()) - k,
            1e-9, 10.0, xtol=1e-16, rtol=1e-14,
        )  # fmt: skip
        assert kappa == pytest.approx(oracle, rel=1e-9)
    slope = jax.grad(lambda own: effective_ridge(spectrum, 50.0, own).kappa)(0.1)
    ends = [float(effective_ridge(spectrum, 50.0, 0.1 + step).kappa) for step in (1e-5, -1e-5)]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)
    assert not effective_ridge(
        spectrum, 100.0, 0.0
    ).converged  # the variance diverges: a status, and NaN errors
    bad = theory.two_stage_ridge(np.ones(50), np.ones(50), [51.0, 200.0], 0.0, 400.0, 0.1, 1.0)
    assert bad.converged.tolist() == [False, True] and np.isnan(bad.w2s_error[0])


@pytest.mark.parametrize(
    ("world", "protocol", "message"),
    [
        (
            w2s.worlds.PerturbedMLP(),
            {},
            r"world=PerturbedMLP\(...\) violates the assumption of independent Gaussian",
        ),
        (w2s.worlds.PowerLaw(), {"n_weak": 500}, "ridge=0 of weak with 500 samples of 400 features violates"),
        (
            w2s.worlds.PowerLaw(dim=5),
            {},
            "n_weak=2000, dim=5 violates the assumption of many samples and features",
        ),
        (w2s.worlds.PowerLaw(), {"head": w2s.heads.Ball()}, "violates the assumption of ridge regression"),
    ],
)
def test_two_stage_refuses_what_it_does_not_cover(world: Any, protocol: dict[str, Any], message: str) -> None:
    with pytest.raises(w2s.W2SError, match=message):
        theory.TWO_STAGE.predict(world, w2s.Protocol(**protocol))


def test_positions_of_the_published_panel_are_shares_of_worlds() -> None:
    from w2sjax.analysis.reference_panel import PUBLISHED

    rng = np.random.default_rng(0)
    weak, misfit = np.ones((4, 50)), rng.uniform(0.2, 0.6, (4, 50))
    gain = misfit * np.array([0.5, 0.9, 1.2, 0.98])[:, None] + 0.01 * rng.normal(size=(4, 50))
    dims, code = ("pair", "task"), np.array([0, 0, 0, int(w2s.Flag.NOT_FINITE)])
    made = {"weak_error": weak, "ceiling_error": 0.5 * weak, "misfit": misfit, "gain": gain}
    variables: Any = {name: (dims, values) for name, values in made.items()}
    dataset = xr.Dataset(variables | {"status_code": ("pair", code)}, coords={"pair": range(4)})
    result = analysis.reference_numbers(dataset)
    assert result.sizes["pair"] == 3  # without the one that failed
    position = {name: float(result["position"].sel(number=name)) for name in PUBLISHED}
    assert position["ceiling_share"] == 0 and position["negative_gain"] == 0.5
    assert position["slope"] == pytest.approx(2 / 3) and position["above_misfit"] == pytest.approx(2 / 3)
    np.testing.assert_allclose(result["value"].sel(number="ceiling_share"), 0.5)
    assert "of 3 worlds are below" in analysis.reference_report(result)["headline"]
    assert len(figures.reference_panel_figure(result, "title").axes[0].get_yticklabels()) == len(PUBLISHED)


def test_candidates_are_ranked_by_their_features_alone() -> None:
    world = w2s.worlds.PerturbedCandidates(width=6, depth=2, strong_noise=0.01)
    protocol = w2s.Protocol(n_weak=300, n_strong=300, n_eval=500, tasks=2)
    dataset = w2s.sweep(world, protocol, pairs=6, axes={"weak_noise": [0.01, 0.1, 0.4]})
    result = analysis.label_free_ranking(dataset)
    assert (np.diff(result["metric"].sel(share=0.01).median("pair")) > 0).all()  # noisier is further
    rank = result["rank_correlation"].mean(("pair", "task"))
    assert rank.sel(rule="label-free, 0.01") > 0.5 and np.isnan(rank.sel(rule="random"))
    assert "median Spearman" in analysis.label_free_report(result)["headline"]
    assert len(figures.label_free_figure(result, "title").axes) == 2
