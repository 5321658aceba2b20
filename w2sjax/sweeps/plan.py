"""What a sweep will do before it does it: items of work, compilations, chunk size and memory."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from w2sjax.engine.on_tables import run_on_tables
from w2sjax.random.keys import cell_key
from w2sjax.random.threefry import seed_key
from w2sjax.sweeps import labels
from w2sjax.sweeps.batch import arranged, group_program, local_mesh, on_all_devices
from w2sjax.sweeps.batch_size import Batch, choose_batch, default_memory_budget, rows_per_pair
from w2sjax.sweeps.grid import Box, Cell, Grid, boxes_of
from w2sjax.worlds.static import as_pytree

CHUNK_BYTES = 2**25
"""Most bytes of results in one region of a store, over all variables, unless a single pair has more."""

CHUNK_ROWS = 2**24
"""Samples behind one region where that is below the bytes: some ten seconds of one CPU, which a kill may lose."""

RUNS = 256
"""Regions per cell beyond which regions grow instead, so that a new store has a bounded number of files."""

Done = Callable[[int, int], np.ndarray | None]
"""Maps an outer cell and a run to how many of its pairs are done, by position on the inner grid; None for none."""


@dataclasses.dataclass(frozen=True)
class Item:
    """A unit of work: some pairs of a run, in one cell.

    Attributes:
        cell: position of the cell in `Plan.cells`.
        run: position of the run; (pair - first pair) // chunk_pairs.
        pairs: the pairs themselves.
    """

    cell: int
    run: int
    pairs: range


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything about a sweep that is decided before it runs.

    A region, the unit of storage, is a run of pairs of one outer cell; what is left to do of it are its items.

    Attributes:
        grid, seed, pairs: what is computed.
        variables: of the results, those of all cells.
        chunk_pairs: pairs per region; independent of devices and processes.
        cells: of the items.
        shapes: per cell, the number of its compilation group; cells of one group share a compiled program.
        batches: per compilation group, how many pairs go together.
        items: what this process has to do, those of one compilation group beside each other.
        title: of the results, one line; "" names the world and the axes.
        finished_regions, done_pairs: what is done already of this process's part; pairs of all outer cells.
    """

    grid: Grid
    seed: int
    pairs: range
    variables: dict[str, labels.Variable]
    chunk_pairs: int
    cells: tuple[Cell, ...]
    shapes: tuple[int, ...]
    batches: tuple[Batch, ...]
    items: tuple[Item, ...]
    finished_regions: int
    done_pairs: int
    title: str = ""

    @property
    def trains(self) -> bool:
        """Whether some world prepares its pairs, which takes much longer than the rest."""
        return any(hasattr(cell.world, "preparations") for cell in self.cells)

    @property
    def work(self) -> float:
        """What is left to do, in the unit of `Batch.work`."""
        return sum(len(item.pairs) * self.batches[self.shapes[item.cell]].work for item in self.items)

    @property
    def runs(self) -> int:
        """Regions per outer cell."""
        return math.ceil(len(self.pairs) / self.chunk_pairs)

    def describe(self) -> str:
        """Return the plan in one line: cells, compilations, chunks, memory, and how many chunks are done already."""
        inner = math.prod(len(self.grid.axes[name]) for name in self.grid.inner)
        each = result_bytes(self.variables, self.grid)
        cells = math.prod(len(self.grid.axes[name]) for name in self.grid.outer)
        at_once = max((batch.at_once for batch in self.batches), default=0)
        working = max((batch.working_bytes for batch in self.batches), default=0)
        return (
            f"plan: {cells * inner} cells ({cells} runs of {len(self.pairs)} pairs), "
            f"{len(self.batches)} compilation{'' if len(self.batches) == 1 else 's'}, "
            f"{cells * self.runs} chunks of {self.chunk_pairs} pairs ({megabytes(self.chunk_pairs * each)}), "
            f"{at_once} pairs at once (about {megabytes(working)} of working memory), "
            f"{megabytes(cells * len(self.pairs) * each)} of results, {self.finished_regions} chunks done already"
        )


