"""Figures at the width of a column: size of text, nothing cut or hidden, text as text; intervals of slopes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from tests.test_cli import run
from tests.test_pretraining_figures import made_up
from tests.test_report import AXES, made
from w2sjax import analysis, figures
from w2sjax.analysis.statistics import pair_fit, slope_ends
from w2sjax.figures import at_width
from w2sjax.figures.saving import save


def one_study() -> Figure:
    dataset = made_up([0.9, 1.0, 0.7], 100)
    dataset["gain"] = dataset["gain"] + np.random.default_rng(0).normal(0, 0.02, dataset["gain"].shape)
    return figures.gain_against_misfit(analysis.gain_on_misfit(dataset), "A title that is rather long")


def collection() -> Figure:
    results = [
        analysis.gain_on_misfit(made_up([slope])).assign_attrs(published_slope=0.97)
        for slope in (1.0, 0.2, 0.5)
    ]
    return figures.gain_against_misfit_panels(results, ["(a) one", "(b) two", "(c) three"], "All")


def cloud() -> Figure:
    return figures.plot(
        made(AXES, 20, 5), color="n_strong", facet="noise", sel={"head.kind": "ball"}, title="A title"
    )


def curves() -> Figure:
    return figures.plot(
        made(AXES, 20, 5), x="n_strong", y="deviation", color="head.kind", facet="noise", log="x"
    )


def one_panel() -> Figure:
    one = {"head.kind": "ball", "noise": 0.1}
    return figures.plot(made(AXES, 20, 5), x="n_strong", y="deviation", sel=one)


@pytest.mark.parametrize("inches", [3.3, 6.8])
@pytest.mark.parametrize("draw", [one_study, collection, cloud, curves, one_panel])
def test_a_column_holds_all_of_a_figure(draw: Callable[[], Figure], inches: float) -> None:
    figure = draw()
    heading = " ".join(figure.get_suptitle().split())
    names = [figure.get_supxlabel().split(), figure.get_supylabel().split()]
    assert at_width(figure, inches) == heading
    assert [figure.get_supxlabel().split(), figure.get_supylabel().split()] == names
    assert figure.get_suptitle() == "" and figure.get_size_inches()[0] == inches
    renderer, page = FigureCanvasAgg(figure).get_renderer(), figure.bbox
    figure.draw_without_rendering()
    for text in figure.findobj(Text):
        box = text.get_window_extent(renderer)
        if text.get_visible() and text.get_text().strip() and box.width and text.get_figure() is not None:
            assert text.get_fontsize() >= 7, text
    for axes in figure.axes:
        box = axes.get_tightbbox(renderer)
        assert box is not None and box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1, axes.get_title()
        assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1
        inside = axes.get_window_extent()
        assert inside.width > 0.7 * figure.dpi
        legend = axes.get_legend()
        assert legend is None or not legend.get_window_extent(renderer).overlaps(inside.padded(-1))
    labels = [text for text in figure.texts if text.get_text().strip()]
    for text in labels:
        box = text.get_window_extent(renderer)
        assert box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1, text
    for legend in figure.legends:
        assert not any(
            legend.get_window_extent(renderer).overlaps(text.get_window_extent()) for text in labels
        )
        assert not any(
            legend.get_window_extent(renderer).overlaps(axes.get_window_extent()) for axes in figure.axes
        )


def test_panels_of_gain_against_misfit_have_one_scale() -> None:
    panels = collection().axes
    limits = {limit for axes in panels for limit in (axes.get_xlim(), axes.get_ylim())}
    assert len(limits) == 1 and all(axes.get_aspect() == 1 for axes in panels)
    assert "released notebook: slope 0.97" in panels[0].get_title()


def test_text_of_vector_figures_is_text(tmp_path: Path) -> None:
    figure = one_study()
    for name in ("a.svg", "a.pdf"):
        save(figure, tmp_path / name)
    assert ">A title that is rather long</text>" in (tmp_path / "a.svg").read_text()
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf and b"/Type3" not in pdf


def test_plot_prints_its_caption_and_names_no_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made(AXES, 20, 5).to_zarr(tmp_path / "x.zarr")
    arguments = ["plot", str(tmp_path / "x.zarr"), "--sel", "head.kind=ridge", "--width", "3.3"]
    assert run(*arguments, "--out", str(tmp_path / "x.pdf")) == 0
    caption = capsys.readouterr().out.splitlines()[0]
    assert caption.startswith("caption: head.kind = ridge 600 points") and "x.zarr" not in caption
    assert run(*arguments[:-1], "0.5") == 2
    assert "width=0.5 is no column of 2 to 20 inches" in capsys.readouterr().err


def test_interval_of_a_slope_holds_the_slope_as_often_as_it_says() -> None:
    """Noise grows with misfit, which the usual interval of least squares does not allow for."""
    rng, draws, count = np.random.default_rng(0), 2000, 100
    x = rng.uniform(0, 1, (draws, count))
    y = 0.8 * x + rng.normal(size=x.shape) * x**3
    ends = np.array([slope_ends(a, b) for a, b in zip(x, y, strict=True)])
    share = np.mean((ends[:, 0] < 0.8) & (ends[:, 1] > 0.8))
    error = (0.95 * 0.05 / draws) ** 0.5
    assert abs(share - 0.95) < 3 * error + 0.005
    usual = [stats.linregress(a, b) for a, b in zip(x, y, strict=True)]
    assert np.mean([abs(fit.slope - 0.8) < 1.96 * fit.stderr for fit in usual]) < 0.95 - 6 * error
    assert ends[0].mean() == pytest.approx(pair_fit(x[0], y[0])[0])
    assert np.isnan(slope_ends(x[0, :2], y[0, :2])).all()
    result = analysis.gain_on_misfit(xr.concat([made_up([0.5]), made_up([0.7])], "pair"))
    np.testing.assert_allclose(result["slope_interval"], [[0.5, 0.5], [0.7, 0.7]], atol=1e-12)
