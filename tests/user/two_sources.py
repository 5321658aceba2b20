"""A user's world: inputs of two sources; training sees the first mostly, evaluation the second."""

import dataclasses

import jax
import jax.numpy as jnp

from w2sjax.random import normal, uniform


@dataclasses.dataclass(frozen=True)
class TwoSources:
    rare: float = 0.1
    weights: object = None

    def draw(self, key):
        return dataclasses.replace(self, weights=normal(key, (6, 7)))

    def inputs(self, key, n, split):
        share, keys = 1 - self.rare if split == "eval" else self.rare, jax.random.split(key)
        return normal(keys[0], (n, 6)) + jnp.where(uniform(keys[1], (n, 1), 1.0) > 1 - 2 * share, 2.0, -2.0)

    def represent(self, name, inputs):
        seen = {"target": 6, "strong": 5, "weak": 3}[name]
        return jnp.tanh(inputs[:, :seen] @ self.weights[:seen])
