"""The two routes of a pair, by joint moments and by labels: the same outcome, each against NumPy."""

import dataclasses
import functools
import math
from typing import Any

import jax
import numpy as np
import pytest

import w2sjax as w2s
from tests.oracle import errors
from tests.test_pair import CASES, NAMES, WORLD
from w2sjax.engine.by_labels import has_few_tasks
from w2sjax.engine.design import design_of, numbers_of
from w2sjax.engine.outcome import Outcome
from w2sjax.engine.pair import run_grid
from w2sjax.random.keys import pair_key

ROUTES = {"moments": math.inf, "labels": -math.inf}


def run(route: str, world: Any, protocol: w2s.Protocol, key: jax.Array) -> Outcome:
    """Run a pair by the given route."""
    outcome = _run(world, key, numbers_of(protocol), design_of(protocol), ROUTES[route])
    return jax.tree.map(lambda a: np.asarray(a[0, 0, 0, 0]), outcome)


@functools.partial(jax.jit, static_argnums=(3, 4))
def _run(world: Any, key: jax.Array, numbers: Any, design: Any, factor: float) -> Outcome:
    return run_grid(world, key, design, numbers, None, factor)


@pytest.mark.parametrize("case", ["ridge", "fewer samples than units", "uniform tanh"])
def test_moments_equal_numpy_where_labels_would_be_taken(case: str) -> None:
    """`tests/test_pair.py` has the same for labels; below both are compared on reused inputs and on few samples."""
    world, protocol = CASES[case]
    key = pair_key(jax.random.key(4), 0)
    outcome = run("moments", world, protocol, key)
    expected = errors(world, protocol, key)
    for name in NAMES:
        error = np.abs(getattr(outcome, name) - expected[name]) / expected["weak_error"]
        assert error.max() < 1e-9, (name, error.max())


NOISY = {"label_noise": 2.0, "fresh_misfit": True, "n_eval": 1300, "n_strong": 150, "reuse_inputs": True}
SEVEN = w2s.Protocol(tasks=7, head=w2s.heads.Ridge(1e-6))


@pytest.mark.parametrize(
    "fields",
    [
        NOISY,
        {
            "standard_errors": True,
            "head": w2s.heads.Ridge(0.1),
            "tasks": 1,
            "n_weak": 60,
            "n_strong": 100,
            "n_eval": 30,
        },
        {"numerics": w2s.Numerics(feature_precision="float32")},
    ],
    ids=str,
)
def test_routes_agree_on_everything_that_a_pair_yields(fields: dict[str, Any]) -> None:
    protocol = dataclasses.replace(SEVEN, **fields)
    # With float32 features the coordinates, which differ, are float32 too.
    tolerance = 1e-9 if protocol.numerics.feature_precision == "default" else 1e-5
    for index in range(2):
        key = pair_key(jax.random.key(5), index)
        by_moments, by_labels = (run(route, WORLD, protocol, key) for route in ROUTES)
        weak_error = by_moments.weak_error
        for name in NAMES:
            error = np.abs(getattr(by_moments, name) - getattr(by_labels, name)) / weak_error
            assert error.max() < tolerance, (name, error.max())
            if protocol.standard_errors:
                spreads = (o.spread[name] for o in (by_moments, by_labels))
                error = np.abs(np.subtract(*spreads)) / weak_error
                assert error.max() < 1e-9, (name, error.max())
        np.testing.assert_allclose(by_moments.pgr, by_labels.pgr, rtol=10 * tolerance)
        for name in ("code", "weak_rank", "strong_rank", "weak_dropped", "strong_dropped"):
            assert getattr(by_moments.status, name) == getattr(by_labels.status, name), name
        for name in ("weak_condition", "strong_condition"):
            a, b = (getattr(o.status, name) for o in (by_moments, by_labels))
            np.testing.assert_allclose(a, b, rtol=1e-4)


def test_labels_are_for_one_experiment_on_few_tasks_with_ridge_heads() -> None:
    widths = {"weak": 16, "target": 16, "strong": 16}

    def chosen(protocol: w2s.Protocol, **changes: Any) -> bool:
        return has_few_tasks(dataclasses.replace(design_of(protocol), **changes), widths)

    assert chosen(w2s.Protocol(tasks=22))
    assert not chosen(w2s.Protocol(tasks=23))
    assert not chosen(w2s.Protocol(tasks=1), n_strong=(100, 200))
    assert not chosen(w2s.Protocol(tasks=1, head=w2s.heads.Ball()))
    assert not chosen(w2s.Protocol(tasks=1), combinations=2)


def test_features_that_overflow_are_flagged_not_finite(key: jax.Array) -> None:
    world = dataclasses.replace(WORLD, input_scale=1e300)
    for route in ROUTES:
        outcome = run(route, world, dataclasses.replace(SEVEN, **NOISY), key)
        assert int(outcome.status.code) & int(w2s.Flag.NOT_FINITE), route
