"""The experiment as a user would write it in NumPy: the same features, ordinary least squares, predictions."""

from typing import Any

import jax
import numpy as np

from w2sjax.engine.pair import _blocks, design_of
from w2sjax.engine.randomness import BLOCK, Role, block_keys


def drawn_samples(world: Any, protocol: Any, key: jax.Array) -> dict[str, Any]:
    """Return the features of every split (`[n, width]`), heads and label noise of one pair, as NumPy arrays."""
    keys = block_keys(key, _blocks(design_of(protocol)))
    pair = world.draw(keys[Role.PAIR][0])
    weights, bias = pair.heads(keys[Role.TASKS][0], protocol.tasks)
    features = jax.jit(lambda k: tuple(pair.features(k, BLOCK)))

    def split(role: Role, n: int) -> dict[str, np.ndarray]:
        blocks = [features(k) for k in keys[role]]
        names = ("target", "weak", "strong")
        return {name: np.concatenate([np.asarray(b[i]) for b in blocks])[:n] for i, name in enumerate(names)}

    strong_role = Role.WEAK if protocol.reuse_inputs else Role.STRONG
    return {
        "weights": np.asarray(weights).T,
        "bias": np.asarray(bias),
        "weak": split(Role.WEAK, protocol.n_weak),
        "strong": split(strong_role, protocol.n_strong),
        "eval": split(Role.EVAL, protocol.n_eval),
    }


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
    ridge_weak = protocol.ridge if protocol.ridge_weak is None else protocol.ridge_weak
    ridge_strong = protocol.ridge if protocol.ridge_strong is None else protocol.ridge_strong
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
