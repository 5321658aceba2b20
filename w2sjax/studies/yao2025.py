"""Yao et al., "Revisiting weak-to-strong generalization: reverse KL vs. forward KL" (2025), in kind.

Their students are language models on labels of which a share is exchanged. Here heads on random features learn true
labels of which a share is exchanged, and a weak model's probabilities, by forward and by reverse KL. Labels are clipped
to [1e-3, 1 - 1e-3] before the reverse divergence, as there by a third party's note; sizes are this project's.
"""

import functools

import xarray as xr

from w2sjax import analysis, figures, losses
from w2sjax.engine.chain import Stage
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import Logistic, Projected
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.targets import Binary
from w2sjax.worlds import TruncatedMLP

_REVERSE, _FORWARD = Projected(clip=1e-3), Logistic()
_STAGES = (
    Stage("reverse", "strong", "truth", "strong", _REVERSE),
    Stage("forward", "strong", "truth", "strong", _FORWARD),
    Stage("weak", "weak", "truth", "weak", Logistic(1e-4)),
    Stage("w2s", "strong", "weak", "strong", _REVERSE),
    Stage("w2s_forward", "strong", "weak", "strong", _FORWARD),
)
_STUDENTS = {
    "reverse": "reverse KL, exchanged labels",
    "forward": "forward KL, exchanged labels",
    "w2s": "reverse KL, weak model",
    "w2s_forward": "forward KL, weak model",
}


def _headline(result: xr.Dataset) -> str:
    margin = result["margin"].sel(of="median")
    parts = [f"{float(margin.sel(flip=flip)):+.3f} at {flip:.0%}" for flip in margin["flip"].values.tolist()]
    return f"accuracy of reverse less forward KL on exchanged labels: {', '.join(parts)}"


STUDIES = (
    Study(
        **listed("yao2025-reverse"),
        world=TruncatedMLP(input_dim=16, weak_inputs=12, width=20),
        protocol=Protocol(
            n_weak=400,
            n_strong=4000,
            n_eval=2000,
            tasks=1,
            stages=_STAGES,
            target=Binary(flip=0.1),
            loss=losses.LOGISTIC,
        ),
        axes={"flip": (0.05, 0.1, 0.2, 0.3, 0.4)},
        pairs=30,
        analysis=functools.partial(analysis.compare_students, students=_STUDENTS),
        report=functools.partial(analysis.students_report, headline=_headline),
        figure=functools.partial(
            figures.students_figure,
            along="flip",
            label="share of labels exchanged",
            quantities={"accuracy": "accuracy", "margin": "reverse - forward, exchanged labels"},
        ),
    ),
)
