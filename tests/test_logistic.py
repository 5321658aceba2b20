"""Logistic and softmax heads beside scikit-learn's, and where they have no solution."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import w2sjax as w2s
from w2sjax.heads import Logistic, Rows, Softmax

KINDS = ("plain", "separable", "unbalanced", "badly scaled", "rank-deficient", "d > n", "shifted")


def problem(kind: str, seed: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return features and labels, integers."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    n, d = (30, 45) if kind == "d > n" else (150, 5)
    x = rng.normal(size=(n, d))
    scores = x @ rng.normal(size=(d, classes)) + (0 if kind == "separable" else 1) * rng.gumbel(
        size=(n, classes)
    )
    if kind == "unbalanced":
        scores[:, 0] += 3
    y = scores.argmax(axis=1)
    y[:classes] = np.arange(classes)
    if kind == "separable":  # by the first score
        y[:classes] = scores.argmax(axis=1)[:classes]
    if kind == "badly scaled":
        x = x * 10.0 ** rng.uniform(-3, 3, d)
    if kind == "rank-deficient":
        x = np.c_[x, x[:, :2] @ rng.normal(size=(2, 3)), np.ones(n)]
    if kind == "shifted":
        x = x + 100
    return x, y


def scikit_learn(x: np.ndarray, y: np.ndarray, ridge: float) -> np.ndarray:
    """Return probabilities of classes 1, 2, ... of a converged fit."""
    mean, scale = x.mean(axis=0), 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        c = np.inf if ridge == 0 else 1 / (2 * len(x) * ridge)
        model = LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=5000)
        model.fit((x - mean) / scale, y)  # the intercept is not penalized: a shift changes nothing
        return np.asarray(model.predict_proba((x - mean) / scale))


def problems() -> Iterator[tuple[str, int, float]]:
    """Yield 20 problems: all kinds at two ridges, and at ridge 0 those that have a solution."""
    for kind in KINDS:
        yield from ((kind, 0, 1e-2), (kind, 1, 1e-4))
    for seed, kind in enumerate(
        ("plain", "unbalanced", "badly scaled", "rank-deficient", "shifted", "plain")
    ):
        yield kind, seed + 2, 0.0


FIT: dict[str, Callable[..., Any]] = {
    "binary": jax.jit(lambda x, y, ridge: _run(Logistic(ridge), x, y)),
    "classes": jax.jit(lambda x, y, ridge: _run(Softmax(ridge), x, y)),
}


def _run(head: Any, x: Any, y: Any) -> Any:
    fitted, fit = head.fit(Rows(x), y)
    return head.predict(fitted, x), fit.code, fitted


@pytest.mark.parametrize(("kind", "seed", "ridge"), list(problems()))
def test_agrees_with_scikit_learn(kind: str, seed: int, ridge: float) -> None:
    x, y = problem(kind, seed)
    found, code, _ = FIT["binary"](x, np.c_[y, 1 - y].astype(float), ridge)
    expected = scikit_learn(x, y, ridge)
    np.testing.assert_allclose(found[:, 0], expected[:, 1], atol=1e-6)
    np.testing.assert_allclose(found[:, 1], expected[:, 0], atol=1e-6)  # the other task is the same problem
    assert int(code) == 0


@pytest.mark.parametrize(("kind", "ridge"), [(kind, 1e-3) for kind in KINDS] + [("plain", 0.0)])
def test_softmax_agrees_with_scikit_learn(kind: str, ridge: float) -> None:
    x, y = problem(kind, 7, classes=3)
    found, code, _ = FIT["classes"](x, np.eye(3)[y][:, None, :], ridge)
    np.testing.assert_allclose(found[:, 0], scikit_learn(x, y, ridge), atol=1e-6)
    assert int(code) == 0


def test_wide_problems_go_by_lbfgs() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 150))
    y = (x[:, 0] + rng.logistic(size=300) > 0).astype(int)
    found, code, _ = FIT["binary"](x, y[:, None].astype(float), 1e-3)
    np.testing.assert_allclose(found[:, 0], scikit_learn(x, y, 1e-3)[:, 1], atol=1e-6)
    assert int(code) == 0


def test_soft_labels_are_shares_of_repeated_rows() -> None:
    """A row with label 0.75 is three rows of class 1 and one of class 0."""
    rng = np.random.default_rng(1)
    x, share = rng.normal(size=(150, 5)), rng.integers(0, 5, 150) / 4
    rows = np.repeat(np.arange(150), 4)
    y = (np.tile(np.arange(4), 150) < np.repeat(share * 4, 4)).astype(int)
    found, *_ = FIT["binary"](x, np.c_[share, share], 1e-3)
    np.testing.assert_allclose(found[:, 0], scikit_learn(x[rows], y, 1e-3)[::4, 1], atol=1e-6)


@pytest.mark.parametrize("name", ["binary", "classes"])
def test_separable_labels_have_no_solution_at_ridge_0(name: str) -> None:
    x, y = problem("separable", 0)
    labels = np.c_[y, y].astype(float) if name == "binary" else np.eye(2)[y][:, None, :]
    found, code, _ = FIT[name](x, labels, 0.0)
    assert w2s.Flag(int(code)) == w2s.Flag.SEPARABLE
    assert np.isfinite(found).all()
    assert (np.asarray(found > 0.5) == (labels > 0.5)).all()


def test_separation_of_a_few_rows_is_seen() -> None:
    """Quasi-separation: one feature is active for class 1 alone; other rows overlap."""
    x, y = problem("plain", 0)
    rare = np.zeros(150)
    rare[y == 1] = np.arange((y == 1).sum()) < 4
    _, code, _ = FIT["binary"](np.c_[x[:, :4], rare], np.c_[y, y].astype(float), 0.0)
    assert w2s.Flag(int(code)) == w2s.Flag.SEPARABLE


def test_float32_is_close() -> None:
    x, y = problem("unbalanced", 0)
    with jax.enable_x64(False):
        found, code, _ = FIT["binary"](x.astype("f4"), y[:, None].astype("f4"), np.float32(1e-3))
    np.testing.assert_allclose(found[:, 0], scikit_learn(x, y, 1e-3)[:, 1], atol=2e-5)
    assert int(code) == 0


def test_a_path_of_ridges_shrinks_the_weights() -> None:
    x, y = problem("plain", 0)
    norms = []
    for ridge in (0.0, 1e-4, 1e-2, 1.0, 100.0):
        *_, fitted = FIT["binary"](x, np.c_[y, y].astype(float), ridge)
        norms.append(float(np.linalg.norm(fitted.weights[:, 0, 0])))
    assert norms == sorted(norms, reverse=True) and norms[-1] < 1e-2 * norms[0]
    assert np.isclose(float(1 / (1 + np.exp(-fitted.bias[0, 0]))), y.mean(), atol=1e-3)


def test_c_is_the_inverse_penalty_of_scikit_learn() -> None:
    x, y = problem("plain", 0)
    head = Logistic(C=0.3)
    ridge = float(head.penalty(150, float))
    *_, fitted = FIT["binary"](x, np.c_[y, y].astype(float), ridge)
    expected = LogisticRegression(C=0.3, tol=1e-12, solver="newton-cholesky").fit(x, y)
    np.testing.assert_allclose(fitted.weights[:, 0, 0], expected.coef_[0], atol=1e-8)
    np.testing.assert_allclose(fitted.bias[0, 0], expected.intercept_[0], atol=1e-8)


def test_refusals() -> None:
    with pytest.raises(w2s.W2SError, match="ridge=-1 is out of range"):
        Logistic(-1)
    with pytest.raises(w2s.W2SError, match=r"C=1\.0 and ridge=0\.1 both set the penalty: pass one"):
        Softmax(0.1, C=1.0)
    with pytest.raises(w2s.W2SError, match="are not .n, task, class.: use Logistic"):
        Softmax().fit(Rows(np.ones((3, 1))), np.ones((3, 1)))
    with pytest.raises(w2s.W2SError, match="are of several classes: use Softmax"):
        Logistic().fit(Rows(np.ones((3, 1))), np.ones((3, 1, 2)))
