"""Weak-to-strong classification by every method of Burns et al. 2023, on nested linear features.

The paper's models are language models: here a representation of quality k has the first k features of an input, with
noise of its own, and heads are logistic. Sizes, worlds and settings of training are this project's.
"""

from typing import Any

from w2sjax import analysis, figures
from w2sjax.engine.chain import Stage
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import Head, Logistic, Supervisor, TrainedLogistic
from w2sjax.heads.supervisor import ERRORS
from w2sjax.methods import NAIVE, Confidence, EarlyStopping, Method, Product
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.targets import Binary
from w2sjax.worlds import Adapted, Joined, NestedFeatures

_WORLD = NestedFeatures(dim=64, weak_features=8, strong_features=64, noise=0.5, decay=1.5)
_HEAD = TrainedLogistic(epochs=30, batch_size=32, learning_rate=0.01, weight_decay=0.0)
_CURVE = TrainedLogistic(epochs=30, batch_size=32, learning_rate=0.01, weight_decay=0.0, learning_curve=True)
_WEAK = Stage("weak", "weak", "truth", "weak", Logistic(1e-3))
_CEILING = Stage("ceiling", "strong", "truth", "strong", _HEAD)


def _student(name: str, method: Method = NAIVE, *, teacher: str = "weak", features: str = "strong", head: Head = _HEAD,
             split: str = "strong") -> Stage:  # fmt: skip
    return Stage(name, features, teacher, split, head, method)


def _study(
    name: str,
    students: tuple[Stage, ...],
    axes: dict[str, tuple[float, ...]],
    *,
    world: object = _WORLD,
    figure: Any = figures.recovery_figure,
    unverified: tuple[str, ...] = (),
    n_strong: int = 400,
    pairs: int = 32,
) -> Study:
    return Study(
        **listed(f"burns2023-{name}"),
        world=world,
        protocol=Protocol(
            n_weak=200,
            n_strong=n_strong,
            n_eval=1000,
            tasks=10,
            stages=(_WEAK, *students, _CEILING),
            target=Binary(),
        ),
        axes=axes,
        pairs=pairs,
        unverified=unverified,
        analysis=analysis.recovery,
        report=analysis.recovery_report,
        figure=figure,
    )


_QUALITIES = (4, 8, 16, 32)
_SUPERVISORS = tuple(
    stage
    for errors in ERRORS
    for stage in (
        Stage(errors, "strong", "weak", "strong", Supervisor(errors=errors)),
        _student(f"of_{errors}", teacher=errors),
    )
)

STUDIES = (
    _study(
        "pgr",
        (_student("w2s"), _student("confidence", Confidence(alpha=0.5))),
        {"weak_features": (*_QUALITIES, 64), "strong_features": (*_QUALITIES, 64), "n_strong": (200, 800)},
        figure=figures.pgr_maps,
        unverified=("warmup",),
        pairs=16,
    ),
    _study(
        "confidence",
        (
            _student("w2s"),
            _student("confidence", Confidence(alpha=0.5)),
            _student("confidence_75", Confidence(alpha=0.75)),
            _student("released", Confidence(alpha=0.5, warmup=0.1, released=True)),
            _student("product", Product()),
        ),
        {"weak_features": _QUALITIES},
        unverified=("confidence.method.warmup",),
    ),
    _study(
        "bootstrapping",
        (
            _student("w2s"),
            _student("first", features="first_16"),
            _student("second", teacher="first", features="first_32", split="strong_2"),
            _student("bootstrapped", teacher="second", split="strong_3"),
        ),
        {"n_strong": (200, 400, 1600)},
    ),
    _study(
        "overfitting",
        (
            _student("w2s", head=_CURVE),
            _student("end", EarlyStopping(on="end", share=0.4)),
            _student("weak_labels", EarlyStopping(on="labels", share=0.4)),
            _student("oracle", EarlyStopping(on="truth", share=0.4)),
        ),
        {"weak_features": (4, 8, 16)},
        figure=figures.overfitting_figure,
        n_strong=500,
    ),
    _study(
        "supervisors",
        (_student("w2s"), *_SUPERVISORS, _student("imitation", features="joined")),
        {"noise": (0.0, 0.5)},
        world=Joined(world=_WORLD),
        n_strong=1600,
    ),
    _study(
        "adaptation",
        (
            _student("w2s"),
            _student("whitened", features="adapted"),
            _student("principal", features="principal"),
            Stage("whitened_ceiling", "adapted", "truth", "strong", _HEAD),
            Stage("principal_ceiling", "principal", "truth", "strong", _HEAD),
        ),
        {"n_strong": (100, 400, 1600)},
        world=Adapted(name="principal", dim=16, whiten=False, world=Adapted(world=_WORLD)),
    ),
)
