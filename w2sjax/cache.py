"""Compiled programs on disk, so that a process does not compile what another one has compiled."""

import contextlib
import functools
import json
import os
import tempfile
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

LEAST_SECONDS = 0.2
"""Compilations that take less are not kept."""

_VERIFIED = "verified.json"
_ENDING = "-cache"
_YOUNG = 60.0
"""Seconds within which another process may still write an entry."""


def cache_folder() -> Path | None:
    """Return the folder of compiled programs, `w2sjax/compiled` under $XDG_CACHE_HOME or ~/.cache.

    None where there is no home folder, or one that cannot be written.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # empty or relative: the specification says to ignore it
        base = os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        return None
    folder = Path(base) / "w2sjax" / "compiled"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


@functools.cache
def keep_compiled_programs() -> None:
    """Have JAX keep compiled programs on disk, unless the user told it where to keep them, or not to.

    Every entry point that compiles calls it; the first call in a process does the work. Entries that a crash or a full
    disk has damaged are removed, where JAX would warn of them in every later run and compile anew. What cannot be read
    or written is no error: programs are then compiled.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    if jax.config.jax_compilation_cache_dir is not None or not jax.config.jax_enable_compilation_cache:
        return
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        _remove_damaged(folder)
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache entry")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)
    compilation_cache.reset_cache()  # which has found by now that there is none, where something was compiled


def _remove_damaged(folder: Path) -> None:
    """Remove entries that do not decompress or that changed since they did; each is looked at once."""
    record = folder / _VERIFIED
    try:
        before = json.loads(record.read_text())
        before = before if isinstance(before, dict) else {}
    except (OSError, ValueError):
        before = {}
    now: dict[str, Any] = {}
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):
            status = entry.stat()
            if not entry.name.endswith(_ENDING) or time.time() - status.st_mtime < _YOUNG:
                continue
            seen = [status.st_size, status.st_mtime_ns]
            if before.get(entry.name) != seen and (
                entry.name in before or not _decompresses(Path(entry.path))
            ):
                os.unlink(entry.path)
            else:
                now[entry.name] = seen
    if now != before:
        from w2sjax.files import write_atomically

        write_atomically(record, json.dumps(now))


def _decompresses(file: Path) -> bool:
    data = file.read_bytes()
    if data[:4] == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard  # type: ignore[import-not-found]
        except ImportError:
            return True  # whoever wrote it can read it
        try:
            zstandard.ZstdDecompressor().decompress(data)
        except zstandard.ZstdError:
            return False
        return True
    try:
        zlib.decompress(data)
    except zlib.error:
        return False
    return True
