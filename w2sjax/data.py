"""Arrays of a user's data set: read from files, checked, standardized, grouped."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from w2sjax.errors import W2SError, reason
from w2sjax.grouping import cluster_groups as cluster_groups
from w2sjax.grouping import duplicate_groups as duplicate_groups
from w2sjax.validation import check_array, nearest


def read_array(file: Any, name: str | None = None) -> np.ndarray:
    """Read one array as data only: nothing in the file is executed.

    Args:
        file: .npy; .npz; a folder .zarr with arrays; or a table as of `read_table`: its numeric columns, or one.
        name: of the array in the file, or of the column; None where there is one.

    Returns:
        The array; columns of a table as floating `[rows, columns]`, one of them as `[rows]`, or as `[rows, width]`
        where each row holds a list.

    Raises:
        W2SError: for a file that cannot be read, and a name that it does not have; the message gives the nearest.
    """
    if not _is_table(file) and Path(file).suffix.lower() in _ARRAYS:
        return _reading(Path(file), lambda path: _ARRAYS[path.suffix.lower()](path, name))
    return _column(label_of(file), read_table(file), name)


def read_table(source: Any) -> Any:
    """Read a table of named columns as data only, as a pandas DataFrame.

    Args:
        source: a DataFrame, which is returned; .csv; .parquet; .arrow; or the folder of a data set of the library
            `datasets`, as `save_to_disk` leaves it, or with .parquet or .arrow files, in the order of their names. A
            folder of several splits is refused: pass that of one. All but .csv need pyarrow.

    Raises:
        W2SError: for what cannot be read as a table.
    """
    if _is_table(source):
        return source
    path = Path(source)
    if path.suffix.lower() not in _TABLES and not path.is_dir():
        known = ", ".join((*_ARRAYS, *_TABLES))
        what = "is of no known kind" if path.suffix or path.exists() else "does not exist"
        raise W2SError(f"{path} {what}: pass one of {known}, or the folder of a data set.")
    return _reading(path, _folder if path.is_dir() else _TABLES[path.suffix.lower()])


def columns(
    table: Any, *, features: Mapping[str, Any], targets: str | Sequence[str], groups: str | None = None
) -> dict[str, Any]:
    """Return what `w2sjax.worlds.Resampled` takes, from columns of a table: `Resampled(**columns(frame, ...))`.

    Args:
        table: as of `read_table`.
        features: by the name of the representation, the column that holds a list in each row, or columns of numbers;
            they are standardized.
        targets: column or columns.
        groups: column of labels whose rows stay in one split.

    Raises:
        W2SError: for a column that is not there, or a field that is no number, with its row.
    """
    name, frame = label_of(table), read_table(table)

    def joined(given: str | Sequence[str]) -> np.ndarray:
        chosen = [given] if isinstance(given, str) else given
        return np.concatenate([_column(name, frame, own).reshape(len(frame), -1) for own in chosen], axis=1)

    found: dict[str, Any] = {
        "features": {own: standardized(own, joined(given)) for own, given in features.items()},
        "targets": joined(targets),
    }
    if groups is not None:
        found["groups"] = _named(name, frame, groups).to_numpy()
    return found


def _reading(path: Path, read: Callable[[Path], Any]) -> Any:
    if not path.exists():
        raise W2SError(f"{path} does not exist: pass a file of features or targets.")
    kind = path.suffix.lower() or "a data set"
    try:
        return read(path)
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


def _is_table(source: Any) -> bool:
    return hasattr(source, "columns") and hasattr(source, "to_numpy")


def label_of(source: Any) -> str:
    """Return what messages call a table."""
    return "the DataFrame" if _is_table(source) else str(source)


def _csv(path: Path) -> Any:
    import pandas as pd

    return pd.read_csv(path)


def _parquet(path: Path) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pandas()


def _arrow(path: Path) -> Any:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        try:
            return pa.ipc.open_stream(file).read_pandas()
        except pa.ArrowInvalid:  # the other of the two formats
            file.seek(0)
            return pa.ipc.open_file(file).read_pandas()


def _folder(path: Path) -> Any:
    """Read the files of one split, in the order that state.json gives, or of their names."""
    import pandas as pd

    listing = path / "dataset_dict.json"
    if listing.is_file():
        names = ", ".join(json.loads(listing.read_text())["splits"])
        raise W2SError(f"{path} holds the splits {names}: pass the folder of one of them.")
    state = path / "state.json"
    if state.is_file():
        kept = json.loads(state.read_text())
        if kept.get("_indices_data_files"):
            raise W2SError(f"{path} holds a choice of rows by indices: save it after flatten_indices().")
        files = [path / Path(own["filename"]).name for own in kept["_data_files"]]
    else:
        files = sorted(own for own in path.iterdir() if own.suffix in (".parquet", ".arrow"))
        splits = sorted({own.name.partition("-")[0] for own in files if "-of-" in own.name})
        if len(splits) > 1:
            raise W2SError(
                f"{path} holds files of {', '.join(splits)}: pass one of the files, or a folder of one."
            )
    if not files:
        raise W2SError(
            f"{path} holds no state.json and no .parquet or .arrow files: pass the folder that does."
        )
    return pd.concat([_TABLES[own.suffix](own) for own in files], ignore_index=True)


def _named(source: str, table: Any, name: str) -> Any:
    names = list(map(str, table.columns))
    return table.iloc[:, names.index(_chosen(source, names, name))]


def _column(source: str, table: Any, name: str | None) -> np.ndarray:
    import pandas as pd

    if name is None:
        numeric = table.select_dtypes("number")
        if numeric.shape[1] == 0:
            raise W2SError(f"{source} has no column of numbers: name a file that has, or a column of lists.")
        return numeric.to_numpy(np.float64, na_value=np.nan)
    column = _named(source, table, name)
    if len(column) and isinstance(column.iloc[0], np.ndarray | list | tuple):
        return _lists(source, column, name)
    try:
        numbers = pd.to_numeric(column, errors="coerce")
    except TypeError:  # of what is neither number nor text
        numbers = pd.Series(np.nan, index=column.index)
    wrong = (numbers.isna() & column.notna()).to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise W2SError(
            f"{source} has {str(column.iloc[row])[:40]!r} at row {row}, column {name}: pass numbers."
        )
    return numbers.to_numpy(np.float64, na_value=np.nan)


def _lists(source: str, column: Any, name: str) -> np.ndarray:
    """Return lists of equally many numbers as rows."""
    width = len(column.iloc[0])
    found = np.empty((len(column), width))
    for row, own in enumerate(column):
        try:
            found[row] = np.asarray(own, np.float64).reshape(width)
        except (TypeError, ValueError):
            raise W2SError(
                f"{source} has {str(own)[:40]!r} at row {row}, column {name}: pass lists of {width} numbers."
            ) from None
    return found


def _zarr(path: Path, name: str | None) -> np.ndarray:
    import zarr

    stored = zarr.open(path, mode="r")
    if isinstance(stored, zarr.Array):
        return np.asarray(stored[:])
    return np.asarray(stored[_chosen(path, sorted(stored.array_keys()), name)])


def _chosen(path: Any, names: list[str], name: str | None) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name is None or names.count(name) != 1:
        hint = f"did you mean {nearest(name, names)!r}?" if name and names else "name one of them."
        raise W2SError(f"{path} holds {', '.join(names[:8]) or 'nothing'}, not {name!r}: {hint}")
    return name


_ARRAYS = {".npy": _numpy, ".npz": _numpy, ".zarr": _zarr}
_TABLES = {".csv": _csv, ".parquet": _parquet, ".arrow": _arrow}
