"""What all benchmark scripts share: their options, the machine and versions in a record, and how it is written."""

import argparse
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from w2sjax.cores import cpu_of_record


def options(description: str | None) -> argparse.Namespace:
    """Return the command line's `fast` (a check that it runs) and `out` (a path or None)."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--fast", action="store_true", help="few repeats of little work: a check that it runs"
    )
    parser.add_argument("--out", type=Path, help="where to write the JSON (default: standard output)")
    return parser.parse_args()


def surroundings(*packages: str) -> dict[str, Any]:
    """Return the device, what the CPU is, and the versions of JAX, NumPy and other packages."""
    return {
        "device": f"{jax.local_device_count()} x {jax.local_devices()[0].device_kind}",
        **cpu_of_record(),
        "versions": {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy", *packages)},
    }


def write(report: dict[str, Any], out: Path | None) -> None:
    """Write a report as JSON to a file, or to standard output."""
    text = json.dumps(report, indent=2) + "\n"
    if out is None:
        print(text, end="")
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
