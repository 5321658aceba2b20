"""`w2sjax reproduce`: run a published setting and write its data, figure and summary."""

import dataclasses
import importlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2sjax.commands.reports import write_report
from w2sjax.errors import W2SError, reason, remedy
from w2sjax.paths import check_folder, output_file, user_path
from w2sjax.validation import check_integer

if TYPE_CHECKING:
    import xarray as xr

    from w2sjax.settings import Setting


FIGURES = ("figure.png", "figure.svg")


def reproduce(
    name: Annotated[str, typer.Argument(help="A setting; `w2sjax settings` lists them.")],
    out: Annotated[Path, typer.Option(help="Folder for data.zarr, figure.png, figure.svg and summary.json.")],
    pairs: Annotated[int | None, typer.Option(help="Independent draws of the world.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw, from 0 to 2^32 - 1.")] = 0,
    tasks: Annotated[int | None, typer.Option(help="Tasks per pair, if not the published number.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of every training, if not the published number: a quick look.")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, float64 or float32.")] = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace files that w2sjax did not make.")] = False,
) -> None:
    """Reproduce a published setting: data, figure and summary in one folder. The same command resumes a stopped run."""
    started = time.perf_counter()
    # The figure's imports run beside the compilation, which takes longer.
    importing = threading.Thread(target=importlib.import_module, args=("w2sjax.figures",))
    importing.start()

    from w2sjax import settings
    from w2sjax.commands.precision import configure
    from w2sjax.cores import use_all_cores
    from w2sjax.random.keys import LARGEST_SEED, MOST_PAIRS

    use_all_cores()
    check_integer("--seed", seed, least=0, most=LARGEST_SEED)
    if pairs is not None:
        check_integer("--pairs", pairs, least=1, most=MOST_PAIRS)
    chosen = settings.get(name)
    folder = user_path("--out", out)
    used = configure(precision)
    if isinstance(chosen, settings.Setting):
        setting = _changed(chosen, pairs, tasks, epochs)
        _check_outputs(folder, (*FIGURES, "summary.json"), overwrite)
        _reproduce_one(setting, folder, seed, used, importing, started)
        return
    members = [_changed(member, pairs, tasks, epochs) for member in chosen.members]
    _check_outputs(folder, FIGURES, overwrite)
    for member in members:
        _check_outputs(folder / member.name, (*FIGURES, "summary.json"), overwrite)
    trained = folder / "trained"  # one training serves all panels that share it
    datasets = [
        _reproduce_one(member, folder / member.name, seed, used, importing, time.perf_counter(), trained)
        for member in members
    ]
    figures = importlib.import_module("w2sjax.figures")
    titles = [member.name.removeprefix(f"{chosen.name}-") for member in members]
    _save(getattr(figures, chosen.figure)(datasets, titles, f"{chosen.name}: {chosen.title}"), folder)
    print(f"{len(members)} settings; wrote {folder / 'figure.png'}")


def _check_outputs(folder: Path, names: tuple[str, ...], overwrite: bool) -> None:
    """Refuse files that cannot be written, or that somebody else made, before anything is computed."""
    check_folder("--out", folder)
    for name in names:
        output_file("--out", folder / name, overwrite=overwrite)


def _changed(setting: "Setting", pairs: int | None, tasks: int | None, epochs: int | None) -> "Setting":
    """Return a setting with the numbers that the user gave."""
    world, protocol = setting.world, setting.protocol
    if tasks is not None:
        protocol = dataclasses.replace(protocol, tasks=tasks)
    if epochs is not None:
        trains_world, trains_heads = hasattr(world, "epochs"), protocol.head == "trained"
        if not (trains_world or trains_heads):
            raise W2SError(f"--epochs {epochs} has nothing to train in {setting.name}: leave it out.")
        varied = [axis for axis in ("epochs", "head_epochs") if axis in setting.axes]
        if varied:
            raise W2SError(
                f"--epochs {epochs} has no effect in {setting.name}, which varies {varied[0]}: leave it out."
            )
        if trains_world:
            world = dataclasses.replace(world, epochs=epochs)
        if trains_heads:
            protocol = dataclasses.replace(protocol, head_epochs=epochs)
        title = f"{setting.title}; a quick look, {epochs} epochs of training"
        setting = dataclasses.replace(setting, title=title)
    if pairs is not None:
        setting = dataclasses.replace(setting, pairs=pairs)
    return dataclasses.replace(setting, world=world, protocol=protocol)


def _reproduce_one(
    setting: "Setting",
    out: Path,
    seed: int,
    used: str,
    importing: threading.Thread,
    started: float,
    trained: Path | None = None,
) -> "xr.Dataset":
    from w2sjax.sweeps.run import sweep

    print(f"{setting.name}: {setting.title}; {used}", file=sys.stderr)
    dataset = sweep(
        setting.world,
        setting.protocol,
        pairs=setting.pairs,
        seed=seed,
        axes=setting.axes,
        store=out / "data.zarr",
        checkpoints=trained,
        progress=True,
    ).load()
    computed = time.perf_counter() - started
    importing.join()
    figures = importlib.import_module("w2sjax.figures")
    numbers = getattr(figures, setting.summary)(dataset)
    headline = numbers.pop("headline")
    _save(getattr(figures, setting.figure)(dataset, title=f"{setting.name}\n{setting.title}"), out)
    summary = {
        "setting": setting.name,
        "reference": setting.reference,
        "unverified_parameters": list(setting.unverified),
        "seed": seed,
        **numbers,
        "configuration": json.loads(dataset.attrs["configuration"]),
        "versions": {k: v for k, v in dataset.attrs.items() if k != "configuration"},
        "seconds_to_data": round(computed, 3),
        "seconds": round(time.perf_counter() - started, 3),
    }
    write_report("--out", out / "summary.json", summary)
    print(f"{headline}; wrote {out / 'figure.png'}")
    return dataset


def _save(figure: Any, out: Path) -> None:
    from w2sjax.figures.saving import save

    for name in FIGURES:
        try:
            save(figure, out / name)
        except OSError as error:
            raise W2SError(
                f"--out {out / name} cannot be written ({reason(error)}): {remedy(error)}."
            ) from error
