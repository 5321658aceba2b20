"""Build docs/gallery.md and the record of sizes and times of all studies of the index.

    python docs/gallery.py --results results          # from the results that are there
    python docs/gallery.py --results results --run    # reproduce what is missing first

A folder results/NAME is what `w2sjax reproduce NAME --out results/NAME` wrote. Only runs with the study's own number of
pairs are taken: a quick look says nothing. Figures go to docs/figures.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from w2sjax import studies
from w2sjax.errors import W2SError
from w2sjax.papers import PAPERS, bibtex, papers_of
from w2sjax.studies.index import INDEX, record, size_of

DOCS = Path(__file__).parent
RECORD = Path(studies.__file__).with_name("record.json")

NOT_POSSIBLE = (
    ("Charikar et al. 2024", "Figure 2 d to f, Tables 1 to 3: MolBERT on ESOL, FreeSolv, Lipop",
     "needs pretrained MolBERT networks; the rule is studied on candidates of our own"),
    ("Charikar et al. 2024", "Figure 6: French reviews by CamemBERT and FlauBERT", "needs those networks"),
    ("Burns et al. 2023", "GPT-2 to GPT-4 on language tasks", "the networks are not public"),
)  # fmt: skip


def sizes() -> dict[str, dict[str, Any]]:
    """Return pairs, tasks and cells of every study; of a collection, those of its members together."""
    found = {}
    for name in studies.names():
        try:
            study = studies.get(name)
        except W2SError:  # its data are not on this machine
            found[name] = {}
            continue
        members = study.members if isinstance(study, studies.Collection) else (study,)
        cells = [math.prod(map(len, member.axes.values())) for member in members]
        found[name] = {
            "pairs": max(member.pairs for member in members),
            "tasks": max(member.protocol.tasks for member in members),
            "cells": sum(cells) if len(members) > 1 else cells[0],
        }
    return found


def found_in(folder: Path, pairs: int) -> dict[str, Any]:
    """Return what a full run of a study, or of every member of a collection, found and took; nothing of another run.

    Seconds are the smaller of elapsed and processor time, as others may have used the machine, and are left out of a
    run that went on with an older one.
    """
    summaries = [
        json.loads(file.read_text())
        for file in sorted([*folder.glob("summary.json"), *folder.glob(f"{folder.name}-*/summary.json")])
    ]
    if not summaries or any(summary["configuration"]["pairs"] != pairs for summary in summaries):
        return {}
    found = {}
    if all("headline" in summary for summary in summaries):
        lines = [
            summary["headline"] if len(summaries) == 1 else f"{summary['study']}: {summary['headline']}"
            for summary in summaries
        ]
        found["headline"] = "; ".join(lines)
    if not any(summary.get("resumed") for summary in summaries):
        seconds = sum(min(one["seconds"], one.get("processor_seconds", math.inf)) for one in summaries)
        found |= {"seconds": seconds, "cores": os.cpu_count()}
    return found


def status_of(name: str) -> str:
    """Return how a study stands to its paper, from what the study says of itself."""
    try:
        study = studies.get(name)
    except W2SError:
        return "needs data, docs/real_data.md"
    members = study.members if isinstance(study, studies.Collection) else (study,)
    unverified = sorted({field for member in members for field in member.unverified})
    own = "this project" in study.reference
    kind = "in kind" if own or unverified else "reproduced"
    kind = "own study" if study.reference.startswith("this project") else kind
    return kind + (f"; recollected, not verified: {', '.join(unverified)}" if unverified else "")


def main() -> None:
    """Build the page."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--results", type=Path, default=Path("results"))
    options.add_argument("--run", action="store_true", help="reproduce studies whose results are missing")
    chosen = options.parse_args()
    now, before = sizes(), record()
    rows, sections = [], []
    for name in INDEX:
        folder = chosen.results / name
        if chosen.run and not (folder / "figure.png").is_file():
            command = [sys.executable, "-m", "w2sjax", "reproduce", name, "--out", str(folder)]
            subprocess.run(command, check=True)
        old = before.get(name, {})
        now[name] = now[name] or {key: old[key] for key in ("pairs", "tasks", "cells") if key in old}
        found = found_in(folder, now[name].get("pairs", 0)) if (folder / "figure.png").is_file() else {}
        if {key: old.get(key) for key in now[name]} == now[name]:
            now[name] = old | found
            if "seconds" in old and "seconds" in found:
                now[name]["seconds"] = min(old["seconds"], found["seconds"])
        else:
            now[name] |= found
        if found:
            shutil.copyfile(folder / "figure.png", DOCS / "figures" / f"{name}.png")
    RECORD.write_text(json.dumps({name: size for name, size in now.items() if size}, indent=1) + "\n")
    record.cache_clear()
    for name, entry in INDEX.items():
        figure = DOCS / "figures" / f"{name}.png"
        rows.append(f"| {entry.reference} | [{name}](#{name}) | {status_of(name)} |")
        lines = [
            f"## {name}",
            entry.title + ".",
            f"*{entry.reference}*",
            f"```sh\nw2sjax reproduce {name} --out {name}\n```",
        ]
        papers = papers_of(entry.reference)
        lines += [f"The paper: {paper.claim}" for paper in papers if paper.claim and len(papers) == 1]
        if size := size_of(name):
            lines.append(f"Size: {size}.")
        if headline := now[name].get("headline"):
            lines.append(f"Here: {headline}.")
        if figure.is_file():
            lines.append(f"![{entry.title}](figures/{name}.png)")
        sections.append("\n\n".join(lines))
    rows += [f"| {paper} | {what} | not possible: {why} |" for paper, what, why in NOT_POSSIBLE]
    everything = bibtex(" ".join(paper.mark for paper in PAPERS))
    sections.append(
        "## BibTeX\n\n`w2sjax cite NAME` prints the entries of a study. What is not known for sure is left out.\n\n"
        f"```bibtex\n{everything}\n```"
    )
    head = (
        "# Gallery\n\nEvery study of `w2sjax settings`, with the command that makes its figure. This page is written "
        "by `python docs/gallery.py`, from what the studies say of themselves and from results on disk; a time is "
        "the smaller of elapsed and processor time of a run on a machine that others used too, compilation "
        "included; a study without one was not timed."
        "\n\n| paper | study | status |\n|---|---|---|\n"
    )
    (DOCS / "gallery.md").write_text(head + "\n".join(rows) + "\n\n" + "\n\n".join(sections) + "\n")
    timed = sum("seconds" in size for size in now.values())
    print(f"wrote {DOCS / 'gallery.md'} and {RECORD}: {len(INDEX)} studies, {timed} timed")


if __name__ == "__main__":
    main()
