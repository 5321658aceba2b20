"""The largest batch ends: some releases of jaxlib hung for ever on batched factorizations beside matmuls."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import jax, numpy as np, jax.numpy as jnp
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
import w2sjax as w2s
from w2sjax.engine.design import design_of, numbers_of
from w2sjax.sweeps.batch import arranged, local_mesh, group_program
from w2sjax.sweeps.batch_size import ACCELERATOR_GROUP
protocol = w2s.Protocol(n_weak=500, n_strong=500, n_eval=500, tasks=4)
pairs = np.arange(ACCELERATOR_GROUP)
outcome = group_program()(
    w2s.worlds.PerturbedMLP(), numbers_of(protocol), jax.random.key(0),
    *arranged(pairs, ACCELERATOR_GROUP // len(jax.devices()), 1), design=design_of(protocol), mesh=local_mesh(),
)
assert np.isfinite(np.asarray(outcome.gain)).all()
"""


@pytest.mark.parametrize("devices", [1, 2])
def test_largest_batch_ends_in_time(devices: int) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, str(devices)], check=True, timeout=850)
