"""Trained networks on disk, so that a second sweep does not train again: orbax checkpoints, one per batch of pairs."""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from w2sjax.errors import StoreError

Arrays = dict[str, np.ndarray]

DESCRIPTION = "training.json"


def digest(description: dict[str, Any]) -> str:
    """Return the name under which the runs of one description are kept."""
    return hashlib.sha256(_text(description).encode()).hexdigest()[:16]


class Checkpoints:
    """The runs of one training, in `folder/<name>-<digest>/`, one checkpoint per batch of pairs.

    Args:
        folder: where checkpoints of all trainings go.
        name: of the training, such as "weak".
        description: everything that a run depends on beside its pair, as JSON values.

    Raises:
        StoreError: if the folder cannot be written, or holds another training under this name.
    """

    def __init__(self, folder: Path, name: str, description: dict[str, Any]) -> None:
        self.path = folder / f"{name}-{digest(description)}"
        self._description = description
        file = self.path / DESCRIPTION
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                temporary = file.with_name(f".{DESCRIPTION}.{os.getpid()}")
                temporary.write_text(_text(description) + "\n")
                temporary.replace(file)
            found = json.loads(file.read_text())
        except OSError as error:
            raise StoreError(
                f"checkpoints {folder} cannot be written ({error.strerror}): choose a folder that can."
            ) from error
        except ValueError as error:
            raise StoreError(f"checkpoint {file} is damaged: delete {self.path}.") from error
        if found != json.loads(_text(description)):
            field = _first_difference(found, json.loads(_text(description)))
            raise StoreError(
                f"checkpoint {self.path} holds another training ({field}): delete it or choose another folder."
            )

    def save(self, pairs: np.ndarray, arrays: Arrays) -> None:
        """Write the runs of a batch of pairs, complete or not at all.

        Raises:
            StoreError: if they cannot be written.
        """
        name = f"{int(pairs[0])}-{len(pairs)}-{zlib.crc32(pairs.astype('<i8').tobytes()):08x}"
        if (self.path / name).exists():
            return
        import orbax.checkpoint as ocp

        try:
            with _checkpointer() as checkpointer:
                content = arrays | {"pairs": pairs.astype(np.int64)}
                checkpointer.save(self.path.resolve() / name, args=ocp.args.StandardSave(content))
        except (OSError, ValueError) as error:
            raise StoreError(
                f"checkpoint {self.path / name} cannot be written ({_one_line(error)}): make room and run again."
            ) from error

    def load(self, template: Arrays) -> Iterator[tuple[np.ndarray, Arrays]]:
        """Yield every batch as (pairs, arrays `[pair, ...]`).

        Args:
            template: one run's arrays, whose shapes and dtypes a checkpoint must have.

        Raises:
            StoreError: if one is damaged or holds something else; the message names it.
        """
        batches = sorted(p for p in self.path.iterdir() if p.is_dir() and not _unfinished(p))
        if not batches:
            return
        import orbax.checkpoint as ocp

        with _checkpointer() as checkpointer:
            for batch in batches:
                where = f"checkpoint {batch}"
                try:
                    # Orbax and its storage raise errors of many kinds for files that are cut or altered.
                    tree = checkpointer.metadata(batch.resolve()).item_metadata.tree
                    found = {key: (tuple(leaf.shape), np.dtype(leaf.dtype)) for key, leaf in tree.items()}
                except Exception as error:
                    raise StoreError(f"{where} is damaged ({_one_line(error)}): delete it.") from error
                count = found["pairs"][0][0] if "pairs" in found and len(found["pairs"][0]) == 1 else 0
                wanted = {key: ((count, *a.shape), a.dtype) for key, a in template.items()}
                wanted["pairs"] = ((count,), np.dtype(np.int64))
                if found != wanted:
                    key = next(
                        k for k in sorted(found.keys() | wanted.keys()) if found.get(k) != wanted.get(k)
                    )
                    raise StoreError(
                        f"{where} is not one of this training ({key}: {found.get(key)} instead of "
                        f"{wanted.get(key)}): delete it."
                    )
                empty = {key: np.zeros(shape, dtype) for key, (shape, dtype) in wanted.items()}
                try:
                    content = checkpointer.restore(batch.resolve(), args=ocp.args.StandardRestore(empty))
                except Exception as error:
                    raise StoreError(f"{where} is damaged ({_one_line(error)}): delete it.") from error
                arrays = {key: np.asarray(value) for key, value in content.items()}
                yield arrays.pop("pairs"), arrays


def _unfinished(path: Path) -> bool:
    """Return whether a killed process left this behind."""
    return "orbax-checkpoint-tmp" in path.name


def _checkpointer() -> Any:
    """Return a checkpointer for this process alone: every process writes its own pairs."""
    import orbax.checkpoint as ocp

    index = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=index, active_processes={index}, barrier_sync_key_prefix=f"process_{index}"
    )
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _text(description: dict[str, Any]) -> str:
    return json.dumps(description, sort_keys=True, indent=1)


def _first_difference(found: Any, wanted: Any) -> str:
    if not isinstance(found, dict):
        return "no description"
    key = next(k for k in sorted(found.keys() | wanted.keys()) if found.get(k) != wanted.get(k))
    return f"{key}={found.get(key)!r} instead of {wanted.get(key)!r}"


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
