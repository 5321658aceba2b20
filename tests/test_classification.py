"""Chains on classes: target functions, every metric beside its definition, and sweeps."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

import w2sjax as w2s
from w2sjax.engine import classification as c
from w2sjax.heads import Logistic, Softmax
from w2sjax.sweeps.configuration import load_configuration
from w2sjax.targets import Binary, Classes

WORLD = w2s.worlds.PerturbedMLP(width=6, depth=2)
SIZES: dict[str, Any] = {"n_weak": 200, "n_strong": 300, "n_eval": 700, "tasks": 3}
EPS = float(np.finfo(float).eps)
BINARY = w2s.Protocol(**SIZES, head=Logistic(1e-3), target=Binary(prior=0.3, flip=0.1), baseline=True)
SEVERAL = w2s.Protocol(**SIZES, head=Softmax(1e-3), target=Classes(count=3), loss=w2s.losses.CROSS_ENTROPY)


@pytest.fixture(scope="module")
def binary() -> Any:
    return jax.device_get(w2s.run_pair(WORLD, BINARY, jax.random.key(0), return_models=True))


@pytest.fixture(scope="module")
def several() -> Any:
    return jax.device_get(w2s.run_pair(WORLD, SEVERAL, jax.random.key(0), return_models=True))


def test_metrics_of_two_classes_are_scikit_learns(binary: Any) -> None:
    outcome, models = binary
    for task in range(3):
        p = {name: values[:, task] for name, values in models.predictions.items()}
        truth = p["truth"]
        assert set(np.unique(truth)) == {0, 1}
        for name in ("weak", "w2s", "ceiling", "baseline"):
            values = {what: outcome.values[f"{name}_{what}"][task] for what in ("accuracy", "auc")}
            assert np.isclose(values["accuracy"], np.mean((p[name] > 0.5) == truth))
            assert np.isclose(values["auc"], sklearn.metrics.roc_auc_score(truth, p[name]))
            loss = sklearn.metrics.log_loss(truth, p[name])
            assert np.isclose(outcome.values[f"{name}_cross_entropy"][task], loss)
            assert np.isclose(outcome.values[f"{name}_calibration_error"][task], calibration(truth, p[name]))
            assert np.isclose(outcome.values[f"{name}_error"][task], np.mean((p[name] - truth) ** 2))
        predicted = {name: values > 0.5 for name, values in p.items()}
        same, right = (predicted["w2s"] == predicted[name] for name in ("weak", "truth"))
        teacher_right = predicted["weak"] == predicted["truth"]
        expected = {
            "agreement": same.mean(),
            "agreement_on_right": same[teacher_right].mean(),
            "agreement_on_wrong": same[~teacher_right].mean(),
            "errors_inherited": (same & ~teacher_right).mean(),
            "errors_corrected": (right & ~teacher_right).mean(),
            "errors_introduced": (~right & teacher_right).mean(),
        }
        assert expected == pytest.approx({name: outcome.values[name][task] for name in expected})
    weak, ours, top = (outcome.values[f"{name}_auc"] for name in ("weak", "w2s", "ceiling"))
    np.testing.assert_allclose(outcome.auc_pgr, np.where(top > weak, (ours - weak) / (top - weak), np.nan))
    errors = 1 - outcome.baseline_accuracy, 1 - outcome.w2s_accuracy
    np.testing.assert_allclose(outcome.accuracy_opr, errors[0] / errors[1])


def calibration(truth: np.ndarray, p: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error, bin by bin."""
    confidence = np.maximum(p, 1 - p)
    right, bin_of = (p > 0.5) == truth, np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(right[bin_of == b].mean() - confidence[bin_of == b].mean()) for b in np.unique(bin_of)]
    return float(np.average(gaps, weights=[np.mean(bin_of == b) for b in np.unique(bin_of)]))


def test_metrics_of_several_classes_are_scikit_learns(several: Any) -> None:
    outcome, models = several
    assert models.predictions["w2s"].shape == (700, 3, 3)
    np.testing.assert_allclose(models.predictions["truth"].mean(axis=0), 1 / 3, atol=0.06)
    for task in range(3):
        p = {name: values[:, task] for name, values in models.predictions.items()}
        truth = p["truth"].argmax(axis=1)
        for name in ("weak", "w2s", "ceiling"):
            assert np.isclose(outcome.values[f"{name}_accuracy"][task], np.mean(p[name].argmax(1) == truth))
            roc = sklearn.metrics.roc_auc_score(truth, p[name], multi_class="ovr")
            assert np.isclose(outcome.values[f"{name}_auc"][task], roc)
            loss = sklearn.metrics.log_loss(truth, p[name])
            assert np.isclose(outcome.values[f"{name}_error"][task], loss)
        ours, theirs = (np.clip(p[name], EPS, 1 - EPS) for name in ("w2s", "weak"))  # rounding
        kl = np.sum(ours * np.log(ours / theirs), axis=1).mean()
        assert np.isclose(outcome.misfit[task], kl)
        wrong = p["weak"].argmax(1) != truth
        inherited = np.mean(wrong & (p["w2s"].argmax(1) == p["weak"].argmax(1)))
        assert np.isclose(outcome.errors_inherited[task], inherited)


def test_capa_is_0_for_independent_models_and_1_for_equal_sure_ones() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((1, 100_000)) < 0.5).astype(float)
    inside = np.ones(100_000, bool)
    first, second = (np.where(rng.random(truth.shape) < right, truth, 1 - truth) for right in (0.8, 0.7))
    assert abs(c.capa(first, second, truth, inside)[0]) < 4 * 0.5 / (1 - 0.62) / 100_000**0.5
    assert np.isclose(c.capa(first, first, truth, inside)[0], 1)


