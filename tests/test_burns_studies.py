"""Worlds and studies of weak-to-strong classification: what must hold of students whatever the numbers."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from w2sjax import Stage, analysis, figures, studies
from w2sjax.heads import Logistic, Supervisor, TrainedLogistic
from w2sjax.methods import EarlyStopping
from w2sjax.worlds import Adapted, Joined, NestedFeatures

HEAD = Logistic(1e-5)


def test_representations_are_nested_and_of_one_quality_one(key: jax.Array) -> None:
    world = NestedFeatures(dim=8, weak_features=3, strong_features=3, noise=0.5)
    pair = world.draw(key)
    x = pair.inputs(key, 4000, "weak")
    target, weak, strong = (np.asarray(pair.represent(name, x)) for name in ("target", "weak", "strong"))
    np.testing.assert_array_equal(weak, strong)
    np.testing.assert_array_equal(weak[:, :3], pair.represent("first_3", x))
    assert (weak[:, 3:] == 0).all()
    error = (weak - target)[:, :3] / np.arange(1, 4) ** -0.5
    np.testing.assert_allclose(error.std(axis=0), 0.5 * (8 / 3 - 1) ** 0.5, rtol=5 / 8000**0.5)
    np.testing.assert_array_equal(pair.represent("first_8", x), target)
    exact = dataclasses.replace(world, noise=0.0).draw(key)
    np.testing.assert_array_equal(exact.represent("weak", x)[:, :3], target[:, :3])
    with pytest.raises(
        w2s.W2SError, match="a stage is on 'first_9': this world has target, weak, strong and"
    ):
        pair.represent("first_9", x)


@dataclasses.dataclass(frozen=True)
class ByFeatures:
    """A world of the other kind, which draws features at once."""

    def draw(self, key: jax.Array) -> "ByFeatures":
        return self

    def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        x = jax.random.normal(key, (n, 3)) @ jnp.asarray([[2.0, 0, 0], [1, 0.1, 0], [0, 0, 1]]) + 5
        return x, x[:, :1], x


def test_adaptation_whitens_whatever_way_a_pair_draws(key: jax.Array) -> None:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(900, 4)) @ rng.normal(size=(4, 4)) + 3
    table = w2s.worlds.Resampled(features={"weak": mixed[:, :1], "strong": mixed}, targets=mixed[:, 0])
    pair = Adapted(world=table, rows=400).draw(key)
    rows = pair.rows("strong", 400)
    found, strong = np.asarray(pair.take("adapted", rows)), np.asarray(pair.take("strong", rows))
    np.testing.assert_allclose(found.T @ found / 400, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
    cut = Adapted(world=table, rows=400, dim=2, whiten=False).draw(key).take("adapted", rows)
    left = np.linalg.svd(strong - strong.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(np.linalg.svd(cut, compute_uv=False), left[:2], rtol=1e-9)
    with pytest.raises(w2s.W2SError, match="dim=5 is more than the 4 features of 'strong'"):
        Adapted(world=table, rows=400, dim=5).draw(key)

    for world in (NestedFeatures(dim=6, strong_features=6, weak_features=2), ByFeatures()):
        stages = (
            Stage("weak", "weak", "truth", "weak", w2s.heads.Ridge()),
            Stage("w2s", "strong", "weak", "strong", w2s.heads.Ridge()),
            Stage("adapted", "adapted", "weak", "strong", w2s.heads.Ridge()),
        )
        protocol = w2s.Protocol(n_weak=50, n_strong=60, n_eval=40, tasks=2, stages=stages)
        outcome = w2s.run_pair(Adapted(world=world), protocol, key)  # linear heads do not mind
        np.testing.assert_allclose(outcome.adapted_error, outcome.w2s_error, rtol=1e-6)


def sweep_of(world: Any, stages: tuple[Stage, ...], axes: dict[str, Any], **sizes: Any) -> xr.Dataset:
    protocol = w2s.Protocol(**sizes, stages=stages, target=w2s.targets.Binary())
    return analysis.recovery(w2s.sweep(world, protocol, pairs=8, axes=axes))


def test_imitation_recovers_nothing_random_flips_nearly_all_and_the_diagonal_is_shown() -> None:
    """At noise 0 the student simulates the weak model exactly; on the diagonal its representation is the weak one."""
    world = Joined(world=NestedFeatures(dim=8, weak_features=2, strong_features=8))
    stages = (
        Stage("weak", "weak", "truth", "weak", HEAD),
        Stage("w2s", "strong", "weak", "strong", HEAD),
        Stage("imitation", "joined", "weak", "strong", HEAD),
        Stage("flips", "strong", "weak", "strong", Supervisor()),
        Stage("of_flips", "strong", "flips", "strong", HEAD),
        Stage("ceiling", "strong", "truth", "strong", HEAD),
    )
    axes = {"noise": [0.0, 0.5], "strong_features": [2, 8]}
    sizes = {"n_weak": 300, "n_strong": 16000, "n_eval": 2000, "tasks": 3}
    result = sweep_of(world, stages, axes, **sizes).sel(of="median")
    pgr = result["pgr"]
    strong, diagonal = (pgr.sel(strong_features=k) for k in (8, 2))
    assert float(abs(strong.sel(student="imitation")).max()) < 0.02
    assert float(abs(strong.sel(student="w2s", noise=0.0))) < 0.02
    assert float(strong.sel(student="w2s", noise=0.5)) > 0.1
    assert float(strong.sel(student="of_flips").min()) > 0.85
    same = result.sel(strong_features=2, student="w2s")
    assert float(same["agreement"].min()) > 0.99
    np.testing.assert_allclose(same["accuracy"], same["supervisor_accuracy"], atol=0.01)
    assert diagonal.sizes["noise"] == 2  # it is there, as a number or as no gap
    flips = result.sel(student="of_flips")["supervisor_accuracy"]
    np.testing.assert_allclose(flips, result.sel(student="w2s")["supervisor_accuracy"], atol=0.03)


@pytest.fixture(scope="module")
def overfitting() -> tuple[xr.Dataset, xr.Dataset]:
    """A small version of the study, and its result."""
    study = studies.get("burns2023-overfitting")
    assert isinstance(study, studies.Study)
    curve, plain = (
        TrainedLogistic(epochs=20, batch_size=32, learning_rate=0.03, weight_decay=0.0, learning_curve=on)
        for on in (True, False)
    )
    stages = (
        study.protocol.chain()[0],
        Stage("w2s", "strong", "weak", "strong", curve),
        Stage("ended", "strong", "weak", "strong", plain, EarlyStopping(on="end", share=0.4)),
        Stage("oracle", "strong", "weak", "strong", plain, EarlyStopping(on="truth", share=0.4)),
        Stage("ceiling", "strong", "truth", "strong", plain),
    )
    protocol = dataclasses.replace(
        study.protocol, stages=stages, n_weak=100, n_strong=300, n_eval=600, tasks=6
    )
    dataset = w2s.sweep(study.world, protocol, pairs=8, axes={"weak_features": [4, 8]})
    return dataset, study.analysis(dataset)


def test_the_learning_curve_ends_at_the_metric_and_rises_and_falls(overfitting: Any) -> None:
    dataset, _ = overfitting
    curve = dataset["w2s_accuracy_learning_curve"]
    assert curve.dims == ("pair", "weak_features", "task", "progress")
    np.testing.assert_allclose(curve.isel(progress=-1), dataset["w2s_accuracy"], rtol=1e-9)
    agreement = dataset["agreement_learning_curve"].isel(progress=-1)
    np.testing.assert_allclose(agreement, dataset["agreement"], rtol=1e-9)
    mean = curve.mean(("pair", "task"))
    assert (mean.max("progress") > mean.isel(progress=-1) + 0.01).all()
    assert (mean.max("progress") > mean.isel(progress=0) + 0.01).all()


def test_stopping_on_the_truth_does_not_lose_to_the_end_of_training(overfitting: Any) -> None:
    dataset, _ = overfitting
    gain = (dataset["oracle_accuracy"] - dataset["ended_accuracy"]).mean("task")
    error = gain.std("pair") / gain.sizes["pair"] ** 0.5
    assert (gain.mean("pair") > -error).all()
    assert float(gain.mean()) > 0


def test_the_result_is_reported_and_drawn(overfitting: Any) -> None:
    dataset, result = overfitting
    pair_pgr = (dataset["w2s_accuracy"] - dataset["weak_accuracy"]).mean("task") / (
        dataset["ceiling_accuracy"] - dataset["weak_accuracy"]
    ).mean("task")
    expected = np.median(pair_pgr.sel(weak_features=4))
    found = result["pgr"].sel(student="w2s", weak_features=4)
    np.testing.assert_allclose(found.sel(of="median"), expected, rtol=1e-9)
    assert float(found.sel(of="low")) <= expected <= float(found.sel(of="high"))
    report = analysis.recovery_report(result)
    assert set(report["pgr"]) == {"w2s", "ended", "oracle"}
    for draw in (figures.overfitting_figure, figures.recovery_figure):
        assert draw(result, "title").axes[0].lines


def test_maps_show_every_cell_with_a_gap() -> None:
    coords = {
        "student": ["w2s", "confidence"], "weak_features": [4, 8], "strong_features": [4, 8], "n_strong": [100],
        "of": ["median", "low", "high"],
    }  # fmt: skip
    shape = tuple(len(values) for values in coords.values())
    values = np.random.default_rng(0).random(shape)
    values[:, 1, 0] = np.nan  # the weak model has more features
    result = xr.Dataset({"pgr": (tuple(coords), values)}, coords, {"pairs": 8, "tasks": 2})
    figure = figures.pgr_maps(result, "title")
    assert [len(axes.texts) for axes in figure.axes[:2]] == [3, 3]


def plain(study: Any) -> list[dict[str, Any]]:
    """Return the stages of a study as its Dataset has them."""
    names = ("name", "features", "labels", "split")
    return [
        {n: getattr(stage, n) for n in names} | {"head": {"kind": type(stage.head).__name__}}
        for stage in study.protocol.chain()
    ]


def test_chains_of_students_have_the_weak_model_as_supervisor() -> None:
    study = studies.get("burns2023-bootstrapping")
    found = analysis.students_of(plain(study))
    assert found["bootstrapped"] == ("second", "weak", "ceiling")
    assert found["first"] == ("weak", "weak", "ceiling")
    found = analysis.students_of(plain(studies.get("burns2023-adaptation")))
    assert found["whitened"] == ("weak", "weak", "whitened_ceiling")
    found = analysis.students_of(plain(studies.get("burns2023-supervisors")))
    assert found["of_easy"] == ("easy", "easy", "ceiling")


def test_methods_on_given_features_and_what_they_lack() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 200, 4))
    y = x @ np.ones(4) > 0
    given = (x[0, :, :2], y[0], x[1, :, :2], x[1], x[2, :, :2], x[2], y[2])
    head = TrainedLogistic(epochs=10, batch_size=32, learning_rate=0.05, learning_curve=True)
    oracle = EarlyStopping(on="truth", by="cross_entropy")
    outcome = w2s.evaluate_features(*given, y[1], head=head, weak_head=HEAD, method=oracle)
    assert float(outcome.w2s_accuracy) > 0.6
    assert outcome.learning["w2s_accuracy"].shape == (32,)
    with pytest.raises(w2s.W2SError, match='pass y_transfer, or on="labels"'):
        w2s.evaluate_features(*given, head=head, weak_head=HEAD, method=oracle)
    with pytest.raises(w2s.W2SError, match="EarlyStopping needs a head in training"):
        w2s.evaluate_features(*given, y[1], head=HEAD, method=oracle)
