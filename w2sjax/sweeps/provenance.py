"""What produced a result: configuration, code, versions and device."""

import dataclasses
import datetime
import functools
import hashlib
import json
import subprocess
import types
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

import w2sjax
from w2sjax import __version__
from w2sjax.losses import Loss
from w2sjax.papers import bibtex
from w2sjax.random.keys import ALGORITHM
from w2sjax.random.threefry import IMPLEMENTATION
from w2sjax.sweeps.grid import Grid
from w2sjax.sweeps.identity import kind_of, sources

LARGEST_LISTED = 64
"""Entries of an array beyond which a configuration holds its hash instead of its values."""


def configuration(grid: Grid, seed: int) -> dict[str, Any]:
    """Return what results depend on beside the pair, as plain JSON values."""
    return {
        "world": {"kind": kind_of(grid.world)} | plain_fields(grid.world),
        "protocol": plain_fields(grid.protocol),
        "metrics": [metric.name for metric in grid.metrics],
        "axes": {name: [_plain(value) for value in values] for name, values in grid.labels.items()},
        "paired": grid.paired,
        "seed": seed,
        "dtype": "float64" if jax.config.jax_enable_x64 else "float32",
        "generator": IMPLEMENTATION,
        "algorithm": ALGORITHM,
        "code": code_of(grid)[0],  # last, as the first field that differs is named, and others say more
    }


def code_of(grid: Grid) -> tuple[dict[str, str], list[str]]:
    """Return the hashes of a user's code in a sweep by name, and the names whose source cannot be read."""
    objects: list[Any] = [grid.world, *_code_of_loss(grid.protocol.loss)]
    objects += [grid.protocol.target] if grid.protocol.target is not None else []
    for stage in grid.protocol.chain():
        objects += [stage.head, stage.method]
        loss = getattr(stage.head, "loss", None)
        objects += _code_of_loss(loss) if isinstance(loss, Loss) else []
    objects += [value for values in grid.axes.values() for value in values if dataclasses.is_dataclass(value)]
    for metric in grid.metrics:
        ways = (metric.per_sample, metric.of_means, metric.of_sample)
        objects += [each for each in ways if each is not None]
    found: dict[str, str] = {}
    unreadable: list[str] = []
    for each in objects:
        hashes, unread = sources(each)
        found |= hashes
        unreadable += unread
    return dict(sorted(found.items())), sorted(set(unreadable))


def _code_of_loss(loss: Loss) -> list[Any]:
    return [each for each in (loss.value, loss.divergence) if each is not None]


def plain_fields(settings: Any) -> dict[str, Any]:
    """Return the fields of a settings object as JSON values.

    Small arrays become numbers or lists, large ones their hash, functions their name.
    """
    if not dataclasses.is_dataclass(settings):
        return {"repr": repr(settings)}
    return {f.name: _plain(getattr(settings, f.name)) for f in dataclasses.fields(settings)}


def _plain(value: Any) -> Any:
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        array = np.asarray(value)
        if array.size <= LARGEST_LISTED:
            return array.tolist()
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        return f"{array.dtype} {list(array.shape)} sha256:{digest}"
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Loss):
        return value.name
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"kind": kind_of(value)} | plain_fields(value)
    if isinstance(value, types.FunctionType | type):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


def provenance() -> dict[str, str]:
    """Return the versions and the device that produced a result."""
    device = jax.local_devices()[0]
    versions = {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy", "xarray")}
    return {f"{name}_version": version for name, version in versions.items()} | {
        "w2sjax_version": __version__,
        "device": f"{jax.local_device_count()} x {device.device_kind}",
        "platform": device.platform,
        "git_revision": git_revision(),
    }


@functools.cache
def git_revision() -> str:
    """Return the commit of this package's source, with "+changes" if it has any; "unknown" if it is in no checkout."""
    folder = Path(__file__).resolve().parents[1]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):
            return "unknown"  # installed inside somebody else's checkout
        revision = git("rev-parse", "HEAD")
        return revision + ("+changes" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def attributes(grid: Grid, seed: int, pairs: range, title: str = "") -> dict[str, Any]:
    """Return the attributes of a Dataset: title, how to cite, the configuration as JSON, versions and device.

    Args:
        title: one line; without it, the world and the axes.
    """
    whole = configuration(grid, seed) | {"pairs": len(pairs), "first_pair": pairs.start}
    axes = f" over {', '.join(grid.labels)}" if grid.labels else ""
    about = {"title": title or f"{type(grid.world).__name__}{axes}", "how_to_cite": how_to_cite()}
    about["bibtex"] = bibtex(about["title"])
    return about | {"configuration": json.dumps(whole)} | provenance()


def how_to_cite() -> str:
    """Return whom to cite for a result."""
    return (
        f"The w2sjax authors: w2sjax {w2sjax.__version__}, a JAX simulator of weak-to-strong generalization; and the "
        "paper of the setting, which the title or docs/studies.md names."
    )


def history(doing: str) -> str:
    """Return a line of the history of a store, as NetCDF's conventions have it: when, by what, what."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{now} w2sjax {w2sjax.__version__}: {doing}"
