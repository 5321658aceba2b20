"""The experiment as a user would write it in NumPy: the same features, ordinary least squares, predictions."""

import functools
from typing import Any

import jax
import numpy as np

import w2sjax as w2s
from w2sjax.engine.chain import TARGET, representations
from w2sjax.engine.design import design_keys, design_of, numbers_of
from w2sjax.engine.run import run_single
from w2sjax.random.draws import normal
from w2sjax.random.keys import BLOCK, Role
from w2sjax.random.sobol import sobol_bits
from w2sjax.worlds.base import default_heads
from w2sjax.worlds.static import as_pytree

NAMES = ("target", "weak", "strong")


def run_alone(world: Any, protocol: Any, key: jax.Array) -> Any:
    """Run one pair of a sweep, whose key this is: `run_pair` draws others from the same key."""
    return run_single(as_pytree(world), key, numbers_of(protocol), design=design_of(protocol))


def drawn_samples(world: Any, protocol: Any, key: jax.Array) -> dict[str, Any]:
    """Return the features of every split (`[n, width]`) and the heads of one pair, as NumPy arrays."""
    sizes = {"weak": protocol.n_weak, "strong": protocol.n_strong, "eval": protocol.n_eval}
    blocks = {f"n_{split}": BLOCK * -(-n // BLOCK) for split, n in sizes.items()}
    points = w2s.Numerics(evaluation_points=protocol.numerics.evaluation_points)
    # Draws depend on nothing else of the protocol: one program for as many as can be.
    drawing = w2s.Protocol(
        **blocks, tasks=protocol.tasks, reuse_inputs=protocol.reuse_inputs, numerics=points
    )
    splits, weights, bias = jax.device_get(_draw(world, key, design_of(drawing)))
    drawn: dict[str, Any] = {"weights": weights.T, "bias": bias}
    for split, n in sizes.items():
        rows = [features.reshape(-1, features.shape[-1])[:n] for features in splits[split]]
        drawn[split] = dict(zip(NAMES, rows, strict=True))
    return drawn


@functools.partial(jax.jit, static_argnums=2)
def _draw(world: Any, key: jax.Array, design: Any) -> Any:
    keys = design_keys(key, design)
    pair = world.draw(keys[Role.PAIR, 0][0])
    roles = {
        "weak": Role.WEAK,
        "strong": Role.WEAK if design.reuse_inputs else Role.STRONG,
        "eval": Role.EVAL,
    }

    def features(key: jax.Array, split: str) -> tuple[jax.Array, ...]:
        if hasattr(pair, "features"):
            return tuple(pair.features(key, BLOCK))
        inputs = pair.inputs(key, BLOCK, split)
        return tuple(pair.represent(name, inputs) for name in NAMES)

    splits = {
        split: jax.lax.map(functools.partial(features, split=role.name.lower()), keys[role, 0])
        for split, role in roles.items()
    }
    if design.evaluation_points == "sobol":  # one sequence, not block by block
        rows = BLOCK * len(keys[Role.EVAL, 0])
        bits = sobol_bits(keys[Role.EVAL, 0][0], np.uint32(0), pair.input_dim, rows)
        inputs = pair.inputs_of_bits(bits)
        splits["eval"] = tuple(pair.represent(name, inputs) for name in NAMES)
    draw = getattr(pair, "heads", functools.partial(default_heads, width=splits["eval"][0].shape[-1]))
    return splits, *draw(keys[Role.TASKS, 0][0], design.tasks)


def ridge_head(x: np.ndarray, y: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray]:
    """Ridge with a free intercept by least squares on augmented rows; minimum norm at ridge 0."""
    n, d = x.shape
    centred, labels = x - x.mean(0), y - y.mean(0)
    if ridge > 0:
        centred = np.concatenate([centred, np.sqrt(n * ridge) * np.eye(d)])
        labels = np.concatenate([labels, np.zeros((d, y.shape[1]))])
    weights = np.linalg.lstsq(centred, labels, rcond=1e-14)[0]
    return weights, y.mean(0) - x.mean(0) @ weights


def errors(world: Any, protocol: Any, key: jax.Array) -> dict[str, np.ndarray]:
    """Return errors, misfit, gain and their standard errors by plain predictions on every sample."""
    s = drawn_samples(world, protocol, key)
    ridge_strong = protocol.head.ridge
    ridge_weak = ridge_strong if protocol.weak_head is None else protocol.weak_head.ridge
    truth = {name: s[name]["target"] @ s["weights"] + s["bias"] for name in ("weak", "strong", "eval")}
    weak = ridge_head(s["weak"]["weak"], truth["weak"], ridge_weak)
    labels = s["strong"]["weak"] @ weak[0] + weak[1]
    w2s = ridge_head(s["strong"]["strong"], labels, ridge_strong)
    ceiling = ridge_head(s["strong"]["strong"], truth["strong"], ridge_strong)
    weak_residual = s["eval"]["weak"] @ weak[0] + weak[1] - truth["eval"]
    w2s_residual = s["eval"]["strong"] @ w2s[0] + w2s[1] - truth["eval"]
    ceiling_residual = s["eval"]["strong"] @ ceiling[0] + ceiling[1] - truth["eval"]
    per_sample = {
        "weak_error": weak_residual**2,
        "w2s_error": w2s_residual**2,
        "ceiling_error": ceiling_residual**2,
        "misfit": (w2s_residual - weak_residual) ** 2,
        "gain": weak_residual**2 - w2s_residual**2,
    }
    per_sample["deviation"] = per_sample["gain"] - per_sample["misfit"]
    means = {name: values.mean(0) for name, values in per_sample.items()}
    root = np.sqrt(protocol.n_eval)
    spread = {f"{name}_se": values.std(0, ddof=1) / root for name, values in per_sample.items()}
    return means | spread


@functools.partial(jax.jit, static_argnums=2)
def _draw_chain(world: Any, key: jax.Array, design: Any) -> Any:
    """Return the features by split and name, the noise of the splits, and the heads of one pair of a chain."""
    keys = design_keys(key, design)
    pair = world.draw(keys[Role.PAIR, 0][0])
    rows, noise = {}, {}
    for stage in design.chain:
        number = stage.split_number
        weak = stage.split == "weak" or (design.reuse_inputs and not number)
        rows[stage.split] = keys[Role.WEAK if weak else Role.STRONG, number]
        noise[stage.split] = keys[Role.WEAK_NOISE if stage.split == "weak" else Role.STRONG_NOISE, number]
    rows["eval"] = keys[Role.EVAL, 0]
    features = {split: jax.lax.map(lambda k: pair.features(k, BLOCK), of) for split, of in rows.items()}
    noises = {
        split: jax.lax.map(lambda k: normal(k, (design.tasks, BLOCK)).T, of) for split, of in noise.items()
    }
    return features, noises, pair.heads(keys[Role.TASKS, 0][0], design.tasks)


def chain_errors(world: Any, protocol: Any, key: jax.Array) -> dict[str, np.ndarray]:
    """Return what a chain of ridge heads is measured by, for a world with `features`, from its first predictions on."""
    design = design_of(protocol)
    features, noises, (weights, bias) = jax.device_get(_draw_chain(as_pytree(world), key, design))
    joined = lambda blocks, n: blocks.reshape(-1, blocks.shape[-1])[:n]  # noqa: E731
    stages = protocol.chain()
    sizes = {stage.split: protocol.n_weak if stage.split == "weak" else protocol.n_strong for stage in stages}
    sizes["eval"] = protocol.n_eval
    names = representations(stages)
    x = {split: {name: joined(features[split][name], n) for name in names} for split, n in sizes.items()}
    heads = {"truth": (TARGET, weights.T, bias)}
    for stage in stages:
        name, slope, offset = heads[stage.labels]
        labels = x[stage.split][name] @ slope + offset
        if stage.labels == "truth":
            labels = labels + protocol.label_noise * joined(noises[stage.split], sizes[stage.split])
        found = ridge_head(x[stage.split][stage.features], labels, stage.head.ridge)
        heads[stage.name] = (stage.features, *found)
    p = {name: x["eval"][features] @ slope + offset for name, (features, slope, offset) in heads.items()}
    square = lambda a, b: ((p[a] - p[b]) ** 2).mean(0)  # noqa: E731
    values = {f"{stage.name}_error": square(stage.name, "truth") for stage in stages}
    for stage in stages:
        if stage.labels != "truth":
            prefix = "" if (stage.labels, stage.name) == ("weak", "w2s") else f"{stage.name}_"
            gain = values[f"{stage.labels}_error"] - values[f"{stage.name}_error"]
            misfit = square(stage.labels, stage.name)
            values |= {f"{prefix}gain": gain, f"{prefix}misfit": misfit, f"{prefix}deviation": gain - misfit}
    if "baseline_error" in values:
        values["opr"] = values["baseline_error"] / values["w2s_error"]
    return values
