"""Links, anchors and commands of the pages, the site in strict mode, and notebooks run in fast mode."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import typer.main

import w2sjax
from w2sjax.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the site and GitHub make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("http"):
            continue
        file, _, anchor = link.partition("#")
        found = page.parent / file if file else page
        assert found.exists(), link
        assert not anchor or anchor in anchors(found), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if "w2sjax" not in words or "install" in words:
                continue
            name, *rest = words[words.index("w2sjax") + 1 :]
            assert name.startswith("-") or name in commands, line
            if name in commands:
                known = {option for parameter in commands[name].params for option in parameter.opts}
                known |= {
                    option for parameter in commands[name].params for option in parameter.secondary_opts
                }
                assert {word.split("=")[0] for word in rest if word.startswith("--")} <= known, line


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs the extra `docs`")
def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "run_pair" in (tmp_path / "site" / "api" / "index.html").read_text()


def cells(source: str) -> list[tuple[str, str]]:
    """Return the cells of a script in jupytext's percent format: kind and text."""
    found = []
    for part in re.split(r"^# %%", source, flags=re.MULTILINE)[1:]:
        head, _, text = part.partition("\n")
        kind = "markdown" if "[markdown]" in head else "code"
        lines = text.strip("\n").splitlines()
        found.append(
            (
                kind,
                "\n".join(re.sub(r"^# ?", "", line) for line in lines)
                if kind == "markdown"
                else "\n".join(lines),
            )
        )
    return found


def test_pairs_of_notebooks_say_the_same_and_hold_no_output() -> None:
    assert len(NOTEBOOKS) >= 7
    assert {file.stem for file in NOTEBOOKS} == {file.stem for file in (ROOT / "notebooks").glob("*.ipynb")}
    for file in NOTEBOOKS:
        notebook = nbformat.read(file.with_suffix(".ipynb"), as_version=4)
        nbformat.validate(notebook)
        assert [(cell.cell_type, cell.source) for cell in notebook.cells] == cells(file.read_text()), (
            f"{file.name}: run make notebooks"
        )
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_run_in_fast_mode(file: Path, tmp_path: Path) -> None:
    package = str(Path(w2sjax.__file__).parents[1])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    fast = {"PYTHONPATH": path, "W2SJAX_FAST": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, "-W", "error::UserWarning", str(file)]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | fast, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout and "nan" not in done.stdout.lower(), done.stdout
