"""Classes that a user gives: equal to scikit-learn's, from Python and from the command line, or refused."""

import json
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import w2sjax as w2s
from tests.test_classification import SIZES, WORLD
from w2sjax.cli import main
from w2sjax.heads import Logistic
from w2sjax.targets import Binary, Classes


def given(kind: str) -> dict[str, np.ndarray]:
    """Return features and labels of two tasks."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 120, 5))
    scores = x @ rng.normal(size=(5, 2)) + rng.normal(size=(3, 120, 2))
    y = np.digitize(scores, [0] if kind != "several" else [-1, 1])
    if kind == "text":
        y = np.array(["no", "yes"])[y]
    features = {"weak_train": x[0, :, :2], "weak_transfer": x[1, :, :2], "strong_transfer": x[1]}
    features |= {"weak_eval": x[2, :, :2], "strong_eval": x[2]}
    return features | dict(zip(("y_train", "y_transfer", "y_eval"), y, strict=True))


@pytest.mark.parametrize("kind", ["numbers", "text", "several"])
def test_given_classes_equal_scikit_learn(kind: str) -> None:
    arrays = given(kind)
    outcome, models = w2s.evaluate_features(**arrays, return_models=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = {"solver": "newton-cholesky", "tol": 1e-10}
        for task in range(2):
            weak = LogisticRegression(**options).fit(arrays["weak_train"], arrays["y_train"][:, task])
            top = LogisticRegression(**options).fit(arrays["strong_transfer"], arrays["y_transfer"][:, task])
            for name, model, features in (("weak", weak, "weak_eval"), ("ceiling", top, "strong_eval")):
                expected = model.predict_proba(arrays[features])
                ours = models.predictions[name][:, task]
                ours = ours if kind == "several" else np.c_[1 - ours, ours]
                np.testing.assert_allclose(ours, expected, atol=1e-6)
                accuracy = model.score(arrays[features], arrays["y_eval"][:, task])
                assert np.isclose(outcome.values[f"{name}_accuracy"][task], accuracy)


def test_given_classes_of_one_task_and_least_squares() -> None:
    arrays = given("numbers")
    one = {name: a[:, 0] if name.startswith("y_") else a for name, a in arrays.items()}
    outcome = w2s.evaluate_features(**one, head=w2s.heads.Ridge(1e-3))
    assert outcome.w2s_accuracy.shape == () and outcome.w2s_accuracy > 0.6
    soft = {name: a.astype(float) if name.startswith("y_") else a for name, a in one.items()}
    same = w2s.evaluate_features(**soft, head=w2s.heads.Ridge(1e-3))
    assert np.isclose(outcome.gain, same.gain) and "w2s_accuracy" not in same.values


def test_the_command_takes_classes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    np.savez(tmp_path / "a.npz", **given("text"))
    with pytest.raises(SystemExit) as exit:
        main(
            [
                "evaluate",
                str(tmp_path / "a.npz"),
                "--json",
                str(tmp_path / "a.json"),
                "--precision",
                "float64",
            ]
        )
    assert not exit.value.code
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["classes"] == ["no", "yes"] and report["ridge_weak"] is None
    outcome = w2s.evaluate_features(**given("text"))
    objects = {n: a.astype(object) if n.startswith("y") else a for n, a in given("text").items()}
    np.testing.assert_array_equal(w2s.evaluate_features(**objects).w2s_accuracy, outcome.w2s_accuracy)
    objects["y_eval"].flat[3] = None
    with pytest.raises(w2s.W2SError, match="y_eval holds text and None: drop"):
        w2s.evaluate_features(**objects)
    np.testing.assert_allclose(report["w2s_accuracy"], outcome.w2s_accuracy)
    assert "w2s_accuracy" in capsys.readouterr().out


REFUSED = {
    "one class": (
        {"y_train": "ones", "y_transfer": "ones", "y_eval": "ones"},
        "hold one class, 1: pass labels of two",
    ),
    "mixed": ({"y_train": "text"}, "mix text and numbers: pass classes of one kind in all"),
    "many": (
        {"y_train": "many"},
        "hold 1001 different values, more than 1000 classes: pass numbers as astype",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_classes_that_are_refused(name: str) -> None:
    changed, message = REFUSED[name]
    arrays = given("numbers")
    if name == "many":
        arrays = {n: np.resize(a, (1200, *a.shape[1:])) for n, a in arrays.items()}
        arrays["y_train"] = np.arange(2400).reshape(1200, 2) % 1001
    else:
        kinds = {"ones": lambda a: np.ones_like(a), "text": lambda a: a.astype(str)}
        arrays |= {n: kinds[kind](arrays[n]) for n, kind in changed.items()}
    with pytest.raises(w2s.W2SError, match=message):
        w2s.evaluate_features(**arrays)


def test_refusals() -> None:
    with pytest.raises(w2s.W2SError, match="labels are of 3 classes: pass head=Softmax"):
        w2s.evaluate_features(**given("several"), head=w2s.heads.Ridge(1.0))
    numbers = {n: a * 2.0 for n, a in given("numbers").items()}
    with pytest.raises(
        w2s.W2SError, match=r"y_train holds numbers outside \[0, 1\], but the head is for classes"
    ):
        w2s.evaluate_features(**numbers, head=Logistic())
    with pytest.raises(w2s.W2SError, match="the head of stage weak is for classes: pass target=Binary"):
        w2s.Protocol(head=Logistic())
    with pytest.raises(w2s.W2SError, match="label_noise is for labels that are scores: pass Binary"):
        w2s.Protocol(head=Logistic(), target=Binary(), label_noise=0.1)
    with pytest.raises(w2s.W2SError, match=r"prior=\(0\.5, 0\.6, 0\.1\) is not 3 shares"):
        Classes(prior=(0.5, 0.6, 0.1))
    with pytest.raises(w2s.W2SError, match="flip=2 is no share: pass a number of at most 1"):
        Binary(flip=2)
    with pytest.raises(w2s.W2SError, match="target='sign' is not a target: pass one of w2sjax.targets"):
        w2s.Protocol(target="sign")  # type: ignore[arg-type]
    with pytest.raises(
        w2s.W2SError, match=r"labels of shape \(200, 3, 3\) are of several classes: use a head such as"
    ):
        protocol = w2s.Protocol(**SIZES, head=w2s.heads.Ridge(1e-3), target=Classes())
        w2s.run_pair(WORLD, protocol, jax.random.key(0))
