"""`w2sjax evaluate`: the experiment on features saved as arrays."""

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2sjax.commands.reports import report_text, write_report
from w2sjax.errors import W2SError, reason
from w2sjax.flags import Flag
from w2sjax.paths import output_file, user_path

if TYPE_CHECKING:
    import numpy as np

REQUIRED = (
    "weak_train",
    "y_train",
    "weak_transfer",
    "strong_transfer",
    "weak_eval",
    "strong_eval",
    "y_eval",
)
OPTIONAL = ("y_transfer",)
QUANTITIES = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation", "pgr")


def evaluate(
    file: Annotated[
        Path, typer.Argument(help="A .npz file with arrays under the names of evaluate_features.")
    ],
    ridge_weak: Annotated[
        float | None, typer.Option(help="Ridge of the weak head, >= 0. [default: 0; 1 / (2 n) for classes]")
    ] = None,
    ridge_strong: Annotated[
        float | None, typer.Option(help="Ridge of the w2s and ceiling heads, >= 0. [default: as above]")
    ] = None,
    intercept: Annotated[bool, typer.Option(help="Fit an unpenalized intercept.")] = True,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the JSON here instead of below the table; - prints it alone."),
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, float64 or float32.")] = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace a file that w2sjax did not make.")] = False,
) -> None:
    """Run the weak-to-strong experiment on saved features and print a table and JSON."""
    import numpy as np

    from w2sjax.validation import check_number

    for name, ridge in (("--ridge-weak", ridge_weak), ("--ridge-strong", ridge_strong)):
        if ridge is not None:
            check_number(name, ridge, least=0)
    features = user_path("FILE", file)
    report_file, alone = None, json_file == Path("-")
    if json_file is not None and not alone:  # better refused before the computation than after it
        report_file = output_file("--json", json_file, inputs=[features], overwrite=overwrite)
    arrays: dict[str, Any] = dict(load_arrays(features))

    from rich.console import Console

    from w2sjax.commands.precision import configure
    from w2sjax.engine.arrays import LABELS, encode, hold_classes
    from w2sjax.engine.evaluate import evaluate_features
    from w2sjax.engine.outcome import Outcome
    from w2sjax.heads import Logistic, Ridge, Softmax

    kind: Any = Ridge
    classes: tuple[str, ...] = ()
    if hold_classes(arrays):
        classes = encode({name: array for name, array in arrays.items() if name in LABELS})[1]
        kind = Logistic if len(classes) == 2 else Softmax
    head, weak_head = (
        kind(ridge) if ridge is not None else kind(C=1.0) if classes else Ridge()
        for ridge in (ridge_strong, ridge_weak)
    )
    used = configure(precision)
    outcome = evaluate_features(**arrays, weak_head=weak_head, head=head, fit_intercept=intercept)
    assert isinstance(outcome, Outcome)
    names = outcome.values if classes else QUANTITIES
    values = {name: np.atleast_1d(np.asarray(getattr(outcome, name))) for name in names}
    status = {name: np.asarray(value).item() for name, value in outcome.status.named().items()}
    flags = [str(flag.name) for flag in Flag if status["code"] & flag]
    words = Flag(status["code"]).words() or "ok"
    if not alone:
        Console().print(_table(f"{features.name}, {used}", values, status | {"code": words}))
    report = {
        **{name: array.tolist() for name, array in values.items()},
        "status": status | {"flags": flags},
        "precision": used,
        "ridge_weak": ridge_weak if classes else ridge_weak or 0.0,
        "ridge_strong": ridge_strong if classes else ridge_strong or 0.0,
        **({"classes": list(classes)} if classes else {}),
        "fit_intercept": intercept,
    }
    if report_file is None:
        print(report_text(report))
    else:
        write_report("--json", report_file, report)


def load_arrays(file: Path) -> "dict[str, np.ndarray]":
    """Read the arrays of an .npz file as data only: nothing in it is executed.

    Raises:
        W2SError: if the file, or an array in it, is missing or cannot be used.
    """
    import numpy as np

    from w2sjax.validation import nearest

    unreadable = W2SError(f"{file} is not an .npz file: write one with numpy.savez.")
    try:
        stored = np.load(file, allow_pickle=False)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise unreadable from error
    except OSError as error:
        raise W2SError(f"{file} cannot be read ({reason(error)}): pass an .npz file.") from error
    if not isinstance(stored, np.lib.npyio.NpzFile):
        raise W2SError(f"{file} holds one array: save all of them with numpy.savez.")
    known = (*REQUIRED, *OPTIONAL)
    with stored:
        for name in stored.files:
            if name not in known:
                raise W2SError(
                    f"{file} holds an array {name!r}, which is not one of {', '.join(known)}: rename it, "
                    f"perhaps to {nearest(name, known)}, or leave it out."
                )
        for name in REQUIRED:
            if name not in stored.files:
                held = ", ".join(stored.files) or "nothing"
                raise W2SError(f"{name} is missing from {file}, which holds {held}: save it too.")
        return {name: _array(stored, name) for name in known if name in stored.files}


def _array(stored: Any, name: str) -> "np.ndarray":
    import numpy as np

    try:
        array: np.ndarray = stored[name]
    except (
        ValueError,
        OSError,
        EOFError,
        RuntimeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        if "allow_pickle" in str(error):
            raise W2SError(f"{name} holds Python objects: save a plain array of floating numbers.") from error
        raise W2SError(f"{name} is damaged ({error}): save the file again.") from error
    if not isinstance(array, np.ndarray):
        raise W2SError(f"{name} is no array in the file: save it with numpy.savez.")
    if array.dtype.kind == "V":
        raise W2SError(
            f"{name} holds raw bytes ({array.dtype}), which is what .npz makes of bfloat16: save it in float32."
        )
    return array


def _table(title: str, values: "dict[str, np.ndarray]", status: dict[str, Any]) -> Any:
    """Lay out the mean over tasks of every quantity, with its range where there are many, and the status."""
    import numpy as np
    from rich.markup import escape
    from rich.table import Table

    tasks = values["gain"].size
    table = Table(title=escape(f"{title}, {tasks} task{'s' if tasks > 1 else ''}"))
    table.add_column("quantity")
    headings = ("value",) if tasks == 1 else ("mean over tasks", "least", "largest")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, array in values.items():
        finite = array[np.isfinite(array)]
        shown = (finite.mean(), finite.min(), finite.max()) if finite.size else (np.nan,) * 3
        left_out = f" (of {finite.size} tasks)" if 0 < finite.size < tasks else ""
        table.add_row(name + left_out, *(f"{number:.6g}" for number in shown[: len(headings)]))
    table.add_section()
    for name, value in status.items():
        table.add_row(f"status: {name}", value if isinstance(value, str) else f"{value:.6g}")
    return table
