"""Every core at work: devices on CPU, and one thread for linear algebra within a sweep."""

import os
import subprocess
import sys

import pytest
import threadpoolctl

from w2sjax.cores import one_linear_algebra_thread

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

COUNT = """
import w2sjax as w2s
w2s.use_all_cores()
import jax
first = jax.local_device_count()
w2s.use_all_cores()  # does nothing: devices are in use
print(first, jax.local_device_count())
"""


@pytest.mark.parametrize(
    ("variables", "devices"),
    [
        ({}, CORES),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=3"}, 3),
        ({"JAX_NUM_CPU_DEVICES": "5"}, 5),
    ],
)
def test_one_device_per_core_unless_the_user_says_otherwise(variables: dict[str, str], devices: int) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    done = subprocess.run(
        [sys.executable, "-c", COUNT],
        env=environment | {"JAX_PLATFORMS": "cpu"} | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout.split() == [str(devices)] * 2


def blas_threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def test_linear_algebra_has_one_thread_inside_and_its_own_number_outside() -> None:
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        with one_linear_algebra_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {2}
