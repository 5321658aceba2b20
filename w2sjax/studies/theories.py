"""Theories beside simulation: sweeps that a theory predicts, each with its figure.

Sizes are this project's: those of the papers' figures were not at hand.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax import analysis, figures, theory
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import FineTuned, GradientFlow, Ridge, RidgeThroughOrigin
from w2sjax.losses import ZERO_ONE
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.studies.stages import SIGNS, SURROGATE_STAGES
from w2sjax.worlds import (
    BilevelClassification,
    MultiIndex,
    PerturbedMLP,
    PowerLawFeatures,
    RandomMLP,
    RotatedSpectra,
    ScaledFeatures,
    SphereReLU,
    SpuriousGroups,
    Surrogates,
    TwoLevelFeatures,
)

if TYPE_CHECKING:
    from w2sjax.theory.base import Theory


def beside(name: str, predicted: "Theory", world: Any, protocol: Protocol, **fields: Any) -> Study:
    """Return the study that sets a sweep beside a theory's prediction of it; fields replace those of `Study`."""
    usual = {
        "analysis": analysis.held_against(predicted),
        "report": analysis.theory_report,
        "figure": figures.theory_beside_simulation,
    }
    return Study(**listed(name), world=world, protocol=protocol, **(usual | fields))


def _ridges(weak: float, strong: float) -> dict[str, Any]:
    return {"weak_head": RidgeThroughOrigin(weak), "head": RidgeThroughOrigin(strong)}


def _beside_widest(dataset: xr.Dataset) -> xr.Dataset:
    """Put the simulation at every width beside the limit, which is the same for all."""
    widest = dataset.isel(width=[-1])
    limit = analysis.prediction_of(theory.INFINITE_WIDTH, widest).isel(width=0)
    return analysis.beside_theory(dataset, limit.expand_dims(width=dataset["width"].values))


def _by_labels(dataset: xr.Dataset) -> xr.Dataset:
    """Put the errors of students and teachers by what is taught, the models being those of each n_strong."""
    both = analysis.held_against(theory.SURROGATES)(dataset)
    n = xr.DataArray(both["n_strong"].values, dims="n")
    errors = both.sel(n_strong=n, designed_for=n.astype(float)).drop_vars(["designed_for", "n_strong"])
    errors = errors.assign_coords(n=n.values)
    labels = xr.Variable("labels", ["truth", "best surrogate", "best mask"])
    none = xr.zeros_like(errors["weak_error"])
    students = [errors[f"{name}_error"] for name in ("ceiling", "w2s", "masked")]
    teachers = [none, errors["weak_error"], errors["mask_error"]]
    found = {"student_error": xr.concat(students, labels), "teacher_error": xr.concat(teachers, labels)}
    return xr.Dataset(found, attrs=both.attrs)


def _beside_published(dataset: xr.Dataset) -> xr.Dataset:
    """Put errors by group beside the fixed point and the formulas that a note of the paper has."""
    formula = analysis.prediction_of(theory.PUBLISHED_GROUPS, dataset)
    own = analysis.prediction_of(theory.GROUPS, dataset)[[*formula]].assign_attrs(formula.attrs)
    return analysis.beside_theory(dataset, own.assign_attrs(theory=theory.GROUPS.name), published=formula)


def _report_both(result: xr.Dataset) -> dict[str, Any]:
    """Report the distances of both, largest in standard errors and median in shares of what is simulated."""
    report = analysis.theory_report(result)
    simulated = result.sel(of="simulated")
    for of in ("predicted", "published"):
        off = abs(result.sel(of=of) / simulated - 1)[["weak_error", "w2s_error"]]
        report[f"{of}_off_by"] = {str(name): float(values.median()) for name, values in off.items()}
    return report


def _loss_ratio(dataset: xr.Dataset) -> xr.Dataset:
    """Put the student's error in units of its teacher's beside the prediction, along time."""
    both = analysis.held_against(theory.RANDOM_FEATURE_FLOW, time=np.geomspace(1, 128, 30))(dataset)
    ratio = both["w2s_error"] / both["weak_error"]
    errors = dataset[["weak_error", "w2s_error"]].mean("task")
    off = errors["w2s_error"] - ratio.sel(of="simulated", drop=True) * errors["weak_error"]
    error = off.std("pair", ddof=1) / dataset.sizes["pair"] ** 0.5 / errors["weak_error"].mean("pair")
    ratio = ratio.where(ratio["of"] != "standard_error", error.reindex(time=ratio["time"])).rename(
        "w2s_error / weak_error"
    )
    return ratio.to_dataset().assign_attrs(both.attrs, units="1")


