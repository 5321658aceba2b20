"""Theories of wide and of random features against simulation; what violates an assumption is refused by its name."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest

import w2sjax as w2s
from tests.theory_cases import LINEAR, POPULATION, POWER, WIDE, WIDE_PROTOCOL
from w2sjax import analysis, theory
from w2sjax.heads import Ridge, RidgeThroughOrigin
from w2sjax.theory.infinite_width import expected_errors
from w2sjax.theory.random_features import _spectrum_of, ridge_chain
from w2sjax.theory.ridge_chains import effective_ridge

REFUSED: dict[str, tuple[theory.Theory, Any, w2s.Protocol, str]] = {
    "another world": (
        theory.INFINITE_WIDTH,
        w2s.worlds.PerturbedMLP(),
        WIDE_PROTOCOL,
        r"world=PerturbedMLP\(...\) violates the assumption of ReLU networks .*: pass RandomMLP",
    ),
    "another head": (
        theory.INFINITE_WIDTH,
        WIDE,
        w2s.Protocol(n_weak=20, n_strong=20, head=Ridge(0.1)),
        r"head=Ridge\(ridge=0.1\) violates the assumption of kernel ridge regression: set head=RidgeThroughOrigin",
    ),
    "too narrow": (
        theory.INFINITE_WIDTH,
        w2s.worlds.RandomMLP(width=20),
        WIDE_PROTOCOL,
        "width=20 with 25 samples violates the assumption of features that are many more than samples: set width",
    ),
    "no ridge": (
        theory.INFINITE_WIDTH,
        WIDE,
        w2s.Protocol(n_weak=20, n_strong=20, head=RidgeThroughOrigin(0.0)),
        "ridge=0 violates the assumption of a positive ridge",
    ),
    "as many samples as features without a ridge": (
        theory.RANDOM_FEATURE_RIDGE,
        POWER,
        w2s.Protocol(n_weak=31, n_strong=200, head=RidgeThroughOrigin()),
        "ridge=0 with n_weak=31 and 30 features violates the assumption of a positive ridge near",
    ),
    "few samples": (
        theory.RANDOM_FEATURE_RIDGE,
        POWER,
        w2s.Protocol(n_weak=10, n_strong=200, head=RidgeThroughOrigin(0.1)),
        "n_weak=10 violates the assumption of many samples and features: set it to 20 or more",
    ),
    "too many samples to interpolate": (
        theory.SIGN_INTERPOLATION,
        w2s.worlds.BilevelClassification(weak_rest=50),
        w2s.studies.get("wu2024-labels").protocol,
        "50 samples of stage weak with 51 features violates the assumption of interpolation, fewer samples",
    ),
    "squared errors of signs": (
        theory.SIGN_INTERPOLATION,
        w2s.worlds.BilevelClassification(),
        w2s.Protocol(n_weak=50, n_strong=50, head=RidgeThroughOrigin()),
        "loss='squared error' violates the assumption of misclassification rates: pass ZERO_ONE",
    ),
    "not the population": (
        theory.RANDOM_FEATURE_FLOW,
        POWER,
        POPULATION,
        "population=False violates the assumption of training on the population",
    ),
    "a ridge student in place of a flow": (
        theory.RANDOM_FEATURE_FLOW,
        LINEAR,
        w2s.Protocol(n_weak=80, n_strong=80, n_eval=80, head=RidgeThroughOrigin()),
        r"head=RidgeThroughOrigin\(ridge=0.0\) violates the assumption of a student by gradient flow",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_violated_assumptions_are_refused_by_name(name: str) -> None:
    refusing, world, protocol, message = REFUSED[name]
    with pytest.raises(w2s.W2SError, match=message):
        refusing.predict(world, protocol)


def test_arc_cosine_kernel_is_the_mean_of_products_of_relus() -> None:
    """One layer against a Monte Carlo mean; deeper ones are that layer on inputs with the kernel of the last."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3))
    features = np.maximum(x @ rng.normal(size=(3, 200_000)), 0)
    products = 2 * features[:, None] * features[None, :]
    kernel = theory.arc_cosine_kernel(x, x, 1)
    error = products.std(axis=-1) / 200_000**0.5
    assert (abs(products.mean(axis=-1) - kernel) <= 4 * error).all()
    root = np.linalg.cholesky(kernel)
    np.testing.assert_allclose(
        theory.arc_cosine_kernel(x, x, 2), theory.arc_cosine_kernel(root, root, 1), rtol=1e-9
    )
    np.testing.assert_allclose(theory.arc_cosine_kernel(x, x, 4).diagonal(), (x**2).sum(axis=1), rtol=1e-9)


def test_features_of_a_wide_network_have_the_kernel(key: jax.Array) -> None:
    pair = w2s.worlds.RandomMLP(width=1500, weak_depth=2).draw(key)
    inputs = np.asarray(pair.inputs(key, 6, "eval"))
    for name, depth in (("weak", 2), ("target", 3)):
        features = np.asarray(pair.represent(name, inputs))
        kernel = theory.arc_cosine_kernel(inputs, inputs, depth)
        scale = np.sqrt(np.outer(kernel.diagonal(), kernel.diagonal()))
        assert (abs(features @ features.T - kernel) <= 4 * scale * (5 * depth / 1500) ** 0.5).all()


