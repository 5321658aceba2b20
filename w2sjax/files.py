"""Files that are there in full or not at all, even after a power failure."""

import os
import uuid
from pathlib import Path

PARTIAL = ".w2sjax-partial"
"""Ending of the names of files that are being written."""


def write_atomically(file: Path, content: str | bytes) -> None:
    """Write a file that is there in full or not at all, even after a power failure; a device is written directly."""
    data = content.encode() if isinstance(content, str) else content
    if file.exists() and not file.is_file():
        with file.open("wb") as stream:
            stream.write(data)
        return
    # A name of its own, not derived from the file's: that may be as long as names can be.
    new = file.with_name(f".{uuid.uuid4().hex}{PARTIAL}")
    try:
        with new.open("wb") as stream:
            stream.write(data)
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
