"""Arrays of a user's data set: read from files, checked, standardized."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from w2sjax.errors import W2SError, reason
from w2sjax.validation import check_array, nearest


def read_array(file: str | Path, name: str | None = None) -> np.ndarray:
    """Read one array as data only: nothing in the file is executed.

    Args:
        file: .npy; .npz; .csv or .parquet (the numeric columns, or one of them; .parquet needs pyarrow); or a folder
            .zarr with arrays.
        name: of the array in the file, or of the column; None where there is one.

    Returns:
        The array; columns of a table as floating `[rows, columns]`, one of them as `[rows]`.

    Raises:
        W2SError: for a file that cannot be read, and a name that it does not have; the message gives the nearest.
    """
    path = Path(file)
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise W2SError(f"{path} is of no known kind: pass one of {', '.join(_READERS)}.")
    if not path.exists():
        raise W2SError(f"{path} does not exist: pass a file of features or targets.")
    try:
        return _READERS[kind](path, name)
    except W2SError:
        raise
    except ImportError as error:
        raise W2SError(
            f"{path} needs a library ({error}): install pyarrow, or pass another format."
        ) from error
    except OSError as error:
        raise W2SError(
            f"{path} cannot be read ({reason(error)}): pass a file of features or targets."
        ) from error
    except Exception as error:  # of whatever kind a library raises for damaged content
        raise W2SError(f"{path} cannot be read as {kind} ({' '.join(str(error).split())[:120]}).") from error


def standardized(name: str, values: Any) -> np.ndarray:
    """Return features less their mean and divided by their standard deviation over all rows, float64.

    It sees the features of all rows, of evaluation too, but no target. Constant columns become 0.

    Args:
        name: in messages.
        values: floating `[rows, width]`.

    Raises:
        W2SError: for what is no such array, or holds NaN, with the row and the column.
    """
    array = np.asarray(check_array(name, values, layout="[rows, width]", ranks=(2,)), np.float64)
    centred = array - array.mean(axis=0)
    spread = centred.std(axis=0)
    constant = spread <= 1e-12 * np.abs(array).max(axis=0)
    return np.where(constant, 0, centred / np.where(constant, 1, spread))


def duplicate_groups(values: Any) -> np.ndarray:
    """Return int `[rows]`, equal for rows of equal features, which as `groups` stay in one split: against leakage."""
    return np.unique(np.asarray(values), axis=0, return_inverse=True)[1].reshape(-1)


def inspect(features: Mapping[str, Any], targets: Any) -> dict[str, dict[str, int]]:
    """Count what often spoils an experiment, by the name of the representation, and "targets".

    Returns:
        Of features: `rows`, `width`, `constant` columns, and `duplicates`, rows that equal an earlier one; of targets:
        `rows`, `tasks`, `constant`. Equal rows in two splits leak: deal them out together by `duplicate_groups`.

    Raises:
        W2SError: for arrays that no experiment can use: NaN with its row and column, other numbers of rows.
    """
    truth = np.asarray(check_array("targets", targets, layout="[rows] or [rows, task]", ranks=(1, 2)))
    truth = truth.reshape(len(truth), -1)
    found = {
        "targets": {
            "rows": len(truth),
            "tasks": truth.shape[1],
            "constant": int((np.ptp(truth, axis=0) == 0).sum()),
        }
    }
    for name, given in features.items():
        values = np.asarray(check_array(name, given, layout="[rows, width]", ranks=(2,)))
        if len(values) != len(truth):
            raise W2SError(f"{name} has {len(values)} rows but targets has {len(truth)}: pass the same rows.")
        found[name] = {
            "rows": len(values),
            "width": values.shape[1],
            "constant": int((np.ptp(values, axis=0) == 0).sum()),
            "duplicates": len(values) - len(np.unique(duplicate_groups(values))),
        }
    return found


def _numpy(path: Path, name: str | None) -> np.ndarray:
    stored = np.load(path, allow_pickle=False)
    if isinstance(stored, np.ndarray):
        return stored
    with stored:
        return np.asarray(stored[_chosen(path, stored.files, name)])


def _table(path: Path, name: str | None) -> np.ndarray:
    import pandas as pd

    table = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path)
    if name is None:
        numeric = table.select_dtypes("number")
        if numeric.shape[1] == 0:
            raise W2SError(f"{path} has no column of numbers: name a file that has.")
        return numeric.to_numpy(np.float64)
    column = table[_chosen(path, list(map(str, table.columns)), name)]
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = numbers.isna() & column.notna()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise W2SError(
            f"{path} has {str(column.iloc[row])[:40]!r} at row {row}, column {name}: pass numbers."
        )
    return numbers.to_numpy(np.float64)


def _zarr(path: Path, name: str | None) -> np.ndarray:
    import zarr

    stored = zarr.open(path, mode="r")
    if isinstance(stored, zarr.Array):
        return np.asarray(stored[:])
    return np.asarray(stored[_chosen(path, sorted(stored.array_keys()), name)])


def _chosen(path: Path, names: list[str], name: str | None) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name is None or name not in names:
        hint = f"did you mean {nearest(name, names)!r}?" if name and names else "name one of them."
        raise W2SError(f"{path} holds {', '.join(names[:8]) or 'nothing'}, not {name!r}: {hint}")
    return name


_READERS = {".npy": _numpy, ".npz": _numpy, ".csv": _table, ".parquet": _table, ".zarr": _zarr}
