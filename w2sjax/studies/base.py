"""What a study is: an experiment by name, with what is computed from it and drawn."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from w2sjax.engine.metrics import Metric
    from w2sjax.engine.protocol import Protocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """An experiment by name, published or not: a world, a protocol and axes; then an analysis, a report and a figure.

    The analysis runs once. The report and the figure take what it returns.

    Attributes:
        name: `<firstauthor><year>-<what>`.
        title: one line.
        reference: the paper.
        unverified: parameters whose values are recollections, not read in the paper.
        world, protocol: what to run.
        axes: values by field name, for a study of a grid.
        metrics: what else to measure, as of `w2sjax.sweep`.
        pairs: independent draws unless the user asks for another number.
        analysis: from the Dataset of the sweep to another one, such as a function of `w2sjax.analysis`.
        report: from the result of the analysis to plain numbers, with a `headline`.
        figure: from the result of the analysis and a title to a figure, such as a function of `w2sjax.figures`.
    """

    name: str
    title: str
    reference: str
    unverified: tuple[str, ...] = ()
    world: Any
    protocol: "Protocol"
    axes: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    metrics: "tuple[Metric, ...]" = ()
    pairs: int = 1
    analysis: "Callable[[xr.Dataset], xr.Dataset]"
    report: "Callable[[xr.Dataset], dict[str, Any]]"
    figure: "Callable[[xr.Dataset, str], Figure]"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Collection:
    """Several studies that make one figure.

    Attributes:
        name, title, reference: as of a study.
        members: the studies, in the order of the panels.
        labels: of the panels; without them, what the members' names add to the collection's.
        figure: from the results of the members' analyses, their titles and a title to a figure.
    """

    name: str
    title: str
    reference: str
    members: tuple[Study, ...]
    labels: tuple[str, ...] = ()
    figure: "Callable[[Sequence[xr.Dataset], Sequence[str], str], Figure]"
