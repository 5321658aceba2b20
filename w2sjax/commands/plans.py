"""What a sweep would do, without doing it."""

from typing import Any


def plan_of(
    world: Any,
    protocol: Any,
    *,
    pairs: int,
    first_pair: int = 0,
    seed: int = 0,
    axes: Any = None,
    **options: Any,
) -> str:
    """Return cells, pairs, compilations, memory and bytes of results of a new sweep in one line.

    Args:
        world, protocol, pairs, first_pair, seed, axes: as of `sweep`.
        options: metrics, paired, memory_budget and chunk_pairs of `sweep`.
    """
    from w2sjax.sweeps.grid import make_grid
    from w2sjax.sweeps.plan import make_plan

    of_plan = {name: options.pop(name, None) for name in ("memory_budget", "chunk_pairs")}
    grid = make_grid(world, protocol, axes, **({"paired": True} | options))
    return make_plan(grid, seed, range(first_pair, first_pair + pairs), **of_plan).describe()
