"""Charikar, Pabbaraju and Shiragur, "Quantifying the Gain in Weak-to-Strong Generalization" (arXiv 2405.15116, 2024).

Sizes, inputs, architecture, initialization and training of the representations are those of the notebook released with
the paper. The noise levels of the perturbation panels, the sizes of the low-sample panel and the width of non-convex
heads are recollections, not verified against the paper. Heads are solved in closed form, where the notebook trains them
by AdamW; the weak labels use fresh inputs, which is a recollection of the paper too, where the notebook reuses the weak
model's own. The setting `-notebook` does as the notebook does.
"""

import dataclasses

from w2sjax.engine.protocol import Protocol
from w2sjax.settings.setting import Collection, Setting
from w2sjax.worlds.mlp import PerturbedMLP
from w2sjax.worlds.pretrained import PretrainedMLP

REFERENCE = "Charikar, Pabbaraju, Shiragur 2024, arXiv 2405.15116"

_PROTOCOL = Protocol(n_weak=2000, n_strong=2000, n_eval=2000, tasks=100, ridge=0.0, standard_errors=True)

PERTURBATION_REALIZABLE = Setting(
    name="charikar2024-perturbation-realizable",
    title="Weak = noisy copy of the target network, strong = the target network",
    reference=REFERENCE,
    unverified=("weak_noise", "reuse_inputs"),
    world=PerturbedMLP(weak_noise=0.05, strong_noise=0.0),
    protocol=_PROTOCOL,
    figure="gain_against_misfit",
)

PERTURBATION_NONREALIZABLE = Setting(
    name="charikar2024-perturbation-nonrealizable",
    title="Weak and strong = noisy copies of the target network, strong with less noise",
    reference=REFERENCE,
    unverified=("weak_noise", "strong_noise", "reuse_inputs"),
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

PRETRAINING_REALIZABLE = Setting(
    name="charikar2024-pretraining-realizable",
    title="Weak = 2 layers trained on 10 tasks, strong = the target network",
    reference=REFERENCE,
    unverified=("weak_depth", "strong", "reuse_inputs"),
    world=PretrainedMLP(strong="target"),
    protocol=_PROTOCOL,
    figure="gain_against_misfit",
)

PRETRAINING_NONREALIZABLE = Setting(
    name="charikar2024-pretraining-nonrealizable",
    title="Weak = 2 layers, strong = 8 layers, both trained on 10 tasks of the 5-layer target",
    reference=REFERENCE,
    unverified=("reuse_inputs",),
    world=PretrainedMLP(),
    protocol=_PROTOCOL,
    figure="gain_against_misfit",
)

LOW_SAMPLE = Setting(
    name="charikar2024-low-sample",
    title="Trained on 5 tasks of 250 samples: 8 layers label for 2 layers (roles reversed)",
    reference=REFERENCE,
    unverified=("pretrain_tasks", "pretrain_samples", "reuse_inputs"),
    world=PretrainedMLP(weak_depth=8, strong_depth=2, pretrain_tasks=5, pretrain_samples=250),
    protocol=_PROTOCOL,
    figure="gain_against_misfit",
)

NOTEBOOK = Setting(
    name="charikar2024-notebook",
    title="Non-realizable pretraining as in the released notebook: heads by AdamW on reused inputs",
    reference=REFERENCE,
    unverified=(),
    world=PretrainedMLP(),
    protocol=dataclasses.replace(
        _PROTOCOL, head="trained", reuse_inputs=True, fresh_misfit=True, standard_errors=False
    ),
    figure="gain_against_misfit",
)


def _nonconvex(activation: str) -> Setting:
    return Setting(
        name=f"charikar2024-nonconvex-{activation}",
        title=f"Heads with one hidden layer of 16 {activation} units, non-realizable perturbation",
        reference=REFERENCE + ", Appendix D",
        unverified=("weak_noise", "strong_noise", "head_width", "head_epochs", "head_standardize"),
        world=PerturbedMLP(weak_noise=0.05, strong_noise=0.01),
        protocol=Protocol(
            tasks=100,
            head="trained",
            head_width=16,
            head_activation=activation,
            head_epochs=100,
            head_standardize=True,
        ),
        figure="gain_against_misfit",
    )


NONCONVEX_TANH, NONCONVEX_RELU, NONCONVEX_SIGMOID = (
    _nonconvex(activation) for activation in ("tanh", "relu", "sigmoid")
)

FIGURE = Collection(
    name="charikar2024",
    title="Gain against misfit in every synthetic setting of Charikar et al. 2024",
    reference=REFERENCE,
    members=(
        PRETRAINING_REALIZABLE,
        PRETRAINING_NONREALIZABLE,
        LOW_SAMPLE,
        PERTURBATION_REALIZABLE,
        PERTURBATION_NONREALIZABLE,
        NONCONVEX_TANH,
        NONCONVEX_RELU,
        NONCONVEX_SIGMOID,
    ),
    figure="gain_against_misfit_panels",
)

WEAK_QUALITY = Setting(
    name="charikar2024-weak-quality",
    title="Weak representation varied, strong model = the target network",
    reference=REFERENCE + " (open question 2; the grid is this project's)",
    unverified=(),
    world=PretrainedMLP(strong="target", epochs=100),
    protocol=Protocol(tasks=20, ridge=0.0),
    figure="weak_quality",
    summary="weak_quality_report",
    axes={
        "weak_depth": (1, 2, 4),
        "weak_pretrain_samples": (100, 500, 2000),
        "weak_pretrain_tasks": (2, 10),
        "weak_pretrain_noise": (0.0, 0.5),
    },
    pairs=8,
)

HEADS = Setting(
    name="charikar2024-heads",
    title="Heads with a hidden layer: width, activation and length of training apart, realizable perturbation",
    reference=REFERENCE + " (Appendix D and open question 1; the grid is this project's)",
    unverified=("weak_noise",),
    world=PerturbedMLP(weak_noise=0.05, strong_noise=0.0),
    protocol=Protocol(tasks=20, head="trained", head_standardize=True),
    figure="head_study",
    summary="head_study_report",
    axes={
        "head_activation": ("relu", "tanh", "sigmoid"),
        "head_epochs": (10, 100),
        "head_width": (0, 4, 16, 64),
    },
    pairs=8,
)

TYPICALITY = Setting(
    name="charikar2024-typicality",
    title="How typical is the published panel? Non-realizable pretraining over independent draws of everything",
    reference=REFERENCE + " (setting; the study is this project's)",
    unverified=(),
    world=PretrainedMLP(),
    protocol=Protocol(tasks=100, ridge=0.0),
    figure="typicality",
    summary="typicality_report",
    pairs=100,
)
