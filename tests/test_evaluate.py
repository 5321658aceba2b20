"""`evaluate_features` against exact decimal arithmetic, scikit-learn and NumPy, and what it refuses.

Most tests share three sets of shapes, since each set takes seconds to compile.
"""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

import w2sjax as w2s
from tests.exact import experiment

QUANTITIES = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation")
TALL: dict[str, Any] = {"n": 60, "weak_width": 6, "strong_width": 12, "tasks": 3}
WIDE: dict[str, Any] = {"n": 16, "weak_width": 20, "strong_width": 24, "tasks": None}
SCALES = (1e-8, 1e8)
RIDGES = (0.0, 1e-12, 1e-4, 1e3)
TOLERANCE = {1.0: 1e-11, 1e6: 1e-9, 1e10: 1e-6}
"""Of weak_error, by condition number: what is promised."""


def features(
    rng: np.random.Generator,
    inputs: dict[str, np.ndarray],
    width: int,
    condition: float,
    scales: tuple[float, float] | None = None,
    degenerate: bool = False,
) -> dict[str, np.ndarray]:
    """Draw linear features with a mean; `degenerate` repeats two columns and makes two constant."""
    dim = inputs["train"].shape[1]
    rank = min(dim, width)
    left = np.linalg.qr(rng.normal(size=(dim, dim)))[0][:, :rank]
    right = np.linalg.qr(rng.normal(size=(width, width)))[0][:rank]
    mixing = left * np.geomspace(1, 1 / condition, rank) @ right
    mean = rng.normal(size=width)
    factors = np.ones(width) if scales is None else rng.permutation(np.geomspace(*scales, width))
    drawn = {split: (x @ mixing + mean) * factors for split, x in inputs.items()}
    for z in drawn.values():
        if degenerate:
            z[:, 1], z[:, 3] = z[:, 0], -2 * z[:, 2]
            z[:, -1], z[:, -2] = 0.1 * factors[-1], 0
    return drawn


def arrays(
    seed: int, n: int, weak_width: int, strong_width: int, tasks: int | None, **kind: Any
) -> dict[str, Any]:
    """Draw the arguments of `evaluate_features`; the truth is non-linear, so that errors are not small."""
    rng = np.random.default_rng(seed)
    inputs = {split: rng.normal(size=(n, strong_width)) for split in ("train", "transfer", "eval")}
    slopes = rng.normal(size=(strong_width, tasks or 1)) / np.sqrt(strong_width)
    truth = {split: 1 + x @ slopes + 0.3 * np.sin(4 * x @ slopes) for split, x in inputs.items()}
    if tasks is None:
        truth = {split: y[:, 0] for split, y in truth.items()}
    weak = features(rng, inputs, weak_width, **kind)
    strong = features(rng, inputs, strong_width, **kind)
    return {
        "weak_train": weak["train"],
        "y_train": truth["train"],
        "weak_transfer": weak["transfer"],
        "strong_transfer": strong["transfer"],
        "weak_eval": weak["eval"],
        "strong_eval": strong["eval"],
        "y_eval": truth["eval"],
        "y_transfer": truth["transfer"],
    }


def run(given: dict[str, Any], ridge: Any, fit_intercept: bool = True) -> Any:
    return w2s.evaluate_features(**given, head=w2s.heads.Ridge(ridge), fit_intercept=fit_intercept)


def largest_difference(outcome: Any, expected: dict[str, np.ndarray]) -> float:
    """Return the largest difference over quantities and tasks, relative to weak_error."""
    differences = [np.abs(np.asarray(getattr(outcome, name)) - expected[name]) for name in QUANTITIES]
    return float(np.max(np.array(differences) / expected["weak_error"]))


