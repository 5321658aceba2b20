"""Measure how far gain and misfit are from those in float64, by the precision of features and moments.

Usage: python benchmarks/precision.py [--fast] [--out FILE.json]

Errors are relative to weak_error, over pairs of the canonical workload (n = 2000 per split, 5 layers of 16 units) with
10 tasks. The products of a tensor core are emulated in the networks: both factors rounded to TF32 or to bfloat16 before
they are multiplied and added in float32, or split into two such numbers, without the product of the two small ones.
"""

from collections.abc import Callable
from typing import Any
from unittest import mock

import jax
import recording

import w2sjax as w2s
from w2sjax.bench.canonical import errors_against
from w2sjax.linalg import product
from w2sjax.worlds import mlp
from w2sjax.worlds.layers import ACTIVATIONS

PAIRS, TASKS = 384, 10
FRACTION_BITS = {"TF32": 10, "bfloat16": 7}


def rounded_factors(fraction_bits: int, *, split: bool) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Return a matrix product of float32 whose factors have few bits, or of factors split into two such numbers."""

    def rounded(a: jax.Array) -> jax.Array:
        return jax.lax.reduce_precision(a, exponent_bits=8, mantissa_bits=fraction_bits)

    def multiply(a: jax.Array, b: jax.Array) -> jax.Array:
        large = rounded(a), rounded(b)
        if not split:
            return product(*large)
        small = rounded(a - large[0]), rounded(b - large[1])
        return product(large[0], large[1]) + (product(large[0], small[1]) + product(small[0], large[1]))

    return multiply


def features_by(multiply: Callable[[jax.Array, jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    """Return `w2sjax.worlds.mlp.features_of` with another matrix product."""

    def features_of(module: mlp.Perceptron, parameters: Any, inputs: jax.Array) -> jax.Array:
        hidden = inputs
        for weight, bias in mlp.layers_of(module, parameters):
            hidden = ACTIVATIONS[module.activation](multiply(weight, hidden) + bias[:, None])
        return hidden

    return features_of


def outcomes(double: bool, numerics: w2s.Numerics, pairs: int, features: Any = mlp.features_of) -> Any:
    """Run a sweep in a precision, with another way to compute features."""
    protocol = w2s.Protocol(tasks=TASKS, head=w2s.heads.Ridge(1e-8), numerics=numerics)
    jax.clear_caches()  # compiled programs do not know which features they were compiled for
    with jax.enable_x64(double), mock.patch.object(mlp, "features_of", features):
        return w2s.sweep(w2s.worlds.PerturbedMLP(), protocol, pairs=pairs).load()


def main() -> None:
    """Write one record per precision."""
    options = recording.options(__doc__)
    w2s.use_all_cores()
    pairs = 8 if options.fast else PAIRS
    usual, single = w2s.Numerics(), w2s.Numerics(feature_precision="float32")
    variants: dict[str, tuple[Any, ...]] = {
        "float32": (False, usual, pairs),
        "float32 features, float64 moments": (True, single, pairs),
    }
    for name, bits in FRACTION_BITS.items():
        for split, times in ((True, "3 x "), (False, "")):
            features = features_by(rounded_factors(bits, split=split))
            variants[f"{times}{name} features, float64 moments"] = (True, single, pairs, features)
    exact = outcomes(True, usual, pairs)
    report = {
        "benchmark": "precision",
        **recording.surroundings(),
        "pairs": pairs,
        "tasks": TASKS,
        "records": [
            {"precision": name, "error": errors_against(outcomes(*arguments), exact)}
            for name, arguments in variants.items()
        ],
    }
    recording.write(report, options.out)


if __name__ == "__main__":
    main()
