"""What a user learns before a run: doctor, sizes and times, completion, the attributes of stores."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import w2sjax as w2s
from tests.test_cli import run
from w2sjax import studies
from w2sjax.commands import doctor
from w2sjax.papers import PAPERS
from w2sjax.studies.index import INDEX, record, size_of

WORLD = w2s.worlds.PerturbedMLP(
    input_dim=4, width=4, depth=2, activation="tanh", input_scale=1.0, weak_noise=0.3, strong_noise=0.0
)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_self_test_finds_a_wrong_result(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = doctor.self_test(dtype)
    assert 0 < error < doctor.TOLERANCE[dtype]
    solve = np.linalg.solve
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: 1.001 * solve(a, b))
    assert doctor.self_test(dtype) > doctor.TOLERANCE[dtype]


def test_doctor_says_what_is_there(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "self_test", lambda dtype: 1e-12)
    assert run("doctor") == 0
    told = capsys.readouterr().out
    assert "jaxlib 0." in told and "float64 on" in told and "compiled ones" in told and "all is well" in told
    monkeypatch.setattr(doctor, "self_test", lambda dtype: float("nan"))
    assert run("doctor") == 1
    assert "WRONG" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "OLDEST_JAXLIB", (99, 0))
    assert run("doctor") == 1
    assert "hangs in batched factorizations" in capsys.readouterr().out


def test_known_trouble_is_named(tmp_path: Path) -> None:
    assert doctor.jaxlib_trouble("0.10.3") and not doctor.jaxlib_trouble("0.11.0")
    assert not doctor.jaxlib_trouble("1.0")
    assert "jax[cuda12]" in doctor.unused_accelerator("cpu", tmp_path)
    assert not doctor.unused_accelerator("gpu", tmp_path) and not doctor.unused_accelerator(
        "cpu", tmp_path / "x"
    )


def test_sizes_on_record_are_those_of_the_studies(capsys: pytest.CaptureFixture) -> None:
    assert set(record()) <= set(INDEX)
    for name, size in record().items():
        if INDEX[name].data:  # minutes of encoding and pretraining; tests/test_real_studies.py sees some
            continue
        study = studies.get(name)
        members = study.members if isinstance(study, studies.Collection) else (study,)
        cells = [int(np.prod([len(values) for values in member.axes.values()])) for member in members]
        assert size["pairs"] == max(member.pairs for member in members), f"{name}: run docs/gallery.py"
        assert size["cells"] == sum(cells), f"{name}: run docs/gallery.py"
    assert size_of("finite-sample").startswith("1000 pairs of 10 tasks in each of 512 cells")
    assert run("settings") == 0
    assert size_of("finite-sample") in capsys.readouterr().out
    assert run("reproduce", "--help") == 0
    assert "1000 pairs of 10 tasks in each of 512 cells" in " ".join(capsys.readouterr().out.split())


def test_every_study_has_entries_that_a_parser_of_bibtex_reads(capsys: pytest.CaptureFixture[str]) -> None:
    parser = pytest.importorskip(
        "bibtexparser", minversion="2", reason="needs bibtexparser, an extra of tests"
    )
    cited = set()
    for name in INDEX:
        assert run("cite", name) == 0
        text = capsys.readouterr().out
        library = parser.parse_string(text)
        assert not library.failed_blocks and len(library.entries) == text.count("@"), name
        keys = [entry.key for entry in library.entries]
        assert keys[0] == "w2sjax" and len(keys) > 1, name
        cited |= set(keys[1:])
        for paper in (paper for paper in PAPERS if paper.key in keys):
            fields = {key: field.value for key, field in library.entries_dict[paper.key].fields_dict.items()}
            assert fields["title"] == paper.title and "" not in fields.values()
            assert fields.get("eprint", "") == paper.arxiv and fields.get("author", "") == paper.authors
            assert paper.arxiv == "" or paper.year == 2000 + int(paper.arxiv[:2])
    assert cited == {paper.key for paper in PAPERS}
    assert run("cite") == 0 and "@misc" not in capsys.readouterr().out


def test_a_shell_completes_studies() -> None:
    line = "w2sjax reproduce finite-sample-l"
    asked = {"_W2SJAX_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "2"}
    program = "import sys; sys.argv[0] = 'w2sjax'; from w2sjax.cli import app; app(prog_name='w2sjax')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | asked
    )
    assert done.stdout.split() == ["finite-sample-law"]


def test_stores_say_what_they_are_and_how_they_came_about(tmp_path: Path) -> None:
    few = w2s.Protocol(n_weak=100, n_eval=1000, tasks=3)
    w2s.sweep(WORLD, few, pairs=2, store=tmp_path / "a.zarr", title="A title")
    w2s.sweep(WORLD, few, pairs=3, store=tmp_path / "a.zarr", title="Another")
    w2s.sweep(WORLD, few, pairs=1, first_pair=3, store=tmp_path / "b.zarr")
    merged = w2s.merge_stores([tmp_path / "a.zarr", tmp_path / "b.zarr"], tmp_path / "c.zarr")
    assert merged.attrs["bibtex"].startswith("@software{w2sjax,")
    assert merged.attrs["title"] == "A title" and w2s.__version__ in merged.attrs["how_to_cite"]
    lines = merged.attrs["history"].splitlines()
    assert [line.split(": ", 1)[1].split(",")[0] for line in lines] == [
        "sweep of 2 pairs", "extended to 3 pairs", "merged 2 stores of pairs 0 to 3",
    ]  # fmt: skip
    assert all(line.startswith("20") and f"w2sjax {w2s.__version__}" in line for line in lines)
    assert w2s.open_store(tmp_path / "b.zarr").attrs["title"] == "PerturbedMLP"
    json.dumps(merged.attrs)
    with pytest.raises(ValueError, match="title=3 is not text"):
        w2s.sweep(WORLD, few, pairs=1, title=3)  # type: ignore[arg-type]
