"""What importing the package and asking for help load, and which way imports point."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import w2sjax as w2s

PACKAGE = Path(w2s.__file__).parent

LIBRARIES = ("jax", "numpy", "scipy", "xarray", "pandas", "zarr", "matplotlib", "flax", "optax")

FORBIDDEN = {
    "analysis": ("figures", "studies", "commands"),
    "figures": ("studies", "commands", "sweeps", "engine"),
    "theory": ("analysis", "figures", "studies", "commands", "sweeps"),
    "studies": ("commands",),
    "worlds": ("analysis", "figures", "studies", "commands", "sweeps", "theory"),
}
"""By package, the packages of w2sjax that it must not import."""


def loaded_after(program: str, libraries: tuple[str, ...] = LIBRARIES) -> str:
    """Return which libraries a Python program has loaded when it ends, as a list in text."""
    program = f"import sys\n{program}\nprint([name for name in {libraries} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def test_import_loads_no_library() -> None:
    assert loaded_after("import w2sjax") == "[]"


def test_experiments_leave_the_libraries_of_results_for_sweeps() -> None:
    slow = ("xarray", "zarr", "pandas", "matplotlib", "optax", "orbax")
    assert loaded_after("import w2sjax; w2sjax.run_pair, w2sjax.worlds, w2sjax.Protocol()", slow) == "[]"


def test_statistics_and_studies_leave_matplotlib_for_drawing() -> None:
    program = """
import w2sjax as w2s
w2s.analysis, w2s.theory, w2s.figures
for name, entry in w2s.studies.INDEX.items():
    if not entry.data:
        w2s.studies.get(name)
"""
    assert loaded_after(program, ("matplotlib",)) == "[]"


@pytest.mark.parametrize("arguments", ["--help", "--version", "settings", "reproduce --help", "sweep --help"])
def test_help_and_lists_load_no_library(arguments: str) -> None:
    program = f"""
from w2sjax.cli import main
try:
    main({arguments.split()})
except SystemExit as stopped:
    assert not stopped.code, stopped.code
"""
    assert loaded_after(program) == "[]"


def test_the_package_is_a_program() -> None:
    command = [sys.executable, "-m", "w2sjax", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"w2sjax {w2s.__version__}\n"


def test_every_public_name_is_there() -> None:
    assert all(hasattr(w2s, name) for name in w2s.__all__)
    assert not hasattr(w2s, "weep")
    listed = subprocess.run(
        [sys.executable, "-c", "import w2sjax; print(*dir(w2sjax))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(w2s.__all__) <= set(listed.stdout.split())


def imported(file: Path) -> set[str]:
    """Return the names of w2sjax's packages and modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "w2sjax":
            found |= {alias.name for alias in node.names}
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found |= {name.split(".")[1] for name in names if name.startswith("w2sjax.")}
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package: str) -> None:
    files = sorted((PACKAGE / package).rglob("*.py"))
    assert files
    for file in files:
        assert not imported(file) & set(FORBIDDEN[package]), file


@pytest.mark.parametrize("package", ["analysis", "figures", "studies", "theory", "worlds"])
def test_no_function_hides_a_module(package: str) -> None:
    modules = {file.stem for file in (PACKAGE / package).glob("*.py")}
    public = vars(importlib.import_module(f"w2sjax.{package}"))
    assert not [name for name in modules & set(public) if not inspect.ismodule(public[name])]
