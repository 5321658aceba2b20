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
# # Your own world, head and metric
#
# Each is a short class or function of yours; nothing in w2sjax is edited. `docs/extending.md` has chains, methods, losses and
# theories as well.

# %%
import dataclasses
import os
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

import w2sjax as w2s

jax.config.update("jax_enable_x64", True)

FAST = os.environ.get("W2SJAX_FAST") == "1"
n, tasks, pairs = (100, 3, 8) if FAST else (1000, 50, 200)

# %% [markdown]
# ## A world
#
# A world draws pairs; a pair draws inputs and returns the features of the target, the weak and the strong model. Here the weak
# model sees the inputs through noise of its own, drawn with the pair:


# %%
@dataclasses.dataclass(frozen=True)
class NoisyPair:
    mixing: jax.Array  # [width, width], of this pair
    blur: Any  # standard deviation of the noise that the weak model sees

    def features(self, key, n):
        inputs_key, blur_key = jax.random.split(key)
        inputs = w2s.random.normal(inputs_key, (n, self.mixing.shape[0]))
        seen = inputs + self.blur * w2s.random.normal(blur_key, inputs.shape)
        target = jnp.tanh(inputs @ self.mixing)
        return target, jnp.tanh(seen @ self.mixing), jnp.concatenate([target, inputs], axis=1)


@dataclasses.dataclass(frozen=True)
class Noisy:
    width: int = 8
    blur: float = 0.5

    def draw(self, key):
        return NoisyPair(w2s.random.normal(key, (self.width, self.width)) / self.width**0.5, self.blur)


# %% [markdown]
# ## A metric
#
# A mean over the evaluation sample of a function of all predictions:

# %%
worse = w2s.Metric(
    "share_worse",
    "share of inputs on which the w2s model errs more than the weak one",
    "1",
    lambda p: (jnp.abs(p["w2s"] - p["truth"]) > jnp.abs(p["weak"] - p["truth"])).astype(p["truth"].dtype),
)

# %% [markdown]
# ## A head
#
# `needs = "rows"`: it is fitted to features and labels. This one is ridge regression on the signs of the features:


# %%
@dataclasses.dataclass(frozen=True)
class OnSigns:
    needs: ClassVar[str] = "rows"
    loss: ClassVar[w2s.losses.Loss] = w2s.losses.SQUARED
    ridge: float = 1e-3

    def fit(self, sample, labels, key):
        linear, _ = w2s.heads.Ridge(self.ridge).fit(w2s.heads.Rows(jnp.sign(sample.features)), labels)
        return linear

    def predict(self, fitted, features):
        return jnp.sign(features) @ fitted.weights + fitted.bias


# %%
protocol = w2s.Protocol(n_weak=n, n_strong=n, n_eval=n, tasks=tasks)
found = w2s.sweep(Noisy(), protocol, pairs=pairs, axes={"blur": [0.2, 1.0]}, metrics=[worse])
for name in ("gain", "misfit", "share_worse"):
    print(name, w2s.analysis.summarize(found)[name].values.round(3).tolist())

# %%
of_signs = w2s.Protocol(n_weak=n, n_strong=n, n_eval=n, tasks=tasks, weak_head=OnSigns())
print(w2s.run_pair(Noisy(), of_signs, jax.random.key(0)).weak_error)
