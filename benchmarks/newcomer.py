"""Do what README.md tells a newcomer, in an empty folder, environment and cache, and time it.

Usage: python benchmarks/newcomer.py [--fast] [--out FILE.json]

The commands of the section "First figure" install this checkout and draw; then every section with Python of its own
that is to be changed, "Your own world" and "Your own features", is a file that holds nothing else. Everything compiles
anew. Where `uv` is on the path, it builds a wheel, installs it elsewhere, and that draws as well. --fast leaves out all
installation and uses the environment of this script. Seconds are those of commands, not of reading or typing.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import recording

ROOT = Path(__file__).parents[1]
SECTIONS = {"own_world": "Your own world", "own_features": "Your own features"}


def blocks(section: str, language: str) -> list[str]:
    """Return the blocks of a language in a section of the README."""
    text = (ROOT / "README.md").read_text()
    _, _, after = text.partition(f"\n## {section}\n")
    return re.findall(rf"^```{language}\n(.*?)^```$", after.split("\n## ")[0], re.DOTALL | re.MULTILINE)


def timed(command: list[str], folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run a command and return its seconds and the last line that it printed."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    lines = done.stdout.strip().splitlines()
    return {"seconds": round(time.perf_counter() - started, 1), "last_line": lines[-1][:80] if lines else ""}


def main() -> None:
    """Time every step and write the record."""
    options = recording.options(__doc__)
    (commands,) = blocks("First figure", "sh")
    install, draw = (line.split(" #")[0].split() for line in commands.splitlines())
    report: dict[str, Any] = {**recording.surroundings("w2sjax"), "cores": os.cpu_count(), "steps": {}}
    steps = report["steps"]
    with tempfile.TemporaryDirectory() as name:
        folder, binaries = Path(name), Path(sys.executable).parent
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "PYTHON", "XLA_"))}
        if not options.fast:
            subprocess.run([sys.executable, "-m", "venv", folder / "environment"], check=True)
            binaries = folder / "environment" / "bin"
        environment = kept | {"XDG_CACHE_HOME": name, "PATH": f"{binaries}{os.pathsep}{kept['PATH']}"}
        if options.fast:
            environment["PYTHONPATH"] = str(ROOT)
        else:
            steps["install"] = timed(
                [str(ROOT) if word == "." else word for word in install], folder, environment
            )
        draw = [str(binaries / "python"), "-m", *draw]
        steps["first_figure"] = timed(draw, folder, environment)
        assert (folder / "results" / "figure.png").stat().st_size > 0
        steps["first_figure_with_kept_programs"] = timed([*draw[:-1], "again"], folder, environment)
        for step, section in SECTIONS.items():
            (folder / f"{step}.py").write_text("\n".join(blocks(section, "python")))
            steps[step] = timed([str(binaries / "python"), f"{step}.py"], folder, environment)
        if (uv := shutil.which("uv")) and not options.fast:
            python = str(folder / "uv" / "bin" / "python")
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, "uv"], cwd=folder, check=True)
            wheel = [uv, "build", "-q", "--wheel", "--python", sys.executable, "--out-dir", name, str(ROOT)]
            subprocess.run(wheel, cwd=folder, check=True)
            (found,) = map(str, folder.glob("*.whl"))
            steps["install_by_uv"] = timed(
                [uv, "pip", "install", "--python", python, found], folder, environment
            )
            draw = [python, *draw[1:-1], "by_uv"]
            steps["first_figure_by_uv"] = timed(
                draw, folder, environment | {"XDG_CACHE_HOME": f"{name}/empty"}
            )
    recording.write(report, options.out)


if __name__ == "__main__":
    main()
