"""Parts of a grid as boxes, which a run can cover."""

from collections.abc import Iterator

import numpy as np

Box = tuple[range, ...]
"""Positions along every axis."""


def boxes_of(wanted: np.ndarray) -> Iterator[Box]:
    """Yield disjoint boxes that together are what is wanted of a grid.

    Args:
        wanted: bool, of any number of dimensions. Where a smaller grid is cut out of a corner, there is one box per
            axis along which it is smaller.
    """
    if not wanted.any():
        return
    if wanted.ndim == 0:
        yield ()
        return
    places = np.nonzero(wanted)
    around = tuple(range(int(p.min()), int(p.max()) + 1) for p in places)
    inside = wanted[tuple(slice(p.start, p.stop) for p in around)]
    if inside.all():
        yield around
        return
    for axis in range(wanted.ndim):
        slices = np.moveaxis(inside, axis, 0)
        differs = [i for i in range(1, len(slices)) if not np.array_equal(slices[i], slices[0])]
        if differs:
            cut = around[axis].start + differs[0]
            before, after = wanted.copy(), wanted.copy()
            np.moveaxis(before, axis, 0)[cut:] = False
            np.moveaxis(after, axis, 0)[:cut] = False
            yield from boxes_of(before)
            yield from boxes_of(after)
            return
