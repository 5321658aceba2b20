"""Chains of stages of studies that theories predict."""

from w2sjax.engine.chain import Stage
from w2sjax.heads import AsIs, RidgeThroughOrigin
from w2sjax.methods import HardLabels

SIGNS = tuple(
    Stage(name, features, labels, split, RidgeThroughOrigin(), *method)
    for name, features, labels, split, *method in (
        ("weak", "weak", "truth", "weak"),
        ("w2s", "strong", "weak", "strong"),
        ("hard", "strong", "weak", "strong", HardLabels()),
        ("ceiling", "strong", "truth", "strong"),
    )
)

SURROGATE_STAGES = (
    Stage("weak", "optimal", "truth", "weak", AsIs()),
    Stage("mask", "mask", "truth", "weak", AsIs()),
    Stage("w2s", "strong", "weak", "strong", RidgeThroughOrigin()),
    Stage("masked", "strong", "mask", "strong", RidgeThroughOrigin()),
    Stage("ceiling", "strong", "truth", "strong", RidgeThroughOrigin()),
)
"""The best surrogate, the best mask, their students, and one of true labels."""
