"""Every core at work: devices on CPU, and one thread for linear algebra within a sweep."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import pytest

from w2sjax import cores

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

COUNT = """
import w2sjax as w2s
w2s.use_all_cores()
import jax
first = jax.local_device_count()
w2s.use_all_cores()  # does nothing: devices are in use
print(first, jax.local_device_count())
"""


def run(code: str, variables: dict[str, str]) -> list[str]:
    """Run code in a process of its own with these variables, and return the words that it prints."""
    mine = ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES", "OPENBLAS_NUM_THREADS")
    environment = {k: v for k, v in os.environ.items() if k not in mine} | {"JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment | variables, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("variables", "devices"),
    [
        ({}, CORES),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=3"}, 3),
        ({"JAX_NUM_CPU_DEVICES": "5"}, 5),
    ],
)
def test_one_device_per_core_unless_the_user_says_otherwise(variables: dict[str, str], devices: int) -> None:
    assert run(COUNT, variables) == [str(devices)] * 2


THREADS = """
import threadpoolctl
from w2sjax.cores import one_linear_algebra_thread
threads = lambda: {p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"}
import scipy.linalg
before = threads()
with one_linear_algebra_thread():
    inside = threads()
print(before == threads(), *inside)
"""


def test_linear_algebra_has_one_thread_inside_and_its_own_number_outside() -> None:
    assert run(THREADS, {"OPENBLAS_NUM_THREADS": "2"}) == ["True", "1"]


@pytest.mark.parametrize(
    ("flags", "single", "double"), [("fma avx2", 256, 512), ("avx2 avx512f", 512, 512), (None, 256, 512)]
)
def test_vectors_are_as_wide_as_the_machine_says(
    flags: str | None, single: int, double: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path, **_: Any) -> str:
        if flags is None:
            raise FileNotFoundError(path)
        return f"flags\t: {flags}\n"

    monkeypatch.setattr(Path, "read_text", read)
    cores.cpu_features.cache_clear()
    for double_precision, width in ((False, single), (True, double)):
        with jax.enable_x64(double_precision):
            assert cores.compiler_options() == {"xla_cpu_prefer_vector_width": width}
    monkeypatch.undo()
    cores.cpu_features.cache_clear()
