"""NAME=VALUE from the command line."""

import tomllib
from typing import Any

from w2sjax.errors import W2SError


def assignment(text: str) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE; the value as TOML has it, or text where it is no TOML.

    Raises:
        W2SError: for text without a name or a value.
    """
    name, _, value = (part.strip() for part in text.partition("="))
    if not name or not value:
        raise W2SError(f"{text!r} is not NAME=VALUE: write one, such as n_strong=500.")
    try:
        found: dict[str, Any] = tomllib.loads(f"value = {value}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return name, value
    return name, found["value"] if len(found) == 1 else value
