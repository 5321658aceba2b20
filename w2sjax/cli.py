"""The command line. Exit status 0, or 2 with one line that names what is wrong and how to mend it."""

import contextlib
import errno
import os
import sys
from typing import Annotated

import typer

import w2sjax
from w2sjax.commands.bench import bench
from w2sjax.commands.compare import compare
from w2sjax.commands.doctor import doctor
from w2sjax.commands.evaluate import evaluate
from w2sjax.commands.plot import plot
from w2sjax.commands.report import report
from w2sjax.commands.reproduce import reproduce
from w2sjax.commands.sweep import sweep
from w2sjax.errors import W2SError, reason
from w2sjax.papers import bibtex
from w2sjax.studies.index import INDEX, size_of

app = typer.Typer(
    name="w2sjax",
    pretty_exceptions_enable=False,
)
# The modules of commands import no library before their command runs, so that help and lists are there at once.
app.command(epilog="\n\n".join(f"{name}: {size}" for name in INDEX if (size := size_of(name))))(reproduce)
app.command()(evaluate)
app.command()(compare)
app.command()(sweep)
app.command()(plot)
app.command()(report)
app.command()(bench)
app.command()(doctor)


@app.command()
def settings() -> None:
    """List the published studies, with their size and time where they were timed."""
    for name, entry in INDEX.items():
        size = size_of(name)
        print(f"{name}\n    {entry.title} ({entry.reference})" + (f"\n    {size}" if size else ""))


@app.command()
def cite(
    name: Annotated[
        str | None, typer.Argument(help="A study of `w2sjax settings`.", autocompletion=lambda: list(INDEX))
    ] = None,
) -> None:
    """Print BibTeX entries of w2sjax and of the papers that a study follows."""
    if name and name not in INDEX:
        from w2sjax.validation import check_choice

        check_choice("NAME", name, list(INDEX))
    print(bibtex(INDEX[name].reference if name else ""))


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"w2sjax {w2sjax.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Simulate weak-to-strong generalization."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit. A bug of this package is a traceback and exit status 1."""
    try:
        status = app(args=arguments, standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        _fail(getattr(error, "format_message", error.__str__)())
    except W2SError as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if isinstance(error, BrokenPipeError):  # whoever read the output has read enough
            _close_stdout()
            sys.exit(0)
        if isinstance(error, OSError) and _is_of_output(error):
            _close_stdout()
            _fail(f"the output cannot be written ({reason(error)}): make space, or send it elsewhere.")
        print("w2sjax has a bug: please report the following lines.", file=sys.stderr)
        raise
    sys.exit(status if isinstance(status, int) else 0)


def _is_of_output(error: OSError) -> bool:
    """Say whether standard output is full or gone: errors of files are told by who writes them, and name the file."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _close_stdout() -> None:
    """Let go of an output that cannot be written, which Python would try once more when it ends."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def _fail(message: str) -> None:
    text = " ".join(message.split())
    print(f"error: {text}".encode(errors="backslashreplace").decode(), file=sys.stderr)
    sys.exit(2)
