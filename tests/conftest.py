"""Strict JAX for every test: float64, no implicit promotion of dtypes or ranks."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# Programs are compiled once for all tests, subprocesses included, and kept for the next run.
COMPILED = Path(__file__).parents[1] / ".pytest_cache" / "compiled"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
# Compilation is nearly all of the time of tests, and takes half as long like this. Tests of the numbers of optimized
# programs, or that run for longer than they compile, ask for `optimized`; JAX_DISABLE_MOST_OPTIMIZATIONS=0 is for all.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Threads of linear algebra that wait by spinning would take the core of the other worker.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Workers share the memory of an accelerator.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax  # noqa: E402

from w2sjax.cores import let_go_of_programs  # noqa: E402
from w2sjax.engine.run import run_single  # noqa: E402
from w2sjax.sweeps.batch import group_program  # noqa: E402

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
gc.set_threshold(50_000, 20, 20)  # tracing makes many objects: looking through them took 8% of the time
jax.local_devices()  # one device, before a command under test asks for one per core
ON_CPU = jax.default_backend() == "cpu"
if not ON_CPU:
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "0"
    jax.config.update("jax_disable_most_optimizations", False)

# A shell's background job ignores SIGINT, and so would the sweeps under test.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def few_programs() -> Iterator[None]:
    """Let go of compiled programs before there are too many for a process."""
    yield
    let_go_of_programs()


@pytest.fixture
def cpu_only() -> None:
    """Skip where the default device is an accelerator, whose way of computing is another."""
    if not ON_CPU:
        pytest.skip("about the way that CPUs take")


@pytest.fixture
def optimized(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compile what a test compiles, in this process and in others, as users do; nothing compiled is left or found."""
    programs = (run_single, group_program())
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
    for program in programs:
        program.clear_cache()
    yield
    jax.config.update("jax_disable_most_optimizations", before)
    for program in programs:
        program.clear_cache()


SEED = 0


@pytest.fixture
def key() -> jax.Array:
    """A typed key, the same for every test."""
    return jax.random.key(SEED)


@pytest.fixture
def key_reuse_checked() -> Iterator[None]:
    """Refuse a second use of a key while the test runs.

    Not for every test: JAX's checker has no rule for a transposed array of keys, which a `vmap` over a `scan` over keys
    produces, and then reports a reuse that is none.
    """
    with jax.debug_key_reuse(True):
        yield