def test_auc_counts_ties_half_and_leaves_out_what_is_outside() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 6, (2, 200)) / 5, (rng.random((2, 200)) < 0.4).astype(float)
    inside = np.arange(200) < 150
    for convert in (np.asarray, jnp.asarray):
        found = c.auc(*map(convert, (scores, truth, inside)))
        expected = [sklearn.metrics.roc_auc_score(truth[i, :150], scores[i, :150]) for i in range(2)]
        np.testing.assert_allclose(found, expected)
    assert np.isnan(c.auc(scores, np.zeros_like(truth), inside)).all()


def test_targets_have_their_priors_flips_and_temperature() -> None:
    rng = np.random.default_rng(0)
    scores = jnp.asarray(rng.normal(3, 10, (40_000, 2)))
    unit = jnp.asarray(rng.random((40_000, 2)))
    target = Binary(prior=0.2, flip=0.3, flip_to_one=0.05)
    truth = target.truth(target.prepare(scores[:2000]), scores)
    np.testing.assert_allclose(truth.mean(axis=0), 0.2, atol=4 * (0.16 / 2000) ** 0.5)
    changed = np.asarray(target.spoil(truth, unit) != truth)
    assert np.isclose(changed[truth == 1].mean(), 0.3, atol=0.02)
    assert np.isclose(changed[truth == 0].mean(), 0.05, atol=0.01)
    soft = Binary(temperature=0.5)
    standard = (scores - jnp.median(scores[:2000], axis=0)[None]) / scores[:2000].std(axis=0)[None]
    found = soft.truth(soft.prepare(scores[:2000]), scores)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-2 * np.asarray(standard))), atol=1e-12)
    several = Classes(count=4, prior=(0.1, 0.2, 0.3, 0.4), flip=0.3)
    scores = jnp.asarray(rng.normal(size=(40_000, 8)) * np.arange(1, 9))
    truth = several.truth(several.prepare(scores[:4000]), scores)
    np.testing.assert_allclose(truth.mean(axis=0), [[0.1, 0.2, 0.3, 0.4]] * 2, atol=0.03)
    spoiled = several.spoil(truth, unit)
    assert np.isclose((spoiled != truth).any(axis=2).mean(), 0.3, atol=0.01)
    moved = np.asarray(spoiled.argmax(2) - truth.argmax(2))[np.asarray((spoiled != truth).any(axis=2))] % 4
    np.testing.assert_allclose(np.bincount(moved, minlength=4)[1:] / moved.size, 1 / 3, atol=0.02)


def test_flips_are_of_training_labels_alone(binary: Any) -> None:
    protocol = dataclasses.replace(BINARY, target=Binary(prior=0.3, flip=1e-9))
    clean = w2s.run_pair(WORLD, protocol, jax.random.key(0), return_models=True)[1]
    np.testing.assert_array_equal(clean.predictions["truth"], binary[1].predictions["truth"])
    assert (np.abs(clean.fitted["weak"].weights) > np.abs(binary[1].fitted["weak"].weights)).mean() > 0.7


def test_degenerate_cases_are_flagged() -> None:
    """A prior near 1 and a large ridge: the models are constant, and nothing is to be recovered."""
    protocol = dataclasses.replace(BINARY, head=Logistic(1e6), target=Binary(prior=0.97, flip=0.1))
    outcome, _ = w2s.run_pair(WORLD, protocol, jax.random.key(0), return_models=True)
    flags = w2s.Flag(int(outcome.status.code))
    assert flags & w2s.Flag.CONSTANT_TEACHER and flags & w2s.Flag.NO_GAP and flags & w2s.Flag.AT_CHANCE
    assert not flags & w2s.Flag.NOT_FINITE
    assert np.isnan(outcome.accuracy_pgr).all()
    assert (np.asarray(outcome.constant_teacher) == 1).all()


def test_sweeps_with_a_store_hold_the_same(tmp_path: Path) -> None:
    axes = {"flip": [0.1, 0.4]}
    settings: dict[str, Any] = {"pairs": 2, "axes": axes}
    memory = w2s.sweep(WORLD, BINARY, **settings)
    stored = w2s.sweep(WORLD, BINARY, **settings, store=tmp_path / "a.zarr", chunk_pairs=1)
    for name in ("w2s_accuracy", "w2s_auc", "accuracy_pgr", "capa", "agreement_on_wrong", "status_code"):
        np.testing.assert_allclose(stored[name], memory[name], rtol=1e-9)
    assert memory.w2s_auc.attrs["long_name"] == "area under the ROC curve of the w2s model"
    accuracy = memory.weak_accuracy.mean(("pair", "task"))
    assert accuracy.sel(flip=0.4) < accuracy.sel(flip=0.1)


def test_files_name_heads_and_targets(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        """
        pairs = 2
        world = {width = 6, depth = 2}
        [protocol]
        n_weak = 200
        n_strong = 300
        n_eval = 700
        tasks = 3
        baseline = true
        [protocol.head]
        kind = "Logistic"
        ridge = 1e-3
        [protocol.target]
        kind = "Binary"
        prior = 0.3
        flip = 0.1
        [axes]
        flip = [0.0, 0.2]
        """
    )
    found = load_configuration(file)
    assert found.protocol == BINARY and found.axes == {"flip": [0.0, 0.2]}
