"""Networks whose width goes to infinity: simulation at finite widths beside the limit, which needs no networks."""

from typing import Any

import xarray as xr

from w2sjax import analysis, figures, theory
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import RidgeThroughOrigin
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.worlds import RandomMLP

_WIDTHS = (16, 32, 64, 128, 256, 512, 1024)
_WORLD = RandomMLP(width=_WIDTHS[-1])
_PROTOCOL = Protocol(
    n_weak=40,
    n_strong=60,
    n_eval=500,
    tasks=10,
    label_noise=0.3,
    weak_head=RidgeThroughOrigin(1e-3),
    head=RidgeThroughOrigin(1e-3),
)
_RIDGES = (1e-3, 0.1)


def beside_limit(dataset: xr.Dataset) -> xr.Dataset:
    """Put the simulation at every width beside the limit, which is the same for all."""
    limit = theory.INFINITE_WIDTH.predict(_WORLD, _PROTOCOL, {"head.ridge": _RIDGES})
    everywhere = limit.expand_dims(width=dataset["width"].values)
    return analysis.beside_theory(dataset, everywhere)


def report_of_widest(result: xr.Dataset) -> dict[str, Any]:
    """Report the distance from the limit at the largest width."""
    return analysis.theory_report(result.isel(width=[-1]))


_INFINITE_WIDTH = Study(
    **listed("charikar2024-infinite-width"),
    world=_WORLD,
    protocol=_PROTOCOL,
    axes={"width": _WIDTHS, "head.ridge": _RIDGES},
    pairs=200,
    analysis=beside_limit,
    report=report_of_widest,
    figure=figures.theory_beside_simulation,
)

STUDIES = (_INFINITE_WIDTH,)
