"""`w2sjax plot`: quantities of a finished or running sweep against an axis or against each other."""

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer

from w2sjax.commands.overrides import assignment
from w2sjax.errors import W2SError, reason, remedy
from w2sjax.paths import output_file, user_path


def plot(
    store: Annotated[
        Path, typer.Argument(help="A store written by w2sjax sweep or reproduce, finished or not.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Figure to write: .png, .svg or .pdf; by default X.zarr.png beside X.zarr."),
    ] = None,
    x: Annotated[
        str, typer.Option(help="An axis (medians along it), a variable (points), or a formula as of --y.")
    ] = "misfit",
    y: Annotated[
        list[str] | None,
        typer.Option(
            help="A variable, or abs(name), name/other, abs(name)/other; may be repeated.",
            show_default="gain",
        ),
    ] = None,
    color: Annotated[
        str | None, typer.Option(help="Axis of the sweep that colours; by default the first one left.")
    ] = None,
    facet: Annotated[
        str | None, typer.Option(help="Axis with one panel per value; by default the next one left.")
    ] = None,
    sel: Annotated[
        list[str] | None, typer.Option(help="AXIS=VALUE: only these cells; may be repeated.")
    ] = None,
    log: Annotated[str, typer.Option(help="Logarithmic axes: x, y or xy.")] = "",
    pool: Annotated[
        bool,
        typer.Option("--pool", help="Mix the cells of axes that nothing names, which is refused otherwise."),
    ] = False,
    points: Annotated[
        int, typer.Option(help="Most points to draw, spread evenly over what is done.")
    ] = 20_000,
    theory: Annotated[
        bool, typer.Option(help="Draw the band of the law of the deviation, from the first 32 pairs.")
    ] = False,
    width: Annotated[
        float | None,
        typer.Option(help="Inches of a paper's column, 3.3 or 6.8: fits the figure, prints its caption."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that w2sjax did not make.")] = False,
) -> None:
    """Plot quantities of a sweep against an axis, as medians over pairs, or against another one, as points."""
    from w2sjax.analysis.points import selected
    from w2sjax.figures.paper import at_width
    from w2sjax.figures.relations import plot as draw
    from w2sjax.figures.saving import FORMATS, save
    from w2sjax.validation import check_integer, nearest

    check_integer("--points", points, least=1)
    path = user_path("STORE", store)
    wanted = Path(f"{path}.png") if out is None else out
    if wanted.suffix[1:].lower() not in FORMATS:
        close = nearest(wanted.suffix[1:], FORMATS)
        raise W2SError(
            f"--out {wanted} has no known ending: use one of {', '.join(FORMATS)}, such as .{close}."
        )
    dataset, blocks, share = finished_blocks(path)
    figure_file = output_file("--out", wanted, inputs=[path], overwrite=overwrite)
    done = f"{share:.1%} of the sweep is done" if share < 1 else ""
    chosen = dict(map(assignment, sel or ()))
    with reading_at(path):
        bands = _laws(selected([dataset], chosen)[0], x, y, facet) if theory else None
        figure = draw(
            blocks,
            x=x,
            y=y or "gain",
            color=color,
            facet=facet,
            sel=chosen,
            log=log,
            pool=pool,
            points=points,
            note=done,
            bands=bands,
        )
    if width is not None:
        print(f"caption: {at_width(figure, width)}")
    try:
        save(figure, figure_file)
    except OSError as error:
        raise W2SError(
            f"--out {figure_file} cannot be written ({reason(error)}): {remedy(error)}."
        ) from error
    print(f"wrote {figure_file}" + (f"; {done}" if done else ""))


def _laws(dataset: Any, x: str, y: list[str] | None, facet: str | None) -> dict[Any, Any]:
    """Return the bands of the law of the deviation over the first pairs of a sweep, in its precision, by facet."""
    from w2sjax.analysis.deviation import law_band
    from w2sjax.analysis.moments import configuration
    from w2sjax.commands.precision import configure

    if y and len(y) > 1:
        raise W2SError(f"--theory is for one --y, and here are {len(y)}: pass one.")
    name = y[0] if y else "gain"
    if "configuration" not in dataset.attrs:
        raise W2SError("--theory needs a store written by w2sjax sweep or reproduce: leave it out.")
    configure(configuration(dataset)["dtype"])
    few = dataset.isel(pair=slice(32)).load()
    if facet is None or facet not in few.dims:
        return {value: law_band(few, x, name) for value in ([None] if facet is None else [few[facet].item()])}
    return {value: law_band(few.sel({facet: [value]}), x, name) for value in few[facet].values.tolist()}


def reading_at(store: Path) -> contextlib.AbstractContextManager[None]:
    """Return `w2sjax.sweeps.store.reading.reading` of a store; nothing for a Dataset that no sweep wrote."""
    from w2sjax.sweeps.store.layout import MARKS, layout_of
    from w2sjax.sweeps.store.reading import reading

    return reading(layout_of(store)) if (store / MARKS).is_dir() else contextlib.nullcontext()


def finished_blocks(store: Path) -> tuple[Any, list[Any], float]:
    """Return a store as a lazy Dataset, the parts of it that are done, and their share of the sweep.

    A Dataset that was written by `to_zarr`, without regions, is one part.

    Raises:
        W2SError: if the path is not a store, or a damaged one.
    """
    import xarray as xr

    from w2sjax.sweeps.store.layout import MARKS, layout_of, local_store
    from w2sjax.sweeps.store.marks import done_pairs, read_marks
    from w2sjax.sweeps.store.reading import open_dataset

    if not (store / "zarr.json").is_file():
        raise W2SError(f"{store} is not a Zarr v3 store: pass one written by w2sjax sweep.")
    if not (store / MARKS).is_dir():
        try:
            dataset = xr.open_zarr(local_store(store), chunks=None)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise W2SError(f"{store} cannot be opened: pass one written by w2sjax sweep.") from error
        return dataset, [dataset], 1.0
    layout = layout_of(store)
    dataset = open_dataset(layout)
    marks = read_marks(layout)
    blocks = [
        dataset.isel(dict(zip(("pair", *layout.axes), layout.slices(index), strict=True)))
        for index in sorted(marks)
    ]
    return dataset, blocks, done_pairs(layout, marks) / (layout.cells * len(layout.pairs))
