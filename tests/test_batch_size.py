"""How many pairs go together: groups that fit a cache, calls that leave few places empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import w2sjax as w2s
from w2sjax.sweeps.batch_size import (
    CACHE_BYTES,
    CPU_GROUP,
    EMPTY_PLACES,
    LEAST_CPU_GROUP,
    choose_batch,
    group_size,
    spread_evenly,
)
from w2sjax.sweeps.grid import make_grid
from w2sjax.worlds import PerturbedMLP, PretrainedMLP


@given(st.integers(1, 3000), st.integers(1, 60))
def test_calls_are_of_few_sizes_and_leave_few_places_empty(count: int, most: int) -> None:
    each = spread_evenly(count, most)
    assert 1 <= each <= most
    if count <= most:
        assert each == count
        return
    assert 2 * each >= most
    empty = -count % each
    others = [-count % other for other in range((most + 1) // 2, most + 1)]
    assert empty <= EMPTY_PLACES * count or empty == min(others)


@given(st.integers(1, 2**28))
def test_groups_fit_the_cache_where_they_can(block_bytes: int) -> None:
    group = group_size(block_bytes)
    assert LEAST_CPU_GROUP <= group <= CPU_GROUP
    assert group * block_bytes <= CACHE_BYTES or group == LEAST_CPU_GROUP
    assert group == CPU_GROUP or 2 * group * block_bytes > CACHE_BYTES


@pytest.mark.parametrize("pairs", [1, 3, 20, 512, 100_000])
def test_calls_are_whole_groups_within_the_memory_budget(pairs: int) -> None:
    (cell,) = make_grid(PerturbedMLP(), w2s.Protocol(tasks=2), {}).cells()
    batch = choose_batch(cell, pairs)
    assert batch.step % batch.at_once == 0 and batch.at_once % batch.group == 0
    assert batch.step < 2 * max(pairs, batch.at_once)
    tight = choose_batch(cell, pairs, memory_budget=1)
    assert tight.group == 1 and tight.working_bytes < batch.working_bytes or pairs == 1


def test_networks_are_trained_for_one_group_at_a_time() -> None:
    (cell,) = make_grid(PretrainedMLP(), w2s.Protocol(tasks=2), {}).cells()
    batch = choose_batch(cell, 1000)
    assert batch.step == batch.at_once
