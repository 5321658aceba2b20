"""Linear heads in a norm ball: against independent solvers, and the inequality that a convex class obeys."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import w2sjax as w2s
from tests.oracle import drawn_samples, run_alone
from w2sjax.heads import Ball, Ridge
from w2sjax.heads.ball import solve_in_ball
from w2sjax.heads.factor import factorize
from w2sjax.heads.ridge import solve

WORLD = w2s.worlds.PerturbedMLP(
    input_dim=3, width=4, depth=2, input_scale=1.0, activation="tanh", weak_noise=0.3, strong_noise=0.0
)
SMALL = w2s.Protocol(n_weak=100, n_strong=100, n_eval=100, tasks=5)


def secular_solution(rows: np.ndarray, labels: np.ndarray, radius: float) -> np.ndarray:
    """Bracketed root of |ridge solution| = radius by SciPy, on NumPy's singular values."""
    left, values, right = np.linalg.svd(rows, full_matrices=False)
    kept = values > 1e-12 * values[0]
    left, values, right = left[:, kept], values[kept], right[kept]
    along = left.T @ labels

    def at(log_multiplier: float) -> np.ndarray:
        return right.T @ (values / (values**2 + np.exp(log_multiplier)) * along)

    free = right.T @ (along / values)
    if np.linalg.norm(free) <= radius:
        return free
    root = scipy.optimize.brentq(lambda m: np.log(np.linalg.norm(at(m)) / radius), -80, 60, xtol=1e-14)
    return at(root)


@pytest.mark.parametrize("shape", [(30, 6), (4, 6)])
@pytest.mark.parametrize("condition", [1e1, 1e5])
def test_ball_solution_equals_scipys_root(shape: tuple[int, int], condition: float) -> None:
    rng = np.random.default_rng(0)
    rows = (
        rng.normal(size=shape) @ np.linalg.qr(rng.normal(size=(6, 6)))[0] * np.geomspace(1, 1 / condition, 6)
    )
    rows[:, 3] = 0  # a dead unit
    labels = rng.normal(size=(shape[0], 8)) * np.geomspace(1e-3, 1e3, 8)
    factor = factorize(jnp.asarray(rows), 1e-13)
    zero = jnp.zeros(())
    binding = 0
    for radius in (1e-4, 1.0, 1e4):
        found = np.asarray(solve_in_ball(factor, jnp.asarray(labels), zero, jnp.asarray(radius)))
        assert np.linalg.norm(found, axis=0).max() <= radius * (1 + 1e-12)
        for task in range(8):
            expected = secular_solution(rows, labels[:, task], radius)
            scale = np.linalg.norm(expected)
            np.testing.assert_allclose(found[:, task], expected, rtol=0, atol=1e-8 * scale)
            binding += bool(np.isclose(scale, radius))
    assert 0 < binding < 24
    free = solve_in_ball(factor, jnp.asarray(labels), zero, jnp.asarray(1e30))
    np.testing.assert_array_equal(free, solve(factor, jnp.asarray(labels), zero))


