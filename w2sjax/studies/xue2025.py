"""Xue, Li and Mirzasoleiman, "Representations Shape Weak-to-Strong Generalization" (2025): the label-free metric.

The paper ranks transformers; here the candidates are perturbed copies of one target network, as in the studies of
selection after Charikar et al. 2024. The metric's definition and ridge are those of third parties, not verified.
"""

from w2sjax import analysis, figures
from w2sjax.engine.protocol import Protocol
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.worlds import PerturbedCandidates

_RANKING = Study(
    **listed("xue2025-ranking"),
    unverified=("weak_noise", "strong_noise"),
    world=PerturbedCandidates(strong_noise=0.01),
    protocol=Protocol(tasks=10),
    axes={"weak_noise": (0.02, 0.025, 0.032, 0.04, 0.05, 0.063, 0.08, 0.1)},
    pairs=500,
    analysis=analysis.label_free_ranking,
    report=analysis.label_free_report,
    figure=figures.label_free_figure,
)

STUDIES = (_RANKING,)
