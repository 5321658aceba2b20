"""The Python of the README and of the docs runs as printed, from top to bottom, in an empty folder."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import w2sjax

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def script(page: str) -> str:
    """Return the Python blocks of a page as one script whose line numbers are the page's."""
    lines = [""] * page.count("\n")
    for match in BLOCK.finditer(page):
        first = page.count("\n", 0, match.start(1))
        code = match.group(1).splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines) + "\n"


def test_script_keeps_line_numbers():
    assert script("text\n```python\nx = 1\n```\n```sh\nno\n```\n") == "\n\nx = 1\n\n\n\n\n"


def test_seconds_of_a_newcomer_are_those_on_record():
    file = ROOT / "benchmarks" / "results" / "report.py"
    report = runpy.run_path(str(file))
    assert report["newcomer"](report["load"]("newcomer")) in (ROOT / "README.md").read_text(encoding="utf-8")


PAGES = [
    str(page.relative_to(ROOT))
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if "```python" in page.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", PAGES)
def test_python_blocks_run(tmp_path, name):
    page = (ROOT / name).read_text(encoding="utf-8")
    assert len(BLOCK.findall(page)) == page.count("```python") > 0
    file = tmp_path / Path(name).name
    file.write_text(script(page), encoding="utf-8")
    package = str(Path(w2sjax.__file__).parents[1])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, file.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    assert "nan" not in run.stdout.lower(), run.stdout
