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
# # Classification
#
# A target makes classes of scores. Heads are then logistic, fitted to convergence, and the weak model's labels are its probabilities
# or, with the method `Hard`, its decisions.

# %%
import os

import jax

import w2sjax as w2s

jax.config.update("jax_enable_x64", True)

FAST = os.environ.get("W2SJAX_FAST") == "1"
n, tasks = (150, 3) if FAST else (2000, 50)

world = w2s.worlds.PerturbedMLP(width=6, depth=2)
sizes = dict(n_weak=n, n_strong=n, n_eval=2 * n, tasks=tasks, target=w2s.targets.Binary())
logistic = w2s.heads.Logistic(1e-2)

# %%
soft = w2s.run_pair(world, w2s.Protocol(**sizes, head=logistic), jax.random.key(0))
for name in ("weak_accuracy", "w2s_accuracy", "ceiling_accuracy", "agreement_on_wrong"):
    print(f"{name:20s} {getattr(soft, name).mean():.3f}")

# %% [markdown]
# Decisions in place of probabilities: a stage has a method, which says how labels become targets.

# %%
stages = (
    w2s.Stage("weak", "weak", "truth", "weak", logistic),
    w2s.Stage("w2s", "strong", "weak", "strong", logistic, w2s.methods.Hard()),
    w2s.Stage("ceiling", "strong", "truth", "strong", logistic),
)
hard = w2s.run_pair(world, w2s.Protocol(**sizes, stages=stages), jax.random.key(0))
print(
    f"accuracy of the w2s model: {soft.w2s_accuracy.mean():.3f} of probabilities, {hard.w2s_accuracy.mean():.3f} of decisions"
)
