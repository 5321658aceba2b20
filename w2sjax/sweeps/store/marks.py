"""Marks: what is done in the regions of a store."""

import json
from typing import Any, NamedTuple

import numpy as np

from w2sjax.files import write_atomically
from w2sjax.sweeps.store.layout import MARKS, Index, Layout


class Mark(NamedTuple):
    """What is done in a region.

    Attributes:
        done: how many of its first pairs, int `[*blocks of the axes]`.
        sizes: of its files in bytes, by variable.
    """

    done: np.ndarray
    sizes: dict[str, int]


def read_marks(layout: Layout) -> dict[Index, Mark]:
    """Return the valid marks of a store: those whose files are all there in full.

    Cost: reads every mark, and one `stat` per file.
    """
    shape = tuple(layout.blocks.values())
    found: dict[Index, Mark] = {}
    for index in _marked(layout):
        try:
            stored = json.loads(layout.mark(index).read_text())
            done = np.broadcast_to(np.asarray(stored["done"], np.int64), shape)
            mark = Mark(done, {str(name): int(size) for name, size in stored["bytes"].items()})
            if all(
                layout.chunk_file(name, index).stat().st_size == size for name, size in mark.sizes.items()
            ):
                found[index] = mark
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def write_mark(layout: Layout, index: Index, mark: Mark, origin: dict[str, str]) -> None:
    """Write a mark, in full or not at all."""
    same = np.ptp(mark.done) == 0
    done: Any = int(mark.done.flat[0]) if same else mark.done.tolist()
    write_atomically(layout.mark(index), json.dumps({"done": done, "bytes": mark.sizes, **origin}))


def done_pairs(layout: Layout, marks: dict[Index, Mark]) -> int:
    """Return how many pairs are done, over all settings of the axes."""
    total = 0
    for index, mark in marks.items():
        where = layout.slices(index)
        wanted = where[0].stop - where[0].start
        inside = tuple(slice(0, part.stop - part.start) for part in where[1:])
        total += int(np.minimum(mark.done[inside], wanted).sum())
    return total


def done_in_cell(
    layout: Layout, marks: dict[Index, Mark], position: dict[str, int], inner: tuple[str, ...], run: int
) -> np.ndarray | None:
    """Return how many pairs of a run of an outer cell are done, by position on the inner axes; None for none.

    Args:
        layout, marks: of the store.
        position: index along each outer axis, by name.
        inner: names of the inner axes, in the order of the result.
        run: of pairs.
    """
    names = list(layout.axes)
    counts = np.zeros([len(layout.axes[name]) for name in inner], np.int64)
    blocks = [-(-len(layout.axes[name]) // layout.blocks[name]) for name in inner]
    found = False
    for places in np.ndindex(*blocks):
        place = position | dict(zip(inner, places, strict=True))
        index = (run, *(place[name] for name in names))
        if index not in marks:
            continue
        found = True
        where = dict(zip(names, layout.slices(index)[1:], strict=True))
        done = np.squeeze(marks[index].done, tuple(i for i, name in enumerate(names) if name not in inner))
        left = [name for name in names if name in inner]
        done = done.transpose([left.index(name) for name in inner])
        parts = [where[name] for name in inner]
        counts[tuple(parts)] = done[tuple(slice(0, part.stop - part.start) for part in parts)]
    return counts if found else None


def _marked(layout: Layout) -> list[Index]:
    limits = (layout.runs, *(-(-len(v) // layout.blocks[name]) for name, v in layout.axes.items()))
    found = []
    for file in (layout.path / MARKS).glob("*.json"):
        parts = file.stem.split(".")
        if len(parts) == len(limits) and all(part.isdecimal() for part in parts):
            found.append(tuple(map(int, parts)))
    return sorted(index for index in found if all(i < n for i, n in zip(index, limits, strict=True)))