KINDS = {
    f"condition-{condition:g}{'-badly-scaled' * bool(scales)}{'-repeated-and-dead' * degenerate}": {
        "condition": condition,
        "scales": scales,
        "degenerate": degenerate,
    }
    for condition, scales, degenerate in itertools.product([1.0, 1e6, 1e10], [None, SCALES], [False, True])
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("shape", [TALL, WIDE], ids=["tall", "wide"])
def test_equals_exact_arithmetic(shape: dict[str, Any], kind: dict[str, Any]) -> None:
    """Tall with a ceiling, wide without."""
    given = arrays(1, **shape, **kind)
    used = {name: given[name] for name in given if name != "y_transfer" or shape is TALL}
    for ridge in RIDGES:
        outcome, expected = run(used, ridge), experiment(given, ridge, True)
        assert bool(np.isnan(outcome.ceiling_error).all()) == (shape is WIDE)
        if shape is WIDE:
            outcome.values["ceiling_error"] = expected["ceiling_error"]
        assert largest_difference(outcome, expected) < TOLERANCE[kind["condition"]]
        assert outcome.gain.shape == given["y_eval"].shape[1:]


run_batch = jax.jit(jax.vmap(functools.partial(run, fit_intercept=False)))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_equals_exact_arithmetic_under_jit_and_vmap_without_intercept(kind: dict[str, Any]) -> None:
    cases = [arrays(seed, **TALL, **kind) for seed in range(len(RIDGES))]
    stacked = {name: jnp.stack([case[name] for case in cases]) for name in cases[0]}
    batch = run_batch(stacked, jnp.array(RIDGES))
    for i, (case, ridge) in enumerate(zip(cases, RIDGES, strict=True)):
        outcome = jax.tree.map(lambda a, i=i: a[i], batch)
        assert largest_difference(outcome, experiment(case, ridge, False)) < TOLERANCE[kind["condition"]]


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 1e3])
def test_equals_scikit_learn(ridge: float) -> None:
    given = arrays(2, **TALL, condition=10.0)
    model = Ridge(alpha=TALL["n"] * ridge, solver="cholesky")
    model.fit(given["weak_train"], given["y_train"])
    labels, by_weak = model.predict(given["weak_transfer"]), model.predict(given["weak_eval"])
    by_w2s = model.fit(given["strong_transfer"], labels).predict(given["strong_eval"])
    by_ceiling = model.fit(given["strong_transfer"], given["y_transfer"]).predict(given["strong_eval"])
    expected = {
        "weak_error": np.mean((by_weak - given["y_eval"]) ** 2, axis=0),
        "w2s_error": np.mean((by_w2s - given["y_eval"]) ** 2, axis=0),
        "ceiling_error": np.mean((by_ceiling - given["y_eval"]) ** 2, axis=0),
        "misfit": np.mean((by_w2s - by_weak) ** 2, axis=0),
    }
    expected["gain"] = expected["weak_error"] - expected["w2s_error"]
    expected["deviation"] = expected["gain"] - expected["misfit"]
    outcome = run(given, ridge)
    assert largest_difference(outcome, expected) < 1e-9
    gap = expected["weak_error"] - expected["ceiling_error"]
    np.testing.assert_allclose(outcome.pgr, np.where(gap > 0, expected["gain"] / gap, np.nan), rtol=1e-6)


def test_minimum_norm_ignores_what_training_never_saw() -> None:
    """A column that is dead in training and alive in evaluation has weight zero, and copies share a weight."""
    given = arrays(3, **TALL, condition=10.0, degenerate=True)
    plain = run(given, 0.0)
    assert int(plain.status.weak_rank) == 2
    assert int(plain.status.strong_rank) == 8
    assert float(plain.status.dropped_effect) == 0
    changed = given | {"strong_eval": given["strong_eval"].copy()}
    changed["strong_eval"][:, -1] += 5.0
    changed["strong_eval"][:, 0] += 7.0
    changed["strong_eval"][:, 1] -= 7.0
    np.testing.assert_allclose(run(changed, 0.0).w2s_error, plain.w2s_error, rtol=1e-12)


def test_same_sample_obeys_pythagoras() -> None:
    """Without ridge, on one sample, and for a target linear in the strong features, gain equals misfit."""
    given = arrays(4, **TALL, condition=10.0)
    weak = given["weak_transfer"]
    strong = np.tile(given["strong_transfer"][:, :6], 2)  # less than the weak model sees, so that it can gain
    truth = strong @ np.random.default_rng(4).normal(size=(TALL["strong_width"], TALL["tasks"]))
    given = given | {"weak_train": weak, "weak_eval": weak, "strong_eval": strong}
    given |= {"strong_transfer": strong, "y_train": truth, "y_transfer": truth, "y_eval": truth}
    outcome = run(given, 0.0)
    np.testing.assert_allclose(outcome.gain, outcome.misfit, rtol=1e-9)
    assert np.all(outcome.gain > 0)


