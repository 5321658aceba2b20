"""What cannot be plotted is refused in one sentence; what can be, whatever its names are, is plotted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import w2sjax as w2s
from tests.test_paths import run
from tests.test_refusals import refused
from w2sjax.figures import plot

PLOTS = {
    "empty": (xr.Dataset(), "has no variables"),
    "no pairs": (
        xr.Dataset({"gain": ("pair", np.zeros(0)), "misfit": ("pair", np.zeros(0))}),
        "have no values",
    ),
    "complex": (
        xr.Dataset({"gain": ("pair", 1j * np.ones(3)), "misfit": ("pair", np.ones(3))}),
        "gain is complex",
    ),
    "nowhere finite": (
        xr.Dataset({"gain": ("pair", np.full(3, np.nan)), "misfit": ("pair", np.ones(3))}),
        "nowhere all finite",
    ),
}


@pytest.mark.parametrize("name", PLOTS)
def test_what_cannot_be_plotted(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    dataset, message = PLOTS[name]
    dataset.to_zarr(tmp_path / "x.zarr", zarr_format=3, consolidated=False)
    refused(capsys, message, "plot", tmp_path / "x.zarr")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log": "x", "sel": {"ridge": 0.0}}, "no value of ridge is positive"),
        ({"x": "kind", "log": "x"}, "--log x: kind has no numbers"),
        ({"sel": {"ridge": [0.0, 0.1]}}, "--sel ridge=.* is not a single value"),
        ({"y": []}, "--y is empty"),
        ({"x": None}, "None is no quantity"),
        ({"points": 0}, "--points=0 is too small"),
    ],
)
def test_arguments_of_a_plot(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(w2s.W2SError, match=message):
        w2s.figures.plot(along_axes(), **{"x": "ridge", "pool": True} | arguments)


def test_a_logarithmic_axis_says_what_it_leaves_out() -> None:
    figure = w2s.figures.plot(along_axes(), x="ridge", log="x", pool=True)
    assert "; not positive: ridge = 0" in figure.get_suptitle().replace("\n", " ")
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0.1, 1.0]


def along_axes() -> xr.Dataset:
    values = np.random.default_rng(0).normal(size=(9, 3, 2))
    axes = {"ridge": [0.0, 0.1, 1.0], "kind": ["a", "b"]}
    return xr.Dataset({"gain": (("pair", "ridge", "kind"), values)}, axes)


def test_text_objects_and_dollars_can_be_plotted(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    kinds = np.array(["a", "$b_", "c"], object)
    data = {
        "$x_1": (("pair", "$k"), values, {"long_name": "cost in $", "units": "$"}),
        "$": (("pair", "$k"), values),
    }
    dataset = xr.Dataset(data, coords={"$k": ("$k", kinds)})
    dataset.to_zarr(tmp_path / "$x$.zarr", zarr_format=3, consolidated=False)
    for options in (("--color", "$k"), ("--facet", "$k"), ("--y", "$k"), ("--x", "$k", "--y", "$")):
        given = dict(zip(options[::2], options[1::2], strict=True))
        arguments = {"--x": "$x_1", "--y": "$"} | given
        assert run("plot", tmp_path / "$x$.zarr", *(word for pair in arguments.items() for word in pair)) == 0
    assert plot([dataset], x="$x_1", y="$").get_supxlabel() == r"\$x_1: cost in \$  [\$]"
