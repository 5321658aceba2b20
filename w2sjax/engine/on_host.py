"""One experiment of linear heads on the host: a small program draws its samples, NumPy fits and measures.

A program that does all of it is ten times as large, and the compiler takes seconds over it that a single pair never
earns back.
"""

import functools
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.cores import one_linear_algebra_thread
from w2sjax.engine.chain import TARGET
from w2sjax.engine.design import Design, Numbers, sizes_of
from w2sjax.engine.given import EVAL, run_centred
from w2sjax.engine.outcome import Models, Outcome, with_diagnostics
from w2sjax.engine.source import first_rows, source_of, stack_blocks, widths_of
from w2sjax.random.draws import normal
from w2sjax.random.keys import BLOCK, Role
from w2sjax.rounding import is_near_rounding
from w2sjax.worlds.static import as_pytree

MOST_NUMBERS = 2**24
"""Features, labels and predictions of the largest sample that are held as rows: some 128 MiB in float64."""


def suits_host(world: Any, key: jax.Array, design: Design, numbers: Numbers) -> bool:
    """Say whether an experiment may run on the host: linear heads, on a CPU, of a moderate size, not being traced."""
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((world, key, numbers)))
    plain = not (design.standard_errors or design.fresh_misfit or design.single_features)
    if traced or not plain or not design.linear or jax.default_backend() != "cpu":
        return False
    if design.evaluation_points != "random" or hasattr(world, "preparations"):
        return False
    held = sum(widths_of(world, design.order).values()) + design.tasks * (len(design.chain) + 4)
    return max(*design.n_weak, *design.n_strong, *design.n_eval) * held <= MOST_NUMBERS


@np.errstate(all="ignore")  # what overflows is a status
def run_on_host(
    world: Any, key: jax.Array, design: Design, numbers: Numbers
) -> tuple[Outcome, Models] | None:
    """Run a chain of linear heads on one pair: what `run_grid` computes of a grid of one cell, but for rounding.

    Returns:
        The outcome and the models; None where something drawn is not finite, which NumPy's factorizations refuse, or
        a feature varies by little more than the rounding of what it was computed from, which moments judge.

    Cost: O(n d^2) time and memory for the features and predictions of all samples.
    """
    drawn = _draw(as_pytree(world), key, numbers.label_noise, design=design)
    target, trained, drawn_features, noise = jax.tree.map(np.asarray, drawn)
    sizes = {group.split: sizes_of(design, group)[0] for group in design.groups} | {EVAL: design.n_eval[0]}
    features = {split: first_rows(drawn_features[split], n) for split, n in sizes.items()}
    truth = {split: target.of_rows(named[TARGET]) for split, named in features.items()}
    truth |= {split: truth[split] + values[: sizes[split]] for split, values in noise.items()}
    if not all(np.isfinite(a).all() for a in jax.tree.leaves((features, truth))):
        return None
    if any(is_near_rounding(features[group.split][group.features]) for group in design.groups):
        return None
    stages = jax.tree.map(lambda a: np.asarray(a[0]), design.stages(numbers))
    options: dict[str, Any] = {"metrics": design.metrics, "shared": design.shared_heads}
    with one_linear_algebra_thread():  # more wait for each other longer than such small matrices take
        outcome, models = run_centred(stages, features, truth, key, **options)
    runs = {name: SimpleNamespace(**run) for name, run in trained.items()}
    found = with_diagnostics(outcome, SimpleNamespace(trained=runs)), models
    return jax.tree.map(jnp.asarray, found)


@functools.partial(jax.jit, static_argnames=("design",))
def _draw(world: Any, key: jax.Array, label_noise: jax.Array, *, design: Design) -> Any:
    """Draw what the host needs: target heads, training runs, features and label noise by split."""
    source = source_of(world, key, design)
    features, noise = {EVAL: source.rows(source.entries((Role.EVAL, 0)), design.order, EVAL)}, {}
    for group in design.groups:
        entries = source.training(group)
        if group.split not in features:
            features[group.split] = source.rows(entries[0], design.order, group.split)
        if len(entries) == 2 and group.split not in noise:
            noise[group.split] = label_noise * stack_blocks(
                lambda entry: normal(entry, (design.tasks, BLOCK)).T, entries[1]
            )
    trained = {
        name: {part: getattr(run, part) for part in ("curve", "diverged", "dead")}
        for name, run in getattr(source.pair, "trained", {}).items()
    }
    return source.target_heads(design.tasks), trained, features, noise
