"""Dong et al., "Discrepancies are Virtue: Weak-to-Strong Generalization through Lens of Intrinsic Dimension" (2025).

Settings are those of the synthetic notebook of the public code: dimensions, spectrum, target, noise, sample sizes, 40
trials. Sizes are fewer than there (6 of 20 along each axis), heads have an intercept, which those of the code lack, and
errors are measured on an evaluation sample, which the code computes in closed form.
"""

from w2sjax import analysis, figures
from w2sjax.engine.protocol import Protocol
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.worlds import OverlappingSubspaces

_SIZES = (400, 800, 1200, 2000, 3000, 4000)
_SUMS = {2000 + n for n in _SIZES} | {4000 + n for n in _SIZES}

_SUBSPACES = Study(
    **listed("dong2025-subspaces"),
    world=OverlappingSubspaces(),
    protocol=Protocol(n_eval=4000, tasks=1, baseline=True),
    axes={
        "overlap": (0, 10, 40, 50, 80, 90),
        "label_noise": (0.02, 0.1, 0.1**0.5),
        "n_weak": _SIZES,
        "n_strong": tuple(sorted({*_SIZES, *_SUMS})),
    },
    pairs=40,
    analysis=analysis.subspace_panels,
    report=analysis.subspace_report,
    figure=figures.subspaces_figure,
)

STUDIES = (_SUBSPACES,)
