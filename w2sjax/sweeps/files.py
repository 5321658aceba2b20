"""Files that are there in full or not at all, even after a power failure."""

import os
import uuid
from pathlib import Path


def write_atomically(file: Path, text: str) -> None:
    """Write a text file that is there in full or not at all, even after a power failure."""
    new = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")
    try:
        with new.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, file)
        sync(file.parent)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(path: Path) -> None:
    """Wait until everything under a folder is on disk."""
    for folder, _, files in os.walk(path):
        for name in files:
            sync(Path(folder) / name)
        sync(Path(folder))
