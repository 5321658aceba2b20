"""What users bring: a head, metrics, a method and a world, each in one short file, through everything that is ours."""

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import scipy.optimize

import w2sjax as w2s
from tests.user import absolute, huber, smoothing, two_sources
from tests.user.absolute import ABSOLUTE
from tests.user.huber import Huber
from tests.user.smoothing import Smoothing
from tests.user.two_sources import TwoSources
from w2sjax.cli import main
from w2sjax.sweeps.store.writing import Writer

SIZES: dict[str, Any] = {"n_weak": 60, "n_strong": 50, "n_eval": 80, "tasks": 2}
WORLD = TwoSources()
RIDGE = w2s.heads.Ridge(1e-3)
SMOOTHED = (
    w2s.Stage("weak", "weak", "truth", "weak", RIDGE),
    w2s.Stage("w2s", "strong", "weak", "strong", RIDGE, Smoothing(0.3)),
    w2s.Stage("ceiling", "strong", "truth", "strong", RIDGE),
)
CASES: dict[str, dict[str, Any]] = {
    "a head": {"protocol": w2s.Protocol(**SIZES, head=Huber(0.2)), "axes": {"n_strong": [50, 30]}},
    "metrics": {
        "protocol": w2s.Protocol(**SIZES, head=RIDGE),
        "metrics": ABSOLUTE,
        "axes": {"n_strong": [50, 30], "ridge": [1e-3, 0.1]},
    },
    "a method": {"protocol": w2s.Protocol(**SIZES, stages=SMOOTHED), "axes": {"share": [0.0, 0.3]}},
    "a world": {"protocol": w2s.Protocol(**SIZES, head=RIDGE, baseline=True), "axes": {"rare": [0.1, 0.4]}},
}


@pytest.mark.parametrize("module", [huber, absolute, smoothing, two_sources])
def test_each_is_short(module: Any) -> None:
    assert len(inspect.getsource(module).splitlines()) <= 25


