"""`w2sjax compare`: every weak with every strong representation of a data set, from files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from w2sjax.commands.reports import report_text, write_report
from w2sjax.errors import W2SError
from w2sjax.paths import output_file, user_path


def compare(
    weak: Annotated[
        list[str], typer.Option(help="Weak features: FILE, or FILE:NAME of an array. Repeatable.")
    ],
    strong: Annotated[list[str], typer.Option(help="Strong features, the same rows. Repeatable.")],
    targets: Annotated[str, typer.Option(help="Targets of the same rows: FILE, or FILE:NAME.")],
    resamples: Annotated[int, typer.Option(help="How often the rows are dealt out anew.")] = 200,
    ridge_weak: Annotated[
        float, typer.Option(help="Ridge of the weak heads, on standardized features.")
    ] = 0.1,
    ridge_strong: Annotated[float, typer.Option(help="Ridge of the strong heads.")] = 0.1,
    groups: Annotated[
        str | None, typer.Option(help="Labels of groups that stay in one split: FILE, or FILE:NAME.")
    ] = None,
    keep_duplicates_together: Annotated[
        bool, typer.Option(help="Keep rows of equal strong features in one split.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the resamples, from 0 to 2^32 - 1.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write all numbers here.")] = None,
    precision: Annotated[str, typer.Option(help="auto, float64 or float32.")] = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace a file that w2sjax did not make.")] = False,
) -> None:
    """Compare representations saved in files: gain, misfit, PGR, OPR and the choice among weak models."""
    from w2sjax import data
    from w2sjax.heads.ridge import Ridge

    weak_head, head = Ridge(ridge_weak), Ridge(ridge_strong)
    file = None
    if json_file is not None:
        file = output_file("--json", json_file, overwrite=overwrite)
    named = {option: _read(option, given) for option, given in (("--weak", weak), ("--strong", strong))}
    truth = next(iter(_read("--targets", [targets]).values()))
    counts = data.inspect({**named["--strong"], **named["--weak"]}, truth)
    labels = None if groups is None else next(iter(_read("--groups", [groups]).values()))
    if keep_duplicates_together:
        if labels is not None:
            raise W2SError("--keep-duplicates-together has no effect with --groups: choose one.")
        labels = data.duplicate_groups(next(iter(named["--strong"].values())))

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from w2sjax.analysis.answers import medians
    from w2sjax.analysis.real_data import label_free_metrics
    from w2sjax.analysis.representations import QUANTITIES, comparison
    from w2sjax.commands.precision import configure

    used = configure(precision)
    arrays = [
        {name: data.standardized(name, values) for name, values in part.items()} for part in named.values()
    ]
    both = comparison(arrays[0], arrays[1], truth, groups=labels, weak_head=weak_head, head=head)
    found = both.run(resamples, seed)
    metric = label_free_metrics(both)
    bounds = medians(found[list(QUANTITIES)])
    title = f"{len(truth)} rows, median of {resamples} resamples [95% interval], {used}"
    table = Table(title=escape(title))
    errors = ("weak_error", "w2s_error", "ceiling_error", "baseline_error")
    shown = (*errors, "misfit", "gain", "deviation", "pgr", "opr")
    for heading in ("weak", "strong", *shown, "label_free", "chosen"):
        table.add_column(heading, justify="left" if heading in ("weak", "strong") else "right")
    best = found.upper_bound.argmin("weak")
    report: list[dict[str, Any]] = []
    for other in found.strong.values.tolist():
        for place, name in enumerate(found.weak.values.tolist()):
            row = bounds.sel(weak=name, strong=other)
            chosen = float((best.sel(strong=other) == place).mean())
            cells = [f"{m:.3g} [{low:.3g}, {high:.3g}]" for m, low, high in (row[q].values for q in shown)]
            free = float(metric.sel(weak=name, strong=other))
            table.add_row(escape(name), escape(other), *cells, f"{free:.3g}", f"{chosen:.0%}")
            numbers = {str(q): values.values.tolist() for q, values in row.data_vars.items()}
            report.append({"weak": name, "strong": other, "chosen": chosen, "label_free": free, **numbers})
    Console(width=None if Console().is_terminal else 240).print(table)
    for name, count in counts.items():
        if count.get("duplicates") and labels is None:
            print(f"{name}: {count['duplicates']} rows equal an earlier one, and may be in two splits.")
        if count["constant"]:
            print(f"{name}: {count['constant']} constant columns.")
    result = {"rows": len(truth), "resamples": resamples, "seed": seed, "precision": used, "pairs": report}
    if file is not None:
        write_report("--json", file, result)
    elif not Console().is_terminal:
        print(report_text(result))


def _read(option: str, given: list[str]) -> dict[str, Any]:
    """Read arrays by what names them, the file's stem or the array's name."""
    from w2sjax.data import read_array

    found: dict[str, Any] = {}
    for text in given:
        place, _, name = text.partition(":")
        path = user_path(option, Path(place))
        label = name or path.stem
        if label in found:
            raise W2SError(f"{option} names {label!r} twice: give each file a name of its own.")
        found[label] = read_array(path, name or None)
    return found
