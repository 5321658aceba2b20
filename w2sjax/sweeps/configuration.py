"""Configuration files of sweeps: TOML, checked field by field before anything runs."""

import dataclasses
import importlib
import inspect
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pydantic
from pydantic import ConfigDict, Field

from w2sjax import heads, losses, methods, targets, worlds
from w2sjax.engine.chain import Stage
from w2sjax.engine.metrics import Metric
from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError, reason
from w2sjax.losses import Loss
from w2sjax.random.keys import LARGEST_SEED, MOST_PAIRS
from w2sjax.sweeps.grid import make_grid
from w2sjax.validation import nearest, shown

DEFAULT_WORLD = "PerturbedMLP"

PARTS = {"world": "draw", "head": "fit", "weak_head": "fit", "method": "targets", "target": "truth"}
"""What an object of a table must be able to do, by the name of the table."""


def _as_table(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError("no table")
    return value


_TABLE = Field(description="a table: write [{}] on a line of its own")
Table = Annotated[Any, pydantic.AfterValidator(_as_table), _TABLE]


class SweepConfiguration(pydantic.BaseModel):
    """A configuration file: its fields as they stand, or checked, with the objects of its tables.

    The description of a field completes "... is not ...".
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    pairs: Annotated[int, Field(ge=1, le=MOST_PAIRS, description="a whole number >= 1 and <= 2^32")]
    first_pair: Annotated[int, Field(ge=0, lt=MOST_PAIRS, description="a whole number >= 0 and < 2^32")] = 0
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED, description="a whole number >= 0 and < 2^32")] = 0
    paired: Annotated[bool, Field(description="true or false")] = True
    precision: Annotated[
        Literal["auto", "float64", "float32"], Field(description='"auto", "float64" or "float32"')
    ] = "auto"
    memory_budget: Annotated[int | None, Field(ge=1, description="a whole number of bytes >= 1")] = None
    chunk_pairs: Annotated[int | None, Field(ge=1, description="a whole number >= 1")] = None
    world: Table = {}
    protocol: Table = {}
    axes: Table = {}
    metrics: Annotated[list[str], Field(description='a list of names, such as ["module.name"]')] = []

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of `sweep`."""
        return {name: value for name, value in self if name != "precision"}


def load_configuration(
    file: Path, modules: Sequence[str] = (), changes: Sequence[tuple[str, Any]] = ()
) -> SweepConfiguration:
    """Read and check a configuration file. Nothing in it is executed.

    Args:
        file: TOML with `pairs`, optional `first_pair`, `seed`, `paired`, `precision`, `memory_budget`, `chunk_pairs`
            and `metrics`, and the tables `[world]` (`kind` and the fields of that world), `[protocol]` (the fields of
            `Protocol`; `[protocol.head]` with `kind` and the fields of that head) and `[axes]` (lists of values by
            field).
        modules: names of the user's modules, which are imported: the file may name what is in them,
            `kind = "module.Name"`.
        changes: keys by their full path, such as "protocol.n_strong", and values in place of the file's.

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
        raise W2SError(_syntax_error(file, text, str(error))) from error
    try:
        for path, value in changes:
            _set(content, path, value)
        return check_configuration(content, modules)
    except W2SError as error:
        raise W2SError(f"{file}: {error}") from error


def _set(content: dict[str, Any], path: str, value: Any) -> None:
    """Put a value where a path of tables leads."""
    *tables, name = path.split(".")
    for table in tables:
        content = content.setdefault(table, {})
        if not isinstance(content, dict):
            raise W2SError(f"{path}: {table} is no table: pass a path such as protocol.n_strong.")
    content[name] = value


def check_configuration(content: dict[str, Any], modules: Sequence[str] = ()) -> SweepConfiguration:
    """Check the content of a configuration file.

    Raises:
        W2SError: as `load_configuration`, without the file's name.
    """
    try:
        given = SweepConfiguration.model_validate(content)
    except pydantic.ValidationError as error:
        # An unknown key before all others: a key that is missing may be the one misspelled.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise W2SError(_sentence(first)) from None
    kinds = _Kinds([_imported(name) for name in modules])
    world = kinds.object("world", {"kind": DEFAULT_WORLD} | given.world)
    protocol = kinds.build("protocol", Protocol, given.protocol)
    axes = {name: _axis(kinds, name, values) for name, values in _flat(given.axes).items()}
    metrics = tuple(metric for name in given.metrics for metric in kinds.metrics(name))
    try:
        make_grid(world, protocol, axes, paired=given.paired, metrics=metrics)
    except W2SError as error:
        raise W2SError(_with_path("axes", str(error), [name.split(".")[-1] for name in axes])) from error
    return given.model_copy(update={"world": world, "protocol": protocol, "axes": axes, "metrics": metrics})


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise W2SError(
            f"--module {name} cannot be imported ({error}): pass a module on Python's path."
        ) from error


def _as_metrics(value: Any) -> tuple[Metric, ...]:
    several = value if isinstance(value, tuple | list) and not isinstance(value, Metric) else (value,)
    return tuple(several) if all(isinstance(each, Metric) for each in several) else ()


def _flat(axes: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return axes by their names; `head.epochs = [...]` is a table in a table to TOML."""
    found: dict[str, Any] = {}
    for name, values in axes.items():
        found |= _flat(values, f"{prefix}{name}.") if isinstance(values, dict) else {prefix + name: values}
    return found


def _axis(kinds: "_Kinds", name: str, values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise W2SError(
            f"axes.{name}={shown(values)} is not a list of values, such as [0.0, 0.1], under [axes]."
        )
    return [kinds.object(f"axes.{name}", value) if isinstance(value, dict) else value for value in values]


class _Kinds:
    """What the tables of a file can be: public dataclasses of this package, and of a user's modules by full name.

    Args:
        modules: the user's.
    """

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self._named: dict[str, Any] = {}
        for module in (worlds, heads, methods, targets):
            self._named |= dict(inspect.getmembers(module, dataclasses.is_dataclass))
        for module in modules:
            self._named |= {f"{module.__name__}.{name}": value for name, value in vars(module).items()}

    def of(self, part: str) -> dict[str, type]:
        """Return the classes that can be a part, such as "head"."""
        return {
            name: kind
            for name, kind in self._named.items()
            if isinstance(kind, type)
            and dataclasses.is_dataclass(kind)
            and callable(getattr(kind, PARTS[part], None))
        }

    def metrics(self, name: str) -> tuple[Metric, ...]:
        """Return the metrics of a name in a user's module: one, or several in a tuple."""
        known = {other: _as_metrics(value) for other, value in self._named.items()}
        if not known.get(name):
            names = ", ".join(other for other, found in known.items() if found)
            way = f"use one of {names}" if names else "name the module that has it by --module"
            raise W2SError(f"metrics holds {name!r}, which is no metric of a --module: {way}.")
        return known[name]

    def object(self, path: str, table: dict[str, Any], default: Any = None) -> Any:
        """Build the object of a table, of the class that its `kind` names, or that of the default."""
        part = path.rpartition(".")[2]
        fields = {name: value for name, value in table.items() if name != "kind"}
        if part not in PARTS:
            if dataclasses.is_dataclass(default) and "kind" not in table:
                return self.build(path, type(default), fields)
            raise W2SError(f"{path}={shown(table)} is a table: pass a single value.")
        known = self.of(part)
        kind = table.get("kind", type(default).__name__ if default is not None else None)
        if kind is None:
            raise W2SError(f"{path}.kind is missing: use one of {', '.join(known)}.")
        if not isinstance(kind, str) or kind not in known:
            close = nearest(str(kind), list(known))
            raise W2SError(
                f"{path}.kind={shown(kind)} is not known: use {close!r} (kinds: {', '.join(known)})."
            )
        return self.build(path, known[kind], fields)

    def build(self, path: str, kind: type, table: dict[str, Any]) -> Any:
        """Build a dataclass from a table, naming the table in whatever it refuses."""
        fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
        names = ("kind", *fields) if path.rpartition(".")[2] in PARTS else tuple(fields)
        for name in table:
            if name not in fields:
                close = nearest(name, names)
                raise W2SError(
                    f"{path}.{name} is not known: did you mean {path}.{close}? The keys are {', '.join(names)}."
                )
        none = dataclasses.MISSING
        for name, field in fields.items():
            if field.default is none and field.default_factory is none and name not in table:
                raise W2SError(f"{path}.{name} is missing: add it to the file.")
        values = {name: self._value(f"{path}.{name}", fields[name].default, v) for name, v in table.items()}
        try:
            return kind(**values)
        except W2SError as error:
            raise W2SError(_with_path(path, str(error), fields)) from error
        except TypeError as error:
            raise W2SError(f"{path} cannot be built ({error}): see the fields of {kind.__name__}.") from error

    def _value(self, path: str, default: Any, value: Any) -> Any:
        if isinstance(value, dict):
            return self.object(path, value, None if default is dataclasses.MISSING else default)
        if path == "protocol.stages" and isinstance(value, list):
            return tuple(self._stage(f"{path}[{i}]", table) for i, table in enumerate(value))
        if isinstance(default, Loss):
            known = {name.lower(): loss for name, loss in vars(losses).items() if isinstance(loss, Loss)}
            if value not in known:
                raise W2SError(f"{path}={shown(value)} is not known: use one of {', '.join(known)}.")
            return known[value]
        return value

    def _stage(self, path: str, table: Any) -> Stage:
        if not isinstance(table, dict):
            raise W2SError(
                f"{path}={shown(table)} is not a table: write [[protocol.stages]] on a line of its own."
            )
        stage: Stage = self.build(path, Stage, table)
        return stage


def _with_path(path: str, message: str, names: Iterable[str]) -> str:
    """Put the path of its table before a message that begins with the name of a field; before others too."""
    if any(message.startswith(f"{name}=") for name in names):
        return f"{path}.{message}"
    return message if message.startswith(path) else f"{path}: {message}"


def _sentence(error: Any) -> str:
    """Turn an error of pydantic into one sentence with the key."""
    key, known = str(error["loc"][0]), tuple(SweepConfiguration.model_fields)
    if error["type"] == "extra_forbidden":
        return f"{key} is not known: did you mean {nearest(key, known)}? The keys are {', '.join(known)}."
    if error["type"] == "missing":
        return f"{key} is missing: add it to the file."
    description = str(SweepConfiguration.model_fields[key].description).format(key)
    return f"{key}={shown(error['input'])} is not {description}."


def _syntax_error(file: Path, text: str, message: str) -> str:
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
