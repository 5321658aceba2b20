"""`w2sjax report`: a sweep as one page of HTML that opens without a network."""

from pathlib import Path
from typing import Annotated

import typer

from w2sjax.errors import W2SError, reason, remedy
from w2sjax.paths import output_file, user_path


def report(
    store: Annotated[
        Path, typer.Argument(help="A store written by w2sjax sweep or reproduce, finished or not.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Page to write; by default X.zarr.html beside X.zarr.")
    ] = None,
    points: Annotated[int, typer.Option(help="Most points to draw; all are counted.")] = 20_000,
    theory: Annotated[
        bool,
        typer.Option(help="Compute the law of the deviation from the first 32 pairs; trains networks again."),
    ] = True,
    overwrite: Annotated[bool, typer.Option(help="Replace a file that w2sjax did not make.")] = False,
) -> None:
    """Write a page to look at a sweep in a browser: points, medians along axes, flags, configuration."""
    from w2sjax import report as pages
    from w2sjax.analysis.moments import configuration
    from w2sjax.commands.plot import finished_blocks, reading_at
    from w2sjax.commands.precision import configure
    from w2sjax.files import write_atomically
    from w2sjax.report.page import library
    from w2sjax.validation import check_integer

    check_integer("--points", points, least=1)
    library()  # refused before anything is computed
    path = user_path("STORE", store)
    dataset, blocks, share = finished_blocks(path)
    file = output_file(
        "--out", Path(f"{path}.html") if out is None else out, inputs=[path], overwrite=overwrite
    )
    if theory and "configuration" in dataset.attrs:
        configure(configuration(dataset)["dtype"])
    with reading_at(path):
        content = pages.contents(
            blocks, title=dataset.attrs.get("title", path.name), theory=theory, points=points
        )
    done = f"{share:.1%} of the sweep is done" if share < 1 else ""
    if done:
        content["notes"].insert(0, f"Only {done}.")
    try:
        write_atomically(file, pages.page(content))
    except OSError as error:
        raise W2SError(f"--out {file} cannot be written ({reason(error)}): {remedy(error)}.") from error
    print(f"wrote {file}" + (f"; {done}" if done else ""))
