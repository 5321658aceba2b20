"""An analysis of a Dataset that is not what it is about says so, whatever it lacks."""

import inspect

import pytest
import xarray as xr

import w2sjax as w2s
from w2sjax.errors import W2SError

WORLD = w2s.worlds.PerturbedMLP(width=4, depth=2)
PROTOCOL = w2s.Protocol(n_weak=50, n_strong=50, n_eval=50, tasks=3)


def analyses() -> list[str]:
    """Return the names of the public analyses that need a Dataset of a sweep, and nothing else."""
    found = []
    for name in dir(w2s.analysis):
        value = getattr(w2s.analysis, name)
        if not inspect.isfunction(value):
            continue
        needed = [p.name for p in inspect.signature(value).parameters.values() if p.default is p.empty]
        if needed == ["dataset"]:
            found.append(name)
    return found


NAMES = analyses()


@pytest.fixture(scope="module")
def sweep() -> xr.Dataset:
    return w2s.sweep(WORLD, PROTOCOL, pairs=4)


def test_there_are_analyses_of_datasets() -> None:
    assert {"summarize", "gain_on_misfit", "finite_sample", "class_moments"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_of_something_else_is_refused(name: str) -> None:
    with pytest.raises(W2SError, match="dataset has no"):
        getattr(w2s.analysis, name)(xr.Dataset({"height": ("person", [1.7, 1.8])}))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_dataset_is_refused(name: str, sweep: xr.Dataset) -> None:
    for other in (None, {}, sweep["gain"]):
        with pytest.raises(
            W2SError, match=r"dataset=.* is no Dataset: pass what sweep or open_store returned"
        ):
            getattr(w2s.analysis, name)(other)


@pytest.mark.parametrize("part", ["whole", "axes", "no tasks", "no status", "gain alone"])
@pytest.mark.parametrize("name", NAMES)
def test_a_plain_sweep_is_analysed_or_refused(name: str, part: str, sweep: xr.Dataset) -> None:
    if part == "axes":
        sweep = sweep.expand_dims(weak_noise=[0.05, 0.1], n_strong=[50], axis=(0, 1))
    elif part == "no tasks":
        sweep = sweep.mean("task", keep_attrs=True)
    elif part != "whole":
        sweep = sweep.drop_vars("status_code") if part == "no status" else sweep[["gain"]]
    try:
        found = getattr(w2s.analysis, name)(sweep)
    except W2SError as refused:
        assert "\n" not in str(refused)
    else:
        assert isinstance(found, xr.Dataset)


@pytest.mark.filterwarnings("error")
def test_a_selected_value_of_an_axis_stays_a_coordinate(sweep: xr.Dataset) -> None:
    found = w2s.analysis.gain_on_misfit(sweep.assign_coords(weak_noise=0.05))
    assert found["weak_noise"].item() == 0.05
    xr.testing.assert_equal(found.drop_vars("weak_noise"), w2s.analysis.gain_on_misfit(sweep))
