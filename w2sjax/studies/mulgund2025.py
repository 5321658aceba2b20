"""Mulgund and Pabbaraju, "Relating misfit to gain in weak-to-strong generalization beyond the squared loss" (2025).

In kind: the synthetic notebook of the public code has 3072 Gaussian inputs of which the weak network sees half, ten
classes, networks of width 50 trained on images, heads on 1 and 2 million samples by AdamW, and one run, with gain
0.2336 and misfit 0.2350 of a weak error of 1.187 nats (KL). Here networks are random, of width 20 on 16 inputs, the
weak one is the target network blind to half of them, and heads are solved. Convex combinations there are of heads on
networks trained on images.
"""

import functools
from typing import TYPE_CHECKING, Any

import xarray as xr

from w2sjax import analysis, figures, losses
from w2sjax.engine.chain import Stage
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import Projected, Softmax
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.targets import Classes
from w2sjax.worlds import TruncatedMLP

if TYPE_CHECKING:
    from collections.abc import Callable

RIDGE = 1e-6

_WEAK = Stage("weak", "weak", "truth", "weak", Softmax(RIDGE))
_REVERSE = Projected(loss=losses.KL, link="softmax", ridge=RIDGE)
_WORLD = TruncatedMLP(input_dim=16, weak_inputs=8, width=20)


def _study(
    name: str,
    stages: tuple[Stage, ...],
    students: dict[str, str],
    count: int,
    size: int,
    headline: "Callable[[xr.Dataset], str]",
    drawing: dict[str, Any],
    change_along: str | None = None,
    **options: Any,
) -> Study:
    return Study(
        **listed(name),
        protocol=Protocol(
            n_weak=size,
            n_strong=size,
            n_eval=size,
            tasks=1,
            stages=stages,
            target=Classes(count=count, temperature=0.2),
            loss=losses.KL,
        ),
        analysis=functools.partial(analysis.compare_students, students=students, change_along=change_along),
        report=functools.partial(analysis.students_report, headline=headline),
        figure=functools.partial(figures.students_figure, **drawing),
        **options,
    )


def _misfit_headline(result: xr.Dataset) -> str:
    last = result.isel(n_strong=-1).sel(of="median")
    parts = [
        f"{student}: gain {float(last['gain'].sel(student=student)):.4f}, "
        f"misfit {float(last['misfit'].sel(student=student)):.4f}"
        for student in last["student"].values.tolist()
    ]
    return "; ".join(parts)


def _combinations_headline(result: xr.Dataset) -> str:
    last = result["error_change"].isel(student=0, copies=-1)
    parts = [
        f"{float(own.sel(of='median')):+.4f} ({float(own.sel(of='low')):+.4f} to {float(own.sel(of='high')):+.4f}) at "
        f"strong_noise {float(own['strong_noise']):g}"
        for own in last.transpose("strong_noise", ...)
    ]
    return f"error of {int(result['copies'][-1])} heads less that of one: " + "; ".join(parts)


STUDIES = (
    _study(
        "mulgund2025-misfit",
        (
            _WEAK,
            Stage("w2s", "strong", "weak", "strong", _REVERSE),
            Stage("forward", "strong", "weak", "strong", Softmax(RIDGE)),
        ),
        {"w2s": "reverse KL", "forward": "forward KL"},
        count=10,
        size=16_000,
        headline=_misfit_headline,
        drawing={
            "along": "n_strong",
            "label": "n_strong",
            "quantities": {"relative_deviation": "(gain - misfit) / weak error"},
            "scatter": True,
            "log": True,
        },
        world=_WORLD,
        axes={"n_strong": (1000, 4000, 16_000)},
        pairs=20,
    ),
    _study(
        "mulgund2025-combinations",
        (_WEAK, Stage("w2s", "strong", "weak", "strong", _REVERSE)),
        {"w2s": "reverse KL"},
        count=3,
        size=4000,
        headline=_combinations_headline,
        drawing={
            "along": "copies",
            "label": "heads combined, k",
            "quantities": {
                "error_change": "error less that of one head",
                "relative_deviation": "(gain - misfit) / weak error",
            },
        },
        change_along="copies",
        world=_WORLD,
        axes={"copies": (1, 2, 4, 8), "strong_noise": (0.0, 0.1)},
        pairs=10,
    ),
)
