"""The command line. Exit status 0, or 2 with one line that names what is wrong and how to mend it."""

import contextlib
import errno
import os
import sys

import typer

from w2sjax.commands.bench import bench
from w2sjax.commands.evaluate import evaluate
from w2sjax.commands.plot import plot
from w2sjax.commands.reproduce import reproduce
from w2sjax.commands.sweep import sweep
from w2sjax.errors import W2SError, reason

app = typer.Typer(
    name="w2sjax",
    help="Simulate weak-to-strong generalization.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(reproduce)
app.command()(evaluate)
app.command()(sweep)
app.command()(plot)
app.command()(bench)


@app.command()
def settings() -> None:
    """List the published settings."""
    from w2sjax import settings as published

    for name in published.names():
        setting = published.get(name)
        print(f"{name}\n    {setting.title} ({setting.reference})")


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
