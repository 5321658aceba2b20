"""Selection among candidates and the bounds of Charikar, Pabbaraju and Shiragur (2024), on this package's worlds.

The paper selects among molecular models (its Tables 1 to 3). Here the candidates are perturbed copies of one target
network, as in its synthetic perturbation panels, whose noise levels are recollections, not verified against the paper.
Every candidate has its own directions of noise.
"""

from w2sjax.engine.protocol import Protocol
from w2sjax.worlds.candidates import PerturbedCandidates
from w2sjax.settings.charikar2024 import REFERENCE
from w2sjax.settings.setting import Setting
from w2sjax.worlds.mlp import PerturbedMLP

_SIZES = (50, 150, 500, 2000)
_EVALUATION_SIZES = (100, 1000, 6000)

SELECTION = Setting(
    name="charikar2024-selection",
    title="Choosing among 8 weak models (weak_noise 0.02 to 0.1), strong model fixed",
    reference=REFERENCE + " (rule; worlds and candidates are this project's)",
    unverified=("weak_noise", "strong_noise"),
    world=PerturbedCandidates(strong_noise=0.01),
    protocol=Protocol(tasks=10, ridge=0.0),
    figure="selection_against_samples",
    summary="selection_report",
    axes={
        "weak_noise": (0.02, 0.025, 0.032, 0.04, 0.05, 0.063, 0.08, 0.1),
        "n_weak": _SIZES,
        "n_strong": _SIZES,
        "n_eval": _EVALUATION_SIZES,
    },
    pairs=2000,
)

SELECTION_STRONG = Setting(
    name="charikar2024-selection-strong",
    title="Choosing among 6 strong models (strong_noise 0.005 to 0.04), weak model fixed (weak_noise 0.05)",
    reference=REFERENCE + " (rule; worlds and candidates are this project's)",
    unverified=("weak_noise", "strong_noise"),
    world=PerturbedCandidates(weak_noise=0.05),
    protocol=Protocol(tasks=10, ridge=0.0),
    figure="selection_against_samples",
    summary="selection_report",
    axes={
        "strong_noise": (0.005, 0.01, 0.015, 0.02, 0.03, 0.04),
        "n_weak": _SIZES,
        "n_strong": _SIZES,
        "n_eval": _EVALUATION_SIZES,
    },
    pairs=2000,
)

BOUNDS = Setting(
    name="charikar2024-bounds",
    title="Theorems 1 and 2 beside what is measured, non-realizable perturbation",
    reference=REFERENCE + " (theorems; the constants of Theorem 2 are this project's)",
    unverified=("weak_noise", "strong_noise"),
    world=PerturbedMLP(weak_noise=0.05, strong_noise=0.01),
    protocol=Protocol(n_weak=2000, n_eval=20_000, tasks=10, ridge=0.0),
    figure="bounds",
    summary="bounds_report",
    axes={"n_strong": (50, 100, 200, 500, 2000, 10_000, 50_000)},
    pairs=100,
)
