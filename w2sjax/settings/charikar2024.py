"""Charikar, Pabbaraju and Shiragur, "Quantifying the Gain in Weak-to-Strong Generalization" (arXiv 2405.15116, 2024).

Sizes, inputs, architecture and initialization are those of the notebook released with the paper. The noise levels of
the perturbation panels are recollections, not verified against the paper. Heads are solved in closed form, where the
notebook trains them by AdamW; the weak labels use fresh inputs, as in the paper's text, where the notebook reuses the
weak model's own.
"""

from w2sjax.engine.protocol import Protocol
from w2sjax.settings.setting import Setting
from w2sjax.worlds.mlp import PerturbedMLP

REFERENCE = "Charikar, Pabbaraju, Shiragur 2024, arXiv 2405.15116"

_PROTOCOL = Protocol(n_weak=2000, n_strong=2000, n_eval=2000, tasks=100, ridge=0.0, standard_errors=True)

PERTURBATION_REALIZABLE = Setting(
    name="charikar2024-perturbation-realizable",
    title="Weak = noisy copy of the target network, strong = the target network",
    reference=REFERENCE,
    unverified=("weak_noise",),
    world=PerturbedMLP(weak_noise=0.05, strong_noise=0.0),
    protocol=_PROTOCOL,
    figure="gain_against_misfit",
)

PERTURBATION_NONREALIZABLE = Setting(
    name="charikar2024-perturbation-nonrealizable",
    title="Weak and strong = noisy copies of the target network, strong with less noise",
    reference=REFERENCE,
    unverified=("weak_noise", "strong_noise"),
    world=PerturbedMLP(weak_noise=0.05, strong_noise=0.01),
    protocol=_PROTOCOL,
    figure="gain_against_misfit",
)

_SIZES = (500, 1000, 2000, 5000, 20_000, 100_000, 500_000)

PERTURBATION_SAMPLE_SIZE = Setting(
    name="charikar2024-perturbation-sample-size",
    title="Realizable perturbation: deviation against the size of all three splits",
    reference=REFERENCE + " (setting; the sizes are this project's)",
    unverified=("weak_noise",),
    world=PerturbedMLP(weak_noise=0.05, strong_noise=0.0),
    protocol=Protocol(tasks=10, ridge=0.0),
    figure="deviation_against_samples",
    summary="medians_by_size",
    axes={"n_weak": _SIZES, "n_strong": _SIZES, "n_eval": _SIZES},
    pairs=16,
)
