"""Sweeps: labels, invariance to batching, common random numbers, nested samples, grids."""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests.oracle import run_alone
from tests.test_pair import FixedSample
from w2sjax.analysis import deviation_by_size
from w2sjax.analysis.statistics import pair_fits
from w2sjax.random.keys import pair_key


@dataclasses.dataclass(frozen=True)
class Gain:
    """A world with a field of the name of a variable."""

    gain: float = 1.0

    def draw(self, key: jax.Array) -> Any:
        return WORLD.draw(key)


@dataclasses.dataclass
class Changing:
    """A world that can change after it was compiled."""

    scale: float = 1.0

    def draw(self, key: jax.Array) -> Any:
        return WORLD.draw(key)


class InTuple(NamedTuple):
    """A world that is a pytree by accident."""

    width: int

    def draw(self, key: jax.Array) -> Any:
        return w2s.worlds.PerturbedMLP(width=self.width).draw(key)


WORLD = w2s.worlds.PerturbedMLP(weak_noise=0.05, strong_noise=0.01)
PROTOCOL = w2s.Protocol(n_weak=700, n_strong=900, n_eval=500, tasks=3)
ERRORS = ("weak_error", "w2s_error", "ceiling_error", "misfit", "gain", "deviation")


def assert_same(a: xr.Dataset, b: xr.Dataset, tolerance: float = 1e-12) -> None:
    """Errors agree relative to weak_error, and ranks exactly."""
    for name in ERRORS:
        difference = np.abs((a[name] - b[name]) / a["weak_error"]).max().item()
        assert difference <= tolerance, (name, difference)
    xr.testing.assert_equal(a["status_weak_rank"], b["status_weak_rank"])


@pytest.fixture(scope="module")
def grid() -> xr.Dataset:
    """Every kind of axis at once."""
    axes = {"ridge": [0.0, 1e-3], "n_strong": [900, 150], "weak_noise": [0.05, 0.02], "n_weak": [250, 700]}
    return w2s.sweep(WORLD, PROTOCOL, pairs=3, seed=5, axes=axes)


def test_dataset_is_labelled(grid: xr.Dataset) -> None:
    assert grid["gain"].dims == ("pair", "ridge", "n_strong", "weak_noise", "n_weak", "task")
    assert grid["status_code"].dims == ("pair", "ridge", "n_strong", "weak_noise", "n_weak")
    assert grid["n_strong"].values.tolist() == [900, 150]
    assert grid["gain"].attrs["units"] == "squared label unit"
    assert '"seed": 5' in grid.attrs["configuration"]


def test_cells_equal_single_pairs(grid: xr.Dataset) -> None:
    """A cell of the grid is `run_pair` under the protocol of that cell: prefixes, shared factorizations and all."""
    for cell in (
        {"ridge": 1e-3, "n_strong": 150, "n_weak": 250},
        {"ridge": 0.0, "n_strong": 900, "n_weak": 700},
    ):
        sizes = {name: value for name, value in cell.items() if name != "ridge"}
        protocol = dataclasses.replace(PROTOCOL, head=w2s.heads.Ridge(cell["ridge"]), **sizes)
        outcome = run_alone(WORLD, protocol, pair_key(jax.random.key(5), 2))
        chosen = grid.sel(pair=2, weak_noise=0.05, **cell)
        for name in ERRORS:
            difference = (np.asarray(getattr(outcome, name)) - chosen[name]) / chosen["weak_error"]
            assert np.abs(difference).max() < 1e-12


def test_results_do_not_depend_on_batching_or_on_how_many_pairs() -> None:
    whole = w2s.sweep(WORLD, PROTOCOL, pairs=11, seed=5)
    with pytest.warns(UserWarning, match="more than memory_budget=1"):
        alone = w2s.sweep(WORLD, PROTOCOL, pairs=3, seed=5, memory_budget=1)
    assert_same(whole.isel(pair=slice(3)), alone)
    first = w2s.sweep(WORLD, dataclasses.replace(PROTOCOL, tasks=2), pairs=3, seed=5)
    assert_same(alone.isel(task=slice(2)), first)


def test_unpaired_cells_draw_anew_whatever_the_order_of_axes() -> None:
    axes = {"weak_noise": [0.05, 0.05000001], "ridge": [0.0, 1e-12]}
    a = w2s.sweep(WORLD, PROTOCOL, pairs=2, seed=5, axes=axes, paired=False)
    b = w2s.sweep(WORLD, PROTOCOL, pairs=2, seed=5, axes=dict(reversed(axes.items())), paired=False)
    assert_same(a, b.transpose(*a["gain"].dims))
    cells = a["weak_error"].stack(cell=("weak_noise", "ridge")).isel(pair=0, task=0).values
    assert np.unique(cells.round(6)).size == 4


def test_a_users_world_sweeps_over_its_own_fields(key: jax.Array) -> None:
    ds = w2s.sweep(
        FixedSample(),
        w2s.Protocol(n_weak=500, n_strong=500, n_eval=500, tasks=2),
        pairs=2,
        axes={"width": [5, 6]},
    )
    assert ds["gain"].shape == (2, 2, 2)
    np.testing.assert_allclose(ds["gain"], ds["misfit"], rtol=1e-9)


