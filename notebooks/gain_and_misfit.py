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
# # Gain and misfit
#
# Charikar, Pabbaraju and Shiragur (2024): the gain of the strong model over its weak supervisor is at least the misfit between the
# two, where the strong heads are a convex class that holds the truth. `w2sjax settings` lists the studies of the paper; this
# notebook runs two of its panels and changes what they assume. `w2sjax reproduce charikar2024 --out results` runs all.

# %%
import dataclasses
import os

import jax

import w2sjax as w2s

jax.config.update("jax_enable_x64", True)

FAST = os.environ.get("W2SJAX_FAST") == "1"


def run(study, pairs):
    if FAST:
        sizes = dataclasses.replace(study.protocol, n_weak=200, n_strong=200, n_eval=200, tasks=10)
        study = dataclasses.replace(study, protocol=sizes)
    found = w2s.sweep(study.world, study.protocol, pairs=pairs)
    return study.analysis(found)


# %% [markdown]
# The realizable panel: the strong network is the target network. For linear heads gain and misfit are then equal on the
# population; on a sample they scatter. The interval of the slope allows for a spread that grows with misfit.

# %%
realizable = run(w2s.studies.get("charikar2024-perturbation-realizable"), pairs=8 if FAST else 100)
figure = w2s.figures.gain_against_misfit(realizable)
print(w2s.analysis.gain_report(realizable)["headline"])
print("first pair:", realizable["slope_interval"].isel(pair=0).values.round(3))
figure

# %% [markdown]
# The strong network is a copy with noise, and no longer holds the truth: what is gained is less than the misfit by up to the
# error of the best strong head.

# %%
other = run(w2s.studies.get("charikar2024-perturbation-nonrealizable"), pairs=8 if FAST else 100)
print(w2s.analysis.gain_report(other)["headline"])
for name, result in (("realizable", realizable), ("non-realizable", other)):
    deviation = result["deviation"].mean("task").median().item()
    print(f"{name}: median deviation {deviation:.3g}")

# %% [markdown]
# For a paper, at the width of a column, with the caption as text:

# %%
print(w2s.figures.at_width(figure, 6.8))
