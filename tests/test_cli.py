"""The command line: files written, exit status, one-line messages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

from w2sjax.cli import main
from w2sjax.commands import plans


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


def test_reproduce_writes_data_figure_and_summary(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    name = "charikar2024-perturbation-nonrealizable"
    assert run("reproduce", name, "--out", str(tmp_path), "--pairs", "2", "--tasks", "30") == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    data = xr.open_zarr(tmp_path / "data.zarr")
    assert data["gain"].shape == (2, 30)
    assert (data["gain_standard_error"] > 0).all()
    assert summary["gain"]["mean"] == pytest.approx(data["gain"].mean().item())
    assert summary["seed"] == 0
    assert summary["versions"]["jax_version"]
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    assert "<svg" in (tmp_path / "figure.svg").read_text()[:500]
    assert "slope" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reproduce", "charikar2024-perturbation-realisable", "--out", "x"), "did you mean"),
        (("reproduce",), "Missing argument"),
        (("reproduce", "charikar2024-perturbation-realizable", "--out", "/proc/x"), "cannot be written"),
        (
            ("reproduce", "charikar2024-heads", "--out", "x", "--epochs", "2"),
            "varies head.epochs: leave it out",
        ),
        (("reproduce", "finite-sample", "--out", "x", "--seed", str(2**64)), "is too large"),
        (
            ("reproduce", "finite-sample", "--out", "x", "--set", "protocol.n_weak=9"),
            "which varies n_weak: set axes.n_weak",
        ),
        (("reproduce", "finite-sample", "--out", "x", "--set", "world.widht=9"), "did you mean width?"),
        (("reproduce", "finite-sample", "--out", "x", "--set", "width=9"), "is no setting"),
        (("nothing",), "No such command"),
    ],
)
def test_mistakes_are_one_line_and_status_two(
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_a_dry_run_of_a_study_shows_what_was_set(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    changes = ("--set", "axes.n_strong=[20, 50]", "--set", "pairs=3", "--set", "world.width=4")
    assert run("reproduce", "charikar2024-bounds", "--out", str(tmp_path / "x"), "--dry-run", *changes) == 0
    assert "charikar2024-bounds: plan: 2 cells (1 runs of 3 pairs)" in capsys.readouterr().out
    assert not (tmp_path / "x").exists()


def test_a_dry_run_of_a_study_estimates_the_time_of_what_was_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    name = "charikar2024-bounds"
    monkeypatch.setattr(plans, "record", lambda: {name: {"seconds": 70.0, "cores": 2}})
    arguments = ("reproduce", name, "--out", "x", "--dry-run", "--pairs")
    assert run(*arguments, "1000") == 0  # 100 pairs took 70 s
    assert capsys.readouterr().out.endswith("; estimated: 70 s to 12 min on 2 cores\n")
    assert run(*arguments, "20") == 0
    assert capsys.readouterr().out.endswith("; estimated: 10 s to 70 s on 2 cores\n")
    monkeypatch.setattr(plans, "record", dict)
    assert run(*arguments, "20") == 0
    assert "; estimated: no time" in capsys.readouterr().out


def test_settings_lists_every_name(capsys: pytest.CaptureFixture) -> None:
    assert run("settings") == 0
    assert "charikar2024-perturbation-realizable" in capsys.readouterr().out


@pytest.mark.usefixtures("optimized")  # as what it measures is
def test_bench_measures_both_precisions_beside_the_floor(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    # In its own process: it compiles without the cache of compiled programs.
    program = "from w2sjax.cli import main; main()"
    arguments = ("bench", "--tasks", "2", "--repeats", "1", "--out", str(file))
    subprocess.run([sys.executable, "-c", program, *arguments], check=True)
    records = json.loads(file.read_text())["records"]
    assert [record["dtype"] for record in records] == ["float64", "float32"]
    for record in records:
        assert record["compile_seconds"] > 1  # neither was compiled for the other
        floor = record["floor_milliseconds"]
        assert floor["sum"] == pytest.approx(sum(floor[part] for part in record["floor_parts"]), abs=1e-3)
        assert record["efficiency"] == pytest.approx(floor["sum"] / record["milliseconds_per_pair"], rel=0.01)
    assert 0 < records[1]["error_against_float64"]["gain"]["median"] < 1e-3
    assert records[0]["error_against_float64"] is None
