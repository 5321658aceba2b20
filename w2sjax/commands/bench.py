"""`w2sjax bench`: the canonical workload on this machine, beside the floor."""

from pathlib import Path
from typing import Annotated, Any

import typer

from w2sjax.commands.reports import report_text
from w2sjax.errors import W2SError


def bench(
    tasks: Annotated[list[int] | None, typer.Option(help="Tasks per pair; may be repeated.")] = None,
    precision: Annotated[str, typer.Option(help="both, auto, float64 or float32.")] = "both",
    out: Annotated[Path | None, typer.Option(help="Where to write the records as JSON.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats; the least time counts.")] = 15,
) -> None:
    """Time the canonical workload and its unavoidable parts in one run: efficiency = floor / measured."""
    from w2sjax.commands.precision import configure
    from w2sjax.cores import use_all_cores

    tasks = tasks or [1, 100]
    if min(tasks) < 1:
        raise W2SError(f"--tasks {min(tasks)} is out of range: pass an integer >= 1.")
    use_all_cores()
    configure("auto" if precision == "both" else precision)

    import jax

    from w2sjax.bench import canonical
    from w2sjax.sweeps.labels import provenance

    jax.config.update("jax_compilation_cache_dir", None)  # compile times are measured
    precisions = {bool(jax.config.jax_enable_x64)} | ({False} if precision == "both" else set())
    records = []
    # float64 first: float32 is compared with it, and would have compiled it.
    for x64 in sorted(precisions, reverse=True):
        with jax.enable_x64(x64):
            records += [canonical.measure(count, repeats) for count in tasks]
    report = {"benchmark": "canonical", **provenance(), "records": records}
    _print(report)
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(report_text(report) + "\n")
        except OSError as error:
            raise W2SError(
                f"--out {out} cannot be written ({error.strerror}): choose another path."
            ) from error


def _print(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    def table(title: str, headings: tuple[str, ...], rows: list[Any]) -> Table:
        table = Table(title=title)
        for heading in headings:
            table.add_column(heading, justify="right")
        for row in rows:
            table.add_row(*row)
        return table

    measured, floors = [], []
    for record in report["records"]:
        floor, error = record["floor_milliseconds"], record["error_against_float64"]
        setting = (record["dtype"], str(record["tasks"]))
        measured.append(
            (
                *setting,
                f"{record['pairs_per_second']:.0f}",
                f"{record['milliseconds_per_pair']:.3g}",
                f"{record['efficiency']:.2f}",
                f"{record['compile_seconds']:.1f}",
                str(record["peak_memory_mib"]),
                "" if error is None else f"{error['gain']['quantile_99']:.0e}",
            )
        )
        floors.append((*setting, *(f"{floor[part]:.3g}" for part in (*record["floor_parts"], "sum"))))
    headings = ("dtype", "tasks", "pairs/s", "ms/pair", "floor / measured", "compile s", "MiB", "99% error")
    title = f"n = 2000 per split, 5 layers of 16 units; {report['device']}"
    parts = (part.replace("_", " ") for part in report["records"][0]["floor_parts"])
    console = Console()
    console.print(table(title, headings, measured))
    console.print(table("Floor, ms/pair", ("dtype", "tasks", *parts, "sum"), floors))
