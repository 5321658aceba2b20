"""The command line. Exit status 0, or 2 with one line that names what is wrong and how to mend it."""

import sys

import typer

from w2sjax.commands.bench import bench
from w2sjax.commands.evaluate import evaluate
from w2sjax.commands.plot import plot
from w2sjax.commands.reproduce import reproduce
from w2sjax.commands.sweep import sweep
from w2sjax.errors import W2SError

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
    """Run the command line and exit."""
    try:
        status = app(args=arguments, standalone_mode=False)
    except typer.TyperException as error:
        _fail(getattr(error, "format_message", error.__str__)())
    except W2SError as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)
