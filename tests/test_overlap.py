"""The overlap-density world and its study: beside scikit-learn on the same rows, and beside the published means."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import w2sjax as w2s
from w2sjax import studies
from w2sjax.analysis.overlap import PUBLISHED
from w2sjax.heads import Logistic, Rows
from w2sjax.random.keys import Role, role_key, run_pair_key
from w2sjax.worlds.overlap_density import GROUPS

WORLD = w2s.worlds.OverlapDensity()


def accuracies(pair: Any, n_weak: int, n_strong: int, intercept: bool) -> dict[str, float]:
    """Return what scikit-learn's heads reach, by model and group."""
    weak, strong, tested = (
        pair.rows(s, n) for s, n in (("weak", n_weak), ("strong", n_strong), ("eval", 600))
    )
    x = {s: np.asarray(pair.take("strong", rows)) for s, rows in (("w", weak), ("s", strong), ("e", tested))}
    y = {s: np.asarray(pair.take("target", rows))[:, 0] > 0 for s, rows in (("w", weak), ("e", tested))}
    easy = {s: np.where(np.arange(40) < 20, values, 0) for s, values in x.items()}
    options: dict[str, Any] = {"tol": 1e-10, "max_iter": 10**4}
    first = LogisticRegression(fit_intercept=intercept, **options)
    teacher = first.fit(easy["w"], y["w"])
    student = LogisticRegression(C=0.01, **options).fit(x["s"], teacher.predict(easy["s"]))
    says = {"weak": teacher.predict(easy["e"]), "w2s": student.predict(x["e"])}
    says["ceiling"] = (
        LogisticRegression(fit_intercept=intercept, **options).fit(x["w"], y["w"]).predict(x["e"])
    )
    group = np.arange(600) % 3
    return {
        f"{model}_accuracy_{name}": float((said == y["e"])[group == k].mean())
        for model, said in says.items()
        for k, name in enumerate(GROUPS)
    }


@pytest.mark.parametrize(("name", "sizes"), [("shin2025-overlap", (250, 50)), ("shin2025-easy", (140, 30))])
def test_one_run_is_that_of_scikit_learn(name: str, sizes: tuple[int, int], key: jax.Array) -> None:
    study = studies.get(name)
    assert isinstance(study, studies.Study)
    n_weak, n_strong = sizes
    protocol = dataclasses.replace(study.protocol, n_weak=n_weak, n_strong=n_strong)
    outcome = w2s.run_pair(study.world, protocol, key, metrics=study.metrics)
    pair = study.world.draw(role_key(run_pair_key(key), Role.PAIR))
    expected = accuracies(pair, n_weak, n_strong, intercept=name == "shin2025-overlap")
    assert len(expected) == 9
    for metric, value in expected.items():
        assert float(outcome.values[metric][0]) == pytest.approx(value, abs=1e-12), metric
    overall = np.mean([expected[f"w2s_accuracy_{g}"] for g in GROUPS])
    assert float(outcome.values["w2s_accuracy"][0]) == pytest.approx(overall, abs=1e-12)


def test_rows_show_what_their_group_says(key: jax.Array) -> None:
    world = w2s.worlds.OverlapDensity(first=(("hard", 3), ("overlap", 2)), taught="easy", variance=0.01)
    pair = world.draw(key)
    x = np.asarray(pair.take("strong", pair.rows("weak", 3000)))
    y = np.asarray(pair.take("target", pair.rows("weak", 3000)))
    assert (
        (x[:3, :20] == 0).all()
        and (x[3:5] != 0).all()
        and (x[5:, 20:] == 0).all()
        and (x[5:, :20] != 0).all()
    )
    np.testing.assert_allclose((y * x)[5:, :20].mean(0), pair.center[:20], atol=5 * 0.1 / 3000**0.5)
    assert abs(np.std((y * x)[5:, :20] - np.asarray(pair.center)[:20]) - 0.1) < 0.002
    assert abs(y.mean()) < 5 / 3000**0.5
    np.testing.assert_array_equal(pair.take("strong", pair.rows("weak", 7)), x[:7])  # a prefix
    np.testing.assert_array_equal(pair.take("weak", pair.rows("weak", 7)), x[:7, :20])
    assert (np.asarray(pair.take("group", pair.rows("strong", 5))) == GROUPS.index("easy")).all()
    assert np.asarray(pair.take("group", pair.rows("eval", 5)))[:, 0].tolist() == [0, 1, 2, 0, 1]
    assert not np.isin(x, np.asarray(pair.take("strong", pair.rows("eval", 100)))[1]).any(1).all()
    assert world.counts(40) == {"hard": 3, "overlap": 2, "easy": 35}
    with pytest.raises(w2s.W2SError, match="is not of two groups: pass two of easy, hard, overlap"):
        w2s.worlds.OverlapDensity(first=(("easy", 1), ("easy", 2)))


