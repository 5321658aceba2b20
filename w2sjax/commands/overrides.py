"""NAME=VALUE from the command line, and settings that it changes."""

import dataclasses
import tomllib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from w2sjax.errors import W2SError

if TYPE_CHECKING:
    from w2sjax.studies import Study


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


def change_study(study: "Study", changes: Sequence[str]) -> "Study":
    """Return a study with fields of its world, protocol or axes, or its pairs, as NAME=VALUE says.

    Raises:
        W2SError: for a field that is not there, with the nearest one, or one that an axis of the study replaces.
    """
    for text in changes:
        path, value = assignment(text)
        part, _, field = path.partition(".")
        if part == "axes" and field and isinstance(value, list):
            study = dataclasses.replace(study, axes={**study.axes, field: tuple(value)})
        elif path == "pairs":
            study = dataclasses.replace(study, pairs=value)
        elif part in ("world", "protocol") and field:
            varied = [axis for axis in study.axes if axis in (field, field.rpartition(".")[2])]
            if varied:
                raise W2SError(
                    f"--set {text} has no effect in {study.name}, which varies {varied[0]}: set axes.{varied[0]}."
                )
            study = dataclasses.replace(study, **{part: _replaced(getattr(study, part), path, field, value)})
        else:
            raise W2SError(
                f"--set {text} is no setting: use pairs=N, world.NAME=, protocol.NAME= or axes.NAME=[...]."
            )
    return study


def _replaced(settings: Any, path: str, field: str, value: Any) -> Any:
    from w2sjax.validation import nearest

    name, _, rest = field.partition(".")
    names = (
        [f.name for f in dataclasses.fields(settings) if f.init] if dataclasses.is_dataclass(settings) else []
    )
    if name not in names:
        close = f"did you mean {nearest(name, names)}?" if names else "it has no fields."
        raise W2SError(f"--set {path}: {type(settings).__name__} has no field {name!r}: {close}")
    if rest:
        value = _replaced(getattr(settings, name), path, rest, value)
    return dataclasses.replace(settings, **{name: value})
