"""Random features: early-stopped students of teachers fitted on the population, and ridge at both stages.

Sizes are this project's: those of the papers' figures were not at hand.
"""

import numpy as np
import xarray as xr

from w2sjax import analysis, figures, theory
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import GradientFlow, RidgeThroughOrigin
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.worlds import PowerLawFeatures, TwoLevelFeatures

_DIM = 300
_LINEAR = TwoLevelFeatures(
    dim=_DIM, small=(_DIM - 1) ** (-2 / 3), weak_width=40, strong_width=0, population=True
)
_POPULATION = Protocol(
    n_weak=_DIM,
    n_strong=_DIM,
    n_eval=_DIM,
    tasks=1,
    weak_head=RidgeThroughOrigin(),
    head=GradientFlow(2.0),
)
_WIDTHS = (20, 30, 45, 70, 100, 150, 220)
_TIMES = (1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0)


def _best_stopping(dataset: xr.Dataset) -> xr.Dataset:
    times = sorted({*_TIMES, *np.geomspace(0.5, 20, 60).tolist()})
    axes = {"weak_width": _WIDTHS, "time": times}
    return analysis.best_stopping(dataset, theory.RANDOM_FEATURE_FLOW.predict(_LINEAR, _POPULATION, axes))


_MEDVEDEV = Study(
    **listed("medvedev2025-linear"),
    unverified=("small", "weak_width"),
    world=_LINEAR,
    protocol=_POPULATION,
    axes={"weak_width": _WIDTHS, "time": _TIMES},
    pairs=30,
    analysis=_best_stopping,
    report=analysis.stopping_report,
    figure=figures.student_against_teacher,
)

_RIDGE_WORLD = PowerLawFeatures(dim=400, weak_width=60, strong_width=300)
_RIDGE = Protocol(
    n_strong=400,
    n_eval=500,
    tasks=5,
    label_noise=0.3,
    weak_head=RidgeThroughOrigin(1e-4),
    head=RidgeThroughOrigin(1e-3),
)
_AXES = {"n_weak": (30, 60, 100, 200, 400, 800, 1600), "weak_width": (60, 240)}


def _beside_equivalents(dataset: xr.Dataset) -> xr.Dataset:
    return analysis.beside_theory(dataset, theory.RANDOM_FEATURE_RIDGE.predict(_RIDGE_WORLD, _RIDGE, _AXES))


_WU = Study(
    **listed("wu2026-scaling"),
    unverified=("decay", "target_decay"),
    world=_RIDGE_WORLD,
    protocol=_RIDGE,
    axes=_AXES,
    pairs=50,
    analysis=_beside_equivalents,
    report=analysis.theory_report,
    figure=figures.theory_beside_simulation,
)

STUDIES = (_MEDVEDEV, _WU)
