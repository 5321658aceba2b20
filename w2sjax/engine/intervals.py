"""Which rows of a stream of blocks make up each sample size: static bookkeeping, no arrays.

Sample sizes of one split are prefixes of one stream. Their differences are intervals of rows, and an interval is whole
blocks plus at most two parts of blocks. Whole blocks of all intervals go through one loop; the few blocks that are cut
are drawn on the side.
"""

import dataclasses
from collections.abc import Sequence

from w2sjax.random.keys import BLOCK


@dataclasses.dataclass(frozen=True)
class Whole:
    """The blocks that lie inside interval `slot` of a split."""

    split: int
    blocks: range
    slot: int


@dataclasses.dataclass(frozen=True)
class Part:
    """Rows `start` to `stop` of a block, counted within the block, that belong to interval `slot` of a split."""

    split: int
    block: int
    slot: int
    start: int
    stop: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """How the samples of several splits are made from blocks.

    Attributes:
        small: per split, the sizes that keep their rows.
        large: per split, the sizes that go through moments; interval i ends at large size i.
        whole, parts: the blocks and parts of blocks of all intervals; slots count through all splits.
        cut: the (split, block) that `parts` and the small sizes need.
    """

    small: tuple[tuple[int, ...], ...]
    large: tuple[tuple[int, ...], ...]
    whole: tuple[Whole, ...]
    parts: tuple[Part, ...]
    cut: tuple[tuple[int, int], ...]

    @property
    def slots(self) -> int:
        """Number of intervals of all splits."""
        return sum(len(sizes) for sizes in self.large)


def plan_intervals(sizes: Sequence[Sequence[int]], most_rows_kept: int) -> Plan:
    """Plan the intervals of splits with increasing sample sizes; sizes up to `most_rows_kept` keep their rows."""
    small = tuple(tuple(n for n in split if n <= most_rows_kept) for split in sizes)
    large = tuple(tuple(n for n in split if n > most_rows_kept) for split in sizes)
    whole: list[Whole] = []
    parts: list[Part] = []
    slot = 0
    for index, split in enumerate(large):
        done = 0
        for size in split:
            first, last = -(-done // BLOCK), size // BLOCK
            if first <= last:
                if done < first * BLOCK:
                    parts.append(Part(index, first - 1, slot, done % BLOCK, BLOCK))
                if first < last:
                    whole.append(Whole(index, range(first, last), slot))
                done = last * BLOCK
            if done < size:
                parts.append(Part(index, size // BLOCK, slot, done % BLOCK, size % BLOCK))
            done = size
            slot += 1
    cut = {(part.split, part.block) for part in parts}
    for index, split in enumerate(small):
        cut |= {(index, block) for block in range(-(-max(split, default=0) // BLOCK))}
    return Plan(small, large, tuple(whole), tuple(parts), tuple(sorted(cut)))