def _at_best_ridge(dataset: xr.Dataset) -> xr.Dataset:
    """Put errors beside the prediction along n_weak, the student's ridge being the best, each time for its own."""
    both = analysis.held_against(theory.RANDOM_FEATURE_RIDGE, head__ridge=np.geomspace(1e-5, 1, 31))(dataset)
    return analysis.at_best(both, "head.ridge").drop_vars("head.ridge")


def _report_of_exponents(result: xr.Dataset) -> dict[str, Any]:
    """Report the exponents of both errors in n_weak, by label noise."""
    found: dict[str, Any] = {}
    for noise in result["label_noise"].values.tolist():
        for name in ("weak_error", "w2s_error"):
            errors = result[name].sel(label_noise=noise)
            own = {
                of: analysis.slope(result["n_weak"], errors.sel(of=of)) for of in ("predicted", "simulated")
            }
            found[f"{name}, label_noise={noise:g}"] = own
    listed_exponents = "; ".join(
        f"{name}: {one['simulated']:.2f} ({one['predicted']:.2f})" for name, one in found.items()
    )
    headline = f"exponents in n_weak, simulated (predicted): {listed_exponents}"
    return analysis.theory_report(result) | {"exponents": found, "headline": headline}


def _population(dim: int) -> Protocol:
    least, flow = RidgeThroughOrigin(), GradientFlow(2.0)
    return Protocol(n_weak=dim, n_strong=dim, n_eval=dim, tasks=1, weak_head=least, head=flow)


_SURROGATE_SIZES = (30, 60, 120, 200, 300)

