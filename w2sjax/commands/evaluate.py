"""`w2sjax evaluate`: the experiment on features saved as arrays."""

import json
import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from w2sjax.commands.errors import UserMistake

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


def evaluate(
    file: Annotated[
        Path, typer.Argument(help="A .npz file with arrays under the names of evaluate_features.")
    ],
    ridge_weak: Annotated[float, typer.Option(help="Ridge of the weak head, >= 0.")] = 0.0,
    ridge_strong: Annotated[float, typer.Option(help="Ridge of the w2s and ceiling heads, >= 0.")] = 0.0,
    intercept: Annotated[bool, typer.Option(help="Fit an unpenalized intercept.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the JSON here.")] = None,
    precision: Annotated[str, typer.Option(help="auto, float64 or float32.")] = "auto",
) -> None:
    """Run the weak-to-strong experiment on saved features and print a table and JSON."""
    from rich.console import Console
    from rich.table import Table

    from w2sjax.commands.precision import configure
    from w2sjax.engine.evaluate import evaluate_features

    arrays = load_arrays(file)
    used = configure(precision)
    outcome = evaluate_features(
        **arrays, ridge_weak=ridge_weak, ridge_strong=ridge_strong, fit_intercept=intercept
    )
    names = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation", "pgr")
    values = {name: np.atleast_1d(np.asarray(getattr(outcome, name))) for name in names}
    status = {name: np.asarray(value).item() for name, value in vars(outcome.status).items()}
    table = Table(title=f"{file.name}: {values['gain'].size} task(s), {used}")
    for heading in ("quantity", "mean over tasks", "least", "largest"):
        table.add_column(heading)
    for name, array in values.items():
        finite = array[np.isfinite(array)]
        shown = (finite.mean(), finite.min(), finite.max()) if finite.size else (np.nan,) * 3
        table.add_row(name, *(f"{number:.6g}" for number in shown))
    for name, number in status.items():
        table.add_row(f"status: {name}", f"{number:.6g}", "", "")
    Console().print(table)
    report: dict[str, Any] = {
        name: [float(x) if np.isfinite(x) else None for x in array] for name, array in values.items()
    }
    text = json.dumps(report | {"status": status, "precision": used}, indent=2)
    if json_file is None:
        print(text)
        return
    try:
        json_file.write_text(text + "\n")
    except OSError as error:
        raise UserMistake(
            f"--json {json_file} cannot be written ({error.strerror}): choose another path."
        ) from error


def load_arrays(file: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file as data only: nothing in it is executed.

    Raises:
        UserMistake: if the file or an array in it cannot be used.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            if not hasattr(stored, "files"):
                raise UserMistake(f"{file} holds one array: save all of them with numpy.savez.")
            missing = [name for name in REQUIRED if name not in stored.files]
            if missing:
                held = ", ".join(stored.files) or "nothing"
                raise UserMistake(
                    f"{missing[0]} is missing from {file}, which holds {held}: save it under that name."
                )
            names = [name for name in (*REQUIRED, *OPTIONAL) if name in stored.files]
            return {name: _array(stored, name) for name in names}
    except OSError as error:
        raise UserMistake(f"{file} cannot be read ({error.strerror or error}): pass an .npz file.") from error
    except (zipfile.BadZipFile, ValueError) as error:
        raise UserMistake(f"{file} is not an .npz file: write it with numpy.savez.") from error


def _array(stored: Any, name: str) -> np.ndarray:
    try:
        return stored[name]
    except ValueError as error:
        raise UserMistake(f"{name} holds Python objects: save a plain array of floating numbers.") from error
