"""Kills `w2sjax sweep` again and again: run by tests/test_kill.py in a process of its own.

The modules are imported once, before any device is opened; every attempt is a fork of this process that runs the
command line and is killed with SIGKILL: every other one at a random instant between its start and the time that a quiet
run takes, the rest at a random instant after their first finished region, however long the start takes.
"""

import importlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from w2sjax.cli import main

for module in ("commands.precision", "sweeps.run", "sweeps.configuration", "sweeps.store.summary"):
    importlib.import_module(f"w2sjax.{module}")


def start(file: Path, out: Path, log: Path) -> int:
    """Fork the command line; return its process."""
    pid = os.fork()
    if pid == 0:
        with log.open("a") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        try:
            main(["sweep", str(file), "--out", str(out), "--precision", "float64"])
        except SystemExit as stop:
            os._exit(int(stop.code or 0))
        os._exit(1)
    return pid


def marks(out: Path) -> dict[str, int]:
    """Return the regions marked as done, with the time of their marks."""
    return {file.name: file.stat().st_mtime_ns for file in (out / "regions").glob("*.*.json")}


LONGEST = 600.0
"""Seconds after which any run is killed."""


def attempt(file: Path, out: Path, log: Path, seconds: float = LONGEST, after_a_region: bool = False) -> bool:
    """Run for at most so many seconds from the start or the first finished region; say whether it was killed."""
    before = marks(out)
    pid = start(file, out, log)
    waiting = after_a_region
    deadline = time.monotonic() + (LONGEST if waiting else seconds)
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0, log.read_text()
            return False
        if waiting and len(marks(out)) > len(before):
            waiting, deadline = False, time.monotonic() + seconds
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def run(file: Path, folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Finish one store undisturbed, then others under fire, until so many runs were killed and all stores are done."""
    log = folder / "log.txt"
    random.seed(seed)
    attempt(file, folder / "warm.zarr", log)
    quiet = folder / "undisturbed.zarr"
    began = time.monotonic()
    attempt(file, quiet, log)
    whole = time.monotonic() - began
    finished_at = marks(quiet).values()
    writing = (max(finished_at) - min(finished_at)) / 1e9
    killed, after_writing, stores = 0, 0, 0
    while killed < kills:
        out = folder / f"killed{stores}.zarr"
        stores += 1
        finished = False
        while not finished:
            before = marks(out)
            if killed >= kills:  # enough: the last store may finish
                finished = not attempt(file, out, log)
            elif killed % 2:
                finished = not attempt(file, out, log, random.uniform(0, writing), after_a_region=True)
            else:
                finished = not attempt(file, out, log, random.uniform(0, whole))
            after = marks(out)
            assert before.items() <= after.items(), "a finished region was lost or computed again"
            killed += not finished
            after_writing += not finished and len(after) > len(before)
    return {
        "killed": killed,
        "after_writing": after_writing,
        "stores": stores,
        "whole": whole,
        "writing": writing,
    }


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
