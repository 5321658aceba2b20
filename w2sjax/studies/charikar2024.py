"""Charikar, Pabbaraju and Shiragur, "Quantifying the Gain in Weak-to-Strong Generalization" (arXiv 2405.15116, 2024).

Sizes, inputs, architecture, initialization and training of the representations are those of the notebook released with
the paper. The noise levels of the perturbation panels, the sizes of the low-sample panel and the width of non-convex
heads are recollections, not verified against the paper. Heads are solved in closed form, where the notebook trains them
by AdamW; the weak labels use fresh inputs, which is a recollection of the paper too, where the notebook reuses the weak
model's own. The study `-notebook` does as the notebook does.

The paper selects among molecular models (its Tables 1 to 3). In the studies of selection the candidates are perturbed
copies of one target network, as in its synthetic perturbation panels. Every candidate has its own directions of noise.
"""

import dataclasses
from typing import Any

import xarray as xr

from w2sjax import analysis, figures
from w2sjax.analysis.reference_panel import PUBLISHED
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import Trained
from w2sjax.studies.base import Collection, Study
from w2sjax.studies.index import listed
from w2sjax.worlds import PerturbedCandidates, PerturbedMLP, PretrainedMLP

_PROTOCOL = Protocol(n_weak=2000, n_strong=2000, n_eval=2000, tasks=100, standard_errors=True)

_REALIZABLE = PerturbedMLP(weak_noise=0.05, strong_noise=0.0)
_NONREALIZABLE = PerturbedMLP(weak_noise=0.05, strong_noise=0.01)


def _beside_the_notebook(dataset: xr.Dataset) -> xr.Dataset:
    """Fit gain on misfit, with the slope of the released notebook's panel, which has this setting."""
    return analysis.gain_on_misfit(dataset).assign_attrs(published_slope=PUBLISHED["slope"])


def _panel(
    name: str,
    world: Any,
    unverified: tuple[str, ...],
    protocol: Protocol = _PROTOCOL,
    published: bool = False,
) -> Study:
    """Return a study that is one panel of the paper's figure."""
    return Study(
        **listed(name),
        unverified=unverified,
        world=world,
        protocol=protocol,
        analysis=_beside_the_notebook if published else analysis.gain_on_misfit,
        report=analysis.gain_report,
        figure=figures.gain_against_misfit,
    )


_PERTURBATION = (
    _panel("charikar2024-perturbation-realizable", _REALIZABLE, ("weak_noise", "reuse_inputs")),
    _panel(
        "charikar2024-perturbation-nonrealizable",
        _NONREALIZABLE,
        ("weak_noise", "strong_noise", "reuse_inputs"),
    ),
)

_PRETRAINING = (
    _panel(
        "charikar2024-pretraining-realizable",
        PretrainedMLP(strong="target"),
        ("weak_depth", "strong", "reuse_inputs"),
    ),
    _panel("charikar2024-pretraining-nonrealizable", PretrainedMLP(), ("reuse_inputs",), published=True),
    _panel(
        "charikar2024-low-sample",
        PretrainedMLP(weak_depth=8, strong_depth=2, pretrain_tasks=5, pretrain_samples=250),
        ("pretrain_tasks", "pretrain_samples", "reuse_inputs"),
    ),
)

_NONCONVEX = tuple(
    _panel(
        f"charikar2024-nonconvex-{activation}",
        _NONREALIZABLE,
        ("weak_noise", "strong_noise", "head.width", "head.epochs", "head.standardize"),
        Protocol(tasks=100, head=Trained(width=16, activation=activation, epochs=100, standardize=True)),
    )
    for activation in ("tanh", "relu", "sigmoid")
)

_NOTEBOOK = _panel(
    "charikar2024-notebook",
    PretrainedMLP(),
    (),
    dataclasses.replace(
        _PROTOCOL, head=Trained(), reuse_inputs=True, fresh_misfit=True, standard_errors=False
    ),
    published=True,
)

_FIGURE = Collection(
    **listed("charikar2024"),
    # The first row has the panels a, b and c of the paper's Figure 2; which is which is a recollection.
    members=(*_PRETRAINING[:2], _PERTURBATION[1], _PERTURBATION[0], _PRETRAINING[2], *_NONCONVEX),
    labels=(
        "(a) pretraining, realizable",
        "(b) pretraining, non-realizable",
        "(c) perturbation, non-realizable",
        "perturbation, realizable",
        "low sample, roles reversed",
        *(f"heads with {activation} units" for activation in ("tanh", "relu", "sigmoid")),
    ),
    figure=figures.gain_against_misfit_panels,
)