def test_finite_width_tends_to_the_limit_as_one_over_width() -> None:
    widths = [60, 240]
    dataset = w2s.sweep(WIDE, WIDE_PROTOCOL, pairs=100, axes={"width": widths}).mean("task")
    limit = {name: mean for name, (mean, _) in expected_errors(WIDE, WIDE_PROTOCOL).items()}
    for name in ("weak_error", "w2s_error", "ceiling_error", "misfit"):
        narrow, wide = (dataset[name].sel(width=width) for width in widths)
        extrapolated = (widths[1] * wide - widths[0] * narrow) / (widths[1] - widths[0])
        error = extrapolated.std("pair", ddof=1) / 10
        assert abs(wide.mean() - limit[name]) < abs(narrow.mean() - limit[name])
        assert abs(extrapolated.mean() - limit[name]) <= 3 * error + 0.01 * limit["weak_error"]


@pytest.mark.parametrize("rows", [30, 12])
def test_spectral_heads_equal_their_oracles(rows: int, key: jax.Array) -> None:
    from scipy.linalg import expm
    from sklearn.linear_model import Ridge as Oracle

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, 20)) * np.geomspace(1, 0.01, 20), rng.normal(size=(rows, 2))
    sample = w2s.heads.Rows(jax.numpy.asarray(x))
    for ridge in (0.0, 0.1):
        weights = RidgeThroughOrigin(ridge).fit(sample, jax.numpy.asarray(y))[0].weights
        best = Oracle(rows * ridge, fit_intercept=False).fit(x, y).coef_.T if ridge else np.linalg.pinv(x) @ y
        np.testing.assert_allclose(weights, best, rtol=1e-6, atol=1e-8)
    weights = w2s.heads.GradientFlow(3.0).fit(sample, jax.numpy.asarray(y))[0].weights
    gram = x.T @ x / rows
    block = np.block([[-gram, x.T @ y / rows], [np.zeros((2, 22))]])
    np.testing.assert_allclose(weights, expm(3.0 * block)[:20, 20:], rtol=1e-6, atol=1e-10)


def numbers(*values: float) -> Any:
    return tuple(jax.numpy.asarray(float(value)) for value in values)


@pytest.mark.parametrize(
    ("n", "width", "ridge", "known"),
    [(200, 100, 1e-3, 0.1697), (100, 300, 1e-2, 0.1376), (150, 150, 1e-2, 0.2696)],
)
def test_one_stage_is_the_known_equivalent(n: int, width: int, ridge: float, known: float) -> None:
    """Values of the formula with nu1 and nu2, ridge not divided by n, 800 coordinates, noise of variance 0.09."""
    spectrum = _spectrum_of(w2s.worlds.PowerLawFeatures(dim=800))
    teacher = numbers(n, width, ridge / n)
    found = ridge_chain(spectrum, teacher, teacher, *numbers(0.09))
    assert found["weak_error"] == pytest.approx(known, abs=6e-5)
    assert found["ceiling_error"] == pytest.approx(float(found["weak_error"]), rel=1e-9)


def test_fixed_points_converge_map_and_differentiate() -> None:
    rng = np.random.default_rng(0)
    eigenvalues = jax.numpy.asarray(np.arange(1, 101.0) ** -1.5)
    n, width = (jax.numpy.asarray(rng.integers(20, 300, 200).astype(float)) for _ in range(2))
    ridge = jax.numpy.asarray(np.where(rng.random(200) < 0.2, 0.0, 10 ** rng.uniform(-8, 1, 200)))
    found = jax.vmap(effective_ridge, (None, 0, 0, 0))(eigenvalues, n, width, ridge)
    assert found.converged.all() and (found.residual < 1e-10).all() and (found.value >= 0).all()
    v, r = np.asarray(found.value), np.asarray(ridge)
    t = (np.asarray(eigenvalues) / (np.asarray(eigenvalues) + v[:, None])).sum(axis=1)
    np.testing.assert_allclose(v * (1 - t / width) * (1 - t / n), r, rtol=1e-9, atol=1e-10)
    value = lambda ridge: effective_ridge(eigenvalues, *numbers(60, 90), ridge).value  # noqa: E731
    at = jax.numpy.asarray(1e-3)
    slope = (value(at * 1.0001) - value(at * 0.9999)) / (0.0002 * at)
    assert jax.grad(value)(at) == pytest.approx(float(slope), rel=1e-5)


def test_without_a_student_of_its_own_the_chain_is_the_teacher() -> None:
    """A ridgeless student on all inputs with more samples than coordinates repeats what it is told."""
    spectrum = _spectrum_of(POWER)
    found = ridge_chain(spectrum, numbers(60, 30, 1e-3), numbers(500, np.inf, 0.0), *numbers(0.1))
    assert found["misfit"] == pytest.approx(0, abs=1e-12)
    assert found["w2s_error"] == pytest.approx(float(found["weak_error"]), rel=1e-9)


def test_best_stopping_and_its_figure() -> None:
    from w2sjax.figures import student_against_teacher

    axes = {"weak_width": [20, 30, 60], "time": [1.0, 2.0, 4.0, 8.0]}
    world = dataclasses.replace(LINEAR, strong_width=200)
    dataset = w2s.sweep(world, POPULATION, pairs=5, axes=axes)
    result = analysis.best_stopping(theory.RANDOM_FEATURE_FLOW, [1.5, 3.0], infinite=True)(dataset)
    mean = dataset["w2s_error"].mean(("pair", "task"))
    np.testing.assert_allclose(result["w2s_error"].sel(of="simulated"), mean.min("time"))
    assert 1 < analysis.stopping_report(result)["exponents"]["infinite student"] < 2
    better = result["w2s_error"].sel(of="infinite student") < result["w2s_error"].sel(of="predicted")
    assert better.all()
    assert len(student_against_teacher(result, "title").axes) == 2
