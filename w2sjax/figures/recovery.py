"""Students beside one another: what they recover of the gap, how far they imitate, and both along training."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from w2sjax.figures.style import CATEGORIES, GREY, MARKERS, head, new_figure, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORDS = {"w2s": "naive"}
_NOTE = "; medians over pairs, 95% intervals"


def recovery_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw PGR, and agreement where the supervisor is wrong, of every student.

    Args:
        result: of `w2sjax.analysis.recovery`, with one or two axes.
        title: above the figure.

    Returns:
        Two panels per value of the second axis: lines along the first one; without one, a point per student.
    """
    axes_names = [str(name) for name in result["pgr"].dims if name not in ("student", "of")]
    along = axes_names[0] if axes_names else None
    cells = [None] if len(axes_names) < 2 else result[axes_names[1]].values.tolist()
    figure = new_figure(6.8, 2.9 * len(cells) + 0.5)
    panels = figure.subplots(len(cells), 2, squeeze=False)
    for row, cell in zip(panels, cells, strict=True):
        part = result if cell is None else result.sel({axes_names[1]: cell})
        for axes, name, label in (
            (row[0], "pgr", "PGR in accuracy  [1]"),
            (row[1], "agreement_wrong", "agreement with labels\nwhere these are wrong  [1]"),
        ):
            _by_student(axes, part[name], along)
            axes.axhline(0, color=GREY, linewidth=0.8)
            axes.set_ylabel(label)
            if cell is not None:
                axes.set_title(f"{axes_names[1]} {shown(cell)}", fontsize=9)
    if along is not None:
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    head(figure, title, result, _NOTE)
    return figure


def _by_student(axes: "Axes", values: xr.DataArray, along: str | None) -> None:
    students = values["student"].values.tolist()
    for i, student in enumerate(students):
        line = values.sel(student=student).transpose("of", ...).values
        name = _WORDS.get(student, student)
        x: Any = np.array([i]) if along is None else values[along].values
        middle, low, high = line[:, None] if along is None else line
        spread = np.abs(np.stack([middle - low, high - middle]))
        axes.errorbar(
            x, middle, spread, fmt=MARKERS[i % 7] + ("" if along is None else "-"), color=CATEGORIES[i % 7],
            markersize=4, capsize=2, linewidth=1.2, label=name,
        )  # fmt: skip
    if along is None:
        names = [_WORDS.get(s, s).replace("_", "\n") for s in students]
        axes.set_xticks(range(len(students)), names, fontsize=7, rotation=90 if len(students) > 4 else 0)
        return
    x = values[along].values
    if x.min() > 0 and x.max() >= 4 * x.min():
        axes.set_xscale("log")
    axes.set_xticks(x, [shown(value) for value in x.tolist()])
    axes.minorticks_off()
    axes.set_xlabel(along.replace("_", " "))


def pgr_maps(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw the median PGR over two axes: a column per student, a row per value of a third axis.

    Args:
        result: of `w2sjax.analysis.recovery` with the axes weak_features, strong_features and n_strong.
        title: above the figure.

    Returns:
        Numbers are medians, grey below them half the width of the 95% interval; cells without a gap are empty. The
        diagonal, where student and supervisor have one representation, is framed.
    """
    from matplotlib.patches import Rectangle

    students, sizes = result["student"].values.tolist(), result["n_strong"].values.tolist()
    weak, strong = result["weak_features"].values.tolist(), result["strong_features"].values.tolist()
    figure = new_figure(3.4 * len(students), 3.0 * len(sizes) + 0.5)
    panels = figure.subplots(len(sizes), len(students), sharex=True, sharey=True, squeeze=False)
    mesh: Any = None
    for row, n in zip(panels, sizes, strict=True):
        for axes, student in zip(row, students, strict=True):
            part = (
                result["pgr"]
                .sel(student=student, n_strong=n)
                .transpose("of", "strong_features", "weak_features")
            )
            middle, low, high = part.values
            mesh = axes.imshow(middle, origin="lower", cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
            for (j, i), value in np.ndenumerate(middle):
                if np.isfinite(value):
                    dark = abs(value) > 0.6
                    text = f"{value:.2f}\n±{(high[j, i] - low[j, i]) / 2:.2f}"
                    axes.text(
                        i, j, text, ha="center", va="center", fontsize=6, color="white" if dark else "black"
                    )
            for i, k in enumerate(weak):
                if k in strong:
                    axes.add_patch(
                        Rectangle((i - 0.5, strong.index(k) - 0.5), 1, 1, fill=False, linewidth=1.4)
                    )
            axes.set_title(f"{_WORDS.get(student, student)}, n_strong {n}", fontsize=9)
            axes.set_xticks(range(len(weak)), weak)
            axes.set_yticks(range(len(strong)), strong)
        row[0].set_ylabel("features of the student")
    for axes in panels[-1]:
        axes.set_xlabel("features of the weak model")
    figure.colorbar(mesh, ax=panels, label="PGR in accuracy  [1]", extend="both")
    frames = "framed: one representation; empty: no gap to the ceiling in most pairs"
    head(figure, title, result, f"{_NOTE}\n{frames}")
    return figure


def overfitting_figure(result: xr.Dataset, title: str = "") -> "Figure":
    """Draw accuracy and agreement along training, and PGR by how training stops.

    Args:
        result: of `w2sjax.analysis.recovery` with one axis, of a chain whose stage "w2s" has a learning curve.
        title: above the figure.
    """
    (along,) = (str(name) for name in result["pgr"].dims if name not in ("student", "of"))
    figure = new_figure(6.8, 5.6)
    panels = figure.subplots(2, 2)
    for i, value in enumerate(result[along].values.tolist()):
        part = result.sel({along: value, "student": "w2s"})
        for axes, name in ((panels[0, 0], "curve"), (panels[0, 1], "agreement_curve")):
            middle, low, high = part[name].transpose("of", "progress").values
            axes.fill_between(part["progress"], low, high, color=CATEGORIES[i], alpha=0.2, linewidth=0)
            axes.plot(part["progress"], middle, color=CATEGORIES[i])
            axes.text(1.03, middle[-1], shown(value), color=CATEGORIES[i], fontsize=8, va="center")
            weak = float(part["supervisor_accuracy"].sel(of="median"))
            axes.axhline(weak, color=CATEGORIES[i], linestyle=":", linewidth=1)
    for axes, label in zip(panels[0], ("accuracy  [1]", "agreement with\nweak labels  [1]"), strict=True):
        axes.set(xlabel="share of training", xlim=(0, 1.15), ylabel=label)
        axes.set_title(f"numbers: {along.replace('_', ' ')}; dotted: weak model", fontsize=7)
    _by_student(panels[1, 0], result["pgr"], along)
    panels[1, 0].set_ylabel("PGR in accuracy  [1]")
    _by_student(panels[1, 1], result["agreement_wrong"], along)
    panels[1, 1].set_ylabel("agreement with labels\nwhere these are wrong  [1]")
    handles, labels = panels[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    head(figure, title, result, _NOTE)
    return figure
