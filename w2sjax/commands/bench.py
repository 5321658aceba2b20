"""`w2sjax bench`: the canonical workload on this machine, beside the floor."""

from pathlib import Path
from typing import Annotated, Any

import typer

from w2sjax.commands.reports import write_report
from w2sjax.paths import output_file


def bench(
    tasks: Annotated[list[int] | None, typer.Option(help="Tasks per pair; may be repeated.")] = None,
    precision: Annotated[str, typer.Option(help="both, auto, float64 or float32.")] = "both",
    out: Annotated[Path | None, typer.Option(help="Where to write the records as JSON.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the least time counts.")] = 15,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that w2sjax did not make.")] = False,
) -> None:
    """Time the canonical workload and its unavoidable parts in one run: efficiency = floor / measured."""
    from w2sjax.commands.precision import configure
    from w2sjax.cores import use_all_cores
    from w2sjax.engine.protocol import MOST_TASKS
    from w2sjax.validation import check_integer

    tasks = [check_integer("--tasks", count, least=1, most=MOST_TASKS) for count in tasks or [1, 100]]
    record = None if out is None else output_file("--out", out, overwrite=overwrite)
    use_all_cores()
    configure("auto" if precision == "both" else precision)

    import jax

    from w2sjax.bench import canonical
    from w2sjax.cores import cpu_of_record
    from w2sjax.sweeps.provenance import provenance

    jax.config.update("jax_compilation_cache_dir", None)  # compile times are measured
    precisions = {bool(jax.config.jax_enable_x64)} | ({False} if precision == "both" else set())
    records = []
    # float64 first: float32 is compared with it, and would have compiled it.
    for x64 in sorted(precisions, reverse=True):
        with jax.enable_x64(x64):
            records += [canonical.measure(count, repeats) for count in tasks]
    report = {"benchmark": "canonical", **provenance(), **cpu_of_record(), "records": records}
    _print(report)
    if record is not None:
        write_report("--out", record, report)


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    measured, floors = [], []
    for record in report["records"]:
        floor, error = record["floor_milliseconds"], record["error_against_float64"]
        setting = {"dtype": record["dtype"], "tasks": str(record["tasks"])}
        parts = (*record["floor_parts"], "sum")
        floors.append(setting | {part.replace("_", " "): f"{floor[part]:.3g}" for part in parts})
        measured.append(
            setting
            | {
                "pairs/s": f"{record['pairs_per_second']:.0f}",
                "ms/pair": f"{record['milliseconds_per_pair']:.3g}",
                "floor / measured": f"{record['efficiency']:.2f}",
                "compile s": f"{record['compile_seconds']:.1f}",
                "MiB": str(record["peak_memory_mib"]),
                "99% error": "" if error is None else f"{error['gain']['quantile_99']:.0e}",
            }
        )
    title = f"n = 2000 per split, 5 layers of 16 units; {report['device']}"
    for heading, rows in ((title, measured), ("Floor, ms/pair", floors)):
        table = Table(title=heading)
        for name in rows[0]:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*row.values())
        Console().print(table)
