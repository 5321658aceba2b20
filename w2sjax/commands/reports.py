"""Reports as JSON text."""

import json
import math
from typing import Any


def report_text(report: Any) -> str:
    """Return indented JSON, with null in place of NaN and infinity, which JSON lacks."""
    return json.dumps(_null_for_nan(report), indent=2, allow_nan=False)


def _null_for_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _null_for_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_null_for_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
