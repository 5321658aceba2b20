"""The page about a sweep: its numbers against NumPy, and what a headless Chromium does with it."""

import builtins
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.browser import CHROMIUM, DRIVER, Browser, browser
from tests.test_cli import run
from w2sjax import analysis
from w2sjax.flags import Flag
from w2sjax.report import contents

AXES: dict[str, list[Any]] = {"head.kind": ["ball", "ridge"], "n_strong": [50, 100, 500], "noise": [0.0, 0.1]}


def made(axes: dict[str, list[Any]], pairs: int, tasks: int) -> xr.Dataset:
    """Return a sweep of these axes with random errors, larger for larger n_strong; one pair diverged in one cell."""
    rng = np.random.default_rng(0)
    shape = (*map(len, axes.values()), pairs, tasks)
    misfit = rng.gamma(4, 0.1, shape)
    for axis, values in enumerate(axes.values()):
        misfit += 0.1 * np.arange(len(values)).reshape([-1] + [1] * (len(shape) - axis - 1))
    weak = misfit + rng.gamma(4, 0.1, shape)
    deviation = rng.normal(0, 0.05, shape)
    values = {"weak_error": weak, "w2s_error": weak - misfit - deviation, "misfit": misfit}
    values |= {"gain": misfit + deviation, "deviation": deviation}
    code = np.zeros(shape[:-1], int)
    code[..., 3] = int(Flag.ILL_CONDITIONED)
    code[(0,) * len(axes) + (0,)] = int(Flag.NOT_FINITE)
    dims = (*axes, "pair", "task")
    data: dict[str, Any] = {
        name: (dims, array, {"units": "squared label unit"}) for name, array in values.items()
    }
    return xr.Dataset(
        data | {"status_code": (dims[:-1], code)}, axes | {"pair": np.arange(pairs), "task": np.arange(tasks)}
    )


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return made(AXES, pairs=20, tasks=5)


def test_numbers_are_those_of_the_summary(dataset: xr.Dataset) -> None:
    halves = [dataset.isel(pair=slice(0, 9)), dataset.isel(pair=slice(9, None))]
    found = contents([part.isel(noise=[i]) for part in halves for i in (1, 0)], theory=False)
    assert {axis["name"]: axis["values"] for axis in found["axes"]} == AXES
    summary = analysis.summarize(dataset)
    for at, cell in zip(itertools.product(*AXES.values()), found["cells"], strict=True):
        here = dict(zip(AXES, at, strict=True))
        of = ["median", "low", "high"]
        np.testing.assert_allclose(
            cell["values"]["gain"][:3], summary["gain"].sel(here).sel(of=of), rtol=1e-4
        )
        per_pair = (
            dataset["gain"]
            .sel(here)
            .mean("task")
            .where(dataset["status_code"].sel(here) != int(Flag.NOT_FINITE))
        )
        np.testing.assert_allclose(cell["values"]["gain"][3:], per_pair.quantile([0.1, 0.9]), rtol=1e-4)
        assert cell["pairs"] == 20
    flags = [flag["name"] for flag in found["flags"]]
    assert flags == ["ill conditioned", "not finite"]
    counts = np.array([cell["flags"] for cell in found["cells"]])
    assert (counts[:, 0] == 1).all() and counts[:, 1].tolist() == [1] + [0] * 11
    points = {name: np.array(values) for name, values in found["points"].items()}
    assert points["gain"].size == dataset["gain"].size and found["bins"] is None
    place = [np.array(i) for i in np.unravel_index(points["cell"], (2, 3, 2))]
    expected = dataset["misfit"].values[(*place, points["pair"], points["task"])]
    np.testing.assert_allclose(points["misfit"], expected, rtol=1e-4)


