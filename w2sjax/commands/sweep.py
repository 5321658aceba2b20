"""`w2sjax sweep`: a grid of settings from a configuration file, into a store that can be resumed."""

import shlex
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from w2sjax.commands.answers import show_answers
from w2sjax.commands.overrides import assignment
from w2sjax.commands.plans import plan_of
from w2sjax.paths import user_path
from w2sjax.process_wide import ProcessWide


def sweep(
    file: Annotated[Path, typer.Argument(help="A TOML file; docs/sweeps.md describes it.")],
    out: Annotated[
        Path,
        typer.Option(help="Store to write or to resume, such as results.zarr."),
    ],
    precision: Annotated[
        str | None, typer.Option(help="auto, float64 or float32, in place of the file's.")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Folder of trained networks to share between sweeps, in place of one in the store."
        ),
    ] = None,
    module: Annotated[
        list[str] | None,
        typer.Option(
            help="A module of yours whose worlds, heads and metrics the file names; may be repeated."
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="PATH=VALUE in place of the file's, as protocol.n_strong=500; may be repeated."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    quiet: Annotated[bool, typer.Option(help="No plan, no progress and no table.")] = False,
    cpu_devices: Annotated[int | None, typer.Option(help="Host devices of this process on CPU.")] = None,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="One of many processes under SLURM, Kubernetes or Open MPI.")
    ] = False,
    coordinator: Annotated[
        str | None, typer.Option(help="HOST:PORT of process 0, where --distributed cannot detect it.")
    ] = None,
    processes: Annotated[int | None, typer.Option(help="Number of processes, with --coordinator.")] = None,
    process: Annotated[int | None, typer.Option(help="Index of this process, with --coordinator.")] = None,
    wait: Annotated[int, typer.Option(help="Seconds to wait for the other processes.")] = 300,
) -> None:
    """Run the sweep that a file describes and print what it found; the same command resumes it."""
    from w2sjax.commands.precision import configure
    from w2sjax.commands.processes import join
    from w2sjax.sweeps.configuration import load_configuration

    store = user_path("--out", out)
    trained = None if checkpoints is None else user_path("--checkpoints", checkpoints)
    set_values = [assignment(text) for text in changes or ()]
    configuration = load_configuration(user_path("FILE", file), module or (), set_values)
    group = join(distributed, coordinator, processes, process, cpu_devices, wait)
    used = configure(precision or configuration.precision)

    from w2sjax.sweeps import run
    from w2sjax.sweeps.store.layout import SUMMARY

    if dry_run:
        with plain_warnings():
            print(f"{plan_of(**configuration.arguments()).describe()}; {used}")
        return
    if not quiet:
        part = f"process {group[0]} of {group[1]}, " if group else ""
        print(f"{file}: {part}{used}", file=sys.stderr)
    try:
        with plain_warnings():
            run.sweep(
                **configuration.arguments(),
                store=store,
                checkpoints=trained,
                process=group,
                progress=not quiet,
            )
    except KeyboardInterrupt as stopped:
        command = ["w2sjax", "sweep", str(file), "--out", str(out)]
        if precision is not None:
            command += ["--precision", precision]
        for text in changes or ():
            command += ["--set", text]
        for name in module or ():
            command += ["--module", name]
        if checkpoints is not None:
            command += ["--checkpoints", str(checkpoints)]
        if cpu_devices is not None:
            command += ["--cpu-devices", str(cpu_devices)]
        reason = str(stopped) or f"interrupted; finished chunks are in {out}"
        print(f"{reason}; resume with: {shlex.join(command)}", file=sys.stderr)
        raise typer.Exit(130) from None
    if not quiet and (store / SUMMARY).is_file():
        show_answers(store / SUMMARY)
    print(f"wrote {out}, with {SUMMARY} in it")


def _show_plainly() -> Callable[[], None]:
    """Have warnings shown without the place in the code that gave them."""
    before = warnings.showwarning

    def plain(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"warning: {message}", file=sys.stderr)

    def undo() -> None:
        warnings.showwarning = before

    warnings.showwarning = plain
    return undo


plain_warnings = ProcessWide(_show_plainly)
"""A context in which warnings are one line on stderr."""
