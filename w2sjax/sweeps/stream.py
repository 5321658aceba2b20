"""The loop of every sweep: groups of pairs go to the devices, finished regions come back."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from w2sjax.cores import let_go_of_programs, one_linear_algebra_thread
from w2sjax.engine.on_tables import run_on_tables
from w2sjax.flags import SERIOUS, Flag
from w2sjax.sweeps import labels
from w2sjax.sweeps.batch import arranged, group_program, in_order, local_mesh
from w2sjax.sweeps.plan import Item, Plan, key_of, shared_arguments
from w2sjax.sweeps.preparation import Preparations
from w2sjax.sweeps.progress import Meter

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Call:
    """One call of the compiled program: pairs of one cell, which may belong to several items."""

    cell: int
    shared: Any
    pairs: np.ndarray
    items: tuple[Item, ...]


def plan_meter(plan: Plan, *, show: bool) -> Meter:
    """Return the meter of what is left to do of a plan."""
    total = plan.done_pairs + sum(len(item.pairs) for item in plan.items)
    programs = len({plan.shapes[item.cell] for item in plan.items})
    return Meter(total, show=show, done=plan.done_pairs, work=plan.work, programs=programs)


def run_items(plan: Plan, preparations: Preparations, meter: Meter) -> Iterator[tuple[Item, Arrays]]:
    """Compute what is left to do and yield each item with its arrays `[pair, *inner axes, ...]`, once it is complete.

    Every call of the compiled program has the same number of pairs, across the borders of items and fewer at the
    end of a cell, so that each compilation group compiles once and rounds alike whatever is left to do. The next call
    is dispatched before the last one is fetched, so that devices do not wait for the host.

    Args:
        plan: from `make_plan`.
        preparations: what the worlds of the plan prepare.
        meter: told of compilation, and of the pairs of every call.
    """
    pending: dict[Item, list[Arrays]] = {}
    running: tuple[_Call, Any] | None = None
    compiled: set[int] = set()
    with one_linear_algebra_thread():
        for call in _calls(plan):
            shape = plan.shapes[call.cell]
            compiling = contextlib.nullcontext() if shape in compiled else meter.compiling()
            started = (call, _dispatch(plan, preparations, call, compiling))
            compiled.add(shape)
            if running is not None:
                yield from _collect(plan, *running, pending, meter)
            running = started
        if running is not None:
            yield from _collect(plan, *running, pending, meter)


def _calls(plan: Plan) -> Iterator[_Call]:
    together: dict[tuple[int, int], list[Item]] = {}
    for item in plan.items:
        together.setdefault((item.cell, item.run if plan.trains else 0), []).append(item)
    shape = None
    for (cell, _), mine in together.items():
        if plan.shapes[cell] != shape:
            shape = plan.shapes[cell]
            let_go_of_programs()
        step = plan.batches[plan.shapes[cell]].step
        shared = shared_arguments(plan.seed, plan.cells[cell])
        pairs = np.concatenate([np.arange(item.pairs.start, item.pairs.stop) for item in mine])
        for start in range(0, len(pairs), step):
            chosen = pairs[start : start + step]
            touched = {int(run) for run in np.unique((chosen - plan.pairs.start) // plan.chunk_pairs)}
            yield _Call(cell, shared, chosen, tuple(item for item in mine if item.run in touched))


def _dispatch(
    plan: Plan, preparations: Preparations, call: _Call, compiling: contextlib.AbstractContextManager[None]
) -> tuple[np.ndarray | None, Any]:
    batch, cell = plan.batches[plan.shapes[call.cell]], plan.cells[call.cell]
    if batch.tables:
        seed = key_of(plan.seed, cell)
        return None, run_on_tables(cell.world, cell.numbers, seed, call.pairs, cell.design)
    count, indices = arranged(call.pairs, batch.group, batch.places)
    prepared = preparations.of(call.cell, indices.ravel())
    prepared = jax.tree.map(lambda a: a.reshape(*indices.shape, *a.shape[1:]), prepared)
    with compiling:
        outcome = group_program()(
            *call.shared, count, indices, prepared, design=cell.design, mesh=local_mesh()
        )
    return count, outcome


def _collect(
    plan: Plan,
    call: _Call,
    running: tuple[np.ndarray | None, Any],
    pending: dict[Item, list[Arrays]],
    meter: Meter,
) -> Iterator[tuple[Item, Arrays]]:
    box = plan.cells[call.cell].box
    count, outcome = running
    arrays = {
        name: plan.grid.arrange(
            values if count is None else in_order(values, int(count), len(call.pairs)), box
        )
        for name, values in labels.flatten(outcome).items()
    }
    work = len(call.pairs) * plan.batches[plan.shapes[call.cell]].work
    meter.advance(len(call.pairs), count_flagged(arrays), work)
    for item in call.items:
        inside = (call.pairs >= item.pairs.start) & (call.pairs < item.pairs.stop)
        part = slice(int(inside.argmax()), int(inside.argmax()) + int(inside.sum()))
        parts = pending.setdefault(item, [])
        parts.append({name: values[part] for name, values in arrays.items()})
        if call.pairs[part][-1] == item.pairs[-1]:
            del pending[item]
            yield item, {name: np.concatenate([p[name] for p in parts]) for name in arrays}


def place(plan: Plan, item: Item) -> tuple[Any, ...]:
    """Return where the arrays of an item go in arrays `[pair, *axes, ...]`."""
    cell, first = plan.cells[item.cell], plan.pairs.start
    inner = dict(zip(plan.grid.inner, cell.box, strict=True))
    along = (
        cell.position[name] if name in cell.position else slice(inner[name].start, inner[name].stop)
        for name in plan.grid.axes
    )
    return (slice(item.pairs.start - first, item.pairs.stop - first), *along)


def count_flagged(arrays: Arrays) -> dict[Flag, int]:
    """Return how many pairs have each serious flag in some cell."""
    code = arrays["status_code"].reshape(len(arrays["status_code"]), -1)
    return {flag: int(((code & int(flag)) != 0).any(axis=1).sum()) for flag in Flag if flag & SERIOUS}
