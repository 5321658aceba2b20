"""Heads trained by AdamW: against NumPy step by step, against the closed form in the limit, and as part of sweeps."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import w2sjax as w2s
from tests.oracle import run_alone
from w2sjax.engine.design import design_of, numbers_of
from w2sjax.engine.pair import run_grid
from w2sjax.heads import Ridge, Trained
from w2sjax.heads.functions import HeadFunctions
from w2sjax.heads.training import Schedule, train
from w2sjax.random.draws import fold_in
from w2sjax.random.keys import pair_key
from w2sjax.random.shuffles import shuffled
from w2sjax.worlds.training import CURVE_POINTS

NAMES = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain")


@dataclasses.dataclass(frozen=True)
class Gaussian:
    """Weak features mix and bend the inputs; with `bend`, the target is not linear in the strong ones either."""

    bend: float = 0.0

    def draw(self, key: jax.Array) -> "Gaussian":
        return self

    def features(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        x = jax.random.normal(key, (n, 3), jnp.float64)
        target = jnp.abs(x) if self.bend else x
        return target, jnp.stack([x[:, 0] + 0.3 * x[:, 2], jnp.tanh(2 * x[:, 1])], axis=1), x


SMALL = w2s.Protocol(n_weak=60, n_strong=50, n_eval=40, tasks=4, head=Trained(epochs=3, batch_size=16))


def forward(head: HeadFunctions, p: np.ndarray, z: np.ndarray) -> Any:
    """One task's prediction on one row, by loops; real or complex."""
    outputs = []
    stored = p[: head.copies * head.single].reshape(head.single, head.copies)
    for copy in range(head.copies):
        q = stored[:, copy]
        if head.width == 0:
            outputs.append(sum(q[i] * z[i] for i in range(head.features)) + q[head.features])
            continue
        d, h = head.features, head.width
        total = q[-1]
        for unit in range(h):
            inner = sum(q[i * h + unit] * z[i] for i in range(d)) + q[d * h + unit]
            total = total + q[(d + 1) * h + unit] * np.tanh(inner)
        outputs.append(total)
    shares = np.exp(p[head.copies * head.single :]) if head.copies > 1 else np.ones(1)
    return sum(share * output for share, output in zip(shares / shares.sum(), outputs, strict=True))


