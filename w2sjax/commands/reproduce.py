"""`w2sjax reproduce`: run a study and write its data, figure and summary."""

import dataclasses
import importlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2sjax.commands.overrides import change_study
from w2sjax.commands.plans import estimated_time, plan_of_study, trains
from w2sjax.commands.reports import write_report
from w2sjax.errors import W2SError, reason, remedy
from w2sjax.papers import bibtex
from w2sjax.paths import check_folder, output_file, user_path
from w2sjax.studies.index import INDEX, size_of

if TYPE_CHECKING:
    import xarray as xr

    from w2sjax.studies import Study


FIGURES = ("figure.png", "figure.svg", "figure.pdf")
SUMMARY = "summary.json"


def reproduce(
    name: Annotated[
        str,
        typer.Argument(
            help="A study; `w2sjax settings` lists them with size and time.",
            autocompletion=lambda: list(INDEX),
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for data.zarr, figure.png, .svg, .pdf and summary.json.")],
    pairs: Annotated[int | None, typer.Option(help="Independent draws of the world.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw, from 0 to 2^32 - 1.")] = 0,
    tasks: Annotated[int | None, typer.Option(help="Tasks per pair, if not the published number.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of every training, if not the published number: a quick look.")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, float64 or float32.")] = "auto",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="PATH=VALUE, such as protocol.n_strong=500 or world.width=8; may be repeated."
        ),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(help="Inches of a paper's column, 3.3 or 6.8: fits the figure, prints its caption."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be run and stop.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace files that w2sjax did not make.")] = False,
) -> None:
    """Reproduce a published study: data, figure and summary in one folder. The same command resumes a stopped run."""
    started = _clocks()

    from w2sjax import studies
    from w2sjax.commands.precision import configure
    from w2sjax.cores import use_all_cores
    from w2sjax.figures.paper import check_width
    from w2sjax.random.keys import LARGEST_SEED, MOST_PAIRS
    from w2sjax.validation import check_integer

    use_all_cores()
    check_integer("--seed", seed, least=0, most=LARGEST_SEED)
    if pairs is not None:
        check_integer("--pairs", pairs, least=1, most=MOST_PAIRS)
    chosen = studies.get(name)
    changes = changes or []
    if dry_run:
        used = configure(precision)
        for member in (chosen,) if isinstance(chosen, studies.Study) else chosen.members:
            study = _changed(member, pairs, tasks, epochs if trains(member) else None, changes)
            plan = plan_of_study(study, seed)
            if pairs or tasks or epochs or changes:
                timed = f"estimated: {estimated_time(study, plan, member) or 'no time, as it trains or was not timed'}"
            else:
                timed = f"recorded: {size_of(study.name)}"
            print(f"{study.name}: {plan.describe()}; {used}; {timed}")
        return
    # Matplotlib's import runs beside the compilation, which takes longer; not beside that of NumPy, which it needs.
    importing = threading.Thread(target=importlib.import_module, args=("matplotlib.figure",))
    importing.start()
    if width is not None:
        check_width(width)
    folder = user_path("--out", out)
    used = configure(precision)
    if isinstance(chosen, studies.Study):
        study = _changed(chosen, pairs, tasks, epochs, changes)
        _check_outputs(folder, (*FIGURES, SUMMARY), overwrite)
        _reproduce_one(study, folder, seed, used, importing, started, width)
        return
    members = [
        _changed(member, pairs, tasks, epochs if trains(member) else None, changes)
        for member in chosen.members
    ]
    _check_outputs(folder, FIGURES, overwrite)
    for member in members:
        _check_outputs(folder / member.name, (*FIGURES, SUMMARY), overwrite)
    trained = folder / "trained"  # one training serves all panels that share it
    results = []
    for member in members:  # the first one's time holds what was prepared for all
        results.append(
            _reproduce_one(member, folder / member.name, seed, used, importing, started, width, trained)
        )
        started = _clocks()
    titles = chosen.labels or [member.name.removeprefix(f"{chosen.name}-") for member in members]
    _save(chosen.figure(results, titles, chosen.title), folder, width)
    print(f"{len(members)} studies; wrote {folder / 'figure.png'}")


def _clocks() -> tuple[float, float]:
    """Return elapsed and processor time, in seconds."""
    return time.perf_counter(), time.process_time()


def _check_outputs(folder: Path, names: tuple[str, ...], overwrite: bool) -> None:
    """Refuse files that cannot be written, or that somebody else made, before anything is computed."""
    check_folder("--out", folder)
    for name in names:
        output_file("--out", folder / name, overwrite=overwrite)


def _changed(
    study: "Study", pairs: int | None, tasks: int | None, epochs: int | None, changes: list[str]
) -> "Study":
    """Return a study with the numbers that the user gave."""
    study = change_study(study, changes)
    world, protocol = study.world, study.protocol
    if tasks is not None:
        protocol = dataclasses.replace(protocol, tasks=tasks)
    if epochs is not None:
        if not trains(study):
            raise W2SError(f"--epochs {epochs} has nothing to train in {study.name}: leave it out.")
        varied = [axis for axis in ("epochs", "head.epochs") if axis in study.axes]
        if varied:
            raise W2SError(
                f"--epochs {epochs} has no effect in {study.name}, which varies {varied[0]}: leave it out."
            )
        if hasattr(world, "epochs"):
            world = dataclasses.replace(world, epochs=epochs)
        head: Any = protocol.head
        if hasattr(head, "epochs"):
            protocol = dataclasses.replace(protocol, head=dataclasses.replace(head, epochs=epochs))
        study = dataclasses.replace(study, title=f"{study.title}; a quick look, {epochs} epochs of training")
    if pairs is not None:
        study = dataclasses.replace(study, pairs=pairs)
    return dataclasses.replace(study, world=world, protocol=protocol)


def _reproduce_one(
    study: "Study",
    out: Path,
    seed: int,
    used: str,
    importing: threading.Thread,
    started: tuple[float, float],
    width: float | None,
    trained: Path | None = None,
) -> "xr.Dataset":
    """Run a study, write its files, and return the result of its analysis."""
    from w2sjax.sweeps.run import sweep

    resumed = (out / "data.zarr").exists()
    print(f"{study.name}: {study.title}; {used}", file=sys.stderr)
    dataset = sweep(
        study.world,
        study.protocol,
        pairs=study.pairs,
        seed=seed,
        axes=study.axes,
        metrics=study.metrics,
        store=out / "data.zarr",
        checkpoints=trained,
        progress=True,
        title=f"{study.title} ({study.reference})",
    ).load()
    computed = time.perf_counter() - started[0]
    result = study.analysis(dataset)
    numbers = study.report(result)
    headline = numbers["headline"]
    importing.join()
    _save(study.figure(result, study.title), out, width)
    summary = {
        "study": study.name,
        "reference": study.reference,
        "how_to_cite": dataset.attrs["how_to_cite"],
        "bibtex": bibtex(study.reference),
        "unverified_parameters": list(study.unverified),
        "seed": seed,
        **numbers,
        "configuration": json.loads(dataset.attrs["configuration"]),
        "versions": {k: v for k, v in dataset.attrs.items() if k not in ("configuration", "bibtex")},
        "seconds_to_data": round(computed, 3),
        "seconds": round(time.perf_counter() - started[0], 3),
        "processor_seconds": round(time.process_time() - started[1], 3),
        "resumed": resumed,
    }
    write_report("--out", out / SUMMARY, summary)
    print(f"{headline}; wrote {out / 'figure.png'}")
    return result


def _save(figure: Any, out: Path, width: float | None) -> None:
    from w2sjax.figures.paper import at_width
    from w2sjax.figures.saving import save

    if width is not None:
        print(f"caption: {at_width(figure, width)}")
    for name in FIGURES:
        try:
            save(figure, out / name)
        except OSError as error:
            raise W2SError(
                f"--out {out / name} cannot be written ({reason(error)}): {remedy(error)}."
            ) from error