def test_ball_solution_equals_a_general_optimizer() -> None:
    rng = np.random.default_rng(1)
    rows, labels = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    factor = factorize(jnp.asarray(rows), 1e-13)
    found = np.asarray(solve_in_ball(factor, jnp.asarray(labels), jnp.asarray(0.5), jnp.asarray(0.2)))
    for task in range(3):
        answer = scipy.optimize.minimize(
            lambda b, y: np.sum((rows @ b - y) ** 2) + 0.5 * b @ b,
            np.zeros(4),
            args=(labels[:, task],),
            constraints={"type": "ineq", "fun": lambda b: 0.2**2 - b @ b},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        np.testing.assert_allclose(found[:, task], answer.x, atol=1e-6)


def test_experiment_equals_numpy_on_the_same_draws(key: jax.Array) -> None:
    protocol = dataclasses.replace(SMALL, head=Ball(0.5))
    outcome = run_alone(WORLD, protocol, key)
    s = drawn_samples(WORLD, protocol, key)

    def fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centred = (x - x.mean(0)) / np.sqrt(len(x))
        labels = (y - y.mean(0)) / np.sqrt(len(x))
        weights = np.stack([secular_solution(centred, column, 0.5) for column in labels.T], axis=1)
        return weights, y.mean(0) - x.mean(0) @ weights

    truth = {name: s[name]["target"] @ s["weights"] + s["bias"] for name in ("weak", "strong", "eval")}
    weak = fit(s["weak"]["weak"], truth["weak"])
    w2s_head = fit(s["strong"]["strong"], s["strong"]["weak"] @ weak[0] + weak[1])
    ceiling = fit(s["strong"]["strong"], truth["strong"])
    weak_residual = s["eval"]["weak"] @ weak[0] + weak[1] - truth["eval"]
    w2s_residual = s["eval"]["strong"] @ w2s_head[0] + w2s_head[1] - truth["eval"]
    ceiling_residual = s["eval"]["strong"] @ ceiling[0] + ceiling[1] - truth["eval"]
    np.testing.assert_allclose(outcome.weak_error, (weak_residual**2).mean(0), rtol=1e-8)
    np.testing.assert_allclose(outcome.w2s_error, (w2s_residual**2).mean(0), rtol=1e-8)
    np.testing.assert_allclose(outcome.ceiling_error, (ceiling_residual**2).mean(0), rtol=1e-8)
    np.testing.assert_allclose(outcome.misfit, ((w2s_residual - weak_residual) ** 2).mean(0), rtol=1e-8)


def test_a_ball_that_holds_everything_is_ridge_zero(key: jax.Array) -> None:
    ridge = w2s.run_pair(WORLD, SMALL, key)
    ball = w2s.run_pair(WORLD, dataclasses.replace(SMALL, head=Ball(1e9)), key)
    for name in ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation"):
        np.testing.assert_allclose(getattr(ball, name), getattr(ridge, name), rtol=1e-9, atol=1e-15)


@dataclasses.dataclass(frozen=True)
class OneSample:
    """Every split is one and the same sample: the population is that sample. The strong model is the truth."""

    def draw(self, key: jax.Array) -> "OneSample":
        return self

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        weights = np.random.default_rng(3).normal(size=(tasks, 5))
        norms = np.linalg.norm(weights, axis=1, keepdims=True)
        return jnp.asarray(0.9 * weights / norms), jnp.zeros(tasks)

    def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        rng = np.random.default_rng(5)
        mix = rng.normal(size=(5, 4))
        target = rng.normal(size=(n, 5)) * np.geomspace(3, 0.1, 5)
        weak = 10 * np.tanh(target @ mix / 2)
        return jnp.asarray(target), jnp.asarray(weak), jnp.asarray(target)


def test_population_gain_is_at_least_misfit_and_more_where_the_ball_binds(key: jax.Array) -> None:
    """The w2s head is the projection of the weak predictions on a convex set that holds the truth."""
    protocol = w2s.Protocol(n_weak=200, n_strong=200, n_eval=200, tasks=100)
    free = w2s.run_pair(OneSample(), dataclasses.replace(protocol, head=Ball(1e9)), key)
    np.testing.assert_allclose(free.deviation, 0, atol=1e-12)
    ball = w2s.run_pair(OneSample(), dataclasses.replace(protocol, head=Ball(0.95)), key)
    deviation = np.asarray(ball.deviation)
    assert deviation.min() > -1e-12
    binds = deviation > 1e-9
    assert 5 < binds.sum() < 100  # and where it does not bind, gain is misfit as for any linear head
    np.testing.assert_allclose(deviation[~binds], 0, atol=1e-9)
    np.testing.assert_allclose(ball.ceiling_error, 0, atol=1e-12)


@functools.partial(jax.tree_util.register_dataclass, data_fields=["drawn", "key"], meta_fields=[])
@dataclasses.dataclass(frozen=True)
class SameInputsPair:
    """A pair that sees the same inputs whatever the split."""

    drawn: Any
    key: jax.Array

    def inputs(self, key: jax.Array, n: int, split: str) -> Any:
        return self.drawn.inputs(self.key, n, split)

    def represent(self, name: str, inputs: Any) -> jax.Array:
        return self.drawn.represent(name, inputs)


@dataclasses.dataclass(frozen=True)
class SameInputs:
    """Realizable perturbed networks whose splits are one sample of a block of rows, drawn for each pair."""

    world: Any = dataclasses.field(default_factory=lambda: dataclasses.replace(WORLD, weak_noise=0.5))

    def draw(self, key: jax.Array) -> SameInputsPair:
        ours, theirs = jax.random.split(key)
        return SameInputsPair(self.world.draw(ours), theirs)


def test_population_gain_is_at_least_misfit_for_every_task_of_a_thousand_worlds() -> None:
    """Where the splits are one sample, that sample is the population: no Monte Carlo error is left."""
    protocol = w2s.Protocol(n_weak=500, n_strong=500, n_eval=500, tasks=10)
    pairs = {"pairs": 1000, "seed": 0, "axes": {"radius": [1.0, 1e9]}}
    ds = w2s.sweep(SameInputs(), dataclasses.replace(protocol, head=Ball()), **pairs)
    relative = ds.deviation / ds.weak_error
    ball, free = relative.sel(radius=1.0), relative.sel(radius=1e9)
    assert int(ball.notnull().sum()) > 9900
    assert float(ball.min()) > -1e-9
    assert float(abs(free).max()) < 1e-9  # nothing binds: gain is misfit
    assert 0.02 < float((ball > 1e-6).mean()) < 1


def test_gain_is_at_least_misfit_to_monte_carlo_error_in_many_realizable_pairs() -> None:
    """Default heads have entries within 1/sqrt(width), so the truth lies in the ball of radius 1."""
    world = dataclasses.replace(WORLD, weak_noise=0.5)
    protocol = w2s.Protocol(n_weak=2000, n_strong=2000, n_eval=2000, tasks=5, head=Ball())
    ds = w2s.sweep(world, dataclasses.replace(protocol, standard_errors=True), pairs=64, seed=0)
    # Fitting on other samples than the evaluation's costs as much again as the evaluation sample does.
    assert float((ds.deviation / ds.deviation_standard_error).min()) > -6
    assert float((ds.deviation > 6 * ds.deviation_standard_error).mean()) > 0.01


def test_radius_is_an_axis_and_so_are_heads_and_a_misplaced_one_is_refused() -> None:
    ball = dataclasses.replace(SMALL, head=Ball())
    ds = w2s.sweep(WORLD, ball, pairs=1, seed=0, axes={"radius": [0.2, 1.0]})
    assert ds.gain.dims == ("pair", "radius", "task")
    assert float(ds.ceiling_error.sel(radius=0.2).min()) > 0
    assert ds.radius.attrs["units"] == "label unit per feature unit"
    by_head = w2s.sweep(WORLD, SMALL, pairs=1, seed=0, axes={"head": [Ridge(), Ball(0.2), Ball()]})
    assert by_head["head"].values.tolist() == ["Ridge()", "Ball(radius=0.2)", "Ball()"]
    for radius, label in ((0.2, "Ball(radius=0.2)"), (1.0, "Ball()")):
        np.testing.assert_array_equal(by_head.gain.sel(head=label), ds.gain.sel(radius=radius))
    alone = w2s.sweep(WORLD, SMALL, pairs=1, seed=0)
    np.testing.assert_array_equal(by_head.gain.sel(head="Ridge()"), alone.gain)
    assert bool((by_head.gain.sel(head="Ridge()") != ds.gain.sel(radius=0.2)).all())
    with pytest.raises(ValueError, match=r"axes has no field 'radius' to vary"):
        w2s.sweep(WORLD, SMALL, pairs=1, axes={"radius": [0.2, 1.0]})
    with pytest.raises(ValueError, match=r"Ridge has no field radius: leave the axis out, or vary another"):
        w2s.sweep(WORLD, ball, pairs=1, axes={"radius": [0.2, 1.0], "head": [Ridge(), Ball()]})
    with pytest.raises(ValueError, match=r"radius=0 is out of range"):
        Ball(0.0)
    with pytest.raises(ValueError, match=r"head='ball' is not a head: pass one of w2sjax.heads"):
        dataclasses.replace(SMALL, head="ball")


def test_misfit_may_come_from_another_fresh_sample(key: jax.Array) -> None:
    protocol = dataclasses.replace(SMALL, n_eval=20_000, head=Ball(0.5))
    same = w2s.run_pair(WORLD, dataclasses.replace(protocol, standard_errors=True), key)
    fresh = w2s.run_pair(WORLD, dataclasses.replace(protocol, fresh_misfit=True), key)
    np.testing.assert_allclose(fresh.gain, same.gain, rtol=1e-9)
    np.testing.assert_allclose(fresh.deviation, fresh.gain - fresh.misfit, rtol=1e-12)
    distance = np.abs(fresh.misfit - same.misfit) / (2**0.5 * same.spread["misfit"])
    assert np.all((distance > 0) & (distance < 4))
    with pytest.raises(ValueError, match="fresh_misfit=True takes the misfit from a sample of its own"):
        dataclasses.replace(protocol, fresh_misfit=True, standard_errors=True)
