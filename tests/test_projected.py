"""Students by projection beside ridge, logistic heads, SciPy and published argmins; gain and misfit in convex sets."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special

import w2sjax as w2s
from w2sjax import losses, studies
from w2sjax.heads import Logistic, Mixture, Projected, Rows, Softmax

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SOFT = scipy.special.expit(X @ RNG.normal(size=(3, 2)) + RNG.normal(size=(60, 2)))
CLASSES = np.moveaxis(scipy.special.softmax(RNG.normal(size=(60, 3, 2)), axis=1), 1, 2)  # [n, task, class]
FOURTH = losses.bregman("fourth power", lambda p: p**4)


def test_squares_by_projection_are_squares_by_moments(key: jax.Array) -> None:
    world = w2s.worlds.PerturbedMLP(width=4, depth=2)
    sizes: dict[str, Any] = {"n_weak": 100, "n_strong": 100, "n_eval": 200, "tasks": 20}
    head = Projected(loss=losses.BREGMAN_SQUARED, link="identity", ridge=1e-3)
    ridge = w2s.heads.Ridge(1e-3)
    ours = w2s.Protocol(**sizes, weak_head=ridge, head=head, loss=losses.BREGMAN_SQUARED)
    found = w2s.run_pair(world, ours, key)
    moments = w2s.run_pair(world, w2s.Protocol(**sizes, head=ridge), key)
    for name in ("w2s_error", "ceiling_error", "gain", "misfit"):
        error = np.abs(found.values[name] - moments.values[name]) / moments.weak_error
        assert error.max() < 1e-9, name
    assert int(found.status.code) & w2s.Flag.FIT_NOT_CONVERGED == 0


def test_forward_projections_are_logistic_and_softmax_heads(key: jax.Array) -> None:
    head = Projected(reverse=False, ridge=1e-3)
    fitted, fit = head.fit(Rows(X), SOFT, key)
    expected, _ = Logistic(1e-3).fit(Rows(X), SOFT)
    np.testing.assert_allclose(head.predict(fitted, X), Logistic().predict(expected, X), atol=1e-8)
    assert int(fit.code) == 0
    head = Projected(loss=losses.KL, link="softmax", reverse=False, ridge=1e-3)
    fitted, _ = head.fit(Rows(X), CLASSES, key)
    expected, _ = Softmax(1e-3).fit(Rows(X), CLASSES)
    np.testing.assert_allclose(head.predict(fitted, X), Softmax().predict(expected, X), atol=1e-8)


REVERSE: dict[str, tuple[Projected, np.ndarray, Any]] = {
    "logistic": (
        Projected(ridge=1e-2),
        SOFT,
        lambda s, y: scipy.special.rel_entr(s, y) + scipy.special.rel_entr(1 - s, 1 - y),
    ),
    "Itakura-Saito": (
        Projected(loss=losses.ITAKURA_SAITO, link="exp", ridge=1e-2),
        np.exp(RNG.normal(size=(60, 1))),
        lambda s, y: s / y - np.log(s / y) - 1,
    ),
    "a user's": (
        Projected(loss=FOURTH, ridge=1e-2),
        SOFT,
        lambda s, y: s**4 - y**4 - 4 * y**3 * (s - y),
    ),
    "clipped hard labels": (
        Projected(ridge=1e-2, clip=1e-2),
        (SOFT > 0.5).astype(float),
        lambda s, y: scipy.special.rel_entr(s, y) + scipy.special.rel_entr(1 - s, 1 - y),
    ),
}


@pytest.mark.parametrize("name", REVERSE)
def test_reverse_projections_agree_with_scipy(name: str, key: jax.Array) -> None:
    """The first task's minimum by SciPy's BFGS on the formula in NumPy, from the same start."""
    head, labels, divergence = REVERSE[name]
    fitted, fit = head.fit(Rows(X), labels, key)
    y = np.clip(labels[:, 0], float(head.clip), 1 - float(head.clip)) if head.clip else labels[:, 0]
    link = np.exp if head.link == "exp" else scipy.special.expit

    def mean(parameters: np.ndarray) -> float:
        s = link(X @ parameters[:3] + parameters[3])
        return float(divergence(s, y).mean() + 1e-2 * (parameters[:3] ** 2).sum())

    expected = scipy.optimize.minimize(mean, np.zeros(4), options={"gtol": 1e-9})
    found = np.append(fitted.weights[:, 0, 0], fitted.bias[0, 0])
    assert mean(found) == pytest.approx(expected.fun, abs=1e-10)
    np.testing.assert_allclose(found, expected.x, atol=2e-5)
    np.testing.assert_allclose(head.predict(fitted, X)[:, 0], link(X @ found[:3] + found[3]), atol=1e-12)
    assert int(fit.code) == 0


@pytest.mark.parametrize(("reverse", "on_grid", "exact"), [(False, 0.3030, 0.3), (True, 0.2828, 0.28778)])
def test_mixtures_meet_the_argmins_of_the_released_notebook(
    reverse: bool, on_grid: float, exact: float, key: jax.Array
) -> None:
    """(.1, .7, .2) on (t/2, 1 - t, t/2), mixtures of t = 1 and t = 0; the notebook's grid has steps of .0101."""
    ends = np.array([[0.5, 0], [0, 1], [0.5, 0]])
    weights, fit = Mixture(loss=losses.KL, reverse=reverse).fit(
        Rows(ends), np.array([[0.1], [0.7], [0.2]]), key
    )
    assert float(weights[0, 0]) == pytest.approx(exact, abs=1e-5)
    assert abs(float(weights[0, 0]) - on_grid) <= 0.0101 / 2
    assert int(fit.code) == 0


