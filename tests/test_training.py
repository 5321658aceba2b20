"""Training of representations: against NumPy, its bookkeeping, and what a pair of trained networks yields."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import w2sjax as w2s
from w2sjax.engine.design import design_of, numbers_of
from w2sjax.engine.pair import run_grid
from w2sjax.flags import Flag
from w2sjax.random.keys import Purpose
from w2sjax.random.shuffles import shuffled, sort_columns
from w2sjax.sweeps.batch import prepare_pairs
from w2sjax.worlds import PretrainedMLP
from w2sjax.worlds.layers import columns_by_sums, fixed_sum, train_by_sums, trainable_rows
from w2sjax.worlds.perceptron import Perceptron, draw_parameters, layers_of, parameter_shapes, unpack
from w2sjax.worlds.training import Training

WORLD = PretrainedMLP(
    input_dim=3,
    width=4,
    depth=3,
    weak_depth=1,
    strong_depth=2,
    input_scale=2.0,
    pretrain_tasks=2,
    pretrain_samples=21,
    epochs=3,
    batch_size=8,
)
PROTOCOL = w2s.Protocol(n_weak=100, n_strong=100, n_eval=100, tasks=3)


def numpy_adamw(training, key: jax.Array) -> tuple[np.ndarray, list[float]]:
    """Train by hand: backpropagation, AdamW and batches written out in float64 NumPy."""
    shapes = parameter_shapes(training.network, training.input_dim)
    x, y, (v, c) = jax.tree.map(lambda a: np.asarray(a, float), training.data(key))
    start = dataclasses.replace(training, epochs=1, learning_rate=1e-30, weight_decay=0.0)(key).parameters
    layers = unpack(shapes, start)["params"]
    parameters = [
        np.asarray(layers[f"layer_{i}"][kind], float)
        for i in range(training.network.depth)
        for kind in ("weight", "bias")
    ]
    first, second = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
    count, curve = 0, []
    shuffle_key = training._key(key, Purpose.SHUFFLE)
    for epoch in range(training.epochs):
        losses = []
        for task in range(training.tasks):
            number = np.uint32(epoch * training.tasks + task)
            order = np.asarray(
                shuffled(jax.random.fold_in(shuffle_key, number), training.samples, training.samples)
            )
            for begin in range(0, training.samples, training.batch_size):
                rows = order[begin : begin + training.batch_size]
                hidden = [x[task][rows].T]
                for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
                    hidden.append(np.maximum(weight @ hidden[-1] + bias[:, None], 0))
                error = v[task] @ hidden[-1] + c[task] - y[task][rows]
                losses.append(np.mean(error**2))
                back = np.outer(v[task], 2 * error / rows.size)
                gradients: list[np.ndarray] = []
                for layer in reversed(range(training.network.depth)):
                    back = back * (hidden[layer + 1] > 0)
                    gradients = [back @ hidden[layer].T, back.sum(axis=1), *gradients]
                    back = parameters[2 * layer].T @ back
                count += 1
                for i, gradient in enumerate(gradients):
                    first[i] = 0.9 * first[i] + 0.1 * gradient
                    second[i] = 0.999 * second[i] + 0.001 * gradient**2
                    ratio = (first[i] / (1 - 0.9**count)) / (np.sqrt(second[i] / (1 - 0.999**count)) + 1e-8)
                    parameters[i] -= training.learning_rate * (ratio + training.weight_decay * parameters[i])
        curve.append(float(np.mean(losses)))
    tree = {
        f"layer_{i}": {"weight": parameters[2 * i], "bias": parameters[2 * i + 1]}
        for i in range(len(parameters) // 2)
    }
    return np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves({"params": tree})]), curve


def test_training_is_adamw_on_shuffled_batches_of_the_true_tasks(key: jax.Array) -> None:
    training = dataclasses.replace(
        WORLD.preparations()["strong"], epochs=5, learning_rate=0.01, weight_decay=0.1, label_noise=0.3
    )
    run = training(key)
    expected, curve = numpy_adamw(training, key)
    np.testing.assert_allclose(run.parameters, expected, rtol=2e-4, atol=2e-5)
    assert run.curve.shape == (32,)
    np.testing.assert_allclose(np.asarray(run.curve)[[5, 11, 18, 24, 31]], curve, rtol=1e-4)
    assert not run.diverged and not run.dead
    assert curve[-1] < curve[0]


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "identity"])
def test_sums_of_products_are_the_perceptron_and_its_gradient(key: jax.Array, activation: str) -> None:
    network = Perceptron(width=4, depth=3, activation=activation)
    shapes = parameter_shapes(network, 3)
    parameters = unpack(shapes, draw_parameters(key, shapes))
    rows, weights = jax.random.normal(jax.random.key(1), (7, 3)), jnp.arange(28.0).reshape(7, 4)

    def plain(parameters, rows):
        return network.apply(parameters, rows.T).T

    def sums(parameters, rows):
        return trainable_rows(layers_of(network, parameters), rows, activation)

    columns = columns_by_sums(layers_of(network, parameters), rows.T, activation)
    np.testing.assert_allclose(columns.T, plain(parameters, rows), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(sums(parameters, rows), plain(parameters, rows), rtol=1e-13, atol=1e-15)
    mine, other = (
        jax.grad(lambda *a, f=f: jnp.sum(weights * f(*a)), argnums=(0, 1))(parameters, rows)
        for f in (sums, plain)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), mine, other)


@pytest.mark.usefixtures("cpu_only")  # an accelerator trains groups of one size
@pytest.mark.parametrize("name", ["weak", "strong"])
def test_a_network_does_not_depend_on_how_many_are_trained_together(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = WORLD.preparations()[name]
    assert train_by_sums(WORLD.batch_size, WORLD.input_dim, WORLD.width)
    runs = []
    for together in (1, 2, 3):
        monkeypatch.setattr(Training, "together", together)
        pairs = np.arange(together * jax.local_device_count())
        runs.append(jax.tree.map(lambda a: a[0], prepare_pairs(training, jax.random.key(0), pairs)))
    for other in runs[1:]:
        jax.tree.map(np.testing.assert_array_equal, runs[0], other)


@pytest.mark.parametrize("epochs", [1, 19, 20, 21])
def test_orders_are_drawn_in_blocks_that_do_not_show(key: jax.Array, epochs: int) -> None:
    training = dataclasses.replace(WORLD.preparations()["weak"], epochs=epochs, learning_rate=0.01)
    run = training(key)
    expected, curve = numpy_adamw(training, key)  # 2 passes per epoch: 2, 38, 40 and 42 beside a block of 40
    np.testing.assert_allclose(run.parameters, expected, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(np.asarray(run.curve)[-1], curve[-1], rtol=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([(1, 1), (2, 9), (3, 1), (5, 2), (8, 9), (31, 1), (70, 3)]), st.integers(0, 2**32 - 1))
def test_the_sorting_network_sorts(shape: tuple[int, int], seed: int) -> None:
    columns = np.random.default_rng(seed).integers(0, 2**32, shape, dtype=np.uint32) >> np.uint32(seed % 32)
    np.testing.assert_array_equal(sort_columns(jnp.asarray(columns)), np.sort(columns, axis=0))


def test_data_are_a_prefix_and_come_from_the_target(key: jax.Array) -> None:
    training = WORLD.preparations()["weak"]
    x, y, (v, c) = training.data(key)
    more = dataclasses.replace(training, tasks=4, samples=40).data(key)
    np.testing.assert_array_equal(x, more[0][:2, :21])
    np.testing.assert_array_equal(v, more[2][0][:2])
    pair = WORLD.draw(key)
    features = pair.networks[1][1].apply(pair.parameters["target"], x[1].T.astype(jnp.float64))
    np.testing.assert_allclose(v[1] @ features.astype(jnp.float32) + c[1], y[1], rtol=1e-4)
    perturbed = w2s.worlds.PerturbedMLP(input_dim=3, width=4, depth=3).draw(key)
    jax.tree.map(
        lambda mine, other: np.testing.assert_array_equal(mine, other[1]),
        pair.parameters["target"],
        perturbed.parameters,
    )


def test_an_order_is_a_permutation(key: jax.Array) -> None:
    keys = jax.random.split(key, 400)
    orders = np.asarray(jax.vmap(lambda key: shuffled(key, 11, 16))(keys))
    assert (np.sort(orders[:, :11], axis=1) == np.arange(11)).all()
    assert ((orders >= 0) & (orders < 11)).all()
    # Every sample is as often first as any other: 400 / 11 with a standard error of 5.7.
    assert np.abs(np.bincount(orders[:, 0], minlength=11) - 400 / 11).max() < 4 * 5.7


@pytest.mark.parametrize("n", [1, 2, 13, 5000])
def test_an_order_does_not_depend_on_how_many_are_drawn(key: jax.Array, n: int) -> None:
    keys = jax.random.split(key, (2, 3))
    orders = jax.vmap(jax.vmap(lambda key: shuffled(key, n, n + 3)))(keys)
    for i, j in np.ndindex(2, 3):
        random = np.asarray(jax.random.bits(keys[i, j], (n,), jnp.uint32))
        last_bits = max(1, (n - 1).bit_length())
        expected = np.argsort(random >> last_bits, kind="stable")
        np.testing.assert_array_equal(orders[i, j], np.pad(expected, (0, 3)))
        np.testing.assert_array_equal(shuffled(keys[i, j], n, n + 3), orders[i, j])


@pytest.mark.parametrize("terms", [1, 2, 7, 16, 63])
def test_a_fixed_sum_is_a_sum(key: jax.Array, terms: int) -> None:
    values = jax.random.normal(key, (3, terms))
    np.testing.assert_allclose(fixed_sum(values), np.sum(np.asarray(values), axis=1), rtol=1e-14, atol=1e-14)


def test_a_pair_trains_by_itself_or_takes_what_was_trained(key: jax.Array) -> None:
    prepared = {name: training(key) for name, training in WORLD.preparations().items()}
    alone, given = WORLD.draw(key), WORLD.draw(key, prepared)
    for name in ("weak", "target", "strong"):
        jax.tree.map(np.testing.assert_array_equal, alone.parameters[name], given.parameters[name])
    inputs = given.inputs(jax.random.key(1), 7, "eval")
    names = ("weak", "target", "strong")
    together = given.columns(names, inputs)
    apart = [given.represent(name, inputs) for name in names]
    np.testing.assert_allclose(together, np.concatenate(apart, axis=1).T, rtol=1e-12)
    assert together.dtype == jnp.float64


def test_the_strong_model_can_be_the_target(key: jax.Array) -> None:
    world = dataclasses.replace(WORLD, strong="target")
    assert set(world.preparations()) == {"weak"}
    pair = world.draw(key)
    inputs = pair.inputs(jax.random.key(1), 5, "eval")
    np.testing.assert_array_equal(pair.represent("target", inputs), pair.represent("strong", inputs))
    outcome = w2s.run_pair(world, PROTOCOL, key)
    assert np.abs(outcome.ceiling_error).max() < 1e-12
    assert set(outcome.curves) == {"weak"}


def test_trouble_in_training_is_a_status(key: jax.Array) -> None:
    diverged = w2s.run_pair(dataclasses.replace(WORLD, learning_rate=1e30), PROTOCOL, key)
    code = int(diverged.status.code)
    assert code & Flag.WEAK_TRAINING_DIVERGED and code & Flag.STRONG_TRAINING_DIVERGED
    runs = {name: training(key) for name, training in WORLD.preparations().items()}
    dead = {
        name: run._replace(parameters=0 * run.parameters, dead=jnp.array(True)) for name, run in runs.items()
    }
    outcome = run_grid(WORLD, key, design_of(PROTOCOL), numbers_of(PROTOCOL), dead)
    code = int(outcome.status.code.item())
    assert code & Flag.WEAK_REPRESENTATION_DEAD and code & Flag.STRONG_REPRESENTATION_DEAD
    assert not code & Flag.WEAK_TRAINING_DIVERGED
    assert np.isfinite(outcome.weak_error).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weak_depth": 0}, "weak_depth=0 is too small"),
        ({"strong": "trained"}, "strong='trained' is not known: did you mean 'pretrained'"),
        ({"weak_epochs": 0}, "weak_epochs=0 is too small"),
        ({"weak_pretrain_noise": -1.0}, "weak_pretrain_noise=-1 is out of range"),
        ({"learning_rate": 0.0}, "learning_rate=0 is out of range"),
    ],
)
def test_fields_out_of_range_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(WORLD, **change)