@pytest.mark.parametrize("ridge", [1e-3, 0.1])
def test_derivatives_are_those_of_finite_differences(ridge: float) -> None:
    given = arrays(7, **TALL, condition=10.0)
    gain = jax.jit(lambda ridge: run(given, ridge).gain.sum())
    step = 1e-4 * ridge
    difference = (gain(ridge + step) - gain(ridge - step)) / (2 * step)
    np.testing.assert_allclose(jax.jit(jax.grad(gain))(ridge), difference, rtol=1e-5)


@functools.cache
def good() -> dict[str, Any]:
    return arrays(8, **TALL, condition=10.0)


NAMES = tuple(good())
MISTAKES = {
    "missing": (lambda a: None, "is missing: pass"),
    "wrong rank": (lambda a: a[None], r"has shape \(1, 60, \d+\): pass an array of shape \[n"),
    "nan": (
        lambda a: np.where(np.arange(len(a))[:, None] == 3, np.nan, a),
        r"\(nan\) at row 3, column 0: drop or fill",
    ),
    "infinity": (
        lambda a: np.where(np.arange(len(a))[:, None] == 4, -np.inf, a),
        r"\(-inf\) at row 4, column 0: drop",
    ),
    "empty": (lambda a: a[:0], r"is empty, of shape \(0, \d+\): pass at least one row"),
    "integer": (lambda a: a.astype(int), r"has dtype int64: pass floating numbers, by astype\(float\)"),
    "complex": (lambda a: a + 0j, "has dtype complex128: pass floating numbers, by its real part"),
    "ragged": (lambda a: [[1.0], [1.0, 2.0]], "is not an array: pass floating numbers"),
    "words": (lambda a: "file.npy", "has dtype <U8: pass floating numbers"),
}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "y_transfer"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_refuses_arrays_it_cannot_use(name: str, mistake: str) -> None:
    spoil, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=f"^{name} .*{message}"):
        run(good() | {name: spoil(good()[name])}, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_refuses_arrays_that_do_not_belong_together(name: str) -> None:
    array = good()[name]
    with pytest.raises(ValueError, match=rf"\b{name} .*: pass the same inputs"):
        run(good() | {name: array[:-1]}, 0.0)
    with pytest.raises(ValueError, match=rf"\b{name} .*: pass (features of the same|the same tasks)"):
        run(good() | {name: array[:, :-1]}, 0.0)


@pytest.mark.parametrize("name", ["weak_head", "head"])
@pytest.mark.parametrize("value", [0.1, "ridge", w2s.heads.Ridge, object()])
def test_refuses_what_is_no_head(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}=.* is not a head: pass one of w2sjax.heads"):
        w2s.evaluate_features(**good(), **{name: value})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "squared"}, "loss='squared' is not a loss"),
        ({"method": w2s.methods.Hard}, "method=.*Hard.* is not a method"),
        ({"key": 0}, "key is not a typed key: pass jax.random.key"),
    ],
)
def test_refuses_what_is_no_loss_method_or_key(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(w2s.W2SError, match=f"^{message}"):
        w2s.evaluate_features(**good(), **arguments)


@pytest.mark.parametrize("value", [-1e-3, float("nan"), float("inf"), "1", None, [0.0, 1.0], 1j])
def test_refuses_ridges_it_cannot_use(value: Any) -> None:
    with pytest.raises(ValueError, match="^ridge=.*: pass"):
        w2s.heads.Ridge(value)


def test_refuses_an_intercept_that_is_no_boolean() -> None:
    with pytest.raises(ValueError, match="fit_intercept=1 is not a boolean"):
        w2s.evaluate_features(**good(), fit_intercept=1)  # type: ignore[arg-type]
