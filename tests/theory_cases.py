"""Sweeps that theories predict, three or more cells each: what the common test holds against simulation."""

import dataclasses
from typing import Any, NamedTuple

import w2sjax as w2s
from w2sjax import theory
from w2sjax.heads import FineTuned, GradientFlow, Ridge, RidgeThroughOrigin
from w2sjax.studies.stages import SIGNS, SURROGATE_STAGES


class Case(NamedTuple):
    """A sweep that a theory predicts; axes have three or more cells."""

    theory: theory.Theory
    world: Any
    protocol: w2s.Protocol
    axes: dict[str, list[Any]]
    pairs: int
    metrics: tuple[w2s.Metric, ...] = ()


DEEP_LINEAR = w2s.worlds.PerturbedMLP(depth=1, activation="identity", input_scale=1.0, width=8)
NARROW = w2s.worlds.PerturbedMLP(depth=2, activation="identity", width=5, weak_noise=0.0, strong_noise=0.0)
POWER = w2s.worlds.PowerLawFeatures(dim=120, weak_width=30, strong_width=80)
RIDGE = w2s.Protocol(
    n_weak=60,
    n_strong=100,
    n_eval=300,
    tasks=5,
    label_noise=0.3,
    weak_head=RidgeThroughOrigin(1e-4),
    head=RidgeThroughOrigin(1e-3),
)
LINEAR = w2s.worlds.TwoLevelFeatures(dim=80, small=0.05, weak_width=30, strong_width=0, population=True)
POPULATION = w2s.Protocol(
    n_weak=80, n_strong=80, n_eval=80, tasks=1, weak_head=RidgeThroughOrigin(), head=GradientFlow(2.0)
)
WIDE = w2s.worlds.RandomMLP(width=400)
WIDE_PROTOCOL = w2s.Protocol(
    n_weak=20,
    n_strong=25,
    n_eval=100,
    tasks=10,
    label_noise=0.3,
    weak_head=RidgeThroughOrigin(0.01),
    head=RidgeThroughOrigin(0.01),
)

POPULATION_OF_100 = dataclasses.replace(POPULATION, n_weak=100, n_strong=100, n_eval=100)

