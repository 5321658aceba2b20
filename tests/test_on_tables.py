"""The route of data sets on a CPU: Gram matrices beside scikit-learn, and the same numbers as the compiled program."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import w2sjax as w2s
from w2sjax.engine import on_tables
from w2sjax.heads.base import Rows
from w2sjax.heads.gram import WIDE, suits_gram
from w2sjax.sweeps import batch_size
from w2sjax.sweeps.batch import group_program

WIDTH = WIDE + 16


def sample(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Nearly collinear features of several scales, one constant and one twice, and labels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 30)) @ rng.normal(size=(30, WIDTH)) * np.geomspace(0.1, 3, WIDTH)
    x += 0.01 * rng.normal(size=x.shape)
    x[:, 3], x[:, 4] = x[:, 5], 1.5
    return x, np.c_[x[:, :2] @ [1.0, -2.0], rng.normal(size=rows) + 7]


@pytest.mark.parametrize("rows", [WIDTH // 2, 3 * WIDTH])
@pytest.mark.parametrize("intercept", [True, False])
def test_gram_matrices_equal_scikit_learn(rows: int, intercept: bool) -> None:
    x, y = sample(rows)
    kept: dict[Any, Any] = {}
    for ridge in (0.01, 3.0):
        head = w2s.heads.Ridge(ridge)
        assert suits_gram(Rows(x), ridge, intercept=intercept)
        fitted, fit = head.fit(Rows(x, kept), y, intercept=intercept)
        expected = Ridge(alpha=rows * ridge, solver="svd", tol=0, fit_intercept=intercept).fit(x, y)
        fresh = sample(50, seed=1)[0]
        np.testing.assert_allclose(head.predict(fitted, fresh), expected.predict(fresh), rtol=1e-9, atol=1e-9)
        assert fit.rank == min(rows - intercept, WIDTH - (rows > WIDTH)) and fit.dropped == WIDTH - fit.rank
    assert len(kept) == 3  # a Gram matrix and two factorizations


def test_large_means_and_small_ridges_go_by_singular_values() -> None:
    x, _ = sample(200)
    assert not suits_gram(Rows(x + 1e5), 0.1, intercept=True)
    assert not suits_gram(Rows(x), 1e-9, intercept=True)
    assert not suits_gram(Rows(x), 0.0, intercept=True)
    assert not suits_gram(Rows(x.astype(np.float32)), 0.1, intercept=True)


@pytest.mark.usefixtures("cpu_only")
def test_both_routes_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grids of sizes and ridges with label noise, narrow and wide features, a baseline, reused inputs."""
    x, y = sample(160)
    world = w2s.worlds.Resampled(features={"weak": x[:, :6] + 300, "strong": x}, targets=y)
    common: dict[str, Any] = {"tasks": 2, "baseline": True, "label_noise": 0.5}
    protocols = (
        w2s.Protocol(n_weak=56, n_strong=72, n_eval=32, head=w2s.heads.Ridge(0.1), **common),
        w2s.Protocol(
            n_weak=56, n_strong=40, n_eval=32, head=w2s.heads.Ridge(0.1), reuse_inputs=True, **common
        ),
    )
    axes: tuple[dict[str, Any], ...] = ({"n_weak": [30, 56], "head.ridge": [0.1, 2.0]}, {})
    runs = []
    for tables in (True, False):
        if not tables:
            monkeypatch.setattr(batch_size, "suits_tables", lambda *_: False)
            group_program().clear_cache()
        else:
            assert on_tables.suits_tables(world, w2s.engine.design.design_of(protocols[0]))
        runs.append([w2s.sweep(world, p, pairs=3, axes=a) for p, a in zip(protocols, axes, strict=True)])
    for ours, other in zip(*runs, strict=True):
        assert list(ours) == list(other)
        for name in (
            "weak_error",
            "w2s_error",
            "ceiling_error",
            "baseline_error",
            "misfit",
            "gain",
            "pgr",
            "opr",
        ):
            np.testing.assert_allclose(ours[name], other[name], rtol=1e-7, atol=1e-9, err_msg=name)
            assert ours[name].dtype == other[name].dtype and ours[name].dims == other[name].dims
