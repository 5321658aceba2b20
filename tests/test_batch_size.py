"""How many pairs go together: groups that fit a cache, shared out among devices."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import w2sjax as w2s
from w2sjax.sweeps.batch import arranged, in_order
from w2sjax.sweeps.batch_size import (
    ACCELERATOR_GROUP,
    CACHE_BYTES,
    CPU_GROUP,
    HOST_BUDGET,
    LEAST_CPU_GROUP,
    choose_batch,
    default_memory_budget,
    group_size,
)
from w2sjax.sweeps.grid import make_grid
from w2sjax.worlds import PerturbedMLP, PretrainedMLP


@given(st.integers(1, 500), st.integers(1, 4), st.integers(0, 3))
def test_pairs_are_arranged_and_come_back_in_order(pairs: int, group: int, more: int) -> None:
    devices = len(jax.local_devices())
    places = -(-pairs // (devices * group)) + more
    numbers = np.arange(7, 7 + pairs)
    count, indices = arranged(numbers, group, places)
    assert indices.shape == (devices * places, group) and 0 <= places - more - count < 1
    assert in_order(indices, int(count), pairs).tolist() == numbers.tolist()


@pytest.mark.usefixtures("cpu_only")
@given(st.integers(1, 2**28))
def test_groups_fit_the_cache_where_they_can(block_bytes: int) -> None:
    group = group_size(block_bytes)
    assert LEAST_CPU_GROUP <= group <= CPU_GROUP
    assert group * block_bytes <= CACHE_BYTES or group == LEAST_CPU_GROUP
    assert group == CPU_GROUP or 2 * group * block_bytes > CACHE_BYTES


@pytest.mark.usefixtures("cpu_only")
@pytest.mark.parametrize("pairs", [1, 3, 20, 512, 100_000])
def test_calls_are_whole_groups_within_the_memory_budget(pairs: int) -> None:
    (cell,) = [make_grid(PerturbedMLP(), w2s.Protocol(tasks=2), {}).cell({})]
    batch = choose_batch(cell, pairs)
    assert batch == choose_batch(cell, 1)  # programs compile once for all numbers of pairs
    tight = choose_batch(cell, pairs, memory_budget=1)
    assert tight.group == 1 and tight.working_bytes < batch.working_bytes


class Accelerator:
    """A device as JAX shows one, with memory of its own."""

    def __init__(self, bytes_limit: int | None) -> None:
        self.bytes_limit = bytes_limit

    def memory_stats(self) -> dict[str, int] | None:
        return None if self.bytes_limit is None else {"bytes_limit": self.bytes_limit}


@pytest.mark.usefixtures("cpu_only")
@pytest.mark.parametrize(
    ("limits", "budget"),
    [
        ((64 * 2**30,), 16 * 2**30),
        ((64 * 2**30, 32 * 2**30), 16 * 2**30),
        ((2**30,), 2**30),
        ((None,), 2**30),
    ],
)
def test_accelerators_work_in_a_quarter_of_their_memory(
    limits: tuple[int | None, ...], budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_memory_budget() == HOST_BUDGET
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: [Accelerator(limit) for limit in limits])
    assert default_memory_budget() == budget


def test_accelerators_share_launches_among_many_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = [make_grid(PerturbedMLP(), w2s.Protocol(tasks=100), {}).cell({})]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    large, small = (choose_batch(cell, 10**6, budget) for budget in (2**36, 2**30))
    assert large.group == ACCELERATOR_GROUP and large.step == large.at_once
    assert 100 < small.group < ACCELERATOR_GROUP and small.working_bytes <= 2**30


def test_networks_are_trained_for_one_group_at_a_time() -> None:
    (cell,) = [make_grid(PretrainedMLP(), w2s.Protocol(tasks=2), {}).cell({})]
    batch = choose_batch(cell, 1000)
    assert batch.step == batch.at_once
