"""Bregman losses: closed forms, published projections, and gain against misfit for projections on convex classes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special

import w2sjax as w2s
from w2sjax import losses

CLOSED: dict[str, tuple[w2s.losses.Loss, Any]] = {
    "squared": (losses.BREGMAN_SQUARED, lambda a, b: (a - b) ** 2),
    "relative entropy": (losses.KL, lambda a, b: scipy.special.kl_div(a, b)),
    "logistic": (
        losses.LOGISTIC,
        lambda a, b: scipy.special.rel_entr(a, b) + scipy.special.rel_entr(1 - a, 1 - b),
    ),
    "Itakura-Saito": (losses.ITAKURA_SAITO, lambda a, b: a / b - np.log(a / b) - 1),
}
CLOSED["a user's"] = (losses.bregman("fourth power", lambda x: x**4), None)


@pytest.mark.parametrize("name", CLOSED)
def test_values_are_those_of_closed_forms(name: str) -> None:
    loss, closed = CLOSED[name]
    a, b = np.random.default_rng(0).uniform(0.05, 0.95, (2, 3, 200))
    if closed is None:
        closed = lambda a, b: a**4 - b**4 - 4 * b**3 * (a - b)  # noqa: E731
    np.testing.assert_allclose(loss.value(a, b), closed(b, a), atol=1e-14)
    np.testing.assert_allclose(loss.between(a, b), closed(a, b), atol=1e-14)
    assert (np.asarray(loss.value(a, b)) >= -1e-15).all()


RATIO = 0.08**0.5 / 0.7
"""t / (1 - t) where the derivative of KL(student || teacher) is 0."""


@pytest.mark.parametrize(
    ("reverse", "on_grid", "exact", "least"),
    [(False, 0.3030, 0.3, 0.0170), (True, 0.2828, RATIO / (1 + RATIO), 0.0174)],
)
def test_projections_of_the_released_notebook(
    reverse: bool, on_grid: float, exact: float, least: float
) -> None:
    """Of (.1, .7, .2) on (t/2, 1 - t, t/2), forward and reverse KL; the notebook's t are those of a grid of 100."""
    teacher = jnp.array([0.1, 0.7, 0.2])

    def mean(t: Any) -> Any:
        student = jnp.array([t / 2, 1 - t, t / 2])
        return (losses.KL.between(student, teacher) if reverse else losses.KL.value(student, teacher)).sum()

    grid = np.linspace(0, 1, 100)[1:-1]
    values = np.array(jax.vmap(mean)(jnp.asarray(grid)))
    assert grid[values.argmin()] == pytest.approx(on_grid, abs=6e-5)
    assert values.min() == pytest.approx(least, abs=6e-5)
    root = scipy.optimize.brentq(jax.grad(mean), 0.01, 0.99, xtol=1e-12)
    assert root == pytest.approx(exact, abs=1e-6)


def test_squares_by_rows_are_squares_by_moments(key: jax.Array) -> None:
    world = w2s.worlds.PerturbedMLP(width=4, depth=2)
    sizes: dict[str, Any] = {"n_weak": 100, "n_strong": 100, "n_eval": 200, "tasks": 40}
    head = w2s.heads.Ridge(1e-6)
    ours = w2s.run_pair(world, w2s.Protocol(**sizes, head=head, loss=losses.BREGMAN_SQUARED), key)
    moments = w2s.run_pair(world, w2s.Protocol(**sizes, head=head), key)
    for name in ("weak_error", "w2s_error", "gain", "misfit"):
        error = np.abs(ours.values[name] - moments.values[name]) / moments.weak_error
        assert error.max() < 1e-9, name


@pytest.mark.parametrize("name", CLOSED)
def test_gain_is_at_least_misfit_for_projections_on_a_convex_class(name: str) -> None:
    """Reverse projections on mixtures of two functions that hold the truth, with the inputs themselves as population.

    Where the projection is inside the class the two are equal but for a term that convexity signs; at its ends gain
    is more.
    """
    loss, _ = CLOSED[name]
    rng = np.random.default_rng(1)
    ends = jnp.asarray(rng.uniform(0.1, 0.9, (1000, 2, 3)))  # [task, function, input]
    weak = jnp.asarray(rng.uniform(0.1, 0.9, (1000, 3)))
    share = jnp.asarray(rng.uniform(0, 1, (1000, 1)))

    def mix(t: jax.Array) -> jax.Array:
        return t * ends[:, 0] + (1 - t) * ends[:, 1]

    def slope(t: jax.Array) -> jax.Array:  # of the mean divergence in t, by task
        return jax.jvp(lambda t: loss.between(mix(t), weak).mean(axis=1), (t,), (jnp.ones_like(t),))[1][
            :, None
        ]

    low, high = jnp.zeros_like(share), jnp.ones_like(share)
    for _ in range(60):  # the mean is convex in t
        middle = (low + high) / 2
        rising = slope(middle) > 0
        low, high = jnp.where(rising, low, middle), jnp.where(rising, middle, high)
    student, truth = mix((low + high) / 2), mix(share)
    gain = (loss.value(weak, truth) - loss.value(student, truth)).mean(axis=1)
    misfit = loss.between(student, weak).mean(axis=1)
    assert (np.asarray(gain - misfit) > -1e-9).all()
    inside = np.asarray((low > 1e-6) & (high < 1 - 1e-6))[:, 0]
    assert 100 < inside.sum() < 1000
    np.testing.assert_allclose(gain[inside], misfit[inside], atol=1e-9)  # a line is flat: Pythagoras holds
    assert np.asarray(gain - misfit)[~inside].max() > 1e-3
