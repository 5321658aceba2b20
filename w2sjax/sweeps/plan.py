"""What a sweep will do before it does it: regions of work, compilations, chunk size and memory."""

import dataclasses
import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from w2sjax.draws import fold_in
from w2sjax.engine.randomness import cell_key
from w2sjax.sweeps import labels
from w2sjax.sweeps.batch import group_program, local_mesh, on_all_devices
from w2sjax.sweeps.batch_size import Batch, choose_batch, default_memory_budget, rows_per_pair
from w2sjax.sweeps.grid import Cell, Grid
from w2sjax.threefry import seed_key
from w2sjax.worlds.static import as_pytree

CHUNK_BYTES = 2**25
"""Most bytes of results in one region of a store, over all variables, unless a single pair has more."""

CHUNK_ROWS = 2**24
"""Samples behind one region where that is below the bytes: some ten seconds of one CPU, which a kill may lose."""

RUNS = 256
"""Regions per cell beyond which regions grow instead, so that a store has a bounded number of files."""


@dataclasses.dataclass(frozen=True)
class Region:
    """One unit of storage and of resumption: a run of pairs of one outer cell.

    Attributes:
        cell: position of the cell in `Plan.cells`.
        run: position of the run of pairs; pair // chunk_pairs.
        pairs: the pairs themselves.
    """

    cell: int
    run: int
    pairs: range

    @property
    def name(self) -> str:
        """The name of the region within its store."""
        return f"{self.cell}.{self.run}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything about a sweep that is decided before it runs.

    Attributes:
        grid, seed, pairs: what is computed.
        cells: the outer cells, in the order of the grid.
        shapes: per cell, the number of its compilation group; cells of one group share a compiled program.
        batches: per compilation group, how many pairs go together.
        template: one pair's results by variable, `[1, *inner axes, ...]`; only shapes and dtypes matter.
        chunk_pairs: pairs per region; independent of devices and processes.
    """

    grid: Grid
    seed: int
    pairs: int
    cells: tuple[Cell, ...]
    shapes: tuple[int, ...]
    batches: tuple[Batch, ...]
    template: dict[str, np.ndarray]
    chunk_pairs: int

    @property
    def bytes_per_pair(self) -> int:
        """Bytes of results of one pair in one cell, over all variables."""
        return sum(values.nbytes for values in self.template.values())

    @property
    def trains(self) -> bool:
        """Whether some world prepares its pairs, which takes much longer than the rest."""
        return any(hasattr(cell.world, "preparations") for cell in self.cells)

    @property
    def runs(self) -> int:
        """Regions per cell."""
        return math.ceil(self.pairs / self.chunk_pairs)

    def regions(self, process_index: int = 0, process_count: int = 1) -> list[Region]:
        """Return the regions of one process: every process_count-th, so that no two processes share one."""
        every = [
            Region(cell, run, range(run * self.chunk_pairs, min((run + 1) * self.chunk_pairs, self.pairs)))
            for cell in range(len(self.cells))
            for run in range(self.runs)
        ]
        mine = every[process_index::process_count]
        # What is trained for a pair serves all cells: they follow each other, so that it need not be kept for long.
        return sorted(
            mine, key=lambda r: (r.run, self.shapes[r.cell]) if self.trains else self.shapes[r.cell]
        )

    def describe(self, done: int = 0) -> str:
        """Return the plan in one line: cells, compilations, chunks, memory, and what is done already."""
        regions = len(self.cells) * self.runs
        inner = math.prod(len(self.grid.axes[name]) for name in self.grid.inner)
        total = len(self.cells) * self.pairs * self.bytes_per_pair
        return (
            f"plan: {len(self.cells) * inner} cells ({len(self.cells)} runs of {self.pairs} pairs), "
            f"{len(self.batches)} compilation{'s' if len(self.batches) > 1 else ''}, "
            f"{regions} chunks of {self.chunk_pairs} pairs ({megabytes(self.chunk_pairs * self.bytes_per_pair)}), "
            f"{max(batch.at_once for batch in self.batches)} pairs at once "
            f"(about {megabytes(max(batch.working_bytes for batch in self.batches))} of working memory), "
            f"{megabytes(total)} of results, {done} chunks done already"
        )


def make_plan(
    grid: Grid,
    seed: int,
    pairs: int,
    *,
    memory_budget: int | None = None,
    chunk_pairs: int | None = None,
    template: dict[str, np.ndarray] | None = None,
) -> Plan:
    """Group cells by what they compile to, and choose how many pairs go together.

    Args:
        grid: validated axes.
        seed, pairs: as in `sweep`.
        memory_budget: bytes of working memory; None asks the devices.
        chunk_pairs: pairs per region; None chooses.
        template: see `Plan`, where it is known already.

    Cost: without a template, one abstract trace of the computation, which the first call then does not repeat.
    """
    cells = tuple(grid.cells())
    groups: dict[Any, int] = {}
    first: list[Cell] = []
    shapes = []
    for cell in cells:
        key = _compilation_key(cell)
        if key not in groups:
            groups[key] = len(groups)
            first.append(cell)
        shapes.append(groups[key])
    memory_budget = default_memory_budget() if memory_budget is None else memory_budget
    batches = tuple(choose_batch(cell, pairs, memory_budget) for cell in first)
    needed = max(batch.working_bytes for batch in batches)
    if needed > memory_budget:
        warnings.warn(
            f"one pair per device takes about {megabytes(needed)} of working memory, more than memory_budget="
            f"{memory_budget}: lower the number of tasks or of values of the inner axes if that is too much.",
            stacklevel=3,
        )
    if template is None:
        template = result_template(grid, cells[0], seed, batches[shapes[0]])
    if chunk_pairs is None:
        rows = max(rows_per_pair(cell.design) for cell in cells)
        chunk_pairs = choose_chunk_pairs(pairs, sum(v.nbytes for v in template.values()), rows)
    return Plan(
        grid=grid,
        seed=seed,
        pairs=pairs,
        cells=cells,
        shapes=tuple(shapes),
        batches=batches,
        template=template,
        chunk_pairs=min(chunk_pairs, pairs),
    )


def key_of(seed: int, cell: Cell) -> jax.Array:
    """Return the typed key that the pairs of a cell are drawn from."""
    key = seed_key(seed)
    return key if cell.own_draws is None else cell_key(key, cell.own_draws)


def shared_arguments(seed: int, cell: Cell) -> Any:
    """Return the arguments of `group_program` that all calls of a cell share, on every local device."""
    return on_all_devices((as_pytree(cell.world), cell.numbers, key_of(seed, cell)))


def choose_chunk_pairs(pairs: int, result_bytes: int, rows: int) -> int:
    """Return the pairs per region for a sweep of so many pairs, each with so many bytes of results and samples.

    It depends on nothing else: not on devices, processes or memory.
    """
    wanted = max(CHUNK_ROWS // max(1, rows), math.ceil(pairs / RUNS))
    return max(1, min(wanted, CHUNK_BYTES // max(1, result_bytes), pairs))


def result_template(grid: Grid, cell: Cell, seed: int, batch: Batch) -> dict[str, np.ndarray]:
    """Return zeros with the shape and dtype of one pair's results, by variable: `[1, *inner axes, ...]`."""
    indices = jax.ShapeDtypeStruct((batch.step,), jnp.uint32)
    outcome = group_program().eval_shape(
        *shared_arguments(seed, cell),  # placed as in the calls, which would be traced again otherwise
        indices,
        _prepared_shapes(cell.world, batch.step),
        design=cell.design,
        mesh=local_mesh(),
        group=batch.group,
    )
    zeros = jax.tree.map(lambda a: np.zeros((1, *a.shape[1:]), a.dtype), outcome)
    return {name: grid.arrange(values) for name, values in labels.flatten(zeros).items()}


def _prepared_shapes(world: Any, pairs: int) -> dict[str, Any] | None:
    """Return the shapes of what the world's preparations return for so many pairs, without running them."""
    if not hasattr(world, "preparations"):
        return None
    keys = jax.eval_shape(lambda: fold_in(seed_key(0), np.arange(pairs, dtype=np.uint32)))
    return {name: jax.eval_shape(jax.vmap(run), keys) for name, run in world.preparations().items()}


def megabytes(count: int) -> str:
    """Return a number of bytes for people."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


def _compilation_key(cell: Cell) -> Any:
    """Return what decides whether two cells run the same compiled program."""
    leaves, structure = jax.tree.flatten((as_pytree(cell.world), cell.numbers))
    kinds = tuple((np.shape(leaf), str(getattr(leaf, "dtype", type(leaf)))) for leaf in leaves)
    return cell.design, structure, kinds
