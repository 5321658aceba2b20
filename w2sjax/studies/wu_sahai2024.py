"""Minimum-norm interpolation of signs: hard labels against logits. Sizes are this project's."""

from typing import TYPE_CHECKING

import xarray as xr

from w2sjax import analysis, figures, theory
from w2sjax.engine.chain import Stage
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import RidgeThroughOrigin
from w2sjax.losses import ZERO_ONE
from w2sjax.methods import HardLabels
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.worlds import BilevelClassification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEAD = RidgeThroughOrigin()
_STAGES = (
    Stage("weak", "weak", "truth", "weak", _HEAD),
    Stage("w2s", "strong", "weak", "strong", _HEAD),
    Stage("hard", "strong", "weak", "strong", _HEAD, HardLabels()),
    Stage("ceiling", "strong", "truth", "strong", _HEAD),
)
_WORLD = BilevelClassification(weak_rest=200, strong_rest=2000, weak_large=5.0, strong_large=10.0)
_PROTOCOL = Protocol(n_weak=50, n_strong=400, n_eval=1000, tasks=1, stages=_STAGES, loss=ZERO_ONE)
_AXES = {"n_strong": (30, 60, 120, 240, 480, 960), "n_weak": (40, 100)}


def _beside_theory(dataset: xr.Dataset) -> xr.Dataset:
    prediction = theory.SIGN_INTERPOLATION.predict(_WORLD, _PROTOCOL, _AXES)
    return analysis.beside_theory(dataset, prediction)


def error_rates(result: xr.Dataset, title: str) -> "Figure":
    """Draw error rates, which have no unit, beside their predictions."""
    figure = figures.theory_beside_simulation(result, title)
    for panel in figure.axes:
        panel.set_ylabel(panel.get_ylabel().partition("  [")[0])
    return figure


STUDIES = (
    Study(
        **listed("wu2024-labels"),
        unverified=("weak_large", "strong_large"),
        world=_WORLD,
        protocol=_PROTOCOL,
        axes=_AXES,
        pairs=50,
        analysis=_beside_theory,
        report=analysis.theory_report,
        figure=error_rates,
    ),
)