def make_plan(
    grid: Grid,
    seed: int,
    pairs: range,
    *,
    memory_budget: int | None = None,
    chunk_pairs: int | None = None,
    variables: dict[str, labels.Variable] | None = None,
    done: Done = lambda cell, run: None,
    process: tuple[int, int] = (0, 1),
    title: str = "",
) -> Plan:
    """Divide a sweep into items, group cells by what they compile to, and choose how many pairs go together.

    Args:
        grid: validated axes.
        seed, pairs: as in `sweep`.
        memory_budget: bytes of working memory; None asks the devices.
        chunk_pairs: pairs per region; None chooses.
        variables: of the results, where they are known already.
        done: what need not be computed again.
        title: of the results.
        process: index and count of this process: its regions are every count-th, so that no two processes share one.

    Cost: without variables, an abstract trace of the computation of every kind of cell, which the first call then does
    not repeat.
    """
    wholes = [grid.cell(position) for position in grid.positions()]
    programs = _Programs(len(pairs), default_memory_budget() if memory_budget is None else memory_budget)
    if variables is None:
        variables = _variables(grid, wholes, seed, programs)
    if chunk_pairs is None:
        rows = max(rows_per_pair(cell.design) for cell in wholes)
        chunk_pairs = choose_chunk_pairs(len(pairs), result_bytes(variables, grid), rows)
    chunk_pairs = min(chunk_pairs, len(pairs))
    runs = math.ceil(len(pairs) / chunk_pairs)
    index, count = process
    mine = [(outer, run) for outer in range(len(wholes)) for run in range(runs)][index::count]
    cells: list[Cell] = []
    numbers: dict[tuple[int, Box], int] = {}
    items: list[Item] = []
    finished = done_before = 0
    for outer, run in mine:
        wanted = pairs[run * chunk_pairs : (run + 1) * chunk_pairs]
        left = list(_left(grid, wanted, done(outer, run)))
        finished += not left
        done_before += 0 if left else len(wanted)
        for box, chosen in left:
            if (outer, box) not in numbers:
                numbers[outer, box] = len(cells)
                whole = wholes[outer]
                cells.append(whole if box == grid.whole else grid.cell(whole.position, box))
            items.append(Item(numbers[outer, box], run, chosen))
    shapes = tuple(programs.of(cell) for cell in cells)
    plan = Plan(
        grid=grid,
        seed=seed,
        pairs=pairs,
        variables=variables,
        chunk_pairs=chunk_pairs,
        cells=tuple(cells),
        shapes=shapes,
        batches=tuple(programs.batches),
        items=(),
        finished_regions=finished,
        done_pairs=done_before,
        title=title,
    )
    # What is trained for a pair serves all cells: they follow each other, so that it need not be kept for long.
    items.sort(key=lambda i: (i.run, shapes[i.cell], i.cell) if plan.trains else (0, shapes[i.cell], i.cell))
    return dataclasses.replace(plan, items=tuple(items))


def _left(grid: Grid, wanted: range, done: np.ndarray | None) -> Iterator[tuple[Box, range]]:
    """Yield what is left to do of a run: boxes of the inner grid, and pairs."""
    if done is None:
        yield grid.whole, wanted
        return
    for count in np.unique(done[done < len(wanted)]).tolist():
        for box in boxes_of(done == count):
            yield box, wanted[count:]


class _Programs:
    """Compilation groups, and how many pairs go together in each."""

    def __init__(self, pairs: int, memory_budget: int) -> None:
        self._pairs, self._memory_budget = pairs, memory_budget
        self._numbers: dict[Any, int] = {}
        self.batches: list[Batch] = []

    def of(self, cell: Cell) -> int:
        """Return the number of the group of a cell."""
        leaves, structure = jax.tree.flatten((as_pytree(cell.world), cell.numbers))
        kinds = tuple((np.shape(leaf), str(getattr(leaf, "dtype", type(leaf)))) for leaf in leaves)
        key = (cell.design, structure, kinds)
        if key not in self._numbers:
            batch = choose_batch(cell, self._pairs, self._memory_budget)
            if batch.working_bytes > self._memory_budget:
                warnings.warn(
                    f"one pair per device takes about {megabytes(batch.working_bytes)} of working memory, more than "
                    f"memory_budget={self._memory_budget}: lower the number of tasks or of values of the inner axes "
                    "if that is too much.",
                    stacklevel=5,
                )
            self._numbers[key] = len(self.batches)
            self.batches.append(batch)
        return self._numbers[key]


