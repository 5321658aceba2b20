"""What a finished sweep found, as a table and in words."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from w2sjax.flags import Flag

QUANTITIES = ("gain", "misfit", "deviation", "pgr")
ALSO = ("weak_error", "w2s_error", "ceiling_error", "baseline_error", "opr")
"""In the summary, and not in the table; metrics of the user's own are in it."""

MOST_CELLS = 30

WIDTH = 120
"""Of a table that goes to a file."""


def show_answers(file: Path) -> None:
    """Print the table and the flags of a summary.

    Args:
        file: `summary.json` of a finished store.
    """
    from rich.console import Console

    summary = json.loads(file.read_text())
    Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(summary))
    for line in _in_words(summary):
        print(line)


def _table(summary: dict[str, Any]) -> Any:
    """Lay out per cell the median over pairs of every quantity above its 95% interval."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    cells = summary["cells"]
    quantities = [name for name in QUANTITIES if name in cells[0]]
    quantities += [name for name in cells[0] if name not in {*QUANTITIES, *ALSO, "axes", "status"}]
    table = Table(
        title="median over pairs [95% interval, pairs resampled]", box=box.SIMPLE, title_justify="left"
    )
    for name in (*cells[0]["axes"], *quantities):
        table.add_column(escape(name), justify="right", overflow="fold")
    for cell in cells[:MOST_CELLS]:
        values = [_shown(value) for value in cell["axes"].values()] + [
            _median(cell[name]) for name in quantities
        ]
        table.add_row(*map(escape, values))
    return table


def _median(entry: dict[str, Any]) -> str:
    if not entry["quantiles"]:
        return "none"
    ends = entry["median_interval"]
    interval = "\n[{:.2g}, {:.2g}]".format(*ends) if ends else ""
    return f"{entry['quantiles']['0.5']:.3g}{interval}"


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _in_words(summary: dict[str, Any]) -> Iterator[str]:
    """Yield what cannot be read off the table: cells left out, where gain is sure, and what the flags mean."""
    cells, pairs = summary["cells"], summary["pairs"]
    if len(cells) > MOST_CELLS:
        yield f"{len(cells) - MOST_CELLS} more cells: summary.json has all."
    ends = [cell["gain"]["median_interval"] for cell in cells if "gain" in cell]
    if ends and all(ends):
        above, below = sum(low > 0 for low, _ in ends), sum(high < 0 for _, high in ends)
        yield (
            f"The interval of the gain is above zero in {above} of {len(ends)} cells, below in {below}, "
            f"and holds zero in {len(ends) - above - below}."
        )
    elif pairs < 8:
        yield f"No intervals: {pairs} pairs are too few to resample."
    where = f"{pairs * len(cells)}" + (f" ({len(cells)} cells of {pairs} pairs)" if len(cells) > 1 else "")
    for flag in Flag:
        count = sum(cell["status"].get(str(flag.name).lower(), 0) for cell in cells) if flag else 0
        if count:
            yield f"{flag.words()}, {count} of {where}: {flag.meaning()}."
