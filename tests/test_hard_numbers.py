"""Perfect fits, constants, tiny and large scales, offsets, and every size from one: right, or flagged."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import w2sjax as w2s
from w2sjax import analysis, theory
from w2sjax.linalg import column_norms, shifted_cholesky
from w2sjax.random.draws import normal, random_bits

SERIOUS = int(w2s.Flag.ERROR_BELOW_ROUNDING)
BLURRED = int(w2s.Flag.FEATURE_BELOW_ROUNDING)


@pytest.fixture(params=[True, False], ids=["float64", "float32"], autouse=True)
def precision(request: pytest.FixtureRequest) -> Any:
    with jax.enable_x64(request.param):
        yield request.param


class EitherPair(NamedTuple):
    """One pair with ReLU and one with tanh, of which one is seen."""

    relu: Any
    tanh: Any
    first: jax.Array

    def inputs(self, key: jax.Array, n: int, split: str) -> jax.Array:
        inputs: jax.Array = self.relu.inputs(key, n, split)
        return inputs

    def represent(self, name: str, inputs: jax.Array) -> jax.Array:
        return jnp.where(self.first, self.relu.represent(name, inputs), self.tanh.represent(name, inputs))


@dataclasses.dataclass(frozen=True)
class Either:
    """Networks of one layer: half of the pairs have ReLU, half tanh, in one program."""

    width: int

    def draw(self, key: jax.Array) -> EitherPair:
        networks = [
            w2s.worlds.PerturbedMLP(width=self.width, depth=1, input_dim=1, activation=name).draw(key)
            for name in ("relu", "tanh")
        ]
        return EitherPair(*networks, random_bits(key, (1,))[0] % 2 == 0)


@pytest.mark.parametrize("width", [1, 3])
def test_small_worlds_are_finite_in_every_size(width: int) -> None:
    sizes = [1, 2, 3, 40, 700]
    axes = {"n_weak": sizes, "n_strong": sizes, "n_eval": [1, 60]}
    ds = w2s.sweep(Either(width), w2s.Protocol(tasks=2), pairs=128, axes=axes)
    for name in ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation"):
        assert np.isfinite(ds[name].values).all(), name
    assert not (ds.status_code.values & int(w2s.Flag.NOT_FINITE)).any()


@pytest.mark.parametrize("size", [1, 2, 3, 17])
def test_no_rounding_keeps_a_matrix_from_a_factor(size: int) -> None:
    ones = jnp.ones((size, size))
    for matrix in (ones, ones - 1e-3 * jnp.eye(size), jnp.zeros((size, size)), -0.5 * ones):
        factor = shifted_cholesky(matrix, jnp.ones(size), 0.0, 1e-15)
        assert np.isfinite(factor).all() and (np.diag(factor) > 0).all()
    assert np.isnan(np.diag(shifted_cholesky(jnp.nan * ones, jnp.ones(size), 0.0, 1e-15))).all()


def given(seed: int, scale: float = 1.0, dtype: Any = float) -> dict[str, np.ndarray]:
    """Features of which the weak and the strong ones hold the truth, y = sum of the weak ones + 1."""
    strong = np.random.default_rng(seed).normal(size=(3, 40, 5)) * scale
    weak = strong[..., :3]
    y = weak @ np.ones(3) + 1
    named = {"weak_train": weak[0], "y_train": y[0], "weak_transfer": weak[1], "strong_transfer": strong[1]}
    named |= {"weak_eval": weak[2], "strong_eval": strong[2], "y_eval": y[2], "y_transfer": y[1]}
    return {name: values.astype(dtype) for name, values in named.items()}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("intercept", [True, False])
def test_perfect_fits_of_given_features_are_flagged(seed: int, intercept: bool) -> None:
    arrays = given(seed)
    if not intercept:
        arrays |= {name: values - 1 for name, values in arrays.items() if name.startswith("y")}
    outcome = w2s.evaluate_features(**arrays, fit_intercept=intercept)
    assert int(outcome.status.code) & SERIOUS and np.isnan(outcome.pgr)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3.0])
def test_constant_labels_are_flagged(value: float) -> None:
    arrays = given(0) | {name: np.full(40, value) for name in ("y_train", "y_eval", "y_transfer")}
    outcome = w2s.evaluate_features(**arrays)
    assert int(outcome.status.code) & SERIOUS and np.isnan(outcome.pgr)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["scale", "offset", "slope", "rare"], meta_fields=[]
)
@dataclasses.dataclass(frozen=True)
class Linear:
    """All three representations are one, times a scale and beside an offset; heads may be constant."""

    scale: float = 1.0
    offset: float = 0.0
    slope: float = 1.0
    rare: float = 0.0

    def draw(self, key: jax.Array) -> "Linear":
        return self

    def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        x = normal(key, (n, 4))
        x = jnp.concatenate([x[:, :3], self.rare * (x[:, 3:] > 1.8).astype(x.dtype) + 0.1], axis=1)
        x = self.scale * x + self.offset
        return x, x[:, :2], x

    def heads(self, key: jax.Array, tasks: int) -> tuple[jax.Array, jax.Array]:
        return jnp.full((tasks, 4), self.slope).at[:, 3].set(0), jnp.full(tasks, 0.3)


@pytest.mark.parametrize(
    "fields", [{}, {"tasks": 40}, {"head": w2s.heads.Ball(9.0), "fresh_misfit": True}], ids=str
)
def test_constant_labels_of_a_world_are_flagged(fields: dict[str, Any], key: jax.Array) -> None:
    protocol = w2s.Protocol(**{"n_weak": 300, "n_strong": 300, "n_eval": 300, "tasks": 2} | fields)
    outcome = w2s.run_pair(Linear(slope=0.0), protocol, key)
    assert int(outcome.status.code) & SERIOUS and np.isnan(outcome.pgr).all()


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("head", [w2s.heads.Ridge(1e-3), w2s.heads.Ball(1.0, 1e-3)])
def test_a_ridge_beyond_all_numbers_leaves_the_mean(head: w2s.heads.Head) -> None:
    """In units of features this small the ridge is infinite."""
    arrays = given(1, dtype=np.float64)
    small = {name: a if name.startswith("y") else a * 1e-200 for name, a in arrays.items()}
    outcome = w2s.evaluate_features(**small, head=head)
    mean = np.mean((arrays["y_eval"] - arrays["y_train"].mean(axis=0)) ** 2, axis=0)
    np.testing.assert_allclose(outcome.w2s_error, mean, rtol=1e-12)


@pytest.mark.parametrize(
    ("power", "ridge"),
    [(-70, 0.0), (-60, 0.0), (-30, 0.0), (30, 0.0), (60, 0.0), (70, 0.0), (-30, 0.1), (50, 0.1)],
)
def test_scales_of_given_features_do_not_matter(power: int, ridge: float) -> None:
    arrays = given(1, dtype=np.float32)
    for name in ("y_train", "y_eval", "y_transfer"):
        arrays[name] = np.sin(2 * arrays[name])
    reference = w2s.evaluate_features(**arrays, weak_head=w2s.heads.Ridge(), head=w2s.heads.Ridge(ridge))
    scaled = {n: np.ldexp(a, power) if n.startswith("strong") else a for n, a in arrays.items()}
    outcome = w2s.evaluate_features(
        **scaled, weak_head=w2s.heads.Ridge(), head=w2s.heads.Ridge(ridge * 4.0**power)
    )
    for name in ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation", "pgr"):
        np.testing.assert_allclose(getattr(outcome, name), getattr(reference, name), rtol=1e-5, atol=1e-6)
    assert int(outcome.status.strong_rank) == 5 and int(outcome.status.code) == int(reference.status.code)


@pytest.mark.parametrize("factor", [1e-20, 1e-30, 1e15])
def test_the_scale_of_one_column_does_not_matter(factor: float, precision: bool) -> None:
    factor = factor**5 if precision else factor
    arrays = given(2)
    for name in ("y_train", "y_eval", "y_transfer"):
        arrays[name] = np.sin(2 * arrays[name])
    columns = np.array([1, 1, factor, 1, 1])
    scaled = {n: a * columns if n.startswith("strong") else a for n, a in arrays.items()}
    reference, outcome = w2s.evaluate_features(**arrays), w2s.evaluate_features(**scaled)
    np.testing.assert_allclose(outcome.w2s_error, reference.w2s_error, rtol=1e-5)
    assert int(outcome.status.strong_rank) == 5


@pytest.mark.parametrize("scale", [1e-25, 1e-19, 1e15, 1e-3])
@pytest.mark.parametrize("tasks", [2, 40])
def test_the_scale_of_a_worlds_features_does_not_matter(scale: float, tasks: int, key: jax.Array) -> None:
    protocol = w2s.Protocol(n_weak=300, n_strong=300, n_eval=300, tasks=tasks)
    reference = w2s.run_pair(Linear(), protocol, key)
    outcome = w2s.run_pair(Linear(scale=scale, slope=1 / scale), protocol, key)
    np.testing.assert_allclose(outcome.weak_error, reference.weak_error, rtol=1e-3)
    np.testing.assert_array_equal(outcome.status.weak_rank, 2)
    np.testing.assert_array_equal(outcome.status.strong_rank, reference.status.strong_rank)


@pytest.mark.parametrize("offset", [2.0**10, 2.0**17, 2.0**23, -(2.0**20)])
def test_an_offset_of_labels_does_not_matter(offset: float) -> None:
    arrays = given(3, dtype=np.float32)
    labels = ("y_train", "y_eval", "y_transfer")
    moved = {
        n: (np.sin(a.astype(float)) + offset).astype(np.float32) for n, a in arrays.items() if n in labels
    }
    back = {n: (a - np.float32(offset)).astype(np.float32) for n, a in moved.items()}  # exactly
    outcome, reference = w2s.evaluate_features(**arrays | moved), w2s.evaluate_features(**arrays | back)
    for name in ("weak_error", "w2s_error", "gain", "misfit"):
        error = abs(float(getattr(outcome, name)) - float(getattr(reference, name)))
        assert error < 1e-6 * float(reference.weak_error), name


@pytest.mark.parametrize(("origin", "span"), [(1.7e9, 600.0), (1.7e9, 60.0), (2.5e6, 1e-3), (-4e8, 5.0)])
def test_features_far_from_zero_keep_their_digits(origin: float, span: float) -> None:
    t = origin + np.random.default_rng(0).uniform(0, span, size=(3, 200, 1))
    y = np.sin((t[..., 0] - origin) / span)
    near = (t - origin) / span
    outcome = w2s.evaluate_features(t[0], y[0], t[1], t[1], t[2], t[2], y[2], y[1])
    reference = w2s.evaluate_features(near[0], y[0], near[1], near[1], near[2], near[2], y[2], y[1])
    np.testing.assert_allclose(outcome.weak_error, reference.weak_error, rtol=1e-4)
    assert int(outcome.status.weak_rank) == 1


def test_features_that_rounding_hides_are_flagged(precision: bool, key: jax.Array) -> None:
    if not precision:  # given in float32, the digits are not there
        t = (1.7e9 + np.random.default_rng(0).uniform(0, 600, size=(3, 200, 1))).astype(np.float32)
        y = np.random.default_rng(1).normal(size=(3, 200)).astype(np.float32)
        outcome = w2s.evaluate_features(t[0], y[0], t[1], t[1], t[2], t[2], y[2], y[1])
        assert int(outcome.status.code) & BLURRED
    offset = 1e14 if precision else 1e5
    for tasks in (2, 40):
        protocol = w2s.Protocol(n_weak=300, n_strong=300, n_eval=300, tasks=tasks)
        assert int(w2s.run_pair(Linear(offset=offset), protocol, key).status.code) & BLURRED
        assert not int(w2s.run_pair(Linear(), protocol, key).status.code) & BLURRED


@pytest.mark.parametrize("rare", [0.0, 1e-9, 1e-15])
@pytest.mark.parametrize("standardize", [True, False])
def test_trained_heads_take_rounding_for_no_scale(rare: float, standardize: bool, precision: bool) -> None:
    rare = rare if precision else 1e3 * rare
    protocol = w2s.Protocol(
        n_weak=20, n_strong=20, n_eval=900, tasks=2,
        head=w2s.heads.Trained(epochs=20, learning_rate=0.05, batch_size=0, standardize=standardize),
    )  # fmt: skip
    outcome = w2s.run_pair(Linear(rare=rare), protocol, jax.random.key(3))
    assert np.asarray(outcome.w2s_error).max() < 10


def test_norms_neither_overflow_nor_vanish() -> None:
    largest = float(jnp.finfo(jnp.zeros(()).dtype).max) / 4
    rows = jnp.array([[3.0], [4.0]])
    for scale in (1.0, largest / 4, 8 / largest, 0.0):
        np.testing.assert_allclose(column_norms(rows * scale), [5 * scale], rtol=1e-6)


MASKED = np.ma.masked_array(np.ones((40, 3)), mask=np.eye(40, 3, dtype=bool))


@pytest.mark.parametrize(
    "name", ["weak_train", "weak_transfer", "weak_eval", "y_train", "y_eval", "y_transfer"]
)
def test_masked_arrays_are_refused(name: str) -> None:
    values = MASKED if name.startswith("weak") else MASKED[:, 0]
    with pytest.raises(w2s.W2SError, match=rf"{name} has [13] masked values: drop those rows"):
        w2s.evaluate_features(**given(0) | {name: values})
    plain = np.ma.masked_array(given(0)[name])
    outcome = w2s.evaluate_features(**given(0) | {name: plain})
    assert np.isfinite(outcome.weak_error)


def test_masked_arrays_are_refused_elsewhere() -> None:
    for refused in (
        lambda: analysis.select(MASKED, np.ones((40, 3))),
        lambda: analysis.compare_criteria(np.ones((40, 3)), MASKED, np.ones((40, 3))),
        lambda: theory.empirical_rademacher_bound(MASKED, 1.0),
        lambda: w2s.sweep(Linear(), w2s.Protocol(), pairs=1, axes={"scale": MASKED[:, 0]}),
        lambda: w2s.heads.Ridge(np.ma.masked_array(1.0, mask=True)),
    ):
        with pytest.raises(w2s.W2SError, match="masked"):
            refused()
