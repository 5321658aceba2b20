"""Configuration files of sweeps: TOML, checked field by field before anything runs."""

import dataclasses
import inspect
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import ConfigDict, Field

from w2sjax import worlds
from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError, reason
from w2sjax.random.keys import LARGEST_SEED, MOST_PAIRS
from w2sjax.sweeps.grid import axis_names, make_grid, put
from w2sjax.validation import nearest, shown

DEFAULT_WORLD = "PerturbedMLP"


class SweepFile(pydantic.BaseModel):
    """A configuration file as it stands. The description of a field completes "... is not ..."."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    pairs: Annotated[int, Field(ge=1, le=MOST_PAIRS, description="a whole number >= 1 and <= 2^32")]
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED, description="a whole number >= 0 and < 2^32")] = 0
    paired: Annotated[bool, Field(description="true or false")] = True
    precision: Annotated[
        Literal["auto", "float64", "float32"], Field(description='"auto", "float64" or "float32"')
    ] = "auto"
    memory_budget: Annotated[int | None, Field(ge=1, description="a whole number of bytes >= 1")] = None
    chunk_pairs: Annotated[int | None, Field(ge=1, description="a whole number >= 1")] = None
    world: Annotated[dict[str, Any], Field(description="a table: write [world] on a line of its own")] = {}
    protocol: Annotated[
        dict[str, Any], Field(description="a table: write [protocol] on a line of its own")
    ] = {}
    axes: Annotated[
        dict[str, list[Any]], Field(description="a list of values, such as [0.0, 0.1], under [axes]")
    ] = {}


@dataclasses.dataclass(frozen=True)
class SweepConfiguration:
    """A checked configuration: the arguments of `sweep`, and the precision to compute in."""

    world: Any
    protocol: Protocol
    pairs: int
    seed: int
    axes: dict[str, list[Any]]
    paired: bool
    precision: str
    memory_budget: int | None
    chunk_pairs: int | None

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of `sweep`."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "precision"}


def load_configuration(file: Path) -> SweepConfiguration:
    """Read and check a configuration file. Nothing in it is executed.

    Args:
        file: TOML with `pairs`, optional `seed`, `paired`, `precision`, `memory_budget` and `chunk_pairs`, and the
            tables `[world]` (`kind` and the fields of that world), `[protocol]` (the fields of `Protocol`) and
            `[axes]` (lists of values by field of either).

    Raises:
        W2SError: for a file that cannot be read, an unknown key or a value out of range; one sentence with the full
            path of the key and the nearest valid name or the fix.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")  # a mark of the byte order is none of its content
    except OSError as error:
        raise W2SError(f"{file} cannot be read ({reason(error)}): pass a TOML file.") from error
    except UnicodeDecodeError as error:
        raise W2SError(f"{file} is not text in UTF-8: pass a TOML file.") from error
    try:
        content = tomllib.loads(text + "\n")  # so that a mistake at the end has a line number
    except RecursionError:
        raise W2SError(
            f"{file} is nested too deeply: write tables as [world] on a line of its own."
        ) from None
    except ValueError as error:  # a syntax error, or a number of thousands of digits
        raise W2SError(_syntax(file, text, str(error))) from error
    try:
        return check_configuration(content)
    except W2SError as error:
        raise W2SError(f"{file}: {error}") from error


def check_configuration(content: dict[str, Any]) -> SweepConfiguration:
    """Check the content of a configuration file.

    Raises:
        W2SError: as `load_configuration`, without the file's name.
    """
    try:
        given = SweepFile.model_validate(content)
    except pydantic.ValidationError as error:
        raise W2SError(_sentence(_first(error), "", SweepFile)) from None
    world = _build("world", _world_class(given.world), {k: v for k, v in given.world.items() if k != "kind"})
    protocol = _build("protocol", Protocol, given.protocol)
    _check_axes(world, protocol, given.axes)
    try:
        make_grid(world, protocol, given.axes, paired=given.paired)
    except W2SError as error:
        raise W2SError(re.sub(r"^axes\['(\w+)'\]", r"axes.\1", str(error))) from error
    rest = given.model_dump(exclude={"world", "protocol"})
    return SweepConfiguration(world=world, protocol=protocol, **rest)


