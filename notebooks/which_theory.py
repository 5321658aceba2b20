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
# # Which theory explains my curve?
#
# Every published theory has assumptions, and a real curve breaks some of them. Here all theories are held against one sweep along
# `n_weak`: of random ReLU networks, ridge heads without intercept, and noisy labels.

# %%
import os

import jax

import w2sjax as w2s

jax.config.update("jax_enable_x64", True)

FAST = os.environ.get("W2SJAX_FAST") == "1"
pairs, sizes = (6, [30, 120]) if FAST else (60, [25, 50, 100, 200, 400, 800])

world = w2s.worlds.RandomMLP(width=16 if FAST else 64)
protocol = w2s.Protocol(
    n_strong=200, n_eval=500, tasks=5, label_noise=0.3, head=w2s.heads.RidgeThroughOrigin(0.01)
)
found = w2s.sweep(world, protocol, pairs=pairs, axes={"n_weak": sizes}, metrics=[w2s.theory.PREDICTION_GAP])

# %% [markdown]
# A theory that does not hold here is computed all the same, from what it would take for its own quantities (widths, spectra,
# overlaps, measured on rows of the same pairs). How far is each from simulation, in units of the weak error, and what does this
# world violate?

# %%
compared = w2s.analysis.theories_compared(found)
unit = compared["weak_error_simulated"]
for name in compared["theory"].values:
    one = compared.sel(theory=name)
    off = {
        quantity: float((abs(one[quantity] - one[f"{quantity}_simulated"]) / unit).median())
        for quantity in ("weak_error", "w2s_error", "gain")
    }
    told = ", ".join(f"{quantity} {value:.2f}" for quantity, value in off.items() if value == value)
    print(f"{name}: {told or 'predicts none of them'}. Violated: {one['violated'].item() or 'nothing'}")

# %%
figure = w2s.figures.theories_figure(compared)
figure

# %% [markdown]
# For a world of your own, ask each theory what fails, and predict with those of which nothing does. A theory whose assumptions are
# broken refuses, and names them:

# %%
subspaces = w2s.worlds.OverlappingSubspaces()
interpolating = w2s.Protocol(n_weak=400, n_strong=800, tasks=1)
for theory in w2s.theory.THEORIES:
    print(f"{theory.name}:", theory.violated(subspaces, interpolating) or "holds")
try:
    w2s.theory.INFINITE_WIDTH.predict(subspaces, interpolating, {"n_weak": [400, 800]})
except w2s.W2SError as refusal:
    print(refusal)
