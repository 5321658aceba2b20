"""Studies of theories on small worlds: their analyses, reports and figures; and the parts that they bring."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import w2sjax as w2s
from tests.theory_cases import POPULATION, WIDE
from w2sjax import analysis, theory
from w2sjax.heads import AsIs, FineTuned
from w2sjax.theory.liu2026 import factor
from w2sjax.theory.random_features import best_flow_ratios
from w2sjax.theory.ridge_chains import flow_stage, truth_of

SMALL: dict[str, tuple[Any, dict[str, Any], dict[str, list[Any]]]] = {
    "ildiz2024-surrogates": (
        w2s.worlds.Surrogates(dim=60, designed_for=20.0),
        {"n_eval": 200},
        {"n_strong": [20, 40], "designed_for": [20.0, 40.0]},
    ),
    "liu2026-groups": (
        w2s.worlds.SpuriousGroups(dim=20),
        {"n_weak": 100, "n_strong": 200, "n_eval": 200},
        {"minority_strong": [0.1, 0.5], "minority_eval": [0.0, 1.0]},
    ),
    "overspecified2026-map": (
        w2s.worlds.TwoLevelFeatures(dim=60, large=4, small=0.05, population=True),
        {"n_weak": 60, "n_strong": 60, "n_eval": 60},
        {"weak_width": [20, 40], "strong_width": [100, 200], "time": [2.0, 8.0]},
    ),
    "overspecified2026-ratio": (
        w2s.worlds.ScaledFeatures(size=20, dim_power=1.2, rows=40),
        {"n_weak": 40, "n_strong": 40, "n_eval": 40},
        {"time": [2.0, 8.0]},
    ),
    "wu2026-exponents": (
        w2s.worlds.PowerLawFeatures(dim=80, weak_width=0, strong_width=0),
        {"n_strong": 60, "n_eval": 100},
        {"n_weak": [20, 40], "label_noise": [0.5], "head.ridge": [1e-3, 0.1]},
    ),
    "which-theory": (
        dataclasses.replace(WIDE, width=20),
        {"n_strong": 60, "n_eval": 100, "tasks": 2},
        {"n_weak": [30, 100]},
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_studies_run_and_draw(name: str) -> None:
    world, fields, axes = SMALL[name]
    study: Any = w2s.studies.get(name)
    protocol = dataclasses.replace(study.protocol, **fields)
    dataset = w2s.sweep(world, protocol, pairs=3, axes=axes, metrics=study.metrics)
    result = study.analysis(dataset)
    report = study.report(result)
    assert report["headline"] and np.isfinite([v for v in report.values() if isinstance(v, float)]).all()
    figure = study.figure(result, study.title)
    assert figure.get_size_inches()[0] <= 6.8 and any(panel.has_data() for panel in figure.axes)
    if name == "which-theory":
        assert set(result["theory"].values) == set(report["theories"]) and len(theory.THEORIES) == len(
            report["theories"]
        )
        assert (
            report["theories"]["principal (Xue)"]["off_by_shares_of_weak_error"]["prediction_gap"]["median"]
            < 0.3
        )
        assert "Gaussian features" in report["theories"]["least squares"]["violated"]


def test_every_violated_assumption_is_listed() -> None:
    protocol = w2s.Protocol(n_weak=5, head=w2s.heads.Ridge(0.1), reuse_inputs=True, n_strong=5)
    found = theory.SUBSPACES.violated(w2s.worlds.OverlappingSubspaces(), protocol)
    assert found[:2] == ["least squares", "fresh inputs"] and len(found) == 3
    assert theory.TWO_STAGE.violated(w2s.worlds.PowerLaw(), w2s.Protocol(head=w2s.heads.Ridge(0.1))) == []


def test_flow_on_finite_features_is_that_of_drawn_ones() -> None:
    """Against the mean over drawn features, and against the closed form of infinitely many."""
    eigenvalues, energy = jnp.array([1.0, 0.3, 0.05]), jnp.array([1.0, 0.5, 0.2])
    copies, time, width = jnp.array([10.0, 20.0, 30.0]), jnp.asarray(6.0), 90
    closed = flow_stage(eigenvalues, truth_of(energy), time)
    share = 1 - np.exp(-6 * np.asarray(eigenvalues))
    np.testing.assert_allclose(closed.function.overlap, share * energy, atol=1e-12)
    np.testing.assert_allclose(closed.misfit, ((1 - share) ** 2 * energy).sum(), atol=1e-12)
    rng, spectrum = np.random.default_rng(0), np.repeat([1.0, 0.3, 0.05], [10, 20, 30])
    target = np.repeat([1 / 10, 0.5 / 20, 0.2 / 30], [10, 20, 30]) ** 0.5
    misfits = []
    for _ in range(200):
        features = spectrum[:, None] ** 0.5 * rng.normal(size=(60, width)) / width**0.5
        values, vectors = np.linalg.eigh(features @ features.T)
        misfits.append((np.exp(-12 * values) * (vectors.T @ (target * rng.choice([-1, 1], 60))) ** 2).sum())
    found = flow_stage(eigenvalues, truth_of(energy), time, jnp.asarray(float(width)), copies)
    error = np.std(misfits) / 200**0.5
    assert found.point.converged and abs(np.mean(misfits) - float(found.misfit)) < 3 * error + 0.02 * float(
        found.misfit
    )


def test_the_map_of_widths_is_the_theory_cell_by_cell() -> None:
    world = w2s.worlds.TwoLevelFeatures(dim=60, large=4, small=0.05, population=True)
    protocol = dataclasses.replace(POPULATION, n_weak=60, n_strong=60, n_eval=60)
    axes = {"weak_width": [20, 40], "strong_width": [30, 200], "time": [1.0, 4.0, 16.0]}
    cells = theory.RANDOM_FEATURE_FLOW.predict(world, protocol, axes)
    spectrum = tuple(jnp.asarray(a, jnp.float64) for a in world.levels())
    sizes = (jnp.array([20.0, 40.0]), jnp.array([30.0, 200.0]), jnp.array([1.0, 4.0, 16.0]))
    ratio = (cells["w2s_error"] / cells["weak_error"]).min("time")
    np.testing.assert_allclose(best_flow_ratios(spectrum, *sizes), ratio, rtol=1e-9)


def test_features_on_the_sphere_have_the_moments_of_the_population(key: jax.Array) -> None:
    world = w2s.worlds.SphereReLU(dim=6, weak_width=3, strong_width=4, rows=10)
    pair = world.draw(key)
    table = np.concatenate(
        [np.asarray(pair.take(name, jnp.arange(10))) for name in ("target", "weak", "strong")], axis=1
    )
    gram = table.T @ table / 10
    units = (
        gram[0, 1:] * 2 * 6**0.5
    )  # first coordinates of the units, of which features are relu(u'x) / sqrt(width)
    assert gram[0, 0] == pytest.approx(1)
    np.testing.assert_allclose(gram.diagonal()[1:4] * 3, 1 / 12, rtol=1e-9)
    assert (abs(units[:3] * 3**0.5) < 1).all()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400_000, 6))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    u = rng.normal(size=(2000, 6))
    relu = np.maximum(x[:2000] @ (u / np.linalg.norm(u, axis=1, keepdims=True)).T, 0)
    spectrum = world.spectrum()
    assert float((spectrum.eigenvalues * spectrum.copies).sum()) == pytest.approx(1 / 12, rel=1e-9)
    assert float(spectrum.eigenvalues[0]) == pytest.approx(relu.mean() ** 2, rel=0.02)
    assert float(spectrum.eigenvalues[1]) == pytest.approx(
        1 / (4 * 36), rel=1e-9
    )  # (E relu(t) t)^2 = (1 / 2 dim)^2
    with pytest.raises(w2s.W2SError, match="strong_width=0 is for theories alone"):
        w2s.worlds.SphereReLU(strong_width=0).draw(key)


def test_fine_tuned_heads_are_ridge_towards_their_start() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    start = np.array([0, 0, 0, 0.7])[:, None]
    best = start + np.linalg.solve(x.T @ x / 30 + 0.3 * np.eye(4), x.T @ (y - x @ start) / 30)
    head = FineTuned(0.3, start=0.7)
    fitted = head.fit(w2s.heads.Rows(jnp.asarray(x)), jnp.asarray(y))[0]
    np.testing.assert_allclose(fitted.weights, best, rtol=1e-10)
    given = AsIs()
    fitted = given.fit(w2s.heads.Rows(jnp.asarray(x[:, :1])), jnp.asarray(y), jax.random.key(0))
    np.testing.assert_allclose(given.predict(fitted, jnp.asarray(x[:, :1])), np.repeat(x[:, :1], 2, axis=1))


def test_the_fixed_point_of_groups_solves_its_equation() -> None:
    rng = np.random.default_rng(0)
    points, weights = jnp.asarray(rng.normal(size=(200, 3)) + 1), jnp.full(200, 1 / 200)
    found = jax.vmap(factor, (None, None, 0))(points, weights, jnp.array([0.0, 0.1, 0.25]))
    assert found.converged.all() and (found.residual < 1e-10).all()
    for ratio, g in zip((0.0, 0.1, 0.25), np.asarray(found.matrix), strict=True):
        w = np.asarray(points)
        inside = 1 / (1 + ratio * np.einsum("mp,pq,mq->m", w, g, w))
        np.testing.assert_allclose(np.linalg.inv(g), (w * inside[:, None]).T @ w / 200, rtol=1e-8)
    slope = jax.grad(lambda r: factor(points, weights, r).matrix[0, 0])(0.1)
    ends = [float(factor(points, weights, jnp.asarray(0.1 + s)).matrix[0, 0]) for s in (1e-5, -1e-5)]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


@pytest.mark.parametrize(
    ("one", "world", "protocol", "message"),
    [
        (theory.GROUPS, w2s.worlds.SpuriousGroups(), {"n_weak": 90}, "n_weak=90 with 80 features violates"),
        (theory.GROUPS, w2s.worlds.SpuriousGroups(dim=5), {}, "dim=5 violates the assumption of many core features"),
        (theory.MULTI_INDEX, w2s.worlds.MultiIndex(dim=9), {}, "the least of them being 9 violates"),
        (theory.MULTI_INDEX, w2s.worlds.MultiIndex(), {"n_weak": 60}, "ridge=0 of weak with 60 samples of 50 features"),
    ],
)  # fmt: skip
def test_violated_assumptions_are_refused(
    one: Any, world: Any, protocol: dict[str, Any], message: str
) -> None:
    usual = {"n_weak": 200, "n_strong": 200, "head": w2s.heads.RidgeThroughOrigin()}
    with pytest.raises(w2s.W2SError, match=message):
        one.predict(world, w2s.Protocol(**(usual | protocol)))


def test_exponents_are_slopes_of_logarithms() -> None:
    import xarray as xr

    n = xr.DataArray([1.0, 2.0, 4.0, 8.0], dims="n")
    assert analysis.slope(n, (3 * n**-0.5).where(n != 2)) == pytest.approx(-0.5)
