# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # w2sjax in ten minutes
#
# A weak model learns a task from true labels. A strong model then learns it from the weak model's labels alone. By how much
# does the strong one beat its supervisor? This notebook goes from one such experiment to a sweep over many, and to a world
# of your own.
#
# Set the environment variable `W2SJAX_FAST=1` to run it with tiny sizes. The first call of each kind compiles, which takes
# longer than the computation itself.

# %%
import dataclasses
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import w2sjax as w2s

jax.config.update("jax_enable_x64", True)

FAST = os.environ.get("W2SJAX_FAST") == "1"
n, tasks, pairs = (200, 10, 4) if FAST else (2000, 100, 256)

# %% [markdown]
# ## One pair
#
# A *world* says what nature is. In `PerturbedMLP` the target representation h* is a random multilayer perceptron, and the
# weak and strong representations are copies of it with Gaussian noise on every parameter. With `strong_noise=0` the strong
# representation is the target itself: the realizable case. A *protocol* says how supervision is done. Two lines run one
# experiment:

# %%
world = w2s.worlds.PerturbedMLP(weak_noise=0.05, strong_noise=0.0)
outcome = w2s.run_pair(world, w2s.Protocol(n_weak=n, n_strong=n, n_eval=n, tasks=tasks), jax.random.key(0))

# %% [markdown]
# Every field of the outcome has one entry per task: a target head on h*, drawn at random. `gain` is the weak model's error
# minus that of the model it supervised; `misfit` is the mean squared distance between the two models' predictions.

# %%
for name in ("weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation"):
    print(f"{name:14s} mean over tasks {float(getattr(outcome, name).mean()):10.3e}")
print("status:", w2s.Flag(int(outcome.status.code)), "| strong rank:", int(outcome.status.strong_rank))


# %% [markdown]
# A rank below the width is common here: with ReLU, some of the 16 units are dead. They are dropped, and the status says so.
#
# ## The panel
#
# Charikar, Pabbaraju and Shiragur (2024) show that the gain is at least the misfit when the strong head class is convex and
# contains the truth; for linear heads without ridge the two are equal. That holds on the population. On finite samples the
# points scatter around the line gain = misfit:


# %%
def prepare(axes, title):
    axes.axline((0, 0), slope=1, color="grey", linestyle="--", label="gain = misfit")
    axes.set(xlabel="misfit", ylabel="gain", title=title)


figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
prepare(axes, "one pair")
axes.scatter(outcome.misfit, outcome.gain, s=8, label="one task")
axes.legend()
# %% [markdown]
# ## A sweep
#
# `sweep` runs many independent pairs, over a grid of settings if `axes` are given, and returns an `xarray.Dataset`. Pair i
# depends on `(seed, i)` only, and every cell of the grid sees the same draws, so differences between cells are not blurred
# by sampling.

