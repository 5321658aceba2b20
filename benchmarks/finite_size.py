"""How far formulas for a limit are from simulation at finite sizes: what the theories state as `finite_size`.

    python benchmarks/finite_size.py --out benchmarks/results/finite_size.json [--fast]

Every size m scales samples and features together. Per theory and m: the largest |simulated - predicted| / weak_error
over cells and variables, its standard error, and its product with m, which is constant where the error is of order 1/m.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

import w2sjax as w2s
from w2sjax import analysis, theory
from w2sjax.heads import RidgeThroughOrigin
from w2sjax.studies.stages import SIGNS
from w2sjax.worlds import BilevelClassification, PowerLawFeatures


def ridge_on_features(m: int) -> tuple[Any, ...]:
    world = PowerLawFeatures(dim=8 * m, weak_width=m, strong_width=2 * m)
    heads = {"weak_head": RidgeThroughOrigin(1e-3), "head": RidgeThroughOrigin(1e-3)}
    protocol = w2s.Protocol(n_strong=3 * m, n_eval=2000, tasks=5, label_noise=0.3, **heads)
    return theory.RANDOM_FEATURE_RIDGE, world, protocol, {"n_weak": [m, 2 * m, 4 * m]}


def signs(m: int) -> tuple[Any, ...]:
    sizes = {"weak_rest": 4 * m, "strong_rest": 16 * m, "weak_large": 4.0, "strong_large": 8.0}
    protocol = w2s.Protocol(n_eval=2000, tasks=1, stages=SIGNS, loss=w2s.losses.ZERO_ONE)
    return (
        theory.SIGN_INTERPOLATION,
        BilevelClassification(**sizes),
        protocol,
        {"n_weak": [m, 2 * m], "n_strong": [2 * m, 4 * m]},
    )


FAMILIES = {"ridge on random features": ridge_on_features, "signs": signs}


def measured(family: Any, m: int, pairs: int) -> dict[str, Any]:
    predicted, world, protocol, axes = family(m)
    dataset = w2s.sweep(world, protocol, pairs=pairs, axes=axes)
    result = analysis.beside_theory(dataset, predicted.predict(world, protocol, axes))
    scale = result["weak_error"].sel(of="predicted")
    worst = {"m": m, "pairs": pairs, "share": 0.0}
    for name in result:
        off, error = result[name].sel(of="simulated") - result[name].sel(of="predicted"), 0
        shares = np.abs(off / scale).values
        at = np.unravel_index(np.argmax(shares), shares.shape)
        if shares[at] > worst["share"]:
            error = (result[name].sel(of="standard_error") / scale).values[at]
            worst |= {
                "variable": str(name),
                "share": float(shares[at]),
                "standard_error": float(error),
                "times_m": float(m * shares[at]),
            }
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fast", action="store_true", help="one size, few pairs")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    sizes = {20: 40} if options.fast else {20: 300, 60: 100}
    found = {
        name: [measured(family, m, pairs) for m, pairs in sizes.items()] for name, family in FAMILIES.items()
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
