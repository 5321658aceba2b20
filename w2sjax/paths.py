"""Where a path that a user wrote becomes a path of the program. A path is what the file system takes, never a URL."""

import contextlib
import os
import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from w2sjax.errors import W2SError, reason, remedy, told

MARK = "made by w2sjax"
"""Stands at the beginning or at the end of every file that the program writes at the user's request."""

_MARKED_WITHIN = 2**16


def user_path(name: str, value: Any) -> Path:
    """Return a user's path as an absolute one: `~` is the home folder, links are followed, nothing else is special.

    Args:
        name: of the argument or option, for messages.
        value: text or a path object.

    Raises:
        W2SError: for what is no path, or one that the file system cannot hold.
    """
    try:
        text = os.fspath(value)
    except TypeError:
        text = None
    if not isinstance(text, str):
        written = textwrap.shorten(repr(value), 60, placeholder="...")
        raise W2SError(f"{name}={written} is not a path: pass text or a pathlib.Path.")
    if not text:
        raise W2SError(f"{name} is empty: pass a path.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise W2SError(f"{name}={text!r} holds bytes that are not text: rename it.")
    if text.startswith("~"):
        expanded = os.path.expanduser(text)
        if expanded.startswith("~"):
            home = text.split("/")[0]
            raise W2SError(
                f"{name}={text}: {home} is nobody's home folder: write ./{text} for a file named so."
            )
        text = expanded
    with told(f"{name}={text} cannot be used"):
        path = Path(os.path.realpath(text))
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            path.stat()
    return path


def check_folder(name: str, folder: Path) -> None:
    """Make a folder, with those above it, and refuse one that cannot be written before anything is computed.

    Raises:
        W2SError: naming the option, the folder and the system's reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        raise W2SError(
            f"{name}={folder} cannot be written ({where}{reason(error)}): {remedy(error)}."
        ) from error


def output_file(name: str, value: Any, *, inputs: Iterable[Path] = (), overwrite: bool = False) -> Path:
    """Return a user's path for a file to write, which will not replace what the program did not make.

    Args:
        name: of the option, for messages.
        value: text or a path object.
        inputs: files and folders that are read.
        overwrite: replace a file whoever made it.

    Raises:
        W2SError: for an input, a folder, another's file without `overwrite`, and a place that cannot be written.
    """
    path = user_path(name, value)
    for read in inputs:
        if path == read or read in path.parents:
            raise W2SError(f"{name}={path} is an input of this command: choose another path.")
    if path.is_dir():
        raise W2SError(f"{name}={path} is a folder: pass the path of a file.")
    check_folder(name, path.parent)
    if path.exists():
        if path.is_file() and not (overwrite or is_ours(path)):
            raise W2SError(
                f"{name}={path} exists and was not made by w2sjax: choose another path, or pass --overwrite."
            )
        if not os.access(path, os.W_OK):
            raise W2SError(
                f"{name}={path} cannot be written: change its permissions, or choose another path."
            )
    return path


def is_ours(path: Path) -> bool:
    """Say whether the program made a file: it then holds `MARK` near its beginning or its end."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_MARKED_WITHIN)
            stream.seek(-min(_MARKED_WITHIN, path.stat().st_size), os.SEEK_END)
            end = stream.read()
    except OSError:
        return False
    return MARK.encode() in start + end
