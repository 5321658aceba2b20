"""`w2sjax evaluate`: the table, the JSON, and one line on stderr for every file that cannot be used."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from tests.exact import experiment
from tests.test_evaluate import QUANTITIES, TALL, arrays
from w2sjax.cli import main
from w2sjax.paths import MARK


@pytest.fixture(autouse=True)
def settings_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep compiled programs out of the user's cache, and give JAX its settings back."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_enable_x64",
    )
    before = {name: getattr(jax.config, name) for name in names}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def run(*arguments: Any) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *map(str, arguments)])
    return int(stopped.value.code or 0)


def features() -> dict[str, Any]:
    return arrays(9, **TALL, condition=10.0)  # of shapes that other tests compile too


def test_prints_a_table_and_json(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file, json_file = tmp_path / "features.npz", tmp_path / "report.json"
    np.savez(file, **features())
    assert run(file, "--ridge-weak", "0.01", "--ridge-strong", "0.01") == 0
    shown = capsys.readouterr()
    table, _, text = shown.out.partition("\n{\n")
    assert shown.err == ""
    report = json.loads("{" + text)
    expected = experiment(features(), 0.01, True)
    for name in QUANTITIES:
        np.testing.assert_allclose(report[name], expected[name], rtol=1e-12, atol=1e-14)
        assert f"{np.mean(expected[name]):.6g}" in table
    gap = expected["weak_error"] - expected["ceiling_error"]
    assert [value is None for value in report["pgr"]] == list(gap <= 0)  # JSON has no NaN
    assert report["status"]["flags"] == []
    assert report["ridge_strong"] == 0.01
    assert "float64" in report["precision"] and "3 tasks" in table

    assert run(file, "--ridge-weak", "0.01", "--ridge-strong", "0.01", "--json", json_file) == 0
    assert json.loads(json_file.read_text()) == {"origin": MARK} | report
    assert "{" not in capsys.readouterr().out
    assert run(file, "--ridge-weak", "0.01", "--ridge-strong", "0.01", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out) == report


def without(name: str) -> Callable[[Path], None]:
    return lambda file: np.savez(file, **{k: v for k, v in features().items() if k != name})


def with_changed(**changes: Any) -> Callable[[Path], None]:
    return lambda file: np.savez(file, **(features() | changes))


def truncated(file: Path) -> None:
    np.savez(file, **features())
    file.write_bytes(file.read_bytes()[:-200])


def damaged(file: Path) -> None:
    np.savez_compressed(file, **features())
    with zipfile.ZipFile(file) as archive:
        member = archive.getinfo("weak_train.npy")
    content = bytearray(file.read_bytes())
    start = member.header_offset + 100
    content[start : start + 400] = bytes(400)
    file.write_bytes(bytes(content))


def with_text(file: Path) -> None:
    np.savez(file, **{k: v for k, v in features().items() if k != "weak_train"})
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("weak_train.npy", "1, 2, 3")


def one_array(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.ones(3))


STRONG = features()["strong_transfer"]
MISTAKES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "missing array": (without("y_eval"), ("y_eval is missing", "holds weak_train", "save it")),
    "unknown array": (with_changed(y_test=STRONG), ("'y_test'", "rename it", "y_eval")),
    "wrong rank": (
        with_changed(strong_transfer=STRONG[0]),
        ("strong_transfer has shape (12,)", "pass an array of shape [n, width]"),
    ),
    "rows": (with_changed(strong_transfer=STRONG[1:]), ("strong_transfer has 59 rows", "pass the same")),
    "columns": (with_changed(strong_eval=STRONG[:, 1:]), ("strong_eval has 11 columns", "pass features")),
    "tasks": (with_changed(y_eval=STRONG), ("y_eval has shape (60, 12)", "pass the same tasks")),
    "nan": (
        with_changed(strong_transfer=np.where(STRONG == STRONG[7, 1], np.nan, STRONG)),
        ("strong_transfer holds 1 NaN or infinite values", "(nan) at row 7", "drop or fill"),
    ),
    "infinity": (
        with_changed(weak_eval=np.full((20, 2), np.inf)),
        ("weak_eval holds 40 NaN", "drop or fill"),
    ),
    "empty split": (with_changed(weak_train=np.ones((0, 6))), ("weak_train is empty", "at least one row")),
    "integers": (
        with_changed(y_train=np.ones((60, 3), int)),
        ("y_train has dtype int64", "pass floating"),
    ),
    "complex": (with_changed(y_train=np.ones((60, 3)) * 1j), ("y_train has dtype complex128", "real part")),
    "objects": (
        with_changed(y_train=np.array([{}], object)),
        ("y_train holds Python objects", "save a plain array"),
    ),
    "text": (with_text, ("weak_train", ": ")),
    "truncated": (truncated, ("is not an .npz file", "numpy.savez")),
    "damaged": (damaged, ("weak_train is damaged", "save the file again")),
    "one array": (one_array, ("holds one array", "numpy.savez")),
    "not a file of arrays": (lambda file: file.write_text("a,b\n1,2\n"), ("is not an .npz", "numpy.savez")),
    "empty file": (lambda file: file.touch(), ("is not an .npz file", "numpy.savez")),
    "no file": (lambda file: None, ("cannot be read (No such file", "pass an .npz file")),
    "folder": (lambda file: file.mkdir(), ("cannot be read (Is a directory", "pass an .npz file")),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_unusable_files_are_one_line_and_status_two(
    mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write, parts = MISTAKES[mistake]
    file = tmp_path / "features.npz"
    write(file)
    check_refused(run(file), parts, capsys)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--ridge-weak", "-1"), ("--ridge-weak=-1 is out of range", ">= 0")),
        (("--ridge-strong", "nan"), ("--ridge-strong=nan is out of range", ">= 0")),
        (("--ridge-strong", "much"), ("--ridge-strong", "a valid number")),
        (("--precision", "float16"), ("--precision 'float16'", "choose one of")),
        (("--json", "/proc/report.json"), ("--json=/proc", "cannot be written", "choose another place")),
    ],
)
def test_unusable_options_are_one_line_and_status_two(
    options: tuple[str, ...], parts: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "features.npz"
    np.savez(file, **features())
    check_refused(run(file, *options), parts, capsys)


def test_a_report_is_kept_where_the_next_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file, report = tmp_path / "features.npz", tmp_path / "report.json"
    report.write_text(json.dumps({"origin": MARK}))
    with_changed(y_train=np.ones((59, 3)))(file)
    check_refused(run(file, "--json", str(report)), ("y_train",), capsys)
    assert report.read_text() == json.dumps({"origin": MARK})


def check_refused(status: int, parts: tuple[str, ...], capsys: pytest.CaptureFixture) -> None:
    shown = capsys.readouterr()
    assert status == 2
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    for part in parts:
        assert part in shown.err
