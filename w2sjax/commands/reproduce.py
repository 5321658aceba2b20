"""`w2sjax reproduce`: run a published setting and write its data, figure and summary."""

import importlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from w2sjax.commands.errors import UserMistake
from w2sjax.commands.reports import report_text


def reproduce(
    name: Annotated[str, typer.Argument(help="A setting; `w2sjax settings` lists them.")],
    out: Annotated[Path, typer.Option(help="Folder for data.zarr, figure.png, figure.svg and summary.json.")],
    pairs: Annotated[int | None, typer.Option(help="Independent draws of the world.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw, >= 0.")] = 0,
    tasks: Annotated[int | None, typer.Option(help="Tasks per pair, if not the published number.")] = None,
    precision: Annotated[str, typer.Option(help="auto, float64 or float32.")] = "auto",
) -> None:
    """Reproduce a published setting: data, figure and summary in one folder. The same command resumes a stopped run."""
    started = time.perf_counter()
    # The figure's imports run beside the compilation, which takes longer.
    importing = threading.Thread(target=importlib.import_module, args=("w2sjax.figures",))
    importing.start()

    import dataclasses

    from w2sjax import settings
    from w2sjax.commands.precision import configure
    from w2sjax.sweeps.run import sweep

    setting = settings.get(name)
    used = configure(precision)
    protocol = setting.protocol
    if tasks is not None:
        protocol = dataclasses.replace(protocol, tasks=tasks)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "summary.json").touch()
    except OSError as error:
        raise UserMistake(
            f"--out {out} cannot be written ({error.strerror}): choose a folder that can."
        ) from error
    print(f"{setting.name}: {setting.title}; {used}", file=sys.stderr)

    dataset = sweep(
        setting.world,
        protocol,
        pairs=setting.pairs if pairs is None else pairs,
        seed=seed,
        axes=setting.axes,
        store=out / "data.zarr",
        progress=True,
    ).load()
    computed = time.perf_counter() - started
    importing.join()
    figures = importlib.import_module("w2sjax.figures")
    numbers = getattr(figures, setting.summary)(dataset)
    headline = numbers.pop("headline")
    figure = getattr(figures, setting.figure)(dataset, title=f"{setting.name}\n{setting.title}")
    for suffix in ("png", "svg"):
        figure.savefig(out / f"figure.{suffix}", dpi=150)
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
    (out / "summary.json").write_text(report_text(summary) + "\n")
    print(f"{headline}; wrote {out / 'figure.png'}")
