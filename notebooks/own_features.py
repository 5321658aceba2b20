# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own features
#
# Features of the same rows in a weak and a strong representation, and targets: arrays of yours, or files read by `w2s.data`. The
# rows are dealt out anew to disjoint splits for every pair.

# %%
import os

import jax
import numpy as np

import w2sjax as w2s

jax.config.update("jax_enable_x64", True)

FAST = os.environ.get("W2SJAX_FAST") == "1"
rows, resamples = (300, 10) if FAST else (3000, 200)

rng = np.random.default_rng(0)
x = rng.normal(size=(rows, 10))
y = np.sin(x).sum(axis=1) + 0.1 * rng.normal(size=rows)
weak, strong = x[:, :5], np.concatenate([x, np.tanh(2 * x)], axis=1)

# %%
features = {"weak": w2s.data.standardized("weak", weak), "strong": w2s.data.standardized("strong", strong)}
print(w2s.data.inspect({"weak": weak, "strong": strong}, y))
world = w2s.worlds.Resampled(features=features, targets=y)
protocol = w2s.Protocol(**world.sizes, tasks=1, head=w2s.heads.Ridge(1e-2), baseline=True)
found = w2s.sweep(world, protocol, pairs=resamples)
summary = w2s.analysis.summarize(found)
for name in ("weak_error", "w2s_error", "ceiling_error", "baseline_error", "gain", "misfit"):
    median, low, high = summary[name].values
    print(f"{name:15s} {median:.3f} [{low:.3f}, {high:.3f}]")

# %% [markdown]
# One experiment on splits of your own, without resampling:

# %%
a, b, c = np.array_split(np.arange(rows), 3)
once = w2s.evaluate_features(
    weak_train=weak[a], y_train=y[a], weak_transfer=weak[b], strong_transfer=strong[b], y_transfer=y[b],
    weak_eval=weak[c], strong_eval=strong[c], y_eval=y[c], head=w2s.heads.Ridge(1e-2),
)  # fmt: skip
print("gain, misfit:", once.gain, once.misfit)
