"""Columns of a table, every field checked: an error that names row and column, or rows dropped with a count."""

import collections
import csv
import io
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from w2sjax.data import label_of, read_table
from w2sjax.errors import W2SError, reason
from w2sjax.paths import user_path
from w2sjax.validation import nearest, shown

LONGEST = 10_000
"""Characters of the longest text that is one."""

DATA = "W2SJAX_DATA"
"""The environment variable that names the folder of data sets."""


class Rows(NamedTuple):
    """Rows of a file.

    Attributes:
        columns: values `[row]` by name.
        rows: int `[row]`, their positions in the file, the first below the heading is 0.
        dropped: how many were left out, by what was wrong.
    """

    columns: dict[str, list[Any]]
    rows: np.ndarray
    dropped: dict[str, int]


def data_file(*parts: str) -> Path:
    """Return a file of the folder of data sets.

    Raises:
        W2SError: where the environment variable names no folder, or the file is not in it.
    """
    folder = os.environ.get(DATA)
    if not folder:
        raise W2SError(
            f"{DATA} is not set: set it to the folder that holds {parts[0]} (docs/real_data.md says where from)."
        )
    path = Path(folder).joinpath(*parts)
    if not path.is_file():
        raise W2SError(f"{DATA}={folder} has no {'/'.join(parts)}: docs/real_data.md says where it is from.")
    return path


def read_rows(file: Any, checks: Mapping[str, Callable[[str], Any]], *, drop: bool = False) -> Rows:
    """Read columns of a table.

    Args:
        file: CSV, UTF-8, with a heading; or another table as of `w2sjax.data.read_table`, whose values are taken as
            text, lists with blanks between.
        checks: by column, a function that returns the value of a field, or raises ValueError with what is wrong of it,
            such as `number` and `text`.
        drop: leave out rows that are wrong, and count them.

    Raises:
        W2SError: for a file without these columns or without a row; and, unless they are dropped, for the first row
            that is wrong, with its number, the column, and what it holds.
    """
    is_file = isinstance(file, str | Path) and not Path(file).is_dir()
    as_csv = is_file and Path(file).suffix.lower() not in (".parquet", ".arrow")
    source, lines = _csv_lines(file) if as_csv else _table_lines(file)
    heading = lines[0] if lines else []
    places = {}
    for column in checks:
        if heading.count(column) != 1:
            hint = f"did you mean {nearest(column, heading)!r}?" if heading else "pass one with a heading."
            raise W2SError(f"{source} has not one column {column!r}: {hint}")
        places[column] = heading.index(column)
    found: dict[str, list[Any]] = {column: [] for column in checks}
    kept, dropped = [], collections.Counter[str]()
    for row, fields in enumerate(lines[1:]):
        column = "all"
        try:
            if len(fields) != len(heading):
                raise ValueError(f"has {len(fields)} fields, not {len(heading)}")
            values = {}
            for column, check in checks.items():
                values[column] = check(_decoded(fields[places[column]]))
        except ValueError as error:
            if not drop:
                raise W2SError(
                    f"{source}, row {row}, column {column}: {error}; mend it, or pass drop=True."
                ) from error
            dropped[f"{column}: {str(error).partition(' (')[0]}"] += 1
            continue
        kept.append(row)
        for column, value in values.items():
            found[column].append(value)
    if not kept:
        raise W2SError(f"{source} has no row that can be used: {dict(dropped) or 'it has a heading only'}.")
    return Rows(found, np.array(kept), dict(dropped))


def _csv_lines(file: str | Path) -> tuple[Path, list[list[str]]]:
    path = user_path("file", file)
    try:
        content = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise W2SError(f"{path} cannot be read ({reason(error)}): pass a CSV file.") from error
    limit = csv.field_size_limit(2**31 - 1)
    try:
        return path, list(csv.reader(io.StringIO(content, newline="")))
    except csv.Error as error:
        raise W2SError(f"{path} cannot be read as CSV ({error}): pass a CSV file.") from error
    finally:
        csv.field_size_limit(limit)


def _table_lines(file: Any) -> tuple[str, list[list[str]]]:
    table = read_table(file)
    lines = [list(map(str, table.columns))]
    lines += [[_as_text(value) for value in row] for row in table.itertuples(index=False, name=None)]
    return label_of(file), lines


def _as_text(value: Any) -> str:
    import pandas as pd

    if isinstance(value, np.ndarray | list | tuple):
        return " ".join(map(str, value))
    return "" if pd.isna(value) else str(value)


def is_text(value: Any) -> bool:
    """Say whether a value is text that UTF-8 can hold."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _decoded(field: str) -> str:
    if not is_text(field):
        raise ValueError("is not UTF-8")
    return field


def number(field: str) -> float:
    """Return a finite number."""
    try:
        value = float(field)
    except ValueError:
        raise ValueError(f"is no number ({field[:40]!r})") from None
    if not math.isfinite(value):
        raise ValueError(f"is not finite ({field[:40]!r})")
    return value


def text(field: str) -> str:
    """Return text that is not blank, and at most `LONGEST` characters."""
    if not field.strip():
        raise ValueError("is blank")
    if len(field) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters ({len(field)})")
    return field.strip()


def check_sentences(sentences: Any) -> None:
    """Refuse what is no list of texts.

    Raises:
        W2SError: for no sentences, and for what is no text or blank, with its row.
    """
    if isinstance(sentences, str) or not len(sentences):
        raise W2SError(f"sentences={shown(sentences)} are none: pass a list of texts.")
    for row, own in enumerate(sentences):
        if not is_text(own) or not own.strip():
            raise W2SError(f"sentences has {shown(own)} at row {row}: pass text, or leave that row out.")
