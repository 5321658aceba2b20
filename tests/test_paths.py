"""A path is what the file system takes: no name changes what is read or written, and nothing of the user's is lost."""

import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import w2sjax as w2s
from tests.test_cli_evaluate import features
from w2sjax.cli import main
from w2sjax.errors import W2SError
from w2sjax.paths import MARK, user_path

CONFIGURATION = """
pairs = 4
seed = 1
chunk_pairs = 2
[world]
width = 4
depth = 2
[protocol]
n_weak = 40
n_strong = 40
n_eval = 40
tasks = 2
"""

pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # of names that the font lacks

AWKWARD = (
    *(
        "run#2",
        "run?x=1",
        "a::b.zarr",
        "100%",
        "100%25.zarr",
        "b c.zarr",
        "it's.zarr",
        'say "so".zarr',
        "[v2]",
        "*",
    ),
    *(
        "new\nline.zarr",
        "tab\t.zarr",
        "$x_1$.zarr",
        "ünï.zarr",
        "file:",
        "s3:",
        "~x.zarr",
        ".hidden",
        "-x.zarr",
        "a.b.c",
    ),
    *("memory:", "zip::x", "{a}", "<b>", "back\\slash", "end.", " begins", "ends ", "c", "c.zarr", "..."),
)
"""Names of which some have meant something else to a library."""


@pytest.fixture(autouse=True)
def settings_kept() -> Iterator[None]:
    """Commands set JAX's precision."""
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


def run(*arguments: Any) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return int(stopped.value.code or 0)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return the content of every file under a folder, by path, and None for a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def numbers_in(store: Path) -> np.ndarray:
    return xr.open_zarr(zarr.storage.LocalStore(store), chunks=None).weak_error.values


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    folder = tmp_path_factory.mktemp("expected")
    (folder / "t.toml").write_text(CONFIGURATION)
    assert run("sweep", folder / "t.toml", "--out", folder / "plain.zarr", "--quiet") == 0
    return numbers_in(folder / "plain.zarr")


