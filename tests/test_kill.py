"""kill -9 at random instants: nothing finished is lost or computed twice, and the numbers are those of a quiet run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

KILLS = 20

CONFIGURATION = """
pairs = 40
chunk_pairs = 2
[world]
input_dim = 3
width = 4
depth = 2
input_scale = 1.0
activation = "tanh"
[protocol]
n_weak = 40
n_strong = 40
n_eval = 40
tasks = 2
[axes]
weak_noise = [0.05, 0.1]
"""


@pytest.mark.timeout(1800)
def test_kill_at_random_instants(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(CONFIGURATION)
    script = Path(__file__).with_name("killer.py")
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JAX_PLATFORMS": "cpu"}
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"):
        environment.pop(name, None)
    environment["PYTHONPATH"] = os.pathsep.join([str(script.parents[1]), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script), str(file), str(tmp_path), str(KILLS), "0"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=1700,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    print(report)
    assert report["killed"] >= KILLS
    assert report["after_writing"] >= KILLS // 2
    quiet = xr.open_zarr(tmp_path / "undisturbed.zarr", chunks=None).load()
    summary = (tmp_path / "undisturbed.zarr" / "summary.json").read_text()
    for number in range(report["stores"]):
        disturbed = xr.open_zarr(tmp_path / f"killed{number}.zarr", chunks=None)
        xr.testing.assert_equal(quiet, disturbed)
        assert (tmp_path / f"killed{number}.zarr" / "summary.json").read_text() == summary
    assert not list(tmp_path.glob(".*creating*"))