def test_published_panels_look_as_published() -> None:
    """Slope and R2 of gain on misfit over 100 tasks, and the floor of the deviation.

    Of 400 draws, 96% of the realizable panels had a slope of 0.8 to 1.2 and R2 > 0.95; of the others, 81% had a slope
    of 0.7 to 1.0, 94% R2 > 0.85, and the median of deviation / weak_error was -8.7%.
    """
    for strong_noise, slopes, least_r2 in ((0.0, (0.8, 1.2), 0.95), (0.01, (0.7, 1.0), 0.85)):
        world = dataclasses.replace(WORLD, strong_noise=strong_noise)
        ds = w2s.sweep(world, w2s.Protocol(), pairs=40, seed=0)
        fits = pair_fits(ds).to_dataarray().values.T
        inside = (fits[:, 0] > slopes[0]) & (fits[:, 0] < slopes[1])
        fits_well = fits[:, 1] > least_r2
        floor = (ds["deviation"].mean("task") / ds["weak_error"].mean("task")).median().item()
        assert slopes[0] < np.median(fits[:, 0]) < slopes[1]
        if strong_noise == 0:
            assert (inside & fits_well)[:20].sum() >= 18, fits
            assert abs(floor) < 0.03
        else:  # 4 standard errors of a share of 40 draws: 0.15 at 94%, 0.25 at 81%
            assert fits_well.mean() > 0.94 - 0.15 and inside.mean() > 0.81 - 0.25, fits
            assert -0.12 < floor < -0.05


def test_deviation_falls_like_the_root_of_the_sample_size() -> None:
    sizes = [500, 5000, 50_000]
    ds = w2s.sweep(
        dataclasses.replace(WORLD, strong_noise=0.0),
        w2s.Protocol(tasks=10),
        pairs=16,
        axes=dict.fromkeys(("n_weak", "n_strong", "n_eval"), sizes),
    )
    result = deviation_by_size(ds)
    medians = result["relative_deviation"].sel(quantile=0.5)
    assert 0.03 < medians.sel(n=500) < 0.1
    slope = np.polyfit(np.log(sizes), np.log([medians.sel(n=n) for n in sizes]), 1)[0]
    assert -0.6 < slope < -0.4
    assert result["exponent"] == pytest.approx(slope)


def test_integers_of_numpy_are_integers(tmp_path: Path) -> None:
    one, two = np.int64(1), np.int64(2)
    dataset = w2s.sweep(WORLD, PROTOCOL, pairs=two, seed=one, memory_budget=2**31 * two, chunk_pairs=one)
    stored = w2s.sweep(WORLD, PROTOCOL, pairs=two, seed=one, chunk_pairs=one, store=tmp_path / "a.zarr")
    assert_same(dataset, stored)
    assert json.loads(dataset.attrs["configuration"])["seed"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"world": w2s.worlds.PerturbedMLP}, "is not a world: pass an object"),
        ({"protocol": {"tasks": 2}}, "is not a Protocol"),
        (
            {"protocol": jax.tree.map(lambda v: np.array([v, v]), w2s.Protocol())},
            r"ridge=.* is not a single value",
        ),
        ({"axes": [0.1]}, "is not a mapping"),
        ({"axes": {"ridge": [0, [1]]}}, r"axes\['ridge'\] holds \[1\]: pass single numbers"),
        ({"axes": {"ridge": [0.1, np.ones(2)]}}, r"axes\['ridge'\] holds array\(\[1., 1.\]\)"),
        ({"axes": {"ridge": np.array(1.0)}}, r"axes\['ridge'\] has 0 dimensions"),
        ({"axes": {"ridge": np.ones((1, 1))}}, r"axes\['ridge'\] has 2 dimensions"),
        ({"axes": {"tasks": [1, 2]}}, "axes has no field 'tasks' to vary: run the most"),
        ({"axes": {"gain": [1, 2]}, "world": Gain()}, "has the name of a result: call it 'world.gain'"),
        ({"axes": {"weak_noise": [None, 1.0]}}, r"axes\['weak_noise'\] holds None"),
        ({"seed": 2**32}, "seed=4294967296 is too large: pass a whole number <= 4294967295"),
        ({"pairs": 2**40}, "is too large"),
        ({"world": Changing()}, "can change after it was compiled"),
    ],
)
def test_arguments_are_checked_at_the_edge(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        w2s.sweep(**{"world": WORLD, "protocol": PROTOCOL, "pairs": 1} | arguments)


def test_axes_may_be_arrays() -> None:
    values = [0.1, 0.5]
    first, *others = (
        w2s.sweep(WORLD, PROTOCOL, pairs=1, axes={"weak_noise": of})
        for of in (values, np.array(values), jnp.array(values))
    )
    for other in others:
        assert_same(first, other)


def test_a_tuple_of_settings_is_a_world(key: jax.Array) -> None:
    assert_same(
        w2s.sweep(InTuple(16), PROTOCOL, pairs=2, seed=5),
        w2s.sweep(w2s.worlds.PerturbedMLP(width=16), PROTOCOL, pairs=2, seed=5),
    )


def test_refusals() -> None:
    with pytest.raises(ValueError, match="pairs=0 is too small"):
        w2s.sweep(WORLD, PROTOCOL, pairs=0)
    with pytest.raises(ValueError, match="did you mean 'weak_noise'"):
        w2s.sweep(WORLD, PROTOCOL, pairs=1, axes={"weak_nois": [0.1]})
    with pytest.raises(ValueError, match="repeats a value"):
        w2s.sweep(WORLD, PROTOCOL, pairs=1, axes={"ridge": [0.1, 0.1]})
    with pytest.raises(ValueError, match="is empty"):
        w2s.sweep(WORLD, PROTOCOL, pairs=1, axes={"ridge": []})
    with pytest.raises(ValueError, match="n_weak=-5 is too small"):
        w2s.sweep(WORLD, PROTOCOL, pairs=1, axes={"n_weak": [10, -5]})