# %%
protocol = w2s.Protocol(n_weak=n, n_strong=n, n_eval=n, tasks=tasks)
sizes = [n // 4, n] if FAST else [n // 8, n // 4, n // 2, n]
ds = w2s.sweep(world, protocol, pairs=pairs, seed=0, axes={"n_strong": sizes}, progress=True)
ds

# %% [markdown]
# How does the number of samples that the weak model labels change the picture? The right panel shows the median over pairs
# and tasks of the deviation, gain − misfit, in units of the pair's mean weak error; the band holds 80% of them.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.5), layout="constrained")
scale = ds.weak_error.mean("task")
largest = (ds[["misfit", "gain"]] / scale).sel(n_strong=n)
prepare(left, f"{pairs} pairs, n_strong = {n}")
left.set(xlabel="misfit / mean weak error of the pair", ylabel="gain / mean weak error of the pair")
left.scatter(largest.misfit, largest.gain, s=2)

relative = (ds.deviation / scale).quantile([0.1, 0.5, 0.9], dim=("pair", "task"))
right.fill_between(sizes, relative.sel(quantile=0.1), relative.sel(quantile=0.9), alpha=0.3)
right.plot(sizes, relative.sel(quantile=0.5), marker="o")
right.axhline(0, color="grey", linestyle="--")
right.set(xlabel="n_strong", ylabel="(gain − misfit) / mean weak error", title="sample-size effect")
right.set_xscale("log")
right.set_xticks(sizes, labels=sizes)
right.minorticks_off()

# %% [markdown]
# A few pairs can lie far below the line. In such a pair some unit of the strong network is active on one or two of the
# transfer samples only, and without ridge those few weak labels alone decide its coefficient. `ridge` and `n_strong` are
# axes: try them. A store (`store="results.zarr"`) keeps a sweep on disk, resumes it, and grows with more pairs or values.
#
# Status codes are part of the data. Count the pairs that were ill conditioned or not finite before you trust an average:

# %%
serious = ds.status_code & int(w2s.Flag.ILL_CONDITIONED | w2s.Flag.NOT_FINITE)
print("pairs with a serious status:", int(serious.any("n_strong").sum()), "of", pairs)

# %% [markdown]
# ## Other heads, other metrics
#
# A head is a value of the protocol, and the weak model may have another one. With `baseline=True` a strong head is also
# fitted to the weak model's own true labels: what could be had without weak supervision. A metric of yours is a function of
# the predictions of all models; `return_models=True` returns these, with the fitted heads.

# %%
absolute = w2s.Metric(
    "w2s_absolute",
    "mean absolute error of the w2s model",
    "label unit",
    lambda p: jnp.abs(p["w2s"] - p["truth"]),
)
heads = {"head": w2s.heads.Ridge(1e-6), "weak_head": w2s.heads.Ball(0.5), "baseline": True}
chosen = w2s.Protocol(n_weak=n, n_strong=n, n_eval=n, tasks=tasks, **heads)
outcome, models = w2s.run_pair(world, chosen, jax.random.key(0), metrics=[absolute], return_models=True)

for name in ("weak_error", "w2s_error", "baseline_error", "w2s_absolute"):
    print(f"{name:14s} mean over tasks {float(getattr(outcome, name).mean()):10.3e}")
weights = models.fitted["weak"].weights  # [width, task]
print("largest norm of the weak model's weights:", float(jnp.linalg.norm(weights, axis=0).max()))


# %% [markdown]
# ## Your own world
#
# A world is any frozen object with `draw(key)`, which returns a pair. A pair is any object with `features(key, n)`, which
# draws n inputs and returns `(target, weak, strong)`, each `[n, width]`. Here neither model sees all the inputs that the
# target depends on, and the strong one sees more:


# %%
@dataclasses.dataclass(frozen=True)
class MaskedPair:
    weights: jax.Array  # [input_dim, width]
    weak_inputs: int
    strong_inputs: int

    def features(self, key, n):
        inputs = w2s.random.normal(key, (n, self.weights.shape[0]))

        def represent(seen):
            return jnp.tanh(inputs[:, :seen] @ self.weights[:seen])

        return represent(None), represent(self.weak_inputs), represent(self.strong_inputs)


@dataclasses.dataclass(frozen=True)
class MaskedInputs:
    input_dim: int = 8
    width: int = 16
    weak_inputs: int = 5
    strong_inputs: int = 7

    def draw(self, key):
        weights = w2s.random.normal(key, (self.input_dim, self.width)) / self.input_dim**0.5
        return MaskedPair(weights, self.weak_inputs, self.strong_inputs)


# %% [markdown]
# Its fields can be axes too. The strong representation no longer contains the target, so the theorem does not apply; the
# points stay near the line all the same:

# %%
seen = [5] if FAST else [2, 4, 6]
masked = w2s.sweep(MaskedInputs(), protocol, pairs=pairs, seed=0, axes={"weak_inputs": seen})

figure, axes = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
prepare(axes, "means over tasks, one point per pair")
for count in seen:
    means = masked.sel(weak_inputs=count).mean("task")
    axes.scatter(means.misfit, means.gain, s=8, label=f"weak model sees {count} inputs")
axes.legend()

# %% [markdown]
# From here: the docstring of `Protocol` lists label noise, the baseline, chains of stages and standard errors, and
# `w2s.heads` holds other classes of heads; `evaluate_features` runs the same experiment on features you computed elsewhere;
# `docs/extending.md` shows a head, a loss, a metric, a method and a theory of your own; `w2sjax settings` lists the studies.
