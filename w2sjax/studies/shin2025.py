"""Shin, Cooper and Sala, "Weak-to-strong generalization through the data-centric lens" (ICLR 2025): synthetic study.

Settings are those of the synthetic notebooks in the history of the public code: sizes, variance, logistic heads with
scikit-learn's C = 1 for the weak model and the ceiling, and C = 0.01 for the student on hard labels of the taught group
alone. In the ablations, whose notebooks print no numbers, the weak model and the ceiling have no intercept; of their 19
sizes five are here. Where all rows of the strong split have one label a run is left out, as by the notebooks of the
ablations. Runs of all sizes share their rows here. Tests are on 200 rows of each group, where the notebooks test on as
many as they train.
"""

from w2sjax import analysis, figures
from w2sjax.engine.chain import Stage
from w2sjax.engine.groups import by_group
from w2sjax.engine.protocol import Protocol
from w2sjax.heads import Logistic
from w2sjax.methods import Hard
from w2sjax.studies.base import Study
from w2sjax.studies.index import listed
from w2sjax.targets import Binary
from w2sjax.worlds import OverlapDensity
from w2sjax.worlds.overlap_density import GROUPS


def _study(name: str, world: OverlapDensity, rows: tuple[int, ...], *, intercept: bool) -> Study:
    fitted = Logistic(C=1.0, intercept=intercept)
    weak = tuple(sum(count for _, count in world.first) + k for k in rows)
    strong = rows if world.taught == world.rest else (dict(world.first)[world.taught],)
    protocol = Protocol(
        n_weak=weak[-1],
        n_strong=strong[-1],
        n_eval=600,
        tasks=1,
        target=Binary(prior=None),
        stages=(
            Stage("weak", "weak", "truth", "weak", fitted),
            Stage("w2s", "strong", "weak", "strong", Logistic(C=0.01), Hard()),
            Stage("ceiling", "strong", "truth", "weak", fitted),
        ),
    )
    return Study(
        **listed(name),
        world=world,
        protocol=protocol,
        axes={"n_weak": weak, "n_strong": strong},
        metrics=by_group(protocol, [f"{model}_accuracy" for model in analysis.overlap.MODELS], GROUPS),
        pairs=analysis.overlap.RUNS,
        analysis=analysis.overlap_accuracy,
        report=analysis.overlap_report,
        figure=figures.overlap_figure,
    )


_FEW = (5, 10, 20, 50, 95)

STUDIES = (
    _study("shin2025-overlap", OverlapDensity(), tuple(range(10, 100, 10)), intercept=True),
    _study(
        "shin2025-easy",
        OverlapDensity(first=(("hard", 100), ("overlap", 10)), taught="easy"),
        _FEW,
        intercept=False,
    ),
    _study("shin2025-hard", OverlapDensity(first=(("easy", 100), ("overlap", 10))), _FEW, intercept=False),
)
