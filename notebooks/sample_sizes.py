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
# # Sample sizes and the law of the deviation
#
# How far gain is from misfit depends on `n_strong`, the samples that the weak model labels. Sizes are prefixes of one stream: a whole
# axis of them costs one pass over the largest sample.

# %%
import os

import jax

import w2sjax as w2s

jax.config.update("jax_enable_x64", True)

FAST = os.environ.get("W2SJAX_FAST") == "1"
pairs, sizes = (10, [100, 400]) if FAST else (300, [50, 100, 250, 500, 1000, 4000])

world = w2s.worlds.PerturbedMLP(width=8, depth=2, input_scale=1.0, weak_noise=0.1, strong_noise=0.0)
protocol = w2s.Protocol(n_weak=500, n_eval=1000, tasks=5)
found = w2s.sweep(world, protocol, pairs=pairs, axes={"n_strong": sizes})

# %% [markdown]
# Medians over pairs with their 95% intervals. Means would be led by a few draws.

# %%
summary = w2s.analysis.summarize(found)
for n in sizes:
    low, median, high = summary["deviation"].sel(n_strong=n, of=["low", "median", "high"]).values
    print(f"n_strong = {n:5d}: deviation {median:8.4f} [{low:.4f}, {high:.4f}]")

# %%
figure = w2s.figures.plot(found, x="n_strong", y="deviation", log="x")
figure

# %% [markdown]
# Cells share their draws, so that a difference between two sizes is finer than either of them:

# %%
difference = w2s.analysis.compare(found, "n_strong", reference=sizes[-1])["gain"].isel(n_strong=0)
print("gain at the smallest size less that at the largest:", difference.values.round(4).tolist())

# %% [markdown]
# The law says where the deviation of a single task lies, from moments of order four and nothing fitted (`docs/theory.md`):

# %%
band = w2s.analysis.law_band(found.isel(pair=slice(10)), "n_strong", "deviation")["band"]
for n in sizes:
    low, median, high = band.sel(x=n).values
    inside = (
        ((found["deviation"].sel(n_strong=n) > low) & (found["deviation"].sel(n_strong=n) < high))
        .mean()
        .item()
    )
    print(
        f"n_strong = {n:5d}: the middle 90% are {low:.4f} to {high:.4f}; {inside:.0%} of the tasks lie there"
    )