@pytest.mark.parametrize("loss", [losses.LOGISTIC, losses.ITAKURA_SAITO, FOURTH], ids=lambda loss: loss.name)
def test_gain_is_at_least_misfit_for_reverse_projections_on_a_convex_class(loss: Any, key: jax.Array) -> None:
    """1,000 tasks, the sample being the population: equal where no weight is 0; not so for forward ones."""
    rng = np.random.default_rng(4)
    models = jnp.asarray(scipy.special.expit(rng.normal(size=(100, 5)) @ rng.normal(size=(5, 6))))
    strong, others = models[:, :3], models[:, 3:]
    truth = strong @ jnp.asarray(rng.dirichlet(np.ones(3), 1000).T)
    weak = 0.7 * truth + 0.3 * others @ jnp.asarray(rng.dirichlet(np.ones(3), 1000).T)
    deviation = {}
    for reverse in (True, False):
        head = Mixture(loss=loss, reverse=reverse)
        weights, fit = head.fit(Rows(strong), weak, key)
        assert int(fit.code) == 0
        student = head.predict(weights, strong)
        gain = (loss.value(weak, truth) - loss.value(student, truth)).mean(axis=0)
        relative = (gain - loss.between(student, weak).mean(axis=0)) / loss.value(weak, truth).mean(axis=0)
        deviation[reverse] = np.asarray(relative)
        inside = np.asarray(weights).min(axis=0) > 1e-3
        assert 50 < inside.sum() < 950
        if reverse:
            assert abs(relative[inside]).max() < 1e-4
    assert deviation[True].min() > -1e-5 and deviation[True].max() > 1e-3
    assert deviation[False].min() < -1e-2


def test_copies_are_mixed_as_probabilities(key: jax.Array) -> None:
    """Two copies fit a mixture of two logistic functions, which one cannot."""
    x = np.random.default_rng(3).normal(size=(400, 2))
    y = (0.4 * scipy.special.expit(4 * x[:, :1]) + 0.6 * scipy.special.expit(-5 * x[:, 1:] + 1)).repeat(2, 1)
    errors = []
    for copies in (1, 2):
        head = Projected(copies=copies)
        fitted, fit = head.fit(Rows(x), y, key)
        errors.append(float(losses.LOGISTIC.between(head.predict(fitted, x), jnp.asarray(y)).mean()))
        assert int(fit.code) == 0
    assert errors[0] > 1e-2 and errors[1] < 1e-8
    shares = jax.nn.softmax(fitted.mixing[:, 0])
    np.testing.assert_allclose(np.sort(shares), [0.4, 0.6], atol=1e-3)


def test_students_of_a_study_are_compared_pair_by_pair() -> None:
    study = studies.get("yao2025-reverse")
    assert isinstance(study, studies.Study)
    protocol = dataclasses.replace(study.protocol, n_weak=100, n_strong=300, n_eval=500)
    dataset = w2s.sweep(study.world, protocol, pairs=8, axes={"flip": (0.1, 0.3)})
    result = study.analysis(dataset)
    accuracy = {name: dataset[f"{name}_accuracy"].values[..., 0] for name in ("reverse", "forward", "w2s")}
    margin = np.median(accuracy["reverse"] - accuracy["forward"], axis=0)
    np.testing.assert_allclose(result["margin"].sel(of="median"), margin)
    found = result["accuracy"].sel(student="reverse KL, weak model", of="median")
    np.testing.assert_allclose(found, np.median(accuracy["w2s"], axis=0))
    relative = np.median((dataset.deviation / dataset.weak_error).values[..., 0], axis=0)
    found = result["relative_deviation"].sel(student="reverse KL, weak model", of="median")
    np.testing.assert_allclose(found, relative)
    assert margin[0] > 0  # that of 300 rows; at 30% it takes more
    assert study.report(result)["headline"].endswith(f"{margin[1]:+.3f} at 30%")
    assert len(study.figure(result, study.title).axes) == 2


def test_refusals(key: jax.Array) -> None:
    with pytest.raises(w2s.W2SError, match="link='tanh'"):
        Projected(link="tanh")
    with pytest.raises(w2s.W2SError, match=r"clip=0\.5 leaves nothing"):
        Projected(clip=0.5)
    with pytest.raises(
        w2s.W2SError, match=r"clip=0\.1 is for probabilities, not for link='exp': leave it out"
    ):
        Projected(loss=losses.ITAKURA_SAITO, clip=0.1, link="exp")
    for loss, link in ((losses.KL, "exp"), (losses.LOGISTIC, "identity"), (losses.CROSS_ENTROPY, "exp")):
        with pytest.raises(w2s.W2SError, match=f"is of probabilities, which link='{link}' leaves"):
            Projected(loss=loss, link=link)  # beyond 1 its gradient is clipped, and a fit would not move
    with pytest.raises(w2s.W2SError, match="loss='kl' is not a loss: pass one of w2sjax.losses"):
        Mixture(loss="kl")  # type: ignore[arg-type]
    for head in (Mixture, Projected):
        with pytest.raises(w2s.W2SError, match="has no slope to follow"):
            head(loss=losses.ZERO_ONE)
    with pytest.raises(w2s.W2SError, match="are not for link='sigmoid': softmax is for classes"):
        Projected().fit(Rows(X), CLASSES, key)
