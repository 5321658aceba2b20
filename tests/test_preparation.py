"""Sweeps over trained networks: each is trained once, kept in checkpoints, and no file is trusted blindly."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests.oracle import run_alone
from w2sjax.errors import StoreError
from w2sjax.sweeps import batch, preparation
from w2sjax.worlds import PretrainedMLP

WORLD = PretrainedMLP(
    input_dim=2,
    width=3,
    depth=2,
    weak_depth=1,
    strong_depth=1,
    input_scale=1.0,
    pretrain_tasks=2,
    pretrain_samples=6,
    epochs=2,
    batch_size=4,
)
PROTOCOL = w2s.Protocol(n_weak=30, n_strong=30, n_eval=30, tasks=2)
AXES = {"weak_pretrain_noise": [0.0, 1.0]}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """Record the label noise and the stream of every pair whose network is trained."""
    calls: list[tuple[float, int]] = []
    original = preparation.prepare_pairs

    def recorded(run, seed, indices):
        calls.extend([(float(run.label_noise), run.stream)] * len(indices))
        return original(run, seed, indices)

    monkeypatch.setattr(preparation, "prepare_pairs", recorded)
    return calls


def test_networks_are_trained_once_whatever_the_grid(trained: list, tmp_path: Path) -> None:
    alone = [run_alone(WORLD, PROTOCOL, _key(pair)) for pair in range(3)]
    memory = w2s.sweep(WORLD, PROTOCOL, pairs=3, axes=AXES)
    assert sorted(trained) == [(0.0, 0)] * 3 + [(0.0, 1)] * 3 + [(1.0, 0)] * 3  # the strong ones are shared
    for pair, outcome in enumerate(alone):
        # One target is dead: its error is rounding, of 1e-38.
        np.testing.assert_allclose(memory["weak_error"][pair, 0], outcome.weak_error, rtol=1e-5, atol=1e-30)
    assert memory["weak_loss_curve"].dims == ("pair", "weak_pretrain_noise", "progress")
    assert memory.sizes["progress"] == 32
    assert (memory["weak_loss_curve"].isel(weak_pretrain_noise=1) > 0).all()
    assert memory["strong_loss_curve"].attrs["units"] == "squared label unit"

    trained.clear()
    stored = w2s.sweep(WORLD, PROTOCOL, pairs=3, axes=AXES, store=tmp_path / "a.zarr", chunk_pairs=2)
    xr.testing.assert_equal(memory.drop_attrs(), stored.load().drop_attrs())
    assert (tmp_path / "a.zarr" / "trained").is_dir() and trained

    trained.clear()
    protocol = dataclasses.replace(PROTOCOL, head=w2s.heads.Ridge(0.1))
    again = w2s.sweep(WORLD, protocol, pairs=3, axes=AXES, checkpoints=tmp_path / "a.zarr" / "trained")
    assert not trained
    np.testing.assert_array_equal(again["weak_loss_curve"], memory["weak_loss_curve"])
    with jax.enable_x64(False):  # whose inputs and labels are rounded otherwise
        w2s.sweep(WORLD, protocol, pairs=3, axes=AXES, checkpoints=tmp_path / "a.zarr" / "trained")
    assert trained


def _key(pair: int):
    return jax.random.fold_in(jax.random.key(0), pair)


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "trained"

    def run() -> xr.Dataset:
        return w2s.sweep(WORLD, PROTOCOL, pairs=2, checkpoints=folder)

    before = run()
    weak = next(folder.glob("weak-*"))
    batch = next(weak.glob("*.npz"))

    whole = batch.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (whole[: len(whole) // 2], bytes(flipped), b"", b"not arrays"):
        batch.write_bytes(content)
        with pytest.raises(StoreError, match=rf"checkpoint .*{batch.name} is damaged .*delete it"):
            run()
    batch.write_bytes(whole)
    xr.testing.assert_equal(run().drop_attrs(), before.drop_attrs())

    description = json.loads((weak / "training.json").read_text())
    (weak / "training.json").write_text(json.dumps(description | {"epochs": 7}))
    with pytest.raises(StoreError, match=r"holds another training \(epochs=7 instead of 2\)"):
        run()
    (weak / "training.json").write_text("{")
    with pytest.raises(StoreError, match="is damaged: delete"):
        run()
    (weak / "training.json").write_text(json.dumps(description))

    other = dataclasses.replace(WORLD, width=4)
    w2s.sweep(other, PROTOCOL, pairs=1, checkpoints=tmp_path / "other")
    foreign = next(next((tmp_path / "other").glob("weak-*")).glob("*.npz"))
    foreign.rename(batch)
    with pytest.raises(StoreError, match=r"is not one of this training \(parameters"):
        run()


def test_a_folder_that_cannot_hold_checkpoints_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StoreError, match=r"checkpoints .*file cannot be written .*choose another place"):
        w2s.sweep(WORLD, PROTOCOL, pairs=1, checkpoints=file)


PROGRAM = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_enable_x64", True)
import numpy as np
from w2sjax.sweeps.batch import prepare_pairs
from tests.test_preparation import WORLD
runs = prepare_pairs(WORLD.preparations()["weak"], jax.random.key(0), np.arange(2))
np.save(sys.argv[1], runs.parameters)
"""


def test_networks_do_not_depend_on_the_number_of_devices(tmp_path: Path) -> None:
    file = tmp_path / "two.npy"
    subprocess.run([sys.executable, "-c", PROGRAM, str(file)], check=True, cwd=Path(__file__).parents[1])
    training = WORLD.preparations()["weak"]
    one = [batch.prepare_pairs(training, jax.random.key(0), np.array([pair])).parameters for pair in range(2)]
    np.testing.assert_array_equal(np.load(file), np.concatenate(one))