_SIZES = (500, 1000, 2000, 5000, 20_000, 100_000, 500_000)

_SAMPLE_SIZE = Study(
    **listed("charikar2024-perturbation-sample-size"),
    unverified=("weak_noise",),
    world=_REALIZABLE,
    protocol=Protocol(tasks=10),
    axes={"n_weak": _SIZES, "n_strong": _SIZES, "n_eval": _SIZES},
    pairs=16,
    analysis=analysis.deviation_by_size,
    report=analysis.medians_by_size,
    figure=figures.deviation_against_samples,
)

_WEAK_QUALITY = Study(
    **listed("charikar2024-weak-quality"),
    world=PretrainedMLP(strong="target", epochs=100),
    protocol=Protocol(tasks=20),
    axes={
        "weak_depth": (1, 2, 4),
        "weak_pretrain_samples": (100, 500, 2000),
        "weak_pretrain_tasks": (2, 10),
        "weak_pretrain_noise": (0.0, 0.5),
    },
    pairs=8,
    analysis=analysis.weak_quality_quartiles,
    report=analysis.weak_quality_report,
    figure=figures.weak_quality,
)

_HEADS = Study(
    **listed("charikar2024-heads"),
    unverified=("weak_noise",),
    world=_REALIZABLE,
    protocol=Protocol(tasks=20, head=Trained(standardize=True)),
    axes={
        "head.activation": ("relu", "tanh", "sigmoid"),
        "head.epochs": (10, 100),
        "head.width": (0, 4, 16, 64),
    },
    pairs=8,
    analysis=analysis.by_head_class,
    report=analysis.head_study_report,
    figure=figures.head_study,
)

_TYPICALITY = Study(
    **listed("charikar2024-typicality"),
    world=PretrainedMLP(),
    protocol=Protocol(tasks=100),
    pairs=100,
    analysis=analysis.per_pair,
    report=analysis.typicality_report,
    figure=figures.typicality,
)


_REFERENCE = Study(
    **listed("charikar2024-reference-panel"),
    world=PretrainedMLP(),
    protocol=Protocol(tasks=100),
    pairs=100,
    analysis=analysis.reference_numbers,
    report=analysis.reference_report,
    figure=figures.reference_panel_figure,
)


def _selection(name: str, world: PerturbedCandidates, candidates: dict[str, tuple[float, ...]]) -> Study:
    sizes = (50, 150, 500, 2000)
    return Study(
        **listed(name),
        unverified=("weak_noise", "strong_noise"),
        world=world,
        protocol=Protocol(tasks=10),
        axes={**candidates, "n_weak": sizes, "n_strong": sizes, "n_eval": (100, 1000, 6000)},
        pairs=2000,
        analysis=analysis.selection_by_size,
        report=analysis.selection_report,
        figure=figures.selection_against_samples,
    )


_SELECTION = (
    _selection(
        "charikar2024-selection",
        PerturbedCandidates(strong_noise=0.01),
        {"weak_noise": (0.02, 0.025, 0.032, 0.04, 0.05, 0.063, 0.08, 0.1)},
    ),
    _selection(
        "charikar2024-selection-strong",
        PerturbedCandidates(weak_noise=0.05),
        {"strong_noise": (0.005, 0.01, 0.015, 0.02, 0.03, 0.04)},
    ),
)

_BOUNDS = Study(
    **listed("charikar2024-bounds"),
    unverified=("weak_noise", "strong_noise"),
    world=_NONREALIZABLE,
    protocol=Protocol(n_weak=2000, n_eval=20_000, tasks=10),
    axes={"n_strong": (50, 100, 200, 500, 2000, 10_000, 50_000)},
    pairs=100,
    analysis=analysis.compare_bounds,
    report=analysis.bounds_report,
    figure=figures.bounds,
)

STUDIES = (
    *_PERTURBATION,
    *_PRETRAINING,
    *_NONCONVEX,
    _NOTEBOOK,
    _FIGURE,
    _SAMPLE_SIZE,
    _WEAK_QUALITY,
    _HEADS,
    _TYPICALITY,
    _REFERENCE,
    *_SELECTION,
    _BOUNDS,
)