@pytest.mark.parametrize("name", CASES)
def test_runs_by_every_door(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pair, a sweep in memory, a store that is stopped and resumed, its summary and its figure."""
    case = CASES[name]
    world = w2s.worlds.PerturbedMLP(width=4, depth=2) if name == "a method" else WORLD
    metrics = case.get("metrics", ())
    outcome = w2s.run_pair(world, case["protocol"], jax.random.key(0), metrics=metrics)
    settings = {"pairs": 6, "axes": case["axes"], "metrics": metrics}
    memory = w2s.sweep(world, case["protocol"], **settings)
    assert set(outcome.values) <= set(memory.data_vars)
    assert all(np.isfinite(memory[name]).all() for name in outcome.values if name != "pgr")
    assert not (memory.status_code.values & int(w2s.Flag.NOT_FINITE)).any()

    path = tmp_path / "a.zarr"
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="power"):
        write, written = Writer.write_item, []

        def stop(self: Writer, *arguments: Any) -> None:
            write(self, *arguments)
            written.append(0)
            if len(written) == 2:
                raise RuntimeError("power failure")

        patch.setattr(Writer, "write_item", stop)
        w2s.sweep(world, case["protocol"], **settings, store=path, chunk_pairs=2)
    assert 0 < w2s.open_store(path).attrs["finished"] < 1
    stored = w2s.sweep(world, case["protocol"], **settings, store=path, chunk_pairs=2)
    assert w2s.open_store(path).attrs["finished"] == 1
    for variable in memory.data_vars:
        np.testing.assert_allclose(stored[variable], memory[variable], rtol=1e-9, atol=1e-15)
        assert stored[variable].attrs == memory[variable].attrs
    summary = json.loads((path / "summary.json").read_text())
    assert set(outcome.values) <= set(summary["cells"][0])

    with pytest.raises(SystemExit) as exit:
        main(["plot", str(path), "--y", "absolute_gain" if metrics else "gain"])
    assert exit.value.code == 0 and (tmp_path / "a.zarr.png").stat().st_size > 10_000


def test_a_head_equals_its_oracle() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.standard_t(2, size=(60, 2))
    fitted = Huber(0.5).fit(w2s.heads.Rows(jax.numpy.asarray(x)), jax.numpy.asarray(y), jax.random.key(0))
    z = np.c_[x, np.ones(60)]
    for task in range(2):
        residual = lambda b, task=task: z @ b - y[:, task]  # noqa: E731
        best = scipy.optimize.least_squares(residual, np.zeros(4), loss="huber", f_scale=0.5, gtol=1e-12)
        np.testing.assert_allclose(fitted[:, task], best.x, atol=1e-5)


def test_metrics_are_means_over_the_evaluation_sample(key: jax.Array) -> None:
    protocol = w2s.Protocol(**SIZES, head=RIDGE)
    outcome, models = w2s.run_pair(WORLD, protocol, key, metrics=ABSOLUTE, return_models=True)
    p = {name: np.asarray(values) for name, values in models.predictions.items()}
    weak, ours = (np.abs(p[name] - p["truth"]).mean(axis=0) for name in ("weak", "w2s"))
    np.testing.assert_allclose(outcome.weak_absolute, weak, rtol=1e-12)
    np.testing.assert_allclose(outcome.absolute_gain, weak - ours, rtol=1e-9)
    np.testing.assert_allclose(outcome.misfit, ((p["w2s"] - p["weak"]) ** 2).mean(axis=0), rtol=1e-9)
    weights, bias = map(np.asarray, models.fitted["w2s"])
    np.testing.assert_allclose(np.asarray(models.features["strong"]) @ weights + bias, p["w2s"], rtol=1e-9)


def test_metrics_have_standard_errors(key: jax.Array) -> None:
    protocol = w2s.Protocol(**SIZES, head=RIDGE, standard_errors=True)
    outcome, models = w2s.run_pair(WORLD, protocol, key, metrics=ABSOLUTE, return_models=True)
    terms = np.abs(np.asarray(models.predictions["weak"] - models.predictions["truth"]))
    np.testing.assert_allclose(
        outcome.spread["weak_absolute"], terms.std(axis=0, ddof=1) / 80**0.5, rtol=1e-9
    )


def test_metrics_of_given_features(key: jax.Array) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 40, 5))
    y = np.sin(x) @ np.ones((5, 2))
    given = (x[0, :, :2], y[0], x[1, :, :2], x[1], x[2, :, :2], x[2], y[2], y[1])
    outcome, models = w2s.evaluate_features(*given, metrics=ABSOLUTE, return_models=True)
    weak = np.abs(models.predictions["weak"] - y[2]).mean(axis=0)
    np.testing.assert_allclose(outcome.weak_absolute, weak, rtol=1e-12)
    trained = w2s.evaluate_features(*given, head=Huber(0.3), weak_head=w2s.heads.Trained(epochs=2), key=key)
    assert np.isfinite(trained.gain).all()


def test_shrunk_labels_shrink_a_linear_head(key: jax.Array) -> None:
    """A ridge head is linear in its labels, so that smoothing them shrinks it towards their mean."""
    stages = [
        *SMOOTHED,
        w2s.Stage("plain", "strong", "weak", "strong", RIDGE),
    ]
    protocol = w2s.Protocol(**SIZES, stages=tuple(stages))
    _, models = w2s.run_pair(WORLD, protocol, key, return_models=True)
    shrunk, plain = (models.fitted[name].weights for name in ("w2s", "plain"))
    np.testing.assert_allclose(shrunk, 0.7 * plain, rtol=1e-9)


def test_trained_heads_ask_a_method_at_every_step(key: jax.Array) -> None:
    head = w2s.heads.Trained(epochs=2, batch_size=10)
    stages = tuple(dataclasses.replace(stage, head=head) for stage in SMOOTHED)
    plain = w2s.run_pair(WORLD, w2s.Protocol(**SIZES, head=head), key)
    ours = w2s.run_pair(WORLD, w2s.Protocol(**SIZES, stages=stages), key)
    np.testing.assert_array_equal(ours.weak_error, plain.weak_error)
    assert (np.asarray(ours.w2s_error) != np.asarray(plain.w2s_error)).all()


def test_evaluation_may_be_of_another_source(key: jax.Array) -> None:
    """The second source is rare in training and common in evaluation: a better trained weak head errs more there."""
    protocol = w2s.Protocol(n_weak=400, n_strong=400, n_eval=400, tasks=20, head=RIDGE)
    shifted = w2s.run_pair(TwoSources(0.02), protocol, key).weak_error
    same = w2s.run_pair(TwoSources(0.5), protocol, key).weak_error
    assert np.median(shifted) > np.median(same)


@dataclasses.dataclass(frozen=True)
class Misshapen:
    needs = "rows"

    def fit(self, sample: Any, labels: Any, key: Any) -> Any:
        return labels.mean(axis=0)

    def predict(self, fitted: Any, features: Any) -> Any:
        return fitted[None, :]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a head of another shape": (
        {"protocol": w2s.Protocol(**SIZES, head=Misshapen())},
        r"the head of stage weak predicts shape \(1, 2\): return \[n, task\], \(60, 2\)",
    ),
    "a metric of an unknown stage": (
        {"metrics": [w2s.Metric("x", "x", "1", lambda p: p["teacher"])]},
        "metric x asks for 'teacher', which is no stage: it has truth, weak, w2s, ceiling",
    ),
    "a metric of another shape": (
        {"metrics": [w2s.Metric("x", "x", "1", lambda p: p["weak"].mean())]},
        "metric x does not return one term per prediction",
    ),
    "a metric with a name that is taken": (
        {"metrics": [w2s.Metric("gain", "x", "1", lambda p: p["weak"])]},
        "metric name 'gain' is taken: choose another",
    ),
    "a metric without a function": (
        {"metrics": [w2s.Metric("x", "x", "1")]},
        "metric x has not one of per_sample, of_means and of_sample: pass one",
    ),
    "a metric of an unknown mean": (
        {"metrics": [w2s.Metric("x", "x", "1", of_means=lambda m: m["teacher_error"])]},
        "metric x asks for 'teacher_error', which is no metric before it: use one of",
    ),
    "a metric without tasks": (
        {"metrics": [w2s.Metric("x", "x", "1", of_means=lambda m: 1.0)]},
        "metric x does not return one value per task",
    ),
    "a metric with the name of a dimension": (
        {"metrics": [w2s.Metric("pair", "x", "1", lambda p: p["weak"])]},
        "metric name 'pair' is that of another part of results",
    ),
    "a metric with the name of an attribute": (
        {"metrics": [w2s.Metric("status", "x", "1", lambda p: p["weak"])]},
        "metric name 'status' is that of another part of results",
    ),
    "a stage on what the world lacks": (
        {
            "protocol": w2s.Protocol(
                **SIZES, stages=(w2s.Stage("weak", "middle", "truth", "weak", w2s.heads.Ridge()),)
            )
        },
        "a stage or metric is on 'middle', which this world does not have",
    ),
    "no metric": ({"metrics": ["gain"]}, "metrics holds 'gain', which is no metric: pass Metric"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, key: jax.Array) -> None:
    arguments, message = REFUSED[name]
    with pytest.raises(w2s.W2SError, match=message):
        w2s.run_pair(WORLD, key=key, **({"protocol": w2s.Protocol(**SIZES)} | arguments))


def test_a_changed_head_is_another_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zarr"
    w2s.sweep(WORLD, CASES["a head"]["protocol"], pairs=2, store=path)
    with pytest.raises(w2s.StoreError, match=r"holds protocol\.head\.delta=0\.2 but this sweep has .*=0\.3"):
        w2s.sweep(WORLD, w2s.Protocol(**SIZES, head=Huber(0.3)), pairs=2, store=path)
    source = inspect.getsource
    changed = lambda code: source(code).replace("0, 60,", "0, 61,")  # noqa: E731
    monkeypatch.setattr(inspect, "getsource", changed)
    with pytest.raises(w2s.StoreError, match="another version of tests.user.huber.Huber"):
        w2s.sweep(WORLD, CASES["a head"]["protocol"], pairs=2, store=path)


def test_files_may_name_what_a_users_module_has(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        """
        pairs = 2
        metrics = ["tests.user.absolute.ABSOLUTE"]
        [world]
        kind = "tests.user.two_sources.TwoSources"
        [protocol]
        n_weak = 60
        n_strong = 50
        n_eval = 80
        tasks = 2
        [protocol.head]
        kind = "tests.user.huber.Huber"
        delta = 0.2
        """
    )
    modules = [
        arg for name in ("absolute", "huber", "two_sources") for arg in ("--module", f"tests.user.{name}")
    ]
    with pytest.raises(SystemExit) as exit:
        main(["sweep", str(file), "--out", str(tmp_path / "a.zarr"), "--quiet", *modules])
    assert exit.value.code == 0
    found = w2s.open_store(tmp_path / "a.zarr")
    expected = w2s.sweep(WORLD, CASES["a head"]["protocol"], pairs=2)
    np.testing.assert_allclose(found.gain, expected.gain, rtol=1e-9)
    assert "absolute_gain" in found
