"""Joining the other processes of one sweep, and the host devices of this one."""

from w2sjax.cores import use_all_cores
from w2sjax.errors import W2SError


def join(
    distributed: bool,
    coordinator: str | None,
    processes: int | None,
    process: int | None,
    cpu_devices: int | None,
) -> str:
    """Join a group of processes before any device is used, and return the group in words ("" when alone).

    Args:
        distributed: let JAX detect the group from the environment: SLURM, Kubernetes or Open MPI.
        coordinator: HOST:PORT of process 0, with `processes` in all and `process` of this one; instead of detection.
        processes, process: see above.
        cpu_devices: host devices of this process on CPU, >= 1; None is one per core for a process alone, else one.

    Raises:
        W2SError: for contradicting or incomplete options, or a group that cannot be found or joined.
    """
    import jax

    if cpu_devices is not None:
        if cpu_devices < 1:
            raise W2SError(f"--cpu-devices {cpu_devices} is too small: pass 1 or more.")
        jax.config.update("jax_num_cpu_devices", cpu_devices)
    named = {"--coordinator": coordinator, "--processes": processes, "--process": process}
    missing = [name for name, value in named.items() if value is None]
    if len(missing) == len(named) and not distributed:
        if cpu_devices is None:
            use_all_cores()
        return ""
    if distributed and len(missing) < len(named):
        given = next(name for name in named if name not in missing)
        raise W2SError(f"{given} contradicts --distributed, which detects it: pass one of the two.")
    if not distributed and missing:
        raise W2SError(f"{missing[0]} is missing: pass --coordinator, --processes and --process together.")
    if processes is not None and process is not None and not 0 <= process < processes:
        raise W2SError(f"--process {process} is not one of {processes}: pass 0 to {processes - 1}.")
    try:
        jax.distributed.initialize(coordinator, processes, process)
        words = f"process {jax.process_index()} of {jax.process_count()}, "
        # Processes share nothing but the store. They part as soon as all have met, so that none ends with another.
        jax.distributed.shutdown()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise W2SError(
            f"the other processes were not found ({reason}): pass --coordinator, --processes and --process."
        ) from error
    return words
