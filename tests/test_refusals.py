"""What cannot be used is refused in one sentence with status 2, at once; a bug of the program is a traceback."""

import decimal
import fractions
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests.test_cli_evaluate import features
from tests.test_paths import CONFIGURATION, run
from w2sjax import cache, cli
from w2sjax.sweeps import run as sweeps

HUGE = "1" + 400 * "0"

FILES = {
    "beyond floats": (f"pairs = 2\n[world]\nweak_noise = {HUGE}", "world.weak_noise=.*is out of range"),
    "infinite": ("pairs = 2\n[world]\nweak_noise = 1e999", "world.weak_noise=.*is out of range"),
    "beyond floats in an axis": (f"pairs = 2\n[axes]\nridge = [0.1, {HUGE}]", r"axes\['ridge'\] holds a whole number"),
    "thousands of digits": (f"pairs = 1{5000 * '0'}", "digits"),
    "beyond integers": (f"pairs = 2\n[world]\nwidth = {HUGE}", "world.width=.* is too large"),
    "a float for an integer": ("pairs = 2\n[world]\nwidth = 1e20", "world.width=1e.20 is not an integer"),
    "wide": ("pairs = 2\n[world]\nwidth = 100000000", "world.width=100000000 is too large.* <= 32768"),
    "deep": ("pairs = 2\n[world]\ndepth = 100000000", "world.depth=100000000 .*make it one of at most"),
    "n_eval": ("pairs = 2\n[protocol]\nn_eval = 3_000_000_000", "n_eval=3000000000 is too large: .* <= 2147483647"),
    "n_weak": (f"pairs = 2\n[protocol]\nn_weak = {2**63}", "protocol.n_weak=9223372036854775808 is too large"),
    "an axis of sizes": ("pairs = 2\n[axes]\nn_strong = [10, 3_000_000_000]", r"n_strong=3000000000 is too large"),
    "tasks": ("pairs = 2\n[protocol]\ntasks = 1_000_000_000_000", "tasks=1000000000000 is too large: .* <= 4194304"),
    "seed": (f"pairs = 2\nseed = {HUGE}", "seed=.* is not a whole number"),
    "memory": (f"pairs = 2\nmemory_budget = {HUGE}", "memory_budget=.* is too large"),
    "nested arrays": (f"a = {3000 * '['}{3000 * ']'}", "is nested too deeply"),
    "nested tables": (f"a = {3000 * '{a='}1{3000 * '}'}", "is nested too deeply"),
    "nested keys": (f"{'.'.join(3000 * ['a'])} = 1", ""),
}  # fmt: skip


