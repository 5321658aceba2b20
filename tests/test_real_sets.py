"""The engine beside scikit-learn on every real data set: Ridge to 1e-8, LogisticRegression to 1e-6 in probability."""

import zlib
from typing import Any

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import w2sjax as w2s
from tests.real import DATA
from tests.test_data import check_table
from w2sjax.random.keys import Role, role_key, run_pair_key
from w2sjax.sets import molecules, rows, sentences

pytestmark = DATA

LETTERS = "abcdefghijklmnopqrstuvwxyz!?"
SETS = (*molecules.SETS, *sentences.DOMAINS)
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def molecules_of(name: str) -> Arrays:
    stored = np.load(rows.data_file("molecules", f"minimol_{molecules.SETS[name][0]}.npz"))
    features, target = stored["features"].astype(float), stored["target"].astype(float)
    return features[:, :16], features[:, 16:], np.where(target > np.median(target), 1.0, -1.0)


def sentences_of(name: str) -> Arrays:
    """Counts of letters, and of words by a hash: no encoder is needed."""
    found = sentences.read_sentences(rows.data_file("sentiment", f"{name}.csv"))
    words = np.zeros((len(found.texts), 256))
    for row, own in enumerate(found.texts):
        for word in own.lower().split():
            words[row, zlib.crc32(word.encode()) % 256] += 1
    letters = np.array([[own.lower().count(c) for c in LETTERS] for own in found.texts], float)
    return letters, words, np.where(found.rating > 0, 1.0, -1.0)


@pytest.fixture(scope="module", params=SETS)
def arrays(request: pytest.FixtureRequest) -> Arrays:
    """A weak and a strong representation, standardized, and signs."""
    of = molecules_of if request.param in molecules.SETS else sentences_of
    weak, strong, sign = of(request.param)
    return w2s.data.standardized("weak", weak), w2s.data.standardized("strong", strong), sign


def by_scikit_learn(x: np.ndarray, share: np.ndarray, ridge: float) -> Any:
    """Fit to shares of class 1: each row once as either class, with the share as its weight."""
    model = LogisticRegression(C=1 / (2 * len(x) * ridge), solver="newton-cholesky", tol=1e-12, max_iter=1000)
    y = np.repeat([1, 0], len(x))
    return model.fit(np.concatenate([x, x]), y, sample_weight=np.concatenate([share, 1 - share]))


def test_ridge_equals_scikit_learn(arrays: Arrays) -> None:
    weak, strong, sign = arrays
    check_table({"weak": weak}, {"strong": strong}, sign, 1)


def test_logistic_regression_equals_scikit_learn(arrays: Arrays) -> None:
    """Signs of ratings, and whether a property is above its median; the student is fitted to probabilities."""
    weak, strong, sign = arrays
    world = w2s.worlds.Resampled(features={"weak": weak, "strong": strong}, targets=sign)
    head = w2s.heads.Logistic(1e-2)
    protocol = w2s.Protocol(**world.sizes, tasks=1, head=head, target=w2s.targets.Binary(prior=None))
    key = jax.random.key(5)
    outcome, models = w2s.run_pair(world, protocol, key, return_models=True)
    assert w2s.Flag.FIT_NOT_CONVERGED not in w2s.Flag(int(outcome.status.code))
    drawn = world.draw(role_key(run_pair_key(key), Role.PAIR))
    pools = {split: np.asarray(own) for split, own in drawn.pools.items()}
    train, transfer, test = (pools[split] for split in ("weak", "strong", "eval"))
    np.testing.assert_array_equal(models.predictions["truth"][:, 0], sign[test] > 0)
    teacher = by_scikit_learn(weak[train], (sign[train] > 0).astype(float), 1e-2)
    student = by_scikit_learn(strong[transfer], teacher.predict_proba(weak[transfer])[:, 1], 1e-2)
    ceiling = by_scikit_learn(strong[transfer], (sign[transfer] > 0).astype(float), 1e-2)
    for name, model, x in (("weak", teacher, weak), ("w2s", student, strong), ("ceiling", ceiling, strong)):
        expected = model.predict_proba(x[test])[:, 1]
        np.testing.assert_allclose(models.predictions[name][:, 0], expected, atol=1e-6, err_msg=name)
