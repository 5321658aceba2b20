"""How gain departs from misfit at finite samples: this project's own map and law, on worlds of Charikar et al. 2024."""

import xarray as xr

from w2sjax import analysis, figures
from w2sjax.engine.protocol import Protocol
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.worlds import PerturbedMLP

_SIZES = (10, 20, 40, 70, 130, 250, 500, 1000, 2000, 3500, 6500, 12_000, 25_000, 45_000, 70_000, 100_000)


def _map_with_law(dataset: xr.Dataset) -> xr.Dataset:
    return analysis.law_over_map(analysis.finite_sample(dataset), dataset)


_FINITE_SAMPLE = Study(
    **listed("finite-sample"),
    unverified=("weak_noise", "strong_noise"),
    world=PerturbedMLP(weak_noise=0.05),
    protocol=Protocol(n_eval=200_000, tasks=10),
    axes={"strong_noise": (0.0, 0.01), "n_weak": _SIZES, "n_strong": _SIZES},
    pairs=1000,
    analysis=_map_with_law,
    report=analysis.finite_sample_slopes,
    figure=figures.finite_sample_map,
)

_LAW = Study(
    **listed("finite-sample-law"),
    unverified=("weak_noise", "strong_noise"),
    world=PerturbedMLP(weak_noise=0.05),
    protocol=Protocol(n_eval=10_000, tasks=10),
    axes={"strong_noise": (0.0, 0.01), "n_strong": (50, 100, 250, 500, 1000, 2000, 4000, 16_000)},
    pairs=1000,
    analysis=analysis.law_coverage,
    report=analysis.law_report,
    figure=figures.law_coverage_figure,
)

STUDIES = (_FINITE_SAMPLE, _LAW)