def check_every_command(folder: Path, name: str, expected: np.ndarray) -> None:
    """Use a name in every command: it works as any other, or is refused at once; nothing else changes."""
    beside = {
        "exp": None,
        "exp/thesis.txt": b"precious",
        "run": None,
        "run/notes": b"mine",
        "a": b"a",
        "c.txt": b"c",
    }
    for path, content in beside.items():
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)
    configuration = folder / "t.toml"
    configuration.write_text(CONFIGURATION)
    np.savez(folder / "f.npz", **features())
    before = tree(folder)
    os.chdir(folder)
    taken = name in before
    status = run("sweep", configuration, "--quiet", f"--out={name}")
    assert status in (0, 2)
    if status == 2:
        assert tree(folder) == before
        return
    assert not taken
    np.testing.assert_array_equal(numbers_in(folder / name), expected)
    assert run("sweep", configuration, "--quiet", f"--out={name}") == 0  # finished already
    assert run("plot", f"--out={name}.png", "--", name) == 0
    assert run("plot", f"--out={name}.png", "--", name) == 0  # its own figure
    assert run("evaluate", "f.npz", f"--json={name}.json") == 0
    assert json.loads((folder / f"{name}.json").read_text())["origin"] == MARK
    assert run("evaluate", "f.npz", f"--json={folder / name}") == 2  # a folder
    shutil.copy("f.npz", f"./{name}.npz")
    shutil.copy("t.toml", f"./{name}.toml")
    assert run("evaluate", f"--json={name}.json", "--", f"{name}.npz") == 0
    assert run("evaluate", f"--json={name}.npz", "--overwrite", "--", f"{name}.npz") == 2  # its input
    assert run("sweep", "--quiet", f"--out={name}", "--", f"{name}.toml") == 0
    after = tree(folder)
    own = (*(f"{name}{ending}" for ending in (".png", ".json", ".npz", ".toml")),)
    left = {
        path: content for path, content in after.items() if path not in own and Path(path).parts[0] != name
    }
    assert left == before


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_work_in_every_command(
    name: str, expected: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_every_command(tmp_path, name, expected)


NAMES = st.text(st.characters(exclude_characters="/", exclude_categories=()), min_size=1, max_size=255)


@settings(
    deadline=None,
    max_examples=15,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(name=NAMES)
def test_any_name_works_or_is_refused(
    name: str, expected: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fresh"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    monkeypatch.chdir(folder)
    check_every_command(folder, name, expected)


def sweep(store: Any, **options: Any) -> xr.Dataset:
    world, protocol = (
        w2s.worlds.PerturbedMLP(width=4, depth=2),
        w2s.Protocol(n_weak=40, n_strong=40, n_eval=40, tasks=2),
    )
    return w2s.sweep(world, protocol, pairs=4, seed=options.pop("seed", 1), store=store, **options)


def test_a_renamed_store_is_not_the_one_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sweep("run", seed=1)
    second = sweep("other", seed=2).weak_error.values
    os.rename("other", "run#2")
    np.testing.assert_array_equal(sweep("run#2", seed=2).weak_error, second)
    with pytest.raises(W2SError, match="seed=2 but this sweep has seed=1"):
        sweep("run#2", seed=1)


def test_links_the_home_folder_and_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    (tmp_path / "link").symlink_to(other)
    (tmp_path / "dangling.zarr").symlink_to(other / "target.zarr")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    sweep("~/x.zarr")
    sweep("link/y.zarr/")
    sweep("link/../z.zarr")  # beside what the link points at
    sweep("dangling.zarr")
    for store in (home / "x.zarr", other / "y.zarr", tmp_path / "z.zarr", other / "target.zarr"):
        assert (store / "zarr.json").is_file(), store
    assert (tmp_path / "dangling.zarr").is_symlink()
    with pytest.raises(W2SError, match="nobody's home folder"):
        sweep("~nobody-of-this-name/x.zarr")
    empty = tmp_path / "empty"
    empty.mkdir()
    inode = empty.stat().st_ino
    monkeypatch.chdir(empty)
    np.testing.assert_array_equal(sweep(".").weak_error, sweep(home / "x.zarr").weak_error)
    assert empty.stat().st_ino == inode and not [*empty.glob(".w2sjax*"), *tmp_path.glob(".w2sjax*")]
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(W2SError, match=r"cannot be (used|created)"):
        sweep(tmp_path / "loop" / "x.zarr")


@pytest.mark.parametrize("value", [3, b"x.zarr", None, "", "a\0b", "\udcff", ["x"]])
def test_what_is_no_path_is_refused(value: Any) -> None:
    with pytest.raises(W2SError, match=r"store(=| is)"):
        user_path("store", value)


def test_what_the_program_did_not_make_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.toml").write_text(CONFIGURATION)
    np.savez("f.npz", **features())
    assert run("sweep", "t.toml", "--out", "s.zarr", "--quiet") == 0
    mine = {"figure.png": b"a photograph", "report.json": b"{}", "notes.svg": b"<svg/>"}
    for name, content in mine.items():
        Path(name).write_bytes(content)
    before = tree(tmp_path)
    for arguments in (
        ("plot", "s.zarr", "--out", "figure.png"),
        ("plot", "s.zarr", "--out", "notes.svg"),
        ("plot", "s.zarr", "--out", "s.zarr/x.png"),
        ("evaluate", "f.npz", "--json", "report.json"),
        ("evaluate", "f.npz", "--json", "f.npz"),
        ("evaluate", "f.npz", "--json", "./f.npz", "--overwrite"),
        ("bench", "--out", "report.json"),
        ("sweep", "t.toml", "--out", "t.toml"),
        ("sweep", "t.toml", "--out", "figure.png"),
        ("reproduce", "charikar2024-perturbation-realizable", "--out", "."),
    ):
        assert run(*arguments) == 2, arguments
        assert tree(tmp_path) == before, arguments
    assert run("plot", "s.zarr", "--out", "figure.png", "--overwrite") == 0
    for kind in ("png", "svg", "pdf", "jpg"):
        assert run("plot", "s.zarr", "--out", f"own.{kind}") == 0
        assert run("plot", "s.zarr", "--out", f"own.{kind}") == 0


def test_figures_and_summaries_of_two_stores_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("run.v1", "run.v2", "c", "c.zarr")):
        sweep(name, seed=seed)
        assert run("plot", name) == 0
    figures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert figures == ["c.png", "c.zarr.png", "run.v1.png", "run.v2.png"]
    summaries = {
        (tmp_path / name / "summary.json").read_text() for name in ("run.v1", "run.v2", "c", "c.zarr")
    }
    assert len(summaries) == 4


def test_a_temporary_of_another_program_is_not_removed(tmp_path: Path) -> None:
    theirs = [tmp_path / ".a.zarr.creating.host.1.ab", tmp_path / ".w2sjax-creating.elsewhere.1.ab"]
    for folder in theirs:
        folder.mkdir()
        (folder / "data").write_text("theirs")
    sweep(tmp_path / "a.zarr")
    assert all((folder / "data").read_text() == "theirs" for folder in theirs)


def test_names_as_long_as_they_can_be(tmp_path: Path) -> None:
    longest = "n" * 255
    sweep(tmp_path / longest)
    assert (tmp_path / longest / "summary.json").is_file()
    with pytest.raises(W2SError, match="File name too long"):
        sweep(tmp_path / ("n" * 256))
    assert isinstance(tmp_path, pathlib.Path) and [path.name for path in tmp_path.iterdir()] == [longest]
