"""Trained networks on disk, so that a second sweep does not train again: one file of arrays per batch of pairs."""

import hashlib
import io
import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from w2sjax.errors import StoreError, told
from w2sjax.files import write_atomically
from w2sjax.sweeps.store.layout import first_difference

Arrays = dict[str, np.ndarray]

DESCRIPTION = "training.json"

_BATCH = re.compile(r"(\d+)-(\d+)(-[0-9a-f]{8})?\.npz")
"""First and last pair of a batch; a checksum of the pairs where some between are missing."""


def digest(description: dict[str, Any]) -> str:
    """Return the name under which the runs of one description are kept."""
    return hashlib.sha256(_text(description).encode()).hexdigest()[:16]


class Checkpoints:
    """The runs of one training, in `folder/<name>-<digest>/`, one file per batch of pairs.

    Args:
        folder: where checkpoints of all trainings go.
        name: of the training, such as "weak".
        description: everything that a run depends on beside its pair, as JSON values.
        template: one run's arrays, whose shapes and dtypes a file must have.

    Raises:
        StoreError: if the folder cannot be written, or holds another training under this name.

    Memory: 24 bytes per pair on disk.
    """

    def __init__(self, folder: Path, name: str, description: dict[str, Any], template: Arrays) -> None:
        self.path = folder / f"{name}-{digest(description)}"
        self._template = template
        file = self.path / DESCRIPTION
        try:
            with told(f"checkpoints {folder} cannot be written", StoreError):
                self.path.mkdir(parents=True, exist_ok=True)
                if not file.exists():
                    write_atomically(file, _text(description) + "\n")
                found = json.loads(file.read_text())
                self._files = sorted(f for f in self.path.iterdir() if _BATCH.fullmatch(f.name))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise StoreError(f"checkpoint {file} is damaged: delete {self.path}.") from error
        wanted = json.loads(_text(description))
        difference = first_difference(found if isinstance(found, dict) else {}, wanted)
        if difference is not None:
            name, old, new = difference
            raise StoreError(
                f"checkpoint {self.path} holds another training ({name}={old} instead of {new}): delete it or choose "
                "another folder."
            )
        pairs = [self._pairs_in(file) for file in self._files]
        self._pairs = np.concatenate([np.zeros(0, np.int64), *pairs])
        self._file_of = np.repeat(np.arange(len(pairs)), [len(each) for each in pairs])
        self._order = np.argsort(self._pairs, kind="stable")

    def save(self, pairs: np.ndarray, arrays: Arrays) -> None:
        """Write the runs of a batch of pairs, complete or not at all.

        Raises:
            StoreError: if they cannot be written.
        """
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, pairs=pairs.astype(np.int64), **arrays)
        with told(
            f"checkpoints {self.path} cannot be written", StoreError, ", then run the same command again"
        ):
            write_atomically(self.path / _name_of(pairs), content.getvalue())

    def __contains__(self, pair: int) -> bool:
        return self._place(pair) is not None

    def _place(self, pair: int) -> int | None:
        """Return the position of a pair among all that are on disk."""
        position = int(np.searchsorted(self._pairs, pair, sorter=self._order))
        found = position < len(self._pairs) and self._pairs[self._order[position]] == pair
        return int(self._order[position]) if found else None

    def load(self, pair: int) -> tuple[np.ndarray, Arrays] | None:
        """Return the batch that holds a pair as (pairs, arrays `[pair, ...]`); None where no file does.

        Raises:
            StoreError: if the file is damaged or holds something else; the message names it.
        """
        place = self._place(pair)
        if place is None:
            return None
        file = self._files[self._file_of[place]]
        arrays = _read(file)
        pairs = arrays.pop("pairs")
        found = {name: (a.shape, a.dtype) for name, a in arrays.items()}
        wanted = {name: ((len(pairs), *a.shape), a.dtype) for name, a in self._template.items()}
        if found != wanted:
            name = next(n for n in sorted(found.keys() | wanted.keys()) if found.get(n) != wanted.get(n))
            raise StoreError(
                f"checkpoint {file} is not one of this training ({name}: {found.get(name)} instead of "
                f"{wanted.get(name)}): delete it."
            )
        return pairs, arrays

    def _pairs_in(self, file: Path) -> np.ndarray:
        match = _BATCH.fullmatch(file.name)
        assert match is not None  # as it was listed
        if match[3] is None:
            return np.arange(int(match[1]), int(match[2]) + 1)
        return _read(file, only="pairs")["pairs"]


def _name_of(pairs: np.ndarray) -> str:
    first, last = int(pairs.min()), int(pairs.max())
    whole = np.array_equal(pairs, np.arange(first, last + 1))
    return (
        f"{first}-{last}.npz"
        if whole
        else f"{first}-{last}-{zlib.crc32(pairs.astype('<i8').tobytes()):08x}.npz"
    )


def _read(file: Path, only: str | None = None) -> Arrays:
    """Read the arrays of a file as data: nothing in it is executed."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ([only] if only else stored.files)}
        if "pairs" not in arrays or arrays["pairs"].ndim != 1:
            raise ValueError("no pairs")
    except (
        ValueError,
        KeyError,
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
    ) as error:
        raise StoreError(
            f"checkpoint {file} is damaged ({' '.join(str(error).split())[:120]}): delete it."
        ) from error
    return arrays


def _text(description: dict[str, Any]) -> str:
    return json.dumps(description, sort_keys=True, indent=1)
