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
# # A GPU, a TPU, a cluster
#
# The same code runs on all of them, and pair i has the same draws everywhere. `w2sjax doctor` says what a machine has, and whether its
# results are right.

# %%
import os
import tempfile
from pathlib import Path

import jax

import w2sjax as w2s

w2s.use_all_cores()  # on a CPU: one group of pairs per core; elsewhere nothing
FAST = os.environ.get("W2SJAX_FAST") == "1"
print(jax.local_device_count(), "x", jax.local_devices()[0].device_kind)

# %% [markdown]
# Precision is JAX's: float32 unless you ask for more, and a TPU has no fast float64. How many pairs are in flight follows from
# `memory_budget`, and no result depends on it.

# %%
world = w2s.worlds.PerturbedMLP(width=8, depth=2, input_scale=1.0, weak_noise=0.1, strong_noise=0.0)
protocol = w2s.Protocol(n_weak=200, n_strong=200, n_eval=200, tasks=5)
folder = Path(tempfile.mkdtemp())
first = w2s.sweep(world, protocol, pairs=4 if FAST else 1000, store=folder / "a.zarr", memory_budget=10**8)

# %% [markdown]
# Machines can share a sweep by its pairs, without talking to each other; stores are merged afterwards. `w2sjax sweep --distributed` does
# the same under SLURM, Kubernetes or Open MPI (`docs/clusters.md`).

# %%
count = first.sizes["pair"]
w2s.sweep(world, protocol, pairs=count, first_pair=count, store=folder / "b.zarr")
whole = w2s.merge_stores([folder / "a.zarr", folder / "b.zarr"], folder / "whole.zarr")
print(whole.sizes["pair"], "pairs;", whole.attrs["history"].splitlines()[-1].split(": ")[1])
print("median gain:", w2s.analysis.summarize(whole)["gain"].sel(of="median").item())
