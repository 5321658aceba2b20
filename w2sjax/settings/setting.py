"""What a published setting is."""

import dataclasses
from typing import Any

from w2sjax.engine.protocol import Protocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """A published experiment: a world, a protocol and a figure, by name.

    Attributes:
        name: `<firstauthor><year>-<what>`.
        title: one line.
        reference: the paper.
        unverified: parameters whose values are recollections, not read in the paper.
        world, protocol: what to run.
        figure: name of a function in `w2sjax.figures`.
        summary: name of the function in `w2sjax.figures` that turns the Dataset into plain numbers and a `headline`.
        axes: values by field name, for a setting that is a grid.
        pairs: independent draws unless the user asks for another number.
    """

    name: str
    title: str
    reference: str
    unverified: tuple[str, ...]
    world: Any
    protocol: Protocol
    figure: str
    summary: str = "summarize"
    axes: dict[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    pairs: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Collection:
    """Several settings that make one figure.

    Attributes:
        name, title, reference: as of a setting.
        members: the settings, in the order of the panels.
        figure: name of a function in `w2sjax.figures` of the members' Datasets and titles.
    """

    name: str
    title: str
    reference: str
    members: tuple[Setting, ...]
    figure: str
