"""Reports as JSON text."""

import json
import math
from pathlib import Path
from typing import Any

from w2sjax.errors import told
from w2sjax.files import write_atomically
from w2sjax.paths import MARK


def report_text(report: Any) -> str:
    """Return indented JSON, with null in place of NaN and infinity, which JSON lacks."""
    return json.dumps(_null_for_nan(report), indent=2, allow_nan=False)


def write_report(option: str, file: Path, report: dict[str, Any]) -> None:
    """Write a report that the program will know as its own.

    Raises:
        W2SError: if it cannot be written; the message names the option.
    """
    with told(f"{option}={file} cannot be written"):
        write_atomically(file, report_text({"origin": MARK} | report) + "\n")


def _null_for_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _null_for_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_null_for_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
