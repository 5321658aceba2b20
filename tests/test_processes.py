"""Two processes of two host devices each write one store; one of them is killed, and the same commands finish it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from w2sjax.cli import main

CONFIGURATION = """
pairs = 400
seed = 3
chunk_pairs = 8
[world]
input_dim = 3
width = 4
depth = 2
input_scale = 1.0
[protocol]
n_weak = 60
n_strong = 60
n_eval = 80
tasks = 3
[axes]
weak_noise = [0.02, 0.1]
"""


def start(file: Path, store: Path, *options: str) -> subprocess.Popen:
    command = ["sweep", str(file), "--out", str(store), "--cpu-devices", "2", *options]
    program = "import sys; from w2sjax.cli import main; main(sys.argv[1:])"
    environment = os.environ | {"XDG_CACHE_HOME": str(file.parent / "cache")}
    return subprocess.Popen(
        [sys.executable, "-c", program, *command], stderr=subprocess.PIPE, text=True, env=environment
    )


def start_process(file: Path, store: Path, port: int, process: int) -> subprocess.Popen:
    coordinator = f"localhost:{port}"
    return start(file, store, "--coordinator", coordinator, "--processes", "2", "--process", str(process))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def marks(store: Path) -> int:
    return len(list((store / "regions").glob("[0-9]*.json")))


def test_two_processes_one_of_them_killed_and_restarted(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(CONFIGURATION)
    store = tmp_path / "many.zarr"
    port = free_port()
    first, second = (start_process(file, store, port, process) for process in range(2))
    deadline = time.monotonic() + 300
    while marks(store) < 4:
        assert time.monotonic() < deadline and first.poll() is None and second.poll() is None
        time.sleep(0.05)
    os.kill(second.pid, signal.SIGKILL)
    second.wait()
    error = first.communicate(timeout=300)[1]
    assert first.returncode == 0, error  # it does not end with the other
    assert 50 <= marks(store) < 100

    port = free_port()
    runs = [start_process(file, store, port, process) for process in range(2)]
    errors = [run.communicate(timeout=300)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], errors
    assert marks(store) == 100
    assert any("process 1 of 2" in error for error in errors)

    alone = tmp_path / "alone.zarr"
    one = start(file, alone)
    error = one.communicate(timeout=300)[1]
    assert one.returncode == 0, error
    a, b = xr.open_zarr(alone), xr.open_zarr(store)
    for name in ("weak_error", "gain", "misfit", "deviation"):
        assert np.abs((a[name] - b[name]) / a["weak_error"]).max() < 1e-12, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--coordinator", "localhost:1"], "--processes is missing"),
        (["--distributed", "--process", "0"], "--process contradicts --distributed"),
        (
            ["--coordinator", "localhost:1", "--processes", "2", "--process", "2"],
            "--process 2 is not one of 2",
        ),
        (["--cpu-devices", "0"], "--cpu-devices=0 is too small"),
    ],
)
def test_contradicting_options_are_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(CONFIGURATION)
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", str(file), "--out", str(tmp_path / "x.zarr"), *options])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