CASES = {
    "least squares, sample sizes": Case(
        theory.LEAST_SQUARES,
        DEEP_LINEAR,
        w2s.Protocol(n_eval=1000, tasks=10, label_noise=0.5),
        {"n_weak": [14, 40, 300], "n_strong": [20, 200]},
        400,
    ),
    "least squares, label noise": Case(
        theory.LEAST_SQUARES,
        NARROW,
        w2s.Protocol(n_weak=30, n_strong=25, n_eval=500, tasks=5),
        {"label_noise": [0.1, 1.0, 20.0]},
        300,
    ),
    "least squares, deep and perturbed": Case(
        theory.LEAST_SQUARES,
        w2s.worlds.PerturbedMLP(input_dim=4, width=6, depth=3, activation="identity", input_scale=2.0),
        w2s.Protocol(n_weak=60, n_strong=50, n_eval=500, tasks=5, label_noise=1.0),
        {"weak_noise": [0.0, 0.05, 0.2]},
        300,
    ),
    "subspaces": Case(
        theory.SUBSPACES,
        w2s.worlds.OverlappingSubspaces(weak_dim=20, strong_dim=12, ambient_dim=240.0),
        w2s.Protocol(n_eval=500, tasks=2, label_noise=0.3, baseline=True),
        {"n_weak": [60, 200], "n_strong": [40, 200], "overlap": [0, 4, 12]},
        100,
    ),
    "principal representations": Case(
        theory.PRINCIPAL,
        w2s.worlds.RotatedSpectra(dim=10),
        w2s.Protocol(
            n_weak=150,
            n_strong=300,
            n_eval=500,
            tasks=4,
            label_noise=0.2,
            head=Ridge(1e-3),
            weak_head=Ridge(1e-2),
        ),
        {"weak_head.ridge": [1e-2, 0.1, 1.0]},
        40,
        (theory.PREDICTION_GAP,),
    ),
    "two-stage ridge": Case(
        theory.TWO_STAGE,
        w2s.worlds.PowerLaw(dim=60, signal=1 / 60),
        w2s.Protocol(
            n_weak=120,
            n_strong=90,
            n_eval=1000,
            tasks=1,
            label_noise=1.0,
            head=Ridge(0.3),
            weak_head=Ridge(0.1),
        ),
        {"weak_head.ridge": [0.01, 0.3, 3.0], "n_weak": [40, 120]},
        150,
    ),
    "two-stage ridge, weighted": Case(
        theory.TWO_STAGE,
        w2s.worlds.PowerLaw(dim=60, signal=0.1, spectrum_power=0.5, signal_power=1.0),
        w2s.Protocol(
            n_weak=40,
            n_strong=300,
            n_eval=1000,
            tasks=1,
            label_noise=0.5,
            head=Ridge(0.1),
            weak_head=Ridge(0.1),
        ),
        {"weight_power": [0.0, 1.0, 2.0]},
        150,
    ),
    "surrogates": Case(
        theory.SURROGATES,
        w2s.worlds.Surrogates(dim=120, designed_for=50.0),
        w2s.Protocol(n_weak=1, n_eval=1000, tasks=1, label_noise=0.1, stages=SURROGATE_STAGES),
        {"n_strong": [30, 50, 80], "designed_for": [30.0, 60.0]},
        200,
    ),
    "groups": Case(
        theory.GROUPS,
        w2s.worlds.SpuriousGroups(dim=30),
        w2s.Protocol(
            n_weak=200, n_strong=300, n_eval=1000, tasks=5, label_noise=1.0, head=RidgeThroughOrigin()
        ),
        {"minority_strong": [0.1, 0.5], "minority_eval": [0.0, 0.5, 1.0]},
        100,
    ),
    "multi-index, fine-tuned": Case(
        theory.MULTI_INDEX,
        w2s.worlds.MultiIndex(dim=40),
        w2s.Protocol(
            n_weak=100,
            n_strong=400,
            n_eval=1000,
            tasks=5,
            label_noise=0.5,
            weak_head=RidgeThroughOrigin(0.1),
            head=FineTuned(0.3),
        ),
        {"head.ridge": [0.03, 0.3, 3.0], "hard": [0.5, 1.0]},
        100,
    ),
    "law of the deviation": Case(
        theory.DEVIATION_LAW,
        w2s.worlds.PerturbedMLP(
            input_dim=4,
            width=4,
            depth=2,
            activation="tanh",
            input_scale=1.0,
            weak_noise=0.2,
            strong_noise=0.1,
        ),
        w2s.Protocol(n_weak=200, n_eval=2000, tasks=3),
        {"n_strong": [100, 400, 2000]},
        100,
    ),
    "infinite width": Case(theory.INFINITE_WIDTH, WIDE, WIDE_PROTOCOL, {"label_noise": [0.0, 0.3, 1.0]}, 100),
    "ridge on random features": Case(
        theory.RANDOM_FEATURE_RIDGE,
        POWER,
        RIDGE,
        {"n_weak": [20, 60, 200], "head.ridge": [1e-3, 0.1]},
        100,
    ),
    "ridge on two levels, strong features all of the inputs": Case(
        theory.RANDOM_FEATURE_RIDGE,
        w2s.worlds.TwoLevelFeatures(dim=100, weak_width=40, strong_width=0, large=5, small_power=0.01),
        RIDGE,
        {"label_noise": [0.0, 0.3, 1.0]},
        100,
    ),
    "gradient flow on the population": Case(
        theory.RANDOM_FEATURE_FLOW, LINEAR, POPULATION, {"time": [1.0, 2.0, 4.0]}, 300
    ),
    "gradient flow, student of finite width": Case(
        theory.RANDOM_FEATURE_FLOW,
        w2s.worlds.TwoLevelFeatures(
            dim=80, small=0.05, weak_width=30, strong_width=60, population=True, rows=100
        ),
        POPULATION_OF_100,
        {"time": [1.0, 4.0, 16.0], "strong_width": [60, 200]},
        300,
    ),
    "gradient flow, scaled sizes": Case(
        theory.RANDOM_FEATURE_FLOW,
        w2s.worlds.ScaledFeatures(rows=100, dim_power=1.2),
        POPULATION_OF_100,
        {"time": [2.0, 8.0], "size": [20, 40]},
        100,
    ),
    "gradient flow, ReLU": Case(
        theory.RANDOM_FEATURE_FLOW,
        w2s.worlds.SphereReLU(dim=20, weak_width=40, strong_width=200, rows=400),
        dataclasses.replace(POPULATION, n_weak=400, n_strong=400, n_eval=400),
        {"time": [50.0, 200.0, 800.0]},
        100,
    ),
    "signs, interpolated": Case(
        theory.SIGN_INTERPOLATION,
        w2s.worlds.BilevelClassification(weak_rest=100, strong_rest=400, weak_large=3.0, strong_large=6.0),
        w2s.Protocol(n_eval=1000, tasks=1, stages=SIGNS, loss=w2s.losses.ZERO_ONE),
        {"n_weak": [20, 40, 80], "n_strong": [100]},
        100,
    ),
}
