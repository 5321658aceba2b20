"""Joining the other processes of one sweep, and the host devices of this one."""

import json
import os
import socket
import subprocess
import sys

from w2sjax.cores import use_all_cores
from w2sjax.errors import W2SError
from w2sjax.validation import check_integer

WAIT_SECONDS = 300
"""How long processes wait for each other to appear."""

_MEETING = """
import json, sys, jax
jax.distributed.initialize(*json.loads(sys.argv[1]), initialization_timeout=int(sys.argv[2]))
print(json.dumps([jax.process_index(), jax.process_count()]), flush=True)
jax.distributed.shutdown()
"""


def join(
    distributed: bool,
    coordinator: str | None,
    processes: int | None,
    process: int | None,
    cpu_devices: int | None,
    wait: int = WAIT_SECONDS,
) -> tuple[int, int] | None:
    """Meet the other processes of a group, and return (index, count) of this one; None when it is alone.

    Processes share nothing but the store, so that none ends with another. They meet in a process of their own: where
    one does not come, JAX ends the process that waits for it.

    Args:
        distributed: let JAX detect the group from the environment: SLURM, Kubernetes or Open MPI.
        coordinator: HOST:PORT of process 0, with `processes` in all and `process` of this one; instead of detection.
        processes, process: see above.
        cpu_devices: host devices of this process on CPU, >= 1; None is one per core for a process alone, else one.
        wait: seconds until a group that is not complete is given up, >= 1.

    Raises:
        W2SError: for contradicting or incomplete options, or a group that cannot be found or joined.
    """
    import jax

    if cpu_devices is not None:
        jax.config.update(
            "jax_num_cpu_devices", check_integer("--cpu-devices", cpu_devices, least=1, most=4096)
        )
    named = {"--coordinator": coordinator, "--processes": processes, "--process": process}
    missing = [name for name, value in named.items() if value is None]
    if len(missing) == len(named) and not distributed:
        if cpu_devices is None:
            use_all_cores()
        return None
    if distributed and len(missing) < len(named):
        given = next(name for name in named if name not in missing)
        raise W2SError(f"{given} contradicts --distributed, which detects it: pass one of the two.")
    if not distributed and missing:
        raise W2SError(f"{missing[0]} is missing: pass --coordinator, --processes and --process together.")
    if processes is not None and process is not None:
        check_integer("--processes", processes, least=1)
        if not 0 <= process < processes:
            raise W2SError(f"--process {process} is not one of {processes}: pass 0 to {processes - 1}.")
    if coordinator is not None:
        _check_address(coordinator)
    return _meet(coordinator, processes, process, check_integer("--wait", wait, least=1))


def _meet(
    coordinator: str | None, processes: int | None, process: int | None, seconds: int
) -> tuple[int, int]:
    arguments = [json.dumps([coordinator, processes, process]), str(seconds)]
    command = [sys.executable, "-c", _MEETING, *arguments]
    try:
        # On whatever devices the group computes: they are not needed here, and may allow one process alone.
        environment = os.environ | {"JAX_PLATFORMS": "cpu"}
        met = subprocess.run(
            command, capture_output=True, text=True, timeout=2 * seconds + 60, env=environment
        )
        if met.returncode == 0:
            index, count = json.loads(met.stdout.splitlines()[-1])
            return int(index), int(count)
        reason = _reason(met.stderr)
    except subprocess.TimeoutExpired:
        reason = f"they did not come within {seconds} s"
    raise W2SError(
        f"the other processes were not found ({reason}): start all of them, or pass --coordinator, --processes and "
        "--process."
    )


def _reason(errors: str) -> str:
    """Return the line of a failed meeting that says why."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    if any("DEADLINE_EXCEEDED" in line or "timed out" in line.lower() for line in lines):
        return "they did not come in time"
    told = [line for line in lines if "Error" in line]
    return (told or lines or ["no reason given"])[-1][:200]


def _check_address(address: str) -> None:
    """Refuse what is not HOST:PORT, and a host that has no address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise W2SError(f"--coordinator {address} is not HOST:PORT: pass both, such as node0:1234.")
    try:
        socket.getaddrinfo(host.strip("[]"), int(port))
    except OSError as error:
        raise W2SError(
            f"--coordinator {address}: the host {host} is not known ({error.strerror or error}): pass one that is."
        ) from error
