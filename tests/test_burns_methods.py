"""Heads trained under cross-entropy, and methods as losses on them: beside NumPy, scikit-learn and one another."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import w2sjax as w2s
from w2sjax.heads import Logistic, Rows, Supervisor, TrainedLogistic, TrainedSoftmax
from w2sjax.heads.base import fit_all
from w2sjax.heads.functions import HeadFunctions
from w2sjax.heads.training import BERNOULLI, Schedule, train
from w2sjax.methods import NAIVE, Confidence, EarlyStopping, Product

RNG = np.random.default_rng(3)
ROWS = Rows(
    jnp.asarray(RNG.normal(size=(60, 3))), truth=jnp.asarray((RNG.random((60, 2)) > 0.5).astype(float))
)
LABELS = jnp.asarray(RNG.random((60, 2)))
HEAD = TrainedLogistic(epochs=4, batch_size=16, learning_rate=0.05)


def parameters(method: Any, head: TrainedLogistic = HEAD) -> np.ndarray:
    key = jax.random.key(0)
    return np.asarray(head.fit_all(ROWS, [LABELS], [key], key, method)[0][0].parameters)


def test_a_step_under_the_confidence_loss_is_that_of_numpy(key: jax.Array) -> None:
    """Half of the batch is above the threshold; the gradient is that of both cross-entropies; AdamW takes its step."""
    head, a, rate, decay = HeadFunctions(3, 0, "relu", 1), 0.7, 0.1, 0.2
    z, start = np.asarray(ROWS.features), RNG.normal(size=(4, 2))
    method = Confidence(alpha=a, warmup=0.0)
    found, curve, _ = train(
        head, Schedule(1, 0, "constant"), ROWS.features, LABELS, jnp.asarray(start), jnp.asarray(rate),
        jnp.asarray(decay), key, method.targets, BERNOULLI,
    )  # fmt: skip
    logits = z @ start[:3] + start[3]
    p, y = 1 / (1 + np.exp(-logits)), np.asarray(LABELS)
    hard = (p > np.median(p, axis=0)).astype(float)
    assert (hard.sum(axis=0) == 30).all()
    loss = sum(
        w * -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(axis=0) for w, t in ((1 - a, y), (a, hard))
    )
    np.testing.assert_allclose(curve[-1], loss, rtol=1e-12)
    gradient = np.vstack([z.T, np.ones((1, 60))]) @ ((1 - a) * (p - y) + a * (p - hard)) / 60
    expected = start - rate * decay * start - rate * gradient / (np.abs(gradient) + 1e-8)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_alpha_0_is_naive_training_bit_by_bit_and_no_warm_up_is_safe() -> None:
    naive = parameters(NAIVE)
    for released in (False, True):
        np.testing.assert_array_equal(parameters(Confidence(alpha=0.0, released=released)), naive)
        moved = parameters(Confidence(alpha=0.5, warmup=0.0, released=released))
        assert np.isfinite(moved).all() and (moved != naive).any()
    np.testing.assert_allclose(parameters(Product(beta=0.0)), naive, rtol=1e-9)


def test_full_batches_without_decay_lead_to_scikit_learn() -> None:
    head = TrainedLogistic(epochs=3000, batch_size=0, learning_rate=0.03, weight_decay=0.0, schedule="cosine")
    hard = jnp.asarray((np.asarray(LABELS) > 0.5).astype(float))
    fitted, _ = head.fit(ROWS, hard, jax.random.key(1))
    found = head.predict(fitted, ROWS.features)
    z = np.asarray(ROWS.features)
    for task in range(2):
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(z, np.asarray(hard)[:, task])
        np.testing.assert_allclose(found[:, task], model.predict_proba(z)[:, 1], atol=1e-5)
    several = TrainedSoftmax(
        classes=2, epochs=3000, batch_size=0, learning_rate=0.03, weight_decay=0.0, schedule="cosine"
    )
    shares = several.predict(
        several.fit(ROWS, jnp.stack([1 - hard, hard], axis=2), jax.random.key(1))[0], ROWS.features
    )
    np.testing.assert_allclose(shares[..., 1], found, atol=1e-5)
    np.testing.assert_allclose(shares.sum(axis=2), 1, rtol=1e-12)


@pytest.mark.parametrize("by", ["accuracy", "cross_entropy"])
@pytest.mark.parametrize("on", ["labels", "truth", "end"])
def test_early_stopping_keeps_the_best_place_of_the_same_run(on: str, by: str) -> None:
    key = jax.random.key(0)
    head = TrainedLogistic(epochs=8, batch_size=16, learning_rate=0.3, learning_curve=True)
    method = EarlyStopping(on=on, by=by, share=0.25)
    (fitted, _), *_ = head.fit_all(ROWS, [LABELS], [key], key, method)
    (whole, _), *_ = head.fit_all(Rows(ROWS.features[:45]), [LABELS[:45]], [key], key, NAIVE)
    np.testing.assert_array_equal(fitted.path, whole.path)
    wanted = np.asarray(ROWS.truth if on == "truth" else LABELS)[45:]
    scores = []
    for place in np.asarray(whole.path):
        p = np.asarray(head.predict(whole.at(jnp.asarray(place)), ROWS.features[45:]))
        losses = -(wanted * np.log(p) + (1 - wanted) * np.log(1 - p))
        scores.append(-losses.mean(0) if by == "cross_entropy" else ((p > 0.5) == (wanted > 0.5)).mean(0))
    best = np.full(2, 31) if on == "end" else np.argmax(scores, axis=0)
    np.testing.assert_array_equal(fitted.stop, (best + 1) / 32)
    for task in range(2):
        np.testing.assert_array_equal(fitted.parameters[:, task], whole.path[best[task], :, task])


def test_supervisors_are_wrong_as_often_as_the_model_and_where_they_should_be() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2000, 4)) * np.array([3.0, 1, 1, 1])
    score = z @ np.array([[0.3, 1.0, 0.5, 0.0], [0.1, 0.0, 1.0, 1.0]]).T
    truth = jnp.asarray((score > 0).astype(float))
    weak = jnp.asarray(np.where(rng.random((2000, 2)) < [0.1, 0.3], 1 - truth, truth))
    sample = Rows(jnp.asarray(z), truth=truth)
    margin = np.abs(score)
    found = {}
    for errors in ("random", "easy", "unconfident", "confident"):
        head = Supervisor(errors=errors)
        fitted, _ = head.fit(sample, weak, jax.random.key(2))
        labels = head.predict(fitted, sample.features, truth)
        found[errors] = np.asarray(labels != truth)
        np.testing.assert_array_equal(found[errors].sum(axis=0), np.asarray(weak != truth).sum(axis=0))
        expert = LogisticRegression().fit(z, found[errors][:, 1])
        learned = expert.predict_proba(z)[:, 1]
        if errors == "random":  # nothing to learn: the predicted rates are near the share
            assert abs(learned - found[errors][:, 1].mean()).max() < 0.15
            assert abs(margin[found[errors][:, 1], 1].mean() / margin[:, 1].mean() - 1) < 0.1
    for task in range(2):
        first = np.abs(np.corrcoef(z[:, 0], found["easy"][:, task])[0, 1])
        assert first > 0.4
        assert (
            margin[found["unconfident"][:, task], task].max()
            < margin[found["confident"][:, task], task].min()
        )


def test_refusals() -> None:
    with pytest.raises(w2s.W2SError, match="needs a head in training"):
        fit_all(Logistic(1e-3), EarlyStopping(), ROWS, [LABELS], [jax.random.key(0)], jax.random.key(0))
    with pytest.raises(w2s.W2SError, match="is an oracle, and the truth on its training rows is not given"):
        HEAD.fit_all(
            Rows(ROWS.features), [LABELS], [jax.random.key(0)], jax.random.key(0), EarlyStopping(on="truth")
        )
    with pytest.raises(w2s.W2SError, match=r"share=0.001 of 60 rows holds out 0: train on more rows"):
        parameters(EarlyStopping(share=0.001))
    with pytest.raises(w2s.W2SError, match="share=1.5 leaves no row to train on"):
        EarlyStopping(share=1.5)
    with pytest.raises(w2s.W2SError, match="do not have classes=3: pass their number"):
        TrainedSoftmax(classes=3).fit_all(ROWS, [LABELS], [], jax.random.key(0))
    with pytest.raises(w2s.W2SError, match="Supervisor needs the truth on its training rows"):
        Supervisor().fit(Rows(ROWS.features), LABELS, jax.random.key(0))
    with pytest.raises(w2s.W2SError, match="errors='hard' is not known"):
        Supervisor(errors="hard")
