"""The number of devices changes rounding at most: one against two and four, of which pairs are no multiple."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

QUANTITIES = ("weak_error", "w2s_error", "ceiling_error", "gain", "misfit", "deviation")

PROGRAM = """
import sys

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
import w2sjax as w2s

for tasks in (5, 20):  # by labels and by moments
    axes = {"weak_noise": [0.05, 0.1]}
    ds = w2s.sweep(w2s.worlds.PerturbedMLP(), w2s.Protocol(tasks=tasks), pairs=50, seed=1, axes=axes)
    np.savez(f"{sys.argv[1]}.{tasks}.npz", devices=jax.local_device_count(), **{k: ds[k] for k in sys.argv[2:]})
"""


def sweep_on(devices: int, folder: Path) -> dict[int, dict[str, np.ndarray]]:
    """Sweep on so many host devices in a process of its own; return the quantities by number of tasks."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    out = folder / f"on{devices}"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, out, *QUANTITIES], check=True, env=environment, timeout=600
    )
    results = {tasks: dict(np.load(f"{out}.{tasks}.npz")) for tasks in (5, 20)}
    assert all(result.pop("devices") == devices for result in results.values())
    return results


def test_one_two_and_four_devices_agree(tmp_path: Path) -> None:
    one, two, four = (sweep_on(devices, tmp_path) for devices in (1, 2, 4))
    for tasks in one:
        # A unit that is active on one training row can make the w2s error thousands of weak errors.
        scale = np.maximum(one[tasks]["weak_error"], one[tasks]["w2s_error"])
        for name in QUANTITIES:
            np.testing.assert_array_equal(two[tasks][name], four[tasks][name])
            assert (np.abs(one[tasks][name] - two[tasks][name]) / scale).max() < 1e-12, (tasks, name)
