"""What a user's own code is known by in a store: its name, and hashes of its source and of all that this refers to."""

import ast
import builtins
import hashlib
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

PACKAGE = __name__.partition(".")[0]

_GENERATED = {
    *("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__replace__"),
    *("__lt__", "__le__", "__gt__", "__ge__"),
}


def kind_of(value: Any) -> str:
    """Return the name of an object's class: of this package's own its name, of others with their module."""
    kind = type(value)
    return kind.__qualname__ if _root(kind) == PACKAGE else f"{kind.__module__}.{kind.__qualname__}"


def sources(value: Any) -> tuple[dict[str, str], list[str]]:
    """Hash a user's code behind an object: its class, and what the source of that refers to.

    Followed are functions, classes and constants that the source names, what functions close over, base classes, and
    code among the values of fields, as far as none of it is of an installed library: versions stand for those. Not
    followed are files, and what is looked up at run time.

    Returns:
        Hashes by name, none for an object of this package; and the names whose source cannot be read, so that their
        bytecode stands for it, which does not hold what a class body computes.
    """
    found: dict[str, str] = {}
    unreadable: list[str] = []
    first = value if isinstance(value, types.FunctionType) else type(value)
    own = _root(first)
    waiting: list[Any] = [first, *_code_in(value)]
    seen: set[int] = set()
    while waiting:
        code = waiting.pop()
        if id(code) in seen:
            continue
        seen.add(id(code))
        if not _is_followed(code, own):
            if _root(code) == PACKAGE:  # its own code is a version's; what it was made of may be the user's
                waiting += [
                    c for c in _closed_over(code).values() if isinstance(c, types.FunctionType | type)
                ]
            continue
        name = f"{code.__module__}.{code.__qualname__}"
        functions = [code] if isinstance(code, types.FunctionType) else list(_methods(code))
        try:
            text = textwrap.dedent(inspect.getsource(code))
            names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        except (OSError, TypeError, SyntaxError):
            unreadable.append(name)
            text = repr([_bytecode(function.__code__) for function in functions])
            names = {word for function in functions for word in _names_of(function.__code__)}
        for reference, referred in sorted(_references(code, functions, names).items()):
            if isinstance(referred, types.FunctionType | type):
                waiting.append(referred)
            elif not isinstance(referred, types.ModuleType):
                text += f"\n{reference} = {_described(referred)}"
                waiting += [type(referred), *_code_in(referred)]
        found[name] = hashlib.sha256((found.get(name, "") + text).encode()).hexdigest()[:16]
        waiting += code.__mro__[1:] if isinstance(code, type) else ()
    return dict(sorted(found.items())), unreadable


def _closed_over(code: Any) -> dict[str, Any]:
    """Return what a function closes over, such as the generator of a divergence, by name; nothing of a class."""
    if not isinstance(code, types.FunctionType):
        return {}
    cells = zip(code.__code__.co_freevars, code.__closure__ or (), strict=True)
    return {name: cell.cell_contents for name, cell in cells if cell != types.CellType()}


def _root(code: Any) -> str:
    return str(getattr(code, "__module__", "")).partition(".")[0]


def _is_followed(code: Any, own: str) -> bool:
    """Say whether code is the user's: of the object's own package, or of a file that no installation put there."""
    root = _root(code)
    if root == PACKAGE or getattr(builtins, code.__name__, None) is code:
        return False
    file = getattr(sys.modules.get(code.__module__), "__file__", None) or ""
    installed = "site-packages" in file or "dist-packages" in file
    return root == own or root == "__main__" or not (installed or root in sys.stdlib_module_names)


def _references(code: Any, functions: list[types.FunctionType], names: set[str]) -> dict[str, Any]:
    """Return what the names in a source stand for: globals, and what functions close over or have as defaults."""
    around = dict(vars(sys.modules[code.__module__])) if code.__module__ in sys.modules else {}
    closed: dict[str, Any] = {}
    for function in functions:
        around |= function.__globals__ if function.__module__ == code.__module__ else {}
        closed |= {name: each for name, each in _closed_over(function).items() if name != "__class__"}
        defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        closed |= {f"{function.__name__} default {i}": value for i, value in enumerate(defaults)}
    return {name: around[name] for name in names if name in around} | closed


def _methods(kind: type) -> Iterator[types.FunctionType]:
    for member in vars(kind).values():
        inner = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
        inner = inspect.unwrap(inner) if callable(inner) else inner
        # What a dataclass generates is made of its fields, which the source shows.
        generated = getattr(inner, "__name__", "") in _GENERATED
        if isinstance(inner, types.FunctionType) and not (
            generated and inner.__code__.co_filename == "<string>"
        ):
            yield inner


def _names_of(code: types.CodeType) -> set[str]:
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return set(code.co_names).union(*(_names_of(each) for each in inner))


def _bytecode(code: types.CodeType) -> Any:
    constants = [_bytecode(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return code.co_code.hex(), constants, code.co_names


def _code_in(value: Any) -> list[Any]:
    """Return the functions, and the classes of objects, among the values of an object's fields or of a collection."""
    inside = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    values = list(value) if isinstance(value, list | tuple | set) else list(inside.values())
    found: list[Any] = []
    for each in values:
        if isinstance(each, types.FunctionType | type):
            found.append(each)
        elif hasattr(each, "__dict__") or isinstance(each, list | tuple | set | dict):
            found += [type(each), *_code_in(each)]
    return found


def _described(value: Any) -> str:
    """Return text that is the same for equal constants."""
    if hasattr(value, "__array__") and hasattr(value, "dtype"):
        array = np.ascontiguousarray(value)
        return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_described(item)}" for key, item in value.items()) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(_described, value))) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_described, value)) + "]"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if isinstance(value, types.FunctionType | type):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{type(value).__qualname__}{_described(getattr(value, '__dict__', {}))}"