def gradient(head: HeadFunctions, p: np.ndarray, z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The loss of a batch and its gradient, each entry by a complex step: exact to rounding, without differences."""

    def loss(q: np.ndarray) -> Any:
        return sum((forward(head, q, z[i]) - y[i]) ** 2 for i in range(len(y))) / len(y)

    steps = [p + 1e-30j * (np.arange(len(p)) == i) for i in range(len(p))]
    return loss(p), np.array([loss(step).imag / 1e-30 for step in steps])


@pytest.mark.parametrize(("width", "copies", "schedule"), [(0, 1, "constant"), (2, 2, "cosine")])
def test_training_equals_numpy_step_by_step(width: int, copies: int, schedule: str, key: jax.Array) -> None:
    n, d, tasks, batch, epochs, rate, decay = 7, 3, 2, 3, 5, 0.1, 0.3
    head = HeadFunctions(d, width, "tanh", copies)
    plan = Schedule(epochs, batch, schedule)
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(n, d)), rng.normal(size=(n, tasks))
    start = rng.normal(size=(head.size, tasks))
    found, curve, path = jax.jit(lambda *a: train(head, plan, *a, keep=True))(
        *(jnp.asarray(a) for a in (z, y, start, rate, decay)), key
    )
    orders = [np.asarray(shuffled(fold_in(key, np.array([e], np.uint32))[0], n, n)) for e in range(epochs)]
    assert any((order != orders[0]).any() for order in orders)
    steps = epochs * 3
    for task in range(tasks):
        p, m, v, t, states = start[:, task].copy(), 0.0, 0.0, 0, []
        losses = np.zeros(epochs)
        for epoch, order in enumerate(orders):
            for rows in (order[0:3], order[3:6], order[6:7]):
                value, g = gradient(head, p, z[rows], y[rows, task])
                losses[epoch] += value * len(rows) / n
                r = rate * (1 + np.cos(np.pi * t / steps)) / 2 if schedule == "cosine" else rate
                t += 1
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
                p = p - r * decay * p - r * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
                states.append(p)
        np.testing.assert_allclose(found[:, task], p, rtol=1e-9, atol=1e-12)
        at = np.ceil(np.arange(1, CURVE_POINTS + 1) * steps / CURVE_POINTS).astype(int) - 1
        np.testing.assert_allclose(path[:, :, task], np.stack(states)[at], rtol=1e-9, atol=1e-12)
        chosen = np.ceil(np.arange(1, CURVE_POINTS + 1) * epochs / CURVE_POINTS).astype(int) - 1
        np.testing.assert_allclose(curve[:, task], losses[chosen], rtol=1e-9)


def test_shuffles_are_permutations_and_fill_up_with_valid_rows(key: jax.Array) -> None:
    orders = np.stack([np.asarray(shuffled(k, 13, 16)) for k in jax.random.split(key, 300)])
    np.testing.assert_array_equal(np.sort(orders[:, :13], axis=1), np.tile(np.arange(13), (300, 1)))
    assert (orders[:, 13:] == 0).all()
    # The mean position of every row is 6, with a standard deviation of sqrt(14 / 300).
    assert np.abs(orders[:, :13].mean(axis=0) - 6).max() < 5 * (14 / 300) ** 0.5


def test_initial_heads_are_torchs(key: jax.Array) -> None:
    head = HeadFunctions(features=4, width=9, activation="relu", copies=2)
    drawn = np.asarray(head.draw(key, 50))
    np.testing.assert_array_equal(drawn[:, :20], head.draw(key, 20))
    inner, outer = drawn[: 9 * 5 * 2], drawn[9 * 5 * 2 : -2]
    assert 0.98 / 2 < np.abs(inner).max() <= 1 / 2
    assert 0.98 / 3 < np.abs(outer).max() <= 1 / 3
    np.testing.assert_array_equal(drawn[-2:], 0)


@pytest.mark.parametrize("width", [0, 3])
def test_a_combination_of_equal_heads_is_that_head(width: int) -> None:
    rng = np.random.default_rng(1)
    one, three = (HeadFunctions(2, width, "sigmoid", copies) for copies in (1, 3))
    p, rows = rng.normal(size=(one.size, 5)), jnp.asarray(rng.normal(size=(7, 2)))
    repeated = np.repeat(p[:, None, :], 3, axis=1).reshape(-1, 5)
    with_shares = jnp.asarray(np.concatenate([repeated, rng.normal(size=(3, 5))]))
    np.testing.assert_allclose(three(with_shares, rows), one(jnp.asarray(p), rows), rtol=1e-12)


def test_closed_form_is_the_limit(key: jax.Array) -> None:
    """Full batches, no weight decay, a rate that falls to zero: the same draws lead to the same numbers."""
    protocol = dataclasses.replace(SMALL, label_noise=0.3, reuse_inputs=True, standard_errors=True)
    closed = dataclasses.replace(protocol, head=Ridge())
    exact = w2s.run_pair(Gaussian(), closed, key)
    gaps = []
    for rate in (1e-4, 0.03):
        head = Trained(batch_size=0, weight_decay=0.0, schedule="cosine", epochs=3000, learning_rate=rate)
        trained = w2s.run_pair(Gaussian(), dataclasses.replace(protocol, head=head), key)
        gaps.append(
            max(
                float(jnp.max(jnp.abs(getattr(trained, n) - getattr(exact, n)) / exact.weak_error))
                for n in NAMES
            )
        )
    assert gaps[1] < 1e-6 < 1e-2 < gaps[0]
    np.testing.assert_allclose(trained.spread["gain"], exact.spread["gain"], rtol=1e-4)
    curve = np.asarray(trained.curves["weak_head"])
    assert curve.shape == (CURVE_POINTS,)
    assert curve[-1] < curve[0]


def test_a_hidden_layer_beats_a_linear_head_where_the_target_bends(key: jax.Array) -> None:
    linear, bent = (
        w2s.run_pair(
            Gaussian(bend=1.0),
            w2s.Protocol(
                n_weak=300,
                n_strong=300,
                n_eval=300,
                tasks=4,
                head=Trained(epochs=100, batch_size=16, learning_rate=0.02, width=width),
            ),
            key,
        )
        for width in (0, 16)
    )
    assert np.all(np.asarray(bent.ceiling_error) < 0.2 * np.asarray(linear.ceiling_error))


def test_results_do_not_depend_on_how_pairs_are_batched() -> None:
    design, numbers = design_of(SMALL), numbers_of(SMALL)

    def one(index: jax.Array) -> w2s.Outcome:
        return run_grid(Gaussian(), pair_key(jax.random.key(1), index), design, numbers)

    together = jax.jit(jax.vmap(one))(jnp.arange(3, dtype=jnp.uint32))
    for index in range(3):
        alone = run_alone(Gaussian(), SMALL, pair_key(jax.random.key(1), index))
        for name in NAMES:
            np.testing.assert_allclose(
                getattr(together, name)[index, 0, 0, 0, 0], getattr(alone, name), rtol=1e-9
            )


def test_cells_of_a_sweep_equal_single_pairs() -> None:
    axes = {"n_eval": [40, 20], "n_strong": [20, 50], "n_weak": [60, 30], "learning_rate": [1e-3, 1e200]}
    ds = w2s.sweep(Gaussian(), SMALL, pairs=2, seed=1, axes=axes)
    assert ds.w2s_head_loss_curve.dims == ("pair", *axes, "progress")
    assert ds.learning_rate.attrs["long_name"] == "learning rate"
    diverged = ds.status_code & int(w2s.Flag.NOT_FINITE)
    assert (diverged.sel(learning_rate=1e-3) == 0).all()
    assert (diverged.sel(learning_rate=1e200) > 0).all()
    assert (ds.status_strong_rank == 3).all()
    assert bool(ds.status_weak_condition.isnull().all())

    cell = ds.sel(n_weak=30, n_strong=50, n_eval=20, learning_rate=1e-3).isel(pair=1)
    protocol = dataclasses.replace(SMALL, n_weak=30, n_eval=20)
    alone = run_alone(Gaussian(), protocol, pair_key(jax.random.key(1), 1))
    for name in NAMES:
        np.testing.assert_allclose(cell[name], getattr(alone, name), rtol=1e-9)
    for name, curve in alone.curves.items():
        np.testing.assert_allclose(cell[f"{name}_loss_curve"], curve, rtol=1e-9)


def test_cells_of_closed_heads_have_no_curves_beside_trained_ones() -> None:
    heads = [Ridge(), Trained(epochs=1)]
    ds = w2s.sweep(Gaussian(), SMALL, pairs=1, axes={"head": heads})
    curves = [f"{name}_head_loss_curve" for name in ("weak", "w2s", "ceiling")]
    assert sorted(curves) == sorted(name for name in ds if str(name).endswith("_curve"))
    for name in curves:
        assert ds[name].dims == ("pair", "head", "progress")
        assert ds[name].isnull().all(("pair", "progress")).values.tolist() == [True, False]
    for name in NAMES:
        assert ds[name].notnull().all()
    assert (ds["status_strong_rank"] == 3).all()


def test_misfit_of_the_notebook_comes_from_another_sample(key: jax.Array) -> None:
    same = w2s.run_pair(Gaussian(), SMALL, key)
    standardized = Trained(epochs=3, batch_size=16, standardize=True)
    fresh = w2s.run_pair(Gaussian(), dataclasses.replace(SMALL, fresh_misfit=True, head=standardized), key)
    assert np.all(np.asarray(fresh.misfit != same.misfit))
    np.testing.assert_allclose(fresh.deviation, fresh.gain - fresh.misfit, rtol=1e-12)


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"axes has no field 'ridge' to vary"):
        w2s.sweep(Gaussian(), SMALL, pairs=1, axes={"ridge": [0.0, 1.0]})
    with pytest.raises(ValueError, match=r"Trained has no field ridge: leave the axis out, or vary another"):
        axes = {"ridge": [0.0, 1.0], "head": [Ridge(), Trained()]}
        w2s.sweep(Gaussian(), w2s.Protocol(), pairs=1, axes=axes)
    with pytest.raises(ValueError, match=r"axes has no field 'epochs' to vary"):
        w2s.sweep(Gaussian(), w2s.Protocol(), pairs=1, axes={"epochs": [8]})
    with pytest.raises(ValueError, match=r"batch_size=-1 is too small"):
        Trained(batch_size=-1)
    with pytest.raises(ValueError, match=r"activation='rleu' is not known: did you mean 'relu'"):
        Trained(activation="rleu")
    with pytest.raises(ValueError, match=r"learning_rate=0 is out of range"):
        Trained(learning_rate=0.0)
