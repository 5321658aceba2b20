"""Theories of wide and of random features against simulation; what violates an assumption is refused by its name."""

from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

import w2sjax as w2s
from w2sjax import analysis, theory
from w2sjax.heads import Ridge, RidgeThroughOrigin
from w2sjax.theory.infinite_width import expected_errors


class Case(NamedTuple):
    """A sweep that a theory predicts, and the stated error of finite sizes in shares of the weak error."""

    theory: theory.Theory
    world: Any
    protocol: w2s.Protocol
    axes: dict[str, list[Any]]
    pairs: int
    finite: float = 0.0


WIDE = w2s.worlds.RandomMLP(width=400)
WIDE_PROTOCOL = w2s.Protocol(
    n_weak=20,
    n_strong=25,
    n_eval=100,
    tasks=10,
    label_noise=0.3,
    weak_head=RidgeThroughOrigin(0.01),
    head=RidgeThroughOrigin(0.01),
)

CASES = {
    "infinite width": Case(
        theory.INFINITE_WIDTH, WIDE, WIDE_PROTOCOL, {"label_noise": [0.0, 0.3, 1.0]}, 100, 40 / 400
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_predictions_are_within_three_standard_errors(name: str) -> None:
    case = CASES[name]
    prediction = case.theory.predict(case.world, case.protocol, case.axes)
    dataset = w2s.sweep(case.world, case.protocol, pairs=case.pairs, axes=case.axes)
    assert np.prod(list(prediction.sizes.values())) >= 3
    result = analysis.beside_theory(dataset, prediction)
    allowed = case.finite * prediction["weak_error"]
    for variable in prediction:
        predicted, simulated, error = (result[variable].sel(of=of) for of in result["of"].values)
        assert (abs(simulated - predicted) <= 3 * error + allowed).all(), (
            variable,
            predicted.values,
            simulated.values,
            error.values,
        )
    assert (result["weak_error"].sel(of="standard_error") < 0.2 * prediction["weak_error"]).all()


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