def test_heads_without_intercept_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4)) + 0.5
    y = (x[:, 0] + rng.logistic(size=80) > 0.3).astype(float)
    for c in (0.1, 10.0):
        head = Logistic(C=c, intercept=False)
        fitted, fit = head.fit(Rows(x), y[:, None])
        expected = LogisticRegression(C=c, fit_intercept=False, tol=1e-12, solver="newton-cg", max_iter=10**4)
        np.testing.assert_allclose(fitted.weights[:, 0, 0], expected.fit(x, y).coef_[0], atol=1e-7)
        assert float(fitted.bias[0, 0]) == 0 and int(fit.code) == 0


def test_labels_of_one_class_do_not_converge() -> None:
    """Without a penalty on the intercept there is no solution, whatever the ridge."""
    x = np.random.default_rng(1).normal(size=(10, 3))
    fitted, fit = Logistic(C=0.01).fit(Rows(x), np.ones((10, 1)))
    assert w2s.Flag(int(fit.code)) == w2s.Flag.FIT_NOT_CONVERGED
    assert np.isfinite(fitted.weights).all() and (Logistic(C=0.01).predict(fitted, x) > 0.99).all()


def test_published_means_are_met() -> None:
    """60 runs at two of the sizes: within four standard errors of the difference, and figure and report are made."""
    study = studies.get("shin2025-overlap")
    assert isinstance(study, studies.Study) and study.pairs == 500
    axes = {"n_weak": (210, 250), "n_strong": (10, 50)}
    result = study.analysis(
        w2s.sweep(study.world, study.protocol, pairs=60, axes=axes, metrics=study.metrics)
    )
    assert result["rows"].values.tolist() == [10, 50]
    np.testing.assert_array_equal(result["published"], PUBLISHED.sel(rows=[10, 50]))
    assert (result["runs"] + result["one_class"] == 60).all()
    assert float(abs(result["distance"]).max()) < 4
    hard = result["mean"].sel(group="hard")
    assert (hard.sel(model="w2s", rows=50) > hard.sel(model="weak", rows=50) + 0.1).all()
    whole = result["mean"].sel(model="w2s", rows=10)
    weights = {"easy": 100 / 210, "hard": 100 / 210, "overlap": 10 / 210}
    expected = sum(float(whole.sel(group=g)) * w for g, w in weights.items())
    assert float(whole.sel(group="all")) == pytest.approx(expected)
    report = study.report(result)
    assert (
        "of the 24 published means" not in report["headline"] and "24 published means" in report["headline"]
    )
    assert len(study.figure(result, study.title).axes) == 4


def test_metrics_by_group_are_refused_where_there_are_none() -> None:
    x, y = np.zeros((3, 60, 2)), np.zeros((3, 60))
    low = w2s.Metric(
        "low", "w2s error", "1", of_sample=lambda p, inside: p["w2s"].mean(1), features=("group",)
    )
    with pytest.raises(w2s.W2SError, match="metric low sees features, which metrics of given arrays do not"):
        w2s.evaluate_features(x[0], y[0], x[1], x[1], x[2], x[2], y[2], metrics=(low,))
    with pytest.raises(w2s.W2SError, match="names holds 'auc', which is no mean"):
        w2s.by_group(w2s.Protocol(), ["auc"], GROUPS)
    for groups in (3, "easy", [0, 1]):
        with pytest.raises(w2s.W2SError, match="are no names: pass a list"):
            w2s.by_group(w2s.Protocol(), ["misfit"], groups)
