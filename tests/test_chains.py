"""Chains of stages longer than the usual three, and with a baseline, against NumPy on the same draws."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests.oracle import chain_errors, run_alone
from w2sjax.random import normal
from w2sjax.random.keys import pair_key

SEEN = {"tiny": 3, "small": 5, "medium": 8, "large": 11, "target": 12}
"""Coordinates of the inputs that each representation is made of: every one is of better quality than the last."""


@dataclasses.dataclass(frozen=True)
class Nested:
    """Representations of more and more of the inputs; "weak" and "strong" are the smallest and the largest but one."""

    scale: float = 1.0
    weights: Any = None

    def draw(self, key: jax.Array) -> "Nested":
        return dataclasses.replace(self, weights=normal(key, (12, 12)) / 3)

    def features(self, key: jax.Array, n: int) -> dict[str, jax.Array]:
        z = jnp.tanh(self.scale * normal(key, (n, 12)) @ self.weights)
        found = {name: z[:, :width] for name, width in SEEN.items()}
        return found | {"weak": found["tiny"], "strong": found["large"], "rows": z}

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        return normal(key, (tasks, 12)), normal(jax.random.fold_in(key, 1), (tasks,))


@dataclasses.dataclass(frozen=True)
class SolvedRidge:
    """Ridge regression as a head of a user's: by rows."""

    needs = "rows"
    ridge: float = 0.0

    def fit(self, sample: Any, labels: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, y = sample.features, labels
        centred = x - x.mean(axis=0)[None, :]
        penalty = len(x) * self.ridge * jnp.eye(x.shape[1])
        weights = jnp.linalg.solve(centred.T @ centred + penalty, centred.T @ (y - y.mean(axis=0)[None, :]))
        return weights, y.mean(axis=0) - x.mean(axis=0) @ weights

    def predict(self, fitted: tuple[jax.Array, jax.Array], features: jax.Array) -> jax.Array:
        return features @ fitted[0] + fitted[1][None, :]


@dataclasses.dataclass(frozen=True)
class Keeping:
    """A head that is fitted to nothing, and keeps the features that it is given."""

    needs = "rows"

    def fit(self, sample: Any, labels: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        return sample.features, labels

    def predict(self, fitted: tuple[jax.Array, jax.Array], features: jax.Array) -> jax.Array:
        return jnp.zeros((features.shape[0], fitted[1].shape[1]))


WORLD = Nested()
SIZES: dict[str, Any] = {"n_weak": 70, "n_strong": 90, "n_eval": 600, "label_noise": 0.1}
TASKS = {"moments": 60, "labels": 2, "rows": 2}
"""Tasks per pair with which a chain goes each route; by rows for its heads."""


def head(route: str, ridge: float) -> Any:
    return (SolvedRidge if route == "rows" else w2s.heads.Ridge)(ridge)


def four(route: str) -> tuple[w2s.Stage, ...]:
    """Four models, each on a better representation and on labels of the one before, and the ceiling of the last."""
    return (
        w2s.Stage("tiny", "tiny", "truth", "weak", head(route, 1e-3)),
        w2s.Stage("small", "small", "tiny", "strong", head(route, 2e-3)),
        w2s.Stage("medium", "medium", "small", "strong_2", head(route, 3e-3)),
        w2s.Stage("large", "large", "medium", "strong_3", head(route, 4e-3)),
        w2s.Stage("ceiling", "large", "truth", "strong_3", head(route, 4e-3)),
    )


def interleaved(route: str) -> tuple[w2s.Stage, ...]:
    """Models that are fitted on one sample, but not all at once: some wait for others to label it."""
    first, second = head(route, 1e-3), head(route, 1e-2)
    return (
        w2s.Stage("one", "small", "truth", "weak", first),
        w2s.Stage("two", "medium", "one", "strong", first),
        w2s.Stage("three", "small", "two", "weak", first),
        w2s.Stage("four", "medium", "three", "strong", second),
        w2s.Stage("five", "small", "truth", "weak", second),
        w2s.Stage("six", "large", "one", "weak", first),
    )


def usual(route: str, **options: Any) -> dict[str, Any]:
    return {"head": head(route, 1e-3), "weak_head": head(route, 1e-2), "baseline": True} | options


def both(route: str, **options: Any) -> dict[str, Any]:
    """Both chains in one: they share their samples."""
    return {"stages": four(route) + interleaved(route)} | options


CASES = {
    "chains by moments": ("moments", both("moments")),
    "chains by labels, reused": ("labels", both("labels", reuse_inputs=True, n_strong=60)),
    "chains by rows": ("rows", both("rows")),
    "a baseline by moments, reused": ("moments", usual("moments", reuse_inputs=True, n_strong=60)),
    "a baseline by labels": ("labels", usual("labels")),
    "a baseline by rows": ("rows", usual("rows")),
}


def assert_close(found: Any, expected: dict[str, np.ndarray]) -> None:
    """Compare to 1e-9 of the largest error of a task, which everything that is measured is a difference of."""
    scale = np.max([values for name, values in expected.items() if name.endswith("_error")], axis=0)
    for name, values in expected.items():
        ours = np.asarray(found[name])
        assert ours.shape == values.shape
        limit = 1e-9 * (scale if name != "opr" else 1 + values)
        assert (np.abs(ours - values) <= limit).all(), (name, np.max(np.abs(ours - values) / scale))


@pytest.mark.parametrize("case", CASES)
def test_chains_equal_numpy(case: str) -> None:
    route, options = CASES[case]
    protocol = w2s.Protocol(**SIZES | {"tasks": TASKS[route]} | options)
    key = pair_key(jax.random.key(3), 0)
    expected = chain_errors(WORLD, protocol, key)
    outcome = run_alone(WORLD, protocol, key)
    assert set(expected) <= set(outcome.values)
    assert set(outcome.values) - set(expected) <= {"pgr"}
    assert_close(outcome.values, expected)


AXES: dict[str, list[Any]] = {"large.head.ridge": [4e-3, 0.5], "n_strong": [90, 40], "n_weak": [30, 70]}
SWEPT = w2s.Protocol(**SIZES | {"tasks": TASKS["moments"], "stages": four("moments")})


@pytest.fixture(scope="module")
def found() -> xr.Dataset:
    return w2s.sweep(WORLD, SWEPT, pairs=3, axes=AXES, seed=5)


def test_a_sweep_of_a_chain_equals_numpy_in_every_cell(found: xr.Dataset) -> None:
    for place in np.ndindex(2, 2, 2):
        ridge, n_strong, n_weak = (values[i] for values, i in zip(AXES.values(), place, strict=True))
        *others, large, ceiling = SWEPT.stages or ()
        stages = (*others, dataclasses.replace(large, head=head("moments", ridge)), ceiling)
        cell = dataclasses.replace(SWEPT, n_strong=n_strong, n_weak=n_weak, stages=stages)
        for pair in (0, 2):
            expected = chain_errors(WORLD, cell, pair_key(jax.random.key(5), pair))
            chosen = found.isel(pair=pair, **dict(zip(AXES, place, strict=True)))
            assert_close({name: chosen[name].values for name in expected}, expected)


def test_names_of_a_chain_say_whose_student_a_stage_is(found: xr.Dataset) -> None:
    assert found.medium_gain.attrs["long_name"] == "small_error - medium_error"
    assert found.large_misfit.attrs["long_name"].endswith("between large and medium predictions")
    for group in ("tiny", "small", "medium", "large"):
        assert (found[f"status_{group}_rank"] == SEEN[group]).all()
    assert "pgr" not in found and "gain" not in found


def kept(protocol: w2s.Protocol) -> dict[str, np.ndarray]:
    """Return the inputs of the training samples of a chain of heads that keep them, by stage, and of evaluation."""
    _, models = w2s.run_pair(WORLD, protocol, jax.random.key(0), return_models=True)
    found = {name: np.asarray(fitted[0]) for name, fitted in models.fitted.items()}
    return found | {"eval": np.asarray(models.features["rows"])}


def keeping(*splits: str, **options: Any) -> w2s.Protocol:
    stages = tuple(w2s.Stage(split, "rows", "truth", split, Keeping()) for split in splits)
    return w2s.Protocol(**{"n_weak": 700, "n_strong": 600, "n_eval": 80, "tasks": 1} | options, stages=stages)


def test_splits_have_no_input_in_common() -> None:
    splits = ("weak", "strong", "strong_2", "strong_3")
    found = kept(keeping(*splits))
    assert [len(found[name]) for name in splits] == [700, 600, 600, 600]
    rows = np.concatenate(list(found.values()))
    assert len(np.unique(rows[:, 0])) == len(rows)


def test_a_split_does_not_depend_on_which_others_there_are() -> None:
    every, few = kept(keeping("weak", "strong", "strong_2", "strong_3")), kept(keeping("strong_3", "weak"))
    fewer = kept(keeping("strong_3", n_strong=20))
    for name in ("weak", "strong_3", "eval"):
        np.testing.assert_array_equal(every[name], few[name])
    np.testing.assert_array_equal(fewer["strong_3"], every["strong_3"][:20])


def test_reused_inputs_are_those_of_the_first_strong_split_alone() -> None:
    found = kept(keeping("weak", "strong", "strong_2", reuse_inputs=True))
    np.testing.assert_array_equal(found["strong"], found["weak"][:600])
    assert not np.isin(found["strong_2"], found["weak"]).any()


def test_each_split_has_label_noise_of_its_own() -> None:
    """The same target functions, so that labels less the truth are noise: independent, of the scale that was asked."""
    stages = tuple(
        w2s.Stage(split, "rows", "truth", split, Keeping()) for split in ("weak", "strong", "strong_2")
    )
    both = {}
    for noise in (0.0, 0.5):
        protocol = w2s.Protocol(
            n_weak=1000, n_strong=1000, n_eval=50, tasks=1, label_noise=noise, stages=stages
        )
        _, models = w2s.run_pair(WORLD, protocol, jax.random.key(0), return_models=True)
        both[noise] = np.stack([np.asarray(fitted[1])[:, 0] for fitted in models.fitted.values()])
    correlation = np.cov(both[0.5] - both[0.0]) / 0.25
    np.testing.assert_allclose(np.diag(correlation), 1, atol=4 * (2 / 1000) ** 0.5)
    np.testing.assert_allclose(correlation[np.triu_indices(3, 1)], 0, atol=4 / 1000**0.5)
