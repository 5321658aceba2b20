"""`w2sjax sweep`: a grid of settings from a configuration file, into a store that can be resumed."""

import shlex
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer


def sweep(
    file: Annotated[Path, typer.Argument(help="A TOML file; docs/sweeps.md describes it.")],
    out: Annotated[
        Path,
        typer.Option(help="Store to write or to resume, such as results.zarr; its summary goes beside it."),
    ],
    precision: Annotated[
        str | None, typer.Option(help="auto, float64 or float32, in place of the file's.")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Folder of trained networks to share between sweeps, in place of one beside the store."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No plan and no progress on stderr.")] = False,
    cpu_devices: Annotated[int | None, typer.Option(help="Host devices of this process on CPU.")] = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="One of many processes under SLURM, Kubernetes or Open MPI.")
    ] = False,
    coordinator: Annotated[
        str | None, typer.Option(help="HOST:PORT of process 0, where --distributed cannot detect it.")
    ] = None,
    processes: Annotated[int | None, typer.Option(help="Number of processes, with --coordinator.")] = None,
    process: Annotated[int | None, typer.Option(help="Index of this process, with --coordinator.")] = None,
) -> None:
    """Run the sweep that a file describes; the same command resumes it."""
    from w2sjax.commands.precision import configure
    from w2sjax.commands.processes import join
    from w2sjax.sweeps.configuration import load_configuration

    configuration = load_configuration(file)
    group = join(distributed, coordinator, processes, process, cpu_devices)
    used = group + configure(precision or configuration.precision)

    from w2sjax.sweeps import run
    from w2sjax.sweeps.summary import summary_path

    if not quiet:
        print(f"{file}: {used}", file=sys.stderr)
    warnings.showwarning = _plain_warning
    try:
        run.sweep(**configuration.arguments(), store=out, checkpoints=checkpoints, progress=not quiet)
    except KeyboardInterrupt as stopped:
        command = ["w2sjax", "sweep", str(file), "--out", str(out)]
        if precision is not None:
            command += ["--precision", precision]
        if checkpoints is not None:
            command += ["--checkpoints", str(checkpoints)]
        reason = str(stopped) or f"interrupted; finished chunks are in {out}"
        print(f"{reason}; resume with: {shlex.join(command)}", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"wrote {out} and {summary_path(out)}")


def _plain_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning without the place in the code that gave it."""
    print(f"warning: {message}", file=sys.stderr)
