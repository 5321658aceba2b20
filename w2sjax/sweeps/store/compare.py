"""Where two configurations differ first."""

import json
from collections.abc import Mapping
from typing import Any

ABSENT = "nothing"


def first_difference(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return (path, stored value, expected value) of the first field that differs, or None.

    The path is nested, such as "world.weak_noise". Tables whose entries are equal but stand in another order differ
    too, because the order of axes is the order of dimensions.

    Args:
        stored, expected: JSON values.
    """
    for name in (*stored, *(n for n in expected if n not in stored)):
        old, new = stored.get(name, ABSENT), expected.get(name, ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            inner = first_difference(old, new)
            if inner is not None:
                return f"{name}.{inner[0]}", *inner[1:]
            if name == "axes" and list(old) != list(new):
                return f"{name} (order)", ", ".join(old), ", ".join(new)
        elif old != new or isinstance(old, bool) != isinstance(new, bool):
            return name, _shown(old), _shown(new)
    return None


def _shown(value: Any) -> str:
    if value is ABSENT:
        return ABSENT
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
