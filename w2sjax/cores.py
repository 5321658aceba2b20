"""Every core of a CPU at work on pairs, and no thread that only waits."""

import contextlib
import functools
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from w2sjax.process_wide import ProcessWide


def use_all_cores() -> None:
    """Give JAX one CPU device per core of this process, so that sweeps run one group of pairs on each.

    Two devices did twice the work of one whose operations were spread over two cores. Call it before anything uses a
    device: afterwards it does nothing, as where XLA_FLAGS or JAX_NUM_CPU_DEVICES say how many devices there are. The
    commands of the terminal call it.
    """
    chosen = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if not chosen and jax.config.jax_num_cpu_devices < 1:
        with contextlib.suppress(RuntimeError):  # a device is in use already
            jax.config.update("jax_num_cpu_devices", cores())


def _limit_to_one_thread() -> Callable[[], None]:
    limits: Any = _libraries().limit(limits=1, user_api="blas")
    undo: Callable[[], None] = limits.restore_original_limits
    return undo


one_linear_algebra_thread = ProcessWide(_limit_to_one_thread)
"""A context in which the BLAS libraries of this process use one thread.

XLA's factorizations on CPU are calls of SciPy's BLAS library. Its threads wait for the next call by spinning, and for
matrices of some tens of rows they do nothing else: on two cores they took one of them.
"""


@functools.cache
def _libraries() -> Any:
    """Find the libraries once: it takes some milliseconds."""
    import scipy.linalg  # noqa: F401  (loads the library whose threads are limited)
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def let_go_of_programs(share: float = 0.6) -> None:
    """Have JAX forget all compiled programs where they take more than a share of the memory mappings of a process.

    On a CPU each takes some hundreds, and Linux aborts a process that has 65,530. Forgotten programs compile anew when
    they are called again.
    """
    maps, limit = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
    with contextlib.suppress(OSError, ValueError):
        if maps.read_bytes().count(b"\n") > share * int(limit.read_text()):
            jax.clear_caches()
            gc.collect()


def compiler_options() -> dict[str, Any] | None:
    """Return XLA's options for the programs of a sweep on this kind of device and in this precision, for `jax.jit`.

    On CPUs with vectors of 512 bits XLA uses half of them unless it is told otherwise: random bits then take a third
    less time, and networks as sums of products a sixth. On a CPU with vectors of 256 bits a pair took 2.22 ms in
    float32 where 512 were asked for and 1.59 where 256 were; in float64 2.41 and 3.29.
    """
    if jax.default_backend() != "cpu":
        return None
    wide = jax.config.jax_enable_x64 or has_wide_vectors()
    return {"xla_cpu_prefer_vector_width": 512 if wide else 256}


def has_wide_vectors() -> bool:
    """Say whether this CPU reports vectors of 512 bits; where it reports nothing, it has none."""
    return "avx512f" in cpu_features()


@functools.cache
def cpu_features() -> tuple[str, ...]:
    """Return the kinds of vectors and matrices that this CPU reports, such as "avx2"; none where it reports nothing."""
    try:
        reported = Path("/proc/cpuinfo").read_text(errors="replace").split()
    except OSError:
        return ()
    kinds = ("avx", "fma", "amx", "asimd", "sve")
    return tuple(sorted({word for word in reported if word.startswith(kinds)}))


def cpu_of_record() -> dict[str, Any]:
    """Return what a record of times says of the CPU: its features, and which of them XLA, BLAS and NumPy may use."""
    import numpy as np

    found: Any = np.show_config(mode="dicts")
    return {
        "cpu_features": list(cpu_features()),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "blas": sorted({one["architecture"] for one in _libraries().info() if "architecture" in one}),
        "numpy_features": found["SIMD Extensions"]["found"],
    }


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