STUDIES = (
    beside(
        "least-squares",
        theory.LEAST_SQUARES,
        PerturbedMLP(depth=1, width=8, activation="identity", input_scale=1.0),
        Protocol(n_strong=100, n_eval=2000, tasks=10, label_noise=0.5),
        axes={"n_weak": (15, 20, 30, 50, 100, 200, 500, 1000), "label_noise": (0.1, 0.5)},
        pairs=400,
    ),
    beside(
        "charikar2024-infinite-width",
        theory.INFINITE_WIDTH,
        RandomMLP(width=1024),
        Protocol(n_weak=40, n_strong=60, n_eval=500, tasks=10, label_noise=0.3, **_ridges(1e-3, 1e-3)),
        axes={"width": (16, 32, 64, 128, 256, 512, 1024), "head.ridge": (1e-3, 0.1)},
        pairs=200,
        analysis=_beside_widest,
        report=lambda result: analysis.theory_report(result.isel(width=[-1])),
    ),
    beside(
        "medvedev2025-linear",
        theory.RANDOM_FEATURE_FLOW,
        TwoLevelFeatures(dim=300, small=299 ** (-2 / 3), weak_width=40, strong_width=0, population=True),
        _population(300),
        unverified=("small", "weak_width"),
        axes={
            "weak_width": (20, 30, 45, 70, 100, 150, 220),
            "time": (1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0),
        },
        pairs=30,
        analysis=analysis.best_stopping(theory.RANDOM_FEATURE_FLOW, np.geomspace(0.5, 20, 60)),
        report=analysis.stopping_report,
        figure=figures.student_against_teacher,
    ),
    beside(
        "medvedev2025-relu",
        theory.RANDOM_FEATURE_FLOW,
        SphereReLU(strong_width=1000, rows=1200),
        _population(1200),
        unverified=("dim", "weak_width"),
        axes={
            "weak_width": (20, 32, 48, 64, 96, 128, 192),
            "time": (4e3, 7e3, 1.2e4, 2e4, 3.5e4, 6e4),
        },
        pairs=6,
        analysis=analysis.best_stopping(
            theory.RANDOM_FEATURE_FLOW, np.geomspace(2e3, 1e5, 40), infinite=True
        ),
        report=analysis.stopping_report,
        figure=figures.student_against_teacher,
    ),
    beside(
        "overspecified2026-ratio",
        theory.RANDOM_FEATURE_FLOW,
        ScaledFeatures(rows=512),
        _population(512),
        axes={"size": (20, 32, 45, 64), "time": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)},
        pairs=10,
        analysis=_loss_ratio,
    ),
    beside(
        "overspecified2026-map",
        theory.RANDOM_FEATURE_FLOW,
        TwoLevelFeatures(
            dim=181, large=6, small=1 / 32, large_power=32**1.5, small_power=1 / 32, population=True
        ),
        _population(181),
        axes={
            "weak_width": (20, 40, 80, 140),
            "strong_width": (60, 181, 600, 2000),
            "time": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0),
        },
        pairs=20,
        analysis=analysis.width_map,
        report=analysis.width_report,
        figure=figures.width_map_figure,
    ),
    beside(
        "wu2026-scaling",
        theory.RANDOM_FEATURE_RIDGE,
        PowerLawFeatures(dim=400, weak_width=60, strong_width=300),
        Protocol(n_strong=400, n_eval=500, tasks=5, label_noise=0.3, **_ridges(1e-4, 1e-3)),
        unverified=("decay", "target_decay"),
        axes={"n_weak": (30, 60, 100, 200, 400, 800, 1600), "weak_width": (60, 240)},
        pairs=50,
    ),
    beside(
        "ildiz2024-surrogates",
        theory.SURROGATES,
        Surrogates(),
        Protocol(n_weak=1, n_eval=1000, tasks=1, stages=SURROGATE_STAGES),
        axes={"n_strong": _SURROGATE_SIZES, "designed_for": tuple(map(float, _SURROGATE_SIZES))},
        pairs=40,
        analysis=_by_labels,
    ),
    beside(
        "liu2026-groups",
        theory.GROUPS,
        SpuriousGroups(),
        Protocol(n_weak=400, n_strong=2000, n_eval=2000, tasks=5, label_noise=1.0, head=RidgeThroughOrigin()),
        axes={"minority_strong": (0.02, 0.1, 0.2, 0.35, 0.5), "minority_eval": (0.0, 0.5, 1.0)},
        pairs=100,
        analysis=_beside_published,
        report=_report_both,
    ),
    beside(
        "moniri2025-multi-index",
        theory.MULTI_INDEX,
        MultiIndex(),
        Protocol(
            n_strong=1000,
            n_eval=2000,
            tasks=5,
            label_noise=0.5,
            weak_head=RidgeThroughOrigin(0.1),
            head=FineTuned(0.3),
        ),
        axes={"head.ridge": (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0), "n_weak": (60, 200, 1000)},
        pairs=50,
        analysis=analysis.held_against(theory.MULTI_INDEX, head__ridge=np.geomspace(1e-3, 100, 30)),
    ),
    Study(
        **listed("which-theory"),
        world=RandomMLP(width=64),
        protocol=Protocol(n_strong=200, n_eval=1000, tasks=10, label_noise=0.3, **_ridges(0.01, 0.01)),
        axes={"n_weak": (25, 50, 100, 200, 400, 800)},
        metrics=(theory.PREDICTION_GAP,),
        pairs=60,
        analysis=analysis.theories_compared,
        report=analysis.theories_report,
        figure=figures.theories_figure,
    ),
    beside(
        "wu2026-exponents",
        theory.RANDOM_FEATURE_RIDGE,
        PowerLawFeatures(dim=600, weak_width=0, strong_width=0),
        Protocol(n_strong=500, n_eval=1000, tasks=5, **_ridges(1e-6, 1e-3)),
        unverified=("decay", "target_decay"),
        axes={
            "n_weak": (25, 50, 100, 200),
            "label_noise": (0.05, 0.5),
            "head.ridge": (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1),
        },
        pairs=10,
        analysis=_at_best_ridge,
        report=_report_of_exponents,
    ),
    beside(
        "xue2025-gap",
        theory.PRINCIPAL,
        RotatedSpectra(dim=40),
        Protocol(
            n_strong=500, n_eval=1000, tasks=5, label_noise=0.2, head=Ridge(1e-3), weak_head=Ridge(0.01)
        ),
        metrics=(theory.PREDICTION_GAP,),
        axes={"weak_head.ridge": (1e-3, 0.01, 0.03, 0.1, 0.3, 1.0), "n_weak": (100, 400, 1600)},
        pairs=20,
    ),
    beside(
        "wu2024-labels",
        theory.SIGN_INTERPOLATION,
        BilevelClassification(weak_rest=200, strong_rest=2000, weak_large=5.0, strong_large=10.0),
        Protocol(n_weak=50, n_strong=400, n_eval=1000, tasks=1, stages=SIGNS, loss=ZERO_ONE),
        unverified=("weak_large", "strong_large"),
        axes={"n_strong": (30, 60, 120, 240, 480, 960), "n_weak": (40, 100)},
        pairs=50,
    ),
)