def test_a_million_points_are_counted_and_few_are_drawn() -> None:
    large = made({"n_strong": list(range(10, 60)), "noise": [0.0, 0.1]}, pairs=100, tasks=100)
    found = contents([large], theory=False)
    assert found["total"] == 10**6 and len(found["points"]["gain"]) == 20_000
    low, high = found["limits"]
    inside = (
        (large["misfit"] > low) & (large["misfit"] < high) & (large["gain"] > low) & (large["gain"] < high)
    ).sum()
    bins = {name: np.array(values) for name, values in found["bins"].items()}
    assert bins["count"].sum() == int(inside)
    cell = large.isel(n_strong=7, noise=1)
    expected, _, _ = np.histogram2d(
        cell["misfit"].values.ravel(), cell["gain"].values.ravel(), [bins["edges"]] * 2
    )
    mine = np.flatnonzero(bins["cell"] == 15)
    np.testing.assert_array_equal(expected[bins["x"][mine], bins["y"][mine]], bins["count"][mine])
    assert expected.sum() == bins["count"][mine].sum()
    assert len(json.dumps(found)) < 8_000_000  # and the drawing library is below one


def test_an_axis_of_one_value_is_none(dataset: xr.Dataset) -> None:
    """As in what is done of a sweep that runs, whose blocks have a dimension of it."""
    few = dataset.isel(noise=[1])
    found = contents([few], theory=False, points=100)
    assert [axis["name"] for axis in found["axes"]] == ["head.kind", "n_strong"]
    plain = contents([few.isel(noise=0)], theory=False, points=100)
    assert found["cells"] == plain["cells"] and found["bins"] == plain["bins"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("misfit"), "has no misfit of every task"),
        (lambda d: d.isel(n_strong=[0] * 1500).assign_coords(n_strong=np.arange(1500)), "6000 cells"),
    ],
)
def test_what_a_page_cannot_show_is_refused(dataset: xr.Dataset, change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        contents([change(dataset)], theory=False)
    with pytest.raises(ValueError, match="no finished chunk yet"):
        contents([], theory=False)


def test_missing_library_is_one_sentence(
    dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "vl_convert":
            raise ModuleNotFoundError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    page_module = __import__("w2sjax.report.page", fromlist=["library"])
    page_module.library.cache_clear()
    assert run("report", str(tmp_path / "x.zarr")) == 2
    assert "pip install 'w2sjax[report]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def opened(dataset: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A page written by the command, opened in a browser."""
    pytest.importorskip("vl_convert", reason="needs vl-convert-python, of the extra `report`")
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs chromium and chromedriver")
    folder = tmp_path_factory.mktemp("report")
    dataset.to_zarr(folder / "a <b>.zarr")
    assert run("report", str(folder / "a <b>.zarr"), "--out", str(folder / "r.html"), "--no-theory") == 0
    text = (folder / "r.html").read_text()
    around = re.sub(r"(<script[^>]*>).*?</script>", r"\1", text, flags=re.DOTALL)
    assert around.count("<script") == 3 and not re.findall(r"(?:src|href)=\"(?!data:)", around)
    with browser(folder / "profile") as one:
        one.open(folder / "r.html")
        yield one


PLACE = """
const canvas = document.querySelector("#cloud canvas"), box = canvas.getBoundingClientRect(), view = report.cloud;
const { left, top } = view.padding(), [x, y] = [view.origin()[0] + left, view.origin()[1] + top];
return [box.left + x + view.scale("x")(arguments[0]), box.top + y + view.scale("y")(arguments[1])];
"""
"""Where a value of misfit and one of gain are in the window."""


def test_page_opens_without_a_message(opened: Browser) -> None:
    assert opened.messages() == []
    assert opened.run("return document.title") == "a <b>.zarr"
    assert opened.run("return document.querySelectorAll('#table tr').length") == 13


def test_sliders_change_the_points(opened: Browser, dataset: xr.Dataset) -> None:
    def visible() -> list[float]:
        found = opened.run(
            "return report.cloud.data('rows').filter(r => r.kind === 'point').map(r => r.gain)"
        )
        return sorted(found)

    # Colours are those of head.kind; the other axes begin at their last values.
    for n_strong, keys in ((500, ""), (50, "\ue011"), (100, "\ue014")):
        if keys:
            opened.press("#axis-1", keys)  # home; arrow to the right
        expected = np.sort(dataset["gain"].sel(n_strong=n_strong, noise=0.1).values.ravel())
        np.testing.assert_allclose(visible(), expected, rtol=1e-4)
        assert opened.run("return document.getElementById('value-1').textContent") == str(n_strong)
    median = opened.run("return report.curve.data('rows').map(r => [r.n_strong, r['head.kind'], r.middle])")
    expected_of = analysis.summarize(dataset)["deviation"].sel(of="median", noise=0.1)
    assert len(median) == 6
    for n, kind, value in median:
        assert value == pytest.approx(float(expected_of.sel({"n_strong": n, "head.kind": kind})), rel=1e-3)
    assert opened.messages() == []


def test_hover_shows_values(opened: Browser) -> None:
    row = opened.run("return report.visible[report.visible.length >> 1]")
    opened.run("document.getElementById('cloud').scrollIntoView()")
    opened.move(*opened.run(PLACE, row["misfit"], row["gain"]))
    told = opened.run("""return new Promise(done => setTimeout(() => {
        const box = document.getElementById("vg-tooltip-element");
        done(box?.classList.contains("visible") ? box.innerText : "none"); }, 400))""")
    for name in ("pair", "task", "n_strong", "head.kind", "gain", "weak_error"):
        assert re.search(rf"{re.escape(name)}:?\s*{re.escape(str(row[name]))}", told), told
    assert opened.messages() == []


def test_brush_selects(opened: Browser) -> None:
    opened.run("document.getElementById('cloud').scrollIntoView()")
    ends = opened.run("return [report.visible[20].misfit, report.visible[80].misfit]")
    bottom, top = np.quantile(opened.run("return report.limits"), (0.02, 0.98)).tolist()
    start, end = (opened.run(PLACE, x, y) for x, y in zip(ends, (bottom, top), strict=True))
    opened.move(*start, end)
    told = opened.run("return document.getElementById('selected').textContent")
    ranges = opened.run("return report.cloud.signal('brush')")
    np.testing.assert_allclose(sorted(ranges["misfit"]), ends, atol=0.02)
    (left, right), (low, high) = (sorted(ranges[name]) for name in ("misfit", "gain"))
    rows = opened.run("return report.visible.map(r => [r.misfit, r.gain])")
    count = sum(left <= misfit <= right and low <= gain <= high for misfit, gain in rows)
    assert told.startswith(f"Selected: {count} points of ") and 50 < count < 70
    assert opened.messages() == []


def test_keys_go_from_point_to_point(opened: Browser) -> None:
    opened.press("#cloud", "\ue011\ue014")  # home; arrow to the right
    row = opened.run("return report.visible[1]")
    told = opened.run("return document.getElementById('said').textContent")
    assert told.startswith(f"pair {row['pair']}, task {row['task']}, ")
    labels = opened.run("return [...document.querySelectorAll('input, select')].map(e => e.labels.length)")
    assert labels and all(labels)


def test_panels_themes_and_other_quantities_draw(opened: Browser, dataset: xr.Dataset) -> None:
    choose = """const [id, value] = arguments, e = document.getElementById(id);
        e.value = value; e.dispatchEvent(new Event("change")); return new Promise(done => setTimeout(done, 800))"""
    opened.run(choose, "facet", "noise")
    assert (
        opened.run("return report.cloud.data('rows').filter(r => r.kind === 'point').length") == 2 * 2 * 100
    )
    assert opened.run(
        "return document.querySelectorAll('#curve svg .role-column-title, #curve svg .column_header').length"
    )
    back = opened.run("return getComputedStyle(document.body).backgroundColor")
    opened.run("document.getElementById('theme').click(); return new Promise(done => setTimeout(done, 800))")
    assert opened.run("return getComputedStyle(document.body).backgroundColor") != back
    for axis in AXES:
        opened.run(choose, "x", axis)
    opened.run(choose, "quantity", "gain")
    opened.run(choose, "color", "")
    assert opened.messages() == []
