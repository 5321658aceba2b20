"""What a sweep would do, without doing it."""

from typing import TYPE_CHECKING, Any

from w2sjax.studies.index import record, time_in_words

if TYPE_CHECKING:
    from w2sjax.studies import Study
    from w2sjax.sweeps.plan import Plan


def plan_of(
    world: Any,
    protocol: Any,
    *,
    pairs: int,
    first_pair: int = 0,
    seed: int = 0,
    axes: Any = None,
    **options: Any,
) -> "Plan":
    """Return the plan of a new sweep: cells, pairs, compilations, memory and bytes of results.

    Args:
        world, protocol, pairs, first_pair, seed, axes: as of `sweep`.
        options: metrics, paired, memory_budget and chunk_pairs of `sweep`.
    """
    from w2sjax.sweeps.grid import make_grid
    from w2sjax.sweeps.plan import make_plan

    of_plan = {name: options.pop(name, None) for name in ("memory_budget", "chunk_pairs")}
    grid = make_grid(world, protocol, axes, **({"paired": True} | options))
    return make_plan(grid, seed, range(first_pair, first_pair + pairs), **of_plan)


def plan_of_study(study: "Study", seed: int = 0) -> "Plan":
    """Return the plan of a study."""
    return plan_of(
        study.world, study.protocol, pairs=study.pairs, seed=seed, axes=study.axes, metrics=study.metrics
    )


def trains(study: "Study") -> bool:
    """Say whether the world or the head of a study is trained."""
    return hasattr(study.world, "epochs") or hasattr(study.protocol.head, "epochs")


def estimated_time(study: "Study", plan: "Plan", timed: "Study") -> str:
    """Return between what times a changed study lies, in words, from the recorded time of the study as it is.

    Compilation and analysis take as long as before; the rest grows with the features that are computed. How much of the
    recorded time is either is not known. Nothing where a study is not on record or trains, whose time follows other
    numbers.
    """
    known = record().get(timed.name, {})
    if trains(study) or "seconds" not in known:
        return ""
    rest = known["seconds"] * plan.work / plan_of_study(timed).work
    low, high = (time_in_words(seconds) for seconds in sorted((known["seconds"], rest)))
    return f"{low if low == high else f'{low} to {high}'} on {known['cores']} cores"
