"""The theorems of Charikar et al. 2024 on exact finite populations, and their terms on simulated worlds."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import optimize

import w2sjax as w2s
from w2sjax import analysis, theory
from w2sjax.figures import bounds

POINTS, WIDTH = 400, 6


def project(features: np.ndarray, labels: np.ndarray, radius: float = np.inf) -> np.ndarray:
    """Return the head with |b| <= radius that minimizes the mean squared distance to labels, by bisection."""
    gram, moment = features.T @ features / len(features), features.T @ labels / len(features)
    values, vectors = np.linalg.eigh(gram)
    rotated = vectors.T @ moment

    def head(ridge: float) -> np.ndarray:
        return vectors @ (rotated / (values + ridge))

    if np.linalg.norm(head(0)) <= radius:
        return head(0)
    return head(optimize.brentq(lambda r: np.linalg.norm(head(r)) - radius, 0, 1e6, xtol=1e-14))


def on_simplex(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the convex combination of the columns that is nearest to labels."""
    start = np.full(features.shape[1], 1 / features.shape[1])
    return optimize.minimize(
        lambda b: ((features @ b - labels) ** 2).mean(),
        start,
        jac=lambda b: 2 * features.T @ (features @ b - labels) / len(features),
        bounds=[(0, 1)] * len(start),
        constraints={"type": "eq", "fun": lambda b: b.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    ).x


def mean_square(a: np.ndarray) -> float:
    return float((a**2).mean())


@pytest.mark.parametrize("seed", range(5))
def test_theorem1_for_convex_classes_in_the_population(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.tanh(rng.normal(size=(POINTS, WIDTH)))
    weak = features @ rng.normal(size=WIDTH) + rng.normal(size=POINTS)
    head = rng.normal(size=WIDTH)
    for name, truth_head, fitted in (
        ("subspace", head, project(features, weak)),
        ("ball", head, project(features, weak, np.linalg.norm(head))),
        ("simplex", np.abs(head) / np.abs(head).sum(), on_simplex(features, weak)),
    ):
        truth, w2s_model = features @ truth_head, features @ fitted
        bound = theory.theorem1_bound(mean_square(weak - truth), mean_square(w2s_model - weak))
        error = mean_square(w2s_model - truth)
        assert error <= bound + 1e-8, name
        if name == "subspace":
            assert error == pytest.approx(bound, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_nonrealizable_term_suffices_in_the_population_and_is_attained(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.tanh(rng.normal(size=(POINTS, WIDTH)))
    weak = rng.normal(size=POINTS)
    truth = features @ rng.normal(size=WIDTH) + 0.5 * rng.normal(size=POINTS)
    for radius in (np.inf, 0.7):
        best, fitted = (features @ project(features, y, radius) for y in (truth, weak))
        eps, misfit = mean_square(best - truth), mean_square(fitted - weak)
        terms = theory.theorem2_bound(mean_square(weak - truth), misfit, eps, 0.0, 0.0, np.inf)
        assert mean_square(fitted - truth) <= terms.total
    # Attained where what the class lacks of the truth is what it lacks of the weak model, reversed.
    inside = features @ project(features, weak)
    truth = inside + 0.3 * (inside - weak)
    eps, misfit = 0.09 * mean_square(inside - weak), mean_square(inside - weak)
    bound = theory.theorem2_bound(mean_square(weak - truth), misfit, eps, 0.0, 0.0, np.inf).total
    assert mean_square(inside - truth) <= bound + 1e-12
    gain = mean_square(weak - truth) - mean_square(inside - truth)
    assert abs(gain - misfit) == pytest.approx(theory.nonrealizable_term(eps, misfit), rel=1e-9)


def test_rademacher_bound_dominates_monte_carlo() -> None:
    rng = np.random.default_rng(0)
    for n, width, radius, intercept in ((40, 5, 2.0, 0.0), (300, 17, 0.3, 1.5), (7, 1, 1.0, 0.0)):
        z = rng.standard_t(5, size=(n, width)) * rng.random(width)
        signs = rng.choice([-1.0, 1.0], size=(20_000, n))
        supremum = radius * np.linalg.norm(signs @ z, axis=1) + intercept * np.abs(signs.sum(1))
        measured, error = supremum.mean() / n, supremum.std() / n / len(signs) ** 0.5
        bound = theory.empirical_rademacher_bound(z, radius, intercept)
        assert measured <= bound + 4 * error
        assert bound <= 2**0.5 * (measured + 4 * error)


def test_expected_rademacher_bound_dominates_the_average_over_samples() -> None:
    rng = np.random.default_rng(1)
    scale = np.array([3.0, 1.0, 0.1])
    z = rng.normal(size=(500, 25, 3)) * scale
    average = np.mean([theory.empirical_rademacher_bound(sample, 2.0) for sample in z])
    bound = theory.linear_rademacher_bound(2.0, float((scale**2).sum()), 25)
    assert 0.95 * bound < average <= bound
    assert theory.linear_rademacher_bound(2.0, 10.0, 2500) == pytest.approx(bound * (10 / 10.01) ** 0.5 / 10)
    assert theory.linear_rademacher_bound(0.0, 10.0, 25, 1.0) == pytest.approx(0.2)


def test_theorem2_holds_on_samples() -> None:
    """A bounded world with a truth outside the ball of heads, exact populations, and empirical minimizers."""
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(4000, 8))
    features = np.tanh(inputs @ rng.normal(size=(8, WIDTH)))
    radius, bound = 0.6, 1.5
    truth = np.clip(features @ (0.5 * rng.normal(size=WIDTH)) + 0.3 * np.sin(3 * inputs[:, 0]), -bound, bound)
    weak = np.clip(truth + 0.5 * np.cos(inputs[:, 1]) - 0.2, -bound, bound)
    assert radius * WIDTH**0.5 <= bound  # so that all of the class is bounded too
    eps = mean_square(features @ project(features, truth, radius) - truth)
    second = float((features**2).sum(1).mean())
    worst = {}
    for n in (20, 200):
        ratios = []
        for _ in range(100):
            rows = rng.integers(0, len(features), n)
            model = features @ project(features[rows], weak[rows], radius)
            errors = mean_square(weak - truth), mean_square(model - weak)
            complexity = theory.linear_rademacher_bound(radius, second, n)
            terms = theory.theorem2_bound(*errors, eps, complexity, bound, n)
            shortfall = mean_square(model - truth) - terms.theorem1
            assert shortfall <= terms.allowance
            ratios.append(shortfall / terms.allowance)
        worst[n] = max(ratios)
    assert max(worst.values()) < 0.5  # loose, as docs/theory.md says


def test_localized_term_holds_on_samples() -> None:
    """Unbounded features and unconstrained heads: at most a share delta of the samples may break it."""
    rng = np.random.default_rng(3)
    raw = rng.normal(size=(5000, 4)) ** 3
    features = np.concatenate([raw, np.ones((5000, 1))], axis=1)
    whitened = np.linalg.svd(features, full_matrices=False)[0] * 5000**0.5
    truth = raw @ np.array([1.0, -0.5, 0.2, 0.1]) + np.sin(5 * raw[:, 0])
    weak = truth + np.abs(raw[:, 1])
    best = whitened @ project(whitened, truth)
    norms = (whitened**2).sum(1)
    cross, fourth = float((norms * (best - weak) ** 2).mean()), float((norms**2).mean())
    eps, delta, broken = mean_square(best - truth), 0.3, 0
    for _ in range(200):
        rows = rng.integers(0, 5000, 100)
        model = whitened @ np.linalg.lstsq(whitened[rows], weak[rows], rcond=None)[0]
        misfit, distance = mean_square(model - weak), mean_square(model - best) ** 0.5
        assert distance**2 == pytest.approx(mean_square(model - truth) - eps, rel=1e-6)
        shortfall = mean_square(model - truth) - (mean_square(weak - truth) - misfit)
        allowance = theory.nonrealizable_term(eps, misfit)
        allowance += theory.localized_term(distance, cross, fourth, 100, delta)
        broken += shortfall > allowance
    assert broken <= delta * 200


def test_limits_give_theorem1() -> None:
    terms = [
        theory.theorem2_bound(1.0, 0.4, eps, 0.1 / n**0.5, 2.0, n) for eps, n in ((0.1, 1e2), (0.0, 1e12))
    ]
    assert terms[0].total > terms[1].total
    assert terms[1].total == pytest.approx(theory.theorem1_bound(1.0, 0.4), abs=1e-4)
    assert terms[1].nonrealizable == 0
    assert theory.localized_term(0.0, 1.0, 1.0, 10) == 0
    # Four times the samples halve the uniform-convergence terms.
    for term in (lambda n: theory.confidence_term(2.0, n), lambda n: theory.localized_term(1.0, 2.0, 3.0, n)):
        assert term(400) == pytest.approx(term(100) / 2)
    assert theory.confidence_term(2.0, 100, 1.0) == 0


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="delta=0 is out of range"):
        theory.confidence_term(1.0, 10, 0.0)
    with pytest.raises(ValueError, match="delta=2 is out of range"):
        theory.localized_term(1.0, 1.0, 1.0, 10, 2.0)
    with pytest.raises(ValueError, match="radius=-1 is out of range"):
        theory.linear_rademacher_bound(-1.0, 1.0, 10)
    with pytest.raises(ValueError, match="features has shape"):
        theory.empirical_rademacher_bound(np.zeros(3), 1.0)


@pytest.fixture(scope="module")
def panel() -> xr.Dataset:
    """A small sweep over the samples of the w2s model."""
    world = w2s.worlds.PerturbedMLP(weak_noise=0.05, strong_noise=0.01)
    protocol = w2s.Protocol(n_weak=700, n_eval=4000, tasks=3)
    return w2s.sweep(world, protocol, pairs=3, seed=4, axes={"n_strong": [200, 4000]})


def test_class_moments_are_of_the_pairs_of_the_sweep(panel: xr.Dataset) -> None:
    moments = analysis.class_moments(panel, samples=4000)
    assert moments["output_bound"].dims == ("pair", "task") and moments["dimension"].dims == ("pair",)
    # Its weak heads, fitted again to the same draws, have the errors of the sweep.
    np.testing.assert_allclose(moments["weak_error"], panel["weak_error"].sel(n_strong=200), rtol=1e-6)
    # The best head on the evaluation sample beats every fitted ceiling there.
    assert (moments["best_error"] <= panel["ceiling_error"].min("n_strong") * (1 + 1e-9)).all()
    assert (moments["radius"] > moments["output_scale"]).all()
    assert (moments["output_bound"] > moments["output_scale"]).all()
    # Whitened features have E|z|^2 = dimension, so E|z|^4 is at least its square.
    assert (moments["fourth_moment"] >= moments["dimension"].astype(float) ** 2 * (1 - 1e-9)).all()
    assert (moments["dimension"] <= 17).all()


def test_looseness_on_a_sweep(panel: xr.Dataset) -> None:
    report = analysis.looseness(panel, analysis.class_moments(panel, samples=4000))
    xr.testing.assert_allclose(report["shortfall"], -panel["deviation"].drop_attrs())
    total = report["nonrealizable"] + report["complexity"] + report["confidence"]
    xr.testing.assert_allclose(report["allowance"], total)
    assert (report["shortfall"] <= report["allowance"]).all()
    assert (report["shortfall"] <= report["localized_allowance"]).all()
    halved = report["confidence"].sel(n_strong=200) / report["confidence"].sel(n_strong=4000)
    np.testing.assert_allclose(halved, 20**0.5)
    population = analysis.looseness(panel)
    assert (population["complexity"] == 0).all() and (population["localized"] == 0).all()
    xr.testing.assert_allclose(population["allowance"], population["nonrealizable"])
    # Without an axis, n comes from the configuration.
    single = panel.isel(n_strong=0, drop=True)
    configuration = json.loads(single.attrs["configuration"])
    with pytest.raises(ValueError, match="n_strong has no values left"):
        analysis.looseness(single)
    configuration["protocol"]["n_strong"] = 200
    del configuration["axes"]["n_strong"]
    single = single.assign_attrs(configuration=json.dumps(configuration))
    again = analysis.looseness(single, analysis.class_moments(single, samples=4000))
    np.testing.assert_allclose(again["confidence"], report["confidence"].sel(n_strong=200))


def test_class_moments_draw_the_points_of_the_sweep() -> None:
    world = w2s.worlds.PerturbedMLP(strong_noise=0.01)
    protocol = w2s.Protocol(
        n_weak=700, n_eval=4000, tasks=3, numerics=w2s.Numerics(evaluation_points="sobol")
    )
    axes = {"weak_noise": [0.05, 0.1], "ridge": [0, 0.1]}
    chosen = w2s.sweep(world, protocol, pairs=2, seed=4, axes=axes).sel(weak_noise=0.1, ridge=0)
    moments = analysis.class_moments(chosen, samples=4000)
    np.testing.assert_allclose(moments["weak_error"], chosen["weak_error"], rtol=1e-6)


def test_class_moments_are_of_any_weak_heads_and_not_of_unpaired_sweeps() -> None:
    protocol = w2s.Protocol(
        n_weak=100, n_strong=100, n_eval=500, tasks=1, label_noise=0.5, weak_head=w2s.heads.Ball(0.5)
    )
    dataset = w2s.sweep(w2s.worlds.PerturbedMLP(), protocol, pairs=1)
    moments = analysis.class_moments(dataset, samples=500)
    np.testing.assert_allclose(moments["weak_error"], dataset["weak_error"], rtol=1e-6)
    configuration = json.loads(dataset.attrs["configuration"]) | {"paired": False}
    with pytest.raises(ValueError, match="paired=False"):
        analysis.class_moments(dataset.assign_attrs(configuration=json.dumps(configuration)))


def test_class_moments_refuse_what_they_cannot_draw_again(panel: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="axis weak_noise has no values left"):
        analysis.class_moments(panel.expand_dims("weak_noise"))
    with pytest.raises(ValueError, match="axis weak_noise changes the pairs"):
        analysis.class_moments(panel.expand_dims(weak_noise=[0.05, 0.1]))
    configuration = json.loads(panel.attrs["configuration"])
    configuration["world"]["kind"] = "Mine"
    with pytest.raises(ValueError, match="world.kind='Mine' is not known"):
        analysis.class_moments(panel.assign_attrs(configuration=json.dumps(configuration)))


def test_bounds_figure_and_report(panel: xr.Dataset) -> None:
    result = analysis.compare_bounds(panel)
    report = analysis.bounds_report(result)
    last = report["n_strong=4000"]
    assert last["share_violating_theorem2"] == 0 == last["share_violating_localized"]
    ratio = last["theorem2_bound_over_absolute_deviation"]["median"]
    assert ratio > last["nonrealizable_bound_over_absolute_deviation"]["median"] > 1
    assert report["n_strong=200"]["complexity_over_weak_error"] > last["complexity_over_weak_error"]
    assert "Theorem 2" in report["headline"]
    figure = bounds(result, "title")
    left, middle, right = figure.axes
    assert "misfit / ceiling error" in left.get_xlabel() and "n_strong" in right.get_xlabel()
    assert any("Theorem 1" in label for label in middle.get_legend_handles_labels()[1])
    assert len(right.get_legend_handles_labels()[1]) == 5
