"""Moniri and Hassani, "On the Mechanisms of Weak-to-Strong Generalization: A Theoretical Perspective" (2025).

The settings of the paper's figures were not at hand: dimensions, sizes and noise are this project's. The axes are the
ridges of teacher and student; with an even penalty the student wins, for some ridge, where the teacher has too little.
"""

from w2sjax import analysis, figures
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import Ridge
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.worlds import PowerLaw

_RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_PROTOCOL = Protocol(
    n_weak=200, n_strong=400, n_eval=2000, tasks=1, label_noise=1.0, head=Ridge(0.1), weak_head=Ridge(0.1)
)


def _study(name: str, world: PowerLaw) -> Study:
    return Study(
        **listed(name),
        world=world,
        protocol=_PROTOCOL,
        axes={"weak_head.ridge": _RIDGES, "head.ridge": _RIDGES},
        pairs=100,
        analysis=analysis.ridge_map,
        report=analysis.ridge_phase_report,
        figure=figures.ridge_phase_figure,
    )


STUDIES = (
    _study("moniri2025-ridge", PowerLaw(dim=100, signal=1 / 100)),
    _study("moniri2025-weighted", PowerLaw(dim=100, signal=0.2, signal_power=1.0, weight_power=1.0)),
)
