"""How gain departs from misfit at finite samples: this project's own map, on the worlds of Charikar et al. 2024."""

from w2sjax.engine.protocol import Protocol
from w2sjax.settings.setting import Setting
from w2sjax.worlds.mlp import PerturbedMLP

_SIZES = (10, 20, 40, 70, 130, 250, 500, 1000, 2000, 3500, 6500, 12_000, 25_000, 45_000, 70_000, 100_000)

FINITE_SAMPLE = Setting(
    name="finite-sample",
    title="Deviation of gain from misfit against both sample sizes",
    reference="this project; worlds of Charikar, Pabbaraju, Shiragur 2024, arXiv 2405.15116",
    unverified=("weak_noise", "strong_noise"),
    world=PerturbedMLP(weak_noise=0.05),
    protocol=Protocol(n_eval=200_000, tasks=10, ridge=0.0),
    figure="finite_sample_map",
    summary="finite_sample_slopes",
    axes={"strong_noise": (0.0, 0.01), "n_weak": _SIZES, "n_strong": _SIZES},
    pairs=1000,
)
