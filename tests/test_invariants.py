"""What never changes a result: how rows are split into intervals; and what compiles once."""

from hypothesis import given, settings
from hypothesis import strategies as st

import w2sjax as w2s
from w2sjax.engine.intervals import plan_intervals
from w2sjax.random.keys import BLOCK
from w2sjax.sweeps.batch import group_program

SIZES = st.lists(st.lists(st.integers(1, 4000), max_size=6, unique=True).map(sorted), min_size=1, max_size=3)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(SIZES, st.integers(0, 300))
def test_intervals_hold_every_row_once(sizes: list[list[int]], most_rows_kept: int) -> None:
    plan = plan_intervals(sizes, most_rows_kept)
    slot = 0
    for split, large in enumerate(plan.large):
        assert [*plan.small[split], *large] == sizes[split]
        seen: list[int] = []
        for size in large:
            for whole in plan.whole:
                if whole.slot == slot:
                    assert whole.split == split
                    seen += range(whole.blocks.start * BLOCK, whole.blocks.stop * BLOCK)
            for part in plan.parts:
                if part.slot == slot:
                    assert (part.split, part.block) in plan.cut and part.split == split
                    seen += range(part.block * BLOCK + part.start, part.block * BLOCK + part.stop)
            assert sorted(seen) == list(range(size))
            slot += 1
    assert slot == plan.slots


WORLD = w2s.worlds.PerturbedMLP(width=5, depth=2)
PROTOCOL = w2s.Protocol(n_weak=300, n_strong=400, n_eval=200, tasks=3)


def test_many_chunks_and_cells_share_one_compilation() -> None:
    before = group_program()._cache_size()
    w2s.sweep(WORLD, PROTOCOL, pairs=50, axes={"weak_noise": [0.1, 0.2], "input_scale": [1.0, 2.0]})
    assert group_program()._cache_size() == before + 1