def key_of(seed: int, cell: Cell) -> jax.Array:
    """Return the typed key that the pairs of a cell are drawn from."""
    key = seed_key(seed)
    return key if cell.own_draws is None else cell_key(key, cell.own_draws)


def shared_arguments(seed: int, cell: Cell) -> Any:
    """Return the arguments of `group_program` that all calls of a cell share, on every local device."""
    return on_all_devices((as_pytree(cell.world), cell.numbers, key_of(seed, cell)))


def choose_chunk_pairs(pairs: int, pair_bytes: int, rows: int) -> int:
    """Return the pairs per region for a sweep of so many pairs, each with so many bytes of results and samples.

    It depends on nothing else: not on devices, processes or memory.
    """
    wanted = max(CHUNK_ROWS // max(1, rows), math.ceil(pairs / RUNS))
    return max(1, min(wanted, CHUNK_BYTES // max(1, pair_bytes), pairs))


def result_bytes(variables: dict[str, labels.Variable], grid: Grid) -> int:
    """Return the bytes of results of one pair in one outer cell, over all variables."""
    inner = math.prod(len(part) for part in grid.whole)
    return inner * sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables.values())


def _variables(grid: Grid, cells: list[Cell], seed: int, programs: _Programs) -> dict[str, labels.Variable]:
    """Return the variables of all cells, by an abstract trace of every kind of cell."""
    kinds: dict[Any, Cell] = {}
    for cell in cells:
        stages = tuple((s.name, type(s.head), type(s.method)) for s in cell.design.chain)
        metrics = tuple(metric.name for metric in cell.design.metrics)
        kinds.setdefault((type(cell.world), stages, metrics, cell.design.standard_errors), cell)
    found: dict[str, labels.Variable] = {}
    for cell in kinds.values():
        template = result_template(grid, cell, seed, programs.batches[programs.of(cell)])
        found = labels.variables_of(template, grid, cell.design.metrics) | found
    return found


def result_template(grid: Grid, cell: Cell, seed: int, batch: Batch) -> dict[str, np.ndarray]:
    """Return zeros with the shape and dtype of one pair's results, by variable: `[1, *inner axes, ...]`."""
    if batch.tables:  # a pair takes less time than its program takes to trace
        outcome = run_on_tables(cell.world, cell.numbers, key_of(seed, cell), np.zeros(1, int), cell.design)
        arrays = labels.flatten(jax.tree.map(np.zeros_like, outcome))
        return {name: grid.arrange(values, cell.box) for name, values in arrays.items()}
    count, indices = arranged(np.zeros(1, int), batch.group, batch.places)
    outcome = group_program().eval_shape(
        *shared_arguments(seed, cell),  # placed as in the calls, which would be traced again otherwise
        count,
        indices,
        _prepared_shapes(cell.world, indices.shape),
        design=cell.design,
        mesh=local_mesh(),
    )
    zeros = jax.tree.map(lambda a: np.zeros((1, *a.shape[2:]), a.dtype), outcome)
    return {name: grid.arrange(values, cell.box) for name, values in labels.flatten(zeros).items()}


def _prepared_shapes(world: Any, pairs: tuple[int, ...]) -> dict[str, Any] | None:
    """Return the shapes of what the world's preparations return for pairs, without running them."""
    if not hasattr(world, "preparations"):
        return None
    shapes = {name: jax.eval_shape(run, seed_key(0)) for name, run in world.preparations().items()}
    return jax.tree.map(lambda s: jax.ShapeDtypeStruct((*pairs, *s.shape), s.dtype), shapes)


def megabytes(count: int) -> str:
    """Return a number of bytes for people."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"