def refused(capsys: pytest.CaptureFixture, message: str, *arguments: Any) -> None:
    began = time.monotonic()
    assert run(*arguments) == 2
    assert time.monotonic() - began < 20
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and re.search(message, error), error


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_used(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    content, message = FILES[name]
    (tmp_path / "t.toml").write_text(content + "\n")
    refused(capsys, message, "sweep", tmp_path / "t.toml", "--out", tmp_path / "x.zarr")
    assert not (tmp_path / "x.zarr").exists()


def test_a_mark_of_the_byte_order_is_none_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(CONFIGURATION, encoding="utf-8-sig")
    assert run("sweep", tmp_path / "t.toml", "--out", tmp_path / "x.zarr", "--quiet") == 0


def command(*arguments: Any, **settings: str) -> subprocess.CompletedProcess:
    program = "import sys; from w2sjax.cli import main; main(sys.argv[1:])"
    environment = os.environ | settings
    for name in [name for name, value in settings.items() if value == "unset"]:
        del environment[name]
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    (tmp_path / "t.toml").write_text(CONFIGURATION)
    return tmp_path / "t.toml"


@pytest.mark.parametrize("platform", ["cuda", "tpu", "nonsense", "cuda,tpu"])
def test_a_platform_that_is_not_there(platform: str, configuration: Path) -> None:
    done = command("sweep", configuration, "--out", configuration.with_name("x.zarr"), JAX_PLATFORMS=platform)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: JAX_PLATFORMS={platform} names no device")


@pytest.mark.parametrize(
    "settings", [{"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}, {"XDG_CACHE_HOME": "unset"}]
)
def test_no_home_folder(settings: dict[str, str], configuration: Path) -> None:
    unset = {
        "HOME": "/nonexistent",
        "JAX_COMPILATION_CACHE_DIR": "unset",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "unset",
    }
    os.environ.setdefault("XDG_CACHE_HOME", "")
    done = command(
        "sweep", configuration, "--out", configuration.with_name("x.zarr"), "--quiet", **unset | settings
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and sorted(p.name for p in configuration.parent.iterdir()) == [
        "t.toml",
        "x.zarr",
    ]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("localhost", "is not HOST:PORT"),
        ("localhost:", "is not HOST:PORT"),
        (":1234", "is not HOST:PORT"),
        ("localhost:99999", "is not HOST:PORT"),
        ("localhost:port", "is not HOST:PORT"),
        ("no-such-host.invalid:1234", "the host no-such-host.invalid is not known"),
    ],
)
def test_a_coordinator_that_cannot_be(
    address: str, message: str, configuration: Path, capsys: pytest.CaptureFixture
) -> None:
    options = ("--coordinator", address, "--processes", 2, "--process", 0)
    refused(capsys, message, "sweep", configuration, "--out", configuration.with_name("x.zarr"), *options)


@pytest.mark.parametrize("process", [0, 1])
def test_a_group_that_never_completes(
    process: int, configuration: Path, capsys: pytest.CaptureFixture
) -> None:
    options = (
        "--coordinator",
        f"localhost:{29000 + process}",
        "--processes",
        2,
        "--process",
        process,
        "--wait",
        2,
    )
    out = configuration.with_name("x.zarr")
    refused(
        capsys,
        "other processes were not found .*did not come",
        "sweep",
        configuration,
        "--out",
        out,
        *options,
    )
    assert not out.exists()


def test_an_output_that_is_full_or_closed(configuration: Path) -> None:
    np.savez(configuration.with_name("f.npz"), **features())
    program = f"{sys.executable} -c 'from w2sjax.cli import main; main()'"
    for arguments in ("settings", f"evaluate {configuration.with_name('f.npz')}"):
        for unbuffered in ("", "1"):
            done = subprocess.run(
                ["bash", "-c", f"{program} {arguments} > /dev/full"],
                env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
            assert "the output cannot be written (No space left on device): make space" in done.stderr
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program} settings | true"], capture_output=True, text=True
    )
    assert done.stderr == ""


SIZES = w2s.Protocol(n_weak=40, n_strong=40, n_eval=40, tasks=2)
WORLD = w2s.worlds.PerturbedMLP(width=4, depth=2)

PYTHON = {
    "process": (lambda: sweep(process=3), "process=3 is not a pair"),
    "three processes": (lambda: sweep(process=(0, 1, 2)), "is not a pair"),
    "a process alone": (lambda: sweep(process=(1, 2)), "shares nothing without a store"),
    "a name that is no text": (lambda: sweep(axes={1: [1]}), "axes has a key 1, which is not text"),
    "axes that are no mapping": (lambda: sweep(axes=[("ridge", [1])]), "is not a mapping"),
    "heads that another axis makes the same": (
        lambda: sweep(axes={"head": [w2s.heads.Ridge(1), w2s.heads.Ridge(2)], "ridge": [0, 1]}),
        "differ in ridge alone, and axes.'ridge'. sets that",
    ),
    "complex": (lambda: sweep(axes={"ridge": [1j]}), "holds 1j: pass single numbers"),
    "objects": (lambda: sweep(axes={"ridge": [object()]}), "pass single numbers"),
    "missing": (lambda: sweep(axes={"ridge": [None]}), "holds None"),
    "an array of noises": (lambda: w2s.worlds.PerturbedMLP(weak_noise=np.ones(3)), "weak_noise=.* not a single number"),
    "a list of noises": (lambda: w2s.worlds.PerturbedMLP(weak_noise=[0.1]), "weak_noise=.* is not a number"),
    "a decimal": (lambda: w2s.heads.Ridge(decimal.Decimal(1)), "ridge=.* is not a number"),
    "an array of ridges": (lambda: w2s.heads.Ridge(jnp.ones(2)), "ridge=.* is not a single number"),
    "a ridge of truth values": (lambda: w2s.heads.Ridge(jnp.array(True)), "ridge=.* is not a single number"),
    "a huge ridge": (lambda: w2s.heads.Ridge(10**400), "ridge=.* is out of range"),
    "a huge seed": (lambda: sweep(seed=10**5000), "seed=.* is too large"),
    "paired": (lambda: sweep(paired="no"), "paired='no' is not a boolean"),
    "paired by a number": (lambda: sweep(paired=1), "paired=1 is not a boolean"),
    "progress": (lambda: sweep(progress="yes"), "progress='yes' is not a boolean"),
    "many samples": (lambda: w2s.Protocol(n_eval=2**63), "n_eval=9223372036854775808 is too large"),
    "many tasks": (lambda: w2s.Protocol(tasks=10**12), "tasks=1000000000000 is too large"),
    "head": (lambda: w2s.Protocol(head=["ridge"]), "head=.* is not a head: pass one of w2sjax.heads"),
}  # fmt: skip


def sweep(**options: Any) -> xr.Dataset:
    return w2s.sweep(WORLD, SIZES, **{"pairs": 2} | options)


@pytest.mark.parametrize("name", PYTHON)
def test_arguments_of_python(name: str) -> None:
    call, message = PYTHON[name]
    with pytest.raises(w2s.W2SError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_numbers_of_any_kind_are_values_of_an_axis(tmp_path: Path) -> None:
    values = [np.longdouble(0.25), fractions.Fraction(1, 2), np.float16(1), jnp.asarray(2.0)]
    ds = sweep(axes={"ridge": values}, store=tmp_path / "a.zarr")
    assert ds.ridge.values.tolist() == [0.25, 0.5, 1.0, 2.0]
    plain = sweep(axes={"ridge": [0.25, 0.5, 1.0, 2.0]}, store=tmp_path / "a.zarr")
    np.testing.assert_array_equal(ds.gain, plain.gain)
    sweep(axes={"ridge": np.array([0.25, 0.5, 1, 2], np.longdouble)})


def test_words_of_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = tmp_path / "[v2] [bold]x.npz"
    arrays = features()
    arrays["y_transfer"] = arrays["y_transfer"].copy()
    arrays["y_transfer"][:, 0] = np.random.default_rng(0).normal(
        size=60
    )  # a ceiling worse than the weak model
    np.savez(file, **arrays)
    assert run("evaluate", file) == 0
    table = capsys.readouterr().out
    assert "[v2] [bold]x.npz" in table and "pgr (of 2 tasks)" in table
    np.savez(file, **arrays | {"weak_train": arrays["weak_train"].astype(ml_dtypes.bfloat16)})
    refused(
        capsys,
        r"raw bytes \(\|V2\), which is what \.npz makes of bfloat16: save it in float32",
        "evaluate",
        file,
    )


def test_a_bug_is_a_traceback(
    configuration: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        np.ones(3) + np.ones(4)

    monkeypatch.setattr(sweeps, "make_plan", broken)
    with pytest.raises(ValueError, match="could not be broadcast") as bug:
        cli.main(["sweep", str(configuration), "--out", str(configuration.with_name("x.zarr"))])
    assert not isinstance(bug.value, w2s.W2SError)
    assert "w2sjax has a bug: please report" in capsys.readouterr().err


def test_compiled_programs_are_kept_where_the_user_says(configuration: Path, tmp_path: Path) -> None:
    environment = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine"),
        "XDG_CACHE_HOME": str(tmp_path / "ours"),
    }
    out = configuration.with_name("x.zarr")
    assert command("sweep", configuration, "--out", out, "--quiet", **environment).returncode == 0
    assert any((tmp_path / "mine").iterdir()) and not (tmp_path / "ours").exists()


def test_damaged_programs_are_replaced_without_a_word(configuration: Path, tmp_path: Path) -> None:
    environment = {"JAX_COMPILATION_CACHE_DIR": "unset", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", "")
    folder = tmp_path / "cache" / "w2sjax" / "compiled"
    kinds = (lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"garbage" + data)
    # A kind in each run: how many programs are kept depends on how long they took.
    for damage in (None, *kinds, None):
        entries = list(folder.glob("*-cache"))
        assert damage is None or entries
        for file in entries:
            if damage is not None:
                file.write_bytes(damage(file.read_bytes()))
            os.utime(file, (time.time() - 3600,) * 2)
        done = command("sweep", configuration, "--out", tmp_path / "x.zarr", "--quiet", **environment)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        shutil.rmtree(tmp_path / "x.zarr")
    whole = [file for file in folder.glob("*-cache") if cache._decompresses(file)]
    assert whole and len(whole) == len([*folder.glob("*-cache")])
    assert isinstance(json.loads((folder / "verified.json").read_text()), dict)