def world_kinds() -> dict[str, type]:
    """Return the worlds that a file can name: the public dataclasses of `w2sjax.worlds` with a `draw` method."""
    return {
        name: kind
        for name, kind in inspect.getmembers(worlds, inspect.isclass)
        if dataclasses.is_dataclass(kind) and callable(getattr(kind, "draw", None))
    }


def _world_class(section: dict[str, Any]) -> type:
    kinds = world_kinds()
    kind = section.get("kind", DEFAULT_WORLD)
    if not isinstance(kind, str) or kind not in kinds:
        close = nearest(str(kind), list(kinds))
        raise W2SError(f"world.kind={kind!r} is not known: use {close!r} (kinds: {', '.join(kinds)}).")
    return kinds[kind]


def _build(section: str, kind: type, values: dict[str, Any]) -> Any:
    """Build a dataclass from a table, naming the key of whatever it refuses by its full path."""
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    required = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    described: dict[str, Any] = {name: (Any, ... if name in required else None) for name in fields}
    model = pydantic.create_model(section, __config__=ConfigDict(extra="forbid"), **described)
    try:
        model.model_validate(values)
    except pydantic.ValidationError as error:
        names = (*fields, "kind") if section == "world" else tuple(fields)
        raise W2SError(_sentence(_first(error), f"{section}.", model, names)) from None
    try:
        return kind(**values)
    except W2SError as error:
        raise W2SError(_with_path(section, str(error), values)) from error
    except TypeError as error:
        raise W2SError(f"{section} cannot be built ({error}): see the fields of {kind.__name__}.") from error


def _check_axes(world: Any, protocol: Protocol, axes: dict[str, list[Any]]) -> None:
    names = axis_names(world)
    relaxed = dataclasses.replace(protocol, reuse_inputs=False)
    for name, values in axes.items():
        if name not in names:
            raise W2SError(
                f"axes.{name} is not a field that can vary: did you mean axes.{nearest(name, names)}? "
                f"The fields are {', '.join(names)}."
            )
        for position, value in enumerate(values):
            if isinstance(value, dict | list):
                raise W2SError(
                    f"axes.{name}[{position}]={shown(value)} is not a single value: pass numbers or text."
                )
            try:
                put(world, relaxed, {name: value})
            except W2SError as error:
                raise W2SError(_with_path("axes", str(error), {name: value})) from error


def _with_path(section: str, message: str, values: dict[str, Any]) -> str:
    """Put the path before a message that begins with the name of a field, or before any other message."""
    for name in values:
        if re.match(rf"{re.escape(name)}\b", message):
            return f"{section}.{message}"
    only = f".{next(iter(values))}" if len(values) == 1 else ""
    return f"{section}{only}: {message}"


def _first(error: pydantic.ValidationError) -> Any:
    """Return the first error, an unknown key before all others: a key that is missing may be the one misspelled."""
    return min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")


def _sentence(error: Any, prefix: str, model: type[pydantic.BaseModel], names: Sequence[str] = ()) -> str:
    """Turn an error of pydantic into one sentence with the full path of the key."""
    location = [str(part) for part in error["loc"] if not str(part).startswith("constrained-")]
    path = prefix + ".".join(location[:2])
    known = tuple(names) or tuple(model.model_fields)
    if error["type"] == "extra_forbidden":
        close = prefix + nearest(location[0], known)
        return f"{path} is not known: did you mean {close}? The keys are {', '.join(known)}."
    if error["type"] == "missing":
        return f"{path} is missing: add it to the file."
    wanted = model.model_fields[location[0]].description or error["msg"]
    return f"{path}={shown(error['input'])} is not {wanted}."


def _syntax(file: Path, text: str, message: str) -> str:
    """Return a sentence for a file that is not TOML; a key given twice is named by its full path."""
    found = re.search(r"\(at line (\d+), column \d+\)", message)
    lines = text.splitlines()
    number = int(found.group(1)) if found else 0
    if ("overwrite" in message or "twice" in message) and 1 <= number <= len(lines):
        key = lines[number - 1].split("=")[0].strip().strip("[]\"' ")
        headers = [
            m.group(1) for line in lines[: number - 1] if (m := re.match(r"\s*\[\s*([\w.]+)\s*\]", line))
        ]
        in_table = "=" in lines[number - 1] and headers
        path = f"{headers[-1]}.{key}" if in_table else key
        return f"{file}: {path} is given twice, the second time in line {number}: keep one."
    return f"{file} is not valid TOML ({message}): mend that line."
