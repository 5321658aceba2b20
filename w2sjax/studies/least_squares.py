"""Label noise where all heads can express the truth: the exact errors of least squares beside simulation."""

import xarray as xr

from w2sjax import analysis, figures, theory
from w2sjax.engine.protocol import Protocol
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.worlds import PerturbedMLP

_WORLD = PerturbedMLP(depth=1, width=8, activation="identity", input_scale=1.0)
_PROTOCOL = Protocol(n_strong=100, n_eval=2000, tasks=10, label_noise=0.5)
_AXES = {"n_weak": (15, 20, 30, 50, 100, 200, 500, 1000), "label_noise": (0.1, 0.5)}


def _beside_theory(dataset: xr.Dataset) -> xr.Dataset:
    return analysis.beside_theory(dataset, theory.LEAST_SQUARES.predict(_WORLD, _PROTOCOL, _AXES))


_LEAST_SQUARES = Study(
    **listed("least-squares"),
    world=_WORLD,
    protocol=_PROTOCOL,
    axes=_AXES,
    pairs=400,
    analysis=_beside_theory,
    report=analysis.theory_report,
    figure=figures.theory_beside_simulation,
)

STUDIES = (_LEAST_SQUARES,)
