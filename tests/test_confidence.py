"""The methods of Burns et al. 2023: what they make of a batch, beside NumPy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import w2sjax as w2s
from w2sjax.methods import Confidence, Hard, Product

RNG = np.random.default_rng(0)
LABELS, PREDICTIONS = jnp.asarray(RNG.random((32, 3))), jnp.asarray(RNG.normal(0.5, 1, (32, 3)))


@pytest.mark.parametrize("released", [False, True])
def test_the_threshold_selects_its_share_of_the_batch(released: bool) -> None:
    above = Confidence(alpha=1.0, warmup=0.0, released=released).targets(
        LABELS, PREDICTIONS, jnp.asarray(0.5)
    )
    share = np.asarray(LABELS).mean(axis=0) if released else np.full(3, 0.5)
    for task in range(3):
        threshold = np.sort(PREDICTIONS[:, task])[::-1][round(share[task] * 32) - 1]
        np.testing.assert_array_equal(above[:, task], np.asarray(PREDICTIONS[:, task]) >= threshold)


def test_the_weight_warms_up_in_a_ramp_or_by_a_step() -> None:
    progress = jnp.asarray([0.0, 0.05, 0.1, 0.2, 0.5])
    np.testing.assert_allclose(Confidence(alpha=0.8, warmup=0.2).weight(progress), [0, 0.2, 0.4, 0.8, 0.8])
    released = Confidence(alpha=0.5, warmup=0.1, released=True).weight(progress)
    np.testing.assert_allclose(released, [0, 0.025, 0.05, 0.5, 0.5])
    np.testing.assert_array_equal(Confidence(alpha=0.5, warmup=0.0).weight(progress), 0.5)


def test_gradient_of_the_cross_entropy_is_that_of_both_terms() -> None:
    """In logits, by NumPy: p - target."""
    logits, a = PREDICTIONS, 0.3
    method = Confidence(alpha=a, warmup=0.0)

    def loss(logits: Any) -> Any:
        p = jax.nn.sigmoid(logits)
        target = method.targets(LABELS, jax.lax.stop_gradient(p), jnp.asarray(1.0))
        return w2s.losses.CROSS_ENTROPY.value(p, target).sum()

    p = 1 / (1 + np.exp(-np.asarray(logits)))
    hard = p > np.median(p, axis=0)
    expected = (1 - a) * (p - np.asarray(LABELS)) + a * (p - hard)
    np.testing.assert_allclose(jax.grad(loss)(logits), expected, atol=1e-12)


def test_the_product_is_normalized_and_alone_gives_the_labels() -> None:
    p = jnp.clip(PREDICTIONS, 0.1, 0.9)
    found = Product(alpha=2.0, beta=0.5).targets(LABELS, p)
    y, q = np.asarray(LABELS), np.asarray(p)
    one, zero = y**2 * q**0.5, (1 - y) ** 2 * (1 - q) ** 0.5
    np.testing.assert_allclose(found, one / (one + zero), rtol=1e-12)
    np.testing.assert_allclose(Product(beta=0.0).targets(LABELS, p), LABELS, rtol=1e-12)


def test_hard_labels() -> None:
    np.testing.assert_array_equal(Hard().targets(LABELS), np.asarray(LABELS) > 0.5)
    shares = jnp.asarray(RNG.dirichlet(np.ones(3), (5, 2)))
    found = np.asarray(Hard().targets(shares))
    np.testing.assert_array_equal(found.argmax(axis=2), np.asarray(shares).argmax(axis=2))
    assert (found.sum(axis=2) == 1).all()


def test_refusals() -> None:
    with pytest.raises(w2s.W2SError, match="alpha=2 is no share: pass a number of at most 1"):
        Confidence(alpha=2)
    for method in (Confidence(), Product()):
        with pytest.raises(w2s.W2SError, match="needs the predictions of a head in training"):
            method.targets(LABELS)
