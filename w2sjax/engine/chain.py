"""Chains of stages: which model is fitted to whose labels, on what sample and representation."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from w2sjax.errors import W2SError
from w2sjax.heads.base import Head, check_head
from w2sjax.methods.base import NAIVE, Method
from w2sjax.pytrees import pytree
from w2sjax.validation import shown

TRUTH, TARGET = "truth", "target"
"""The name of the true labels, and of the representation that they are a function of."""

_NAME = re.compile(r"[A-Za-z]\w*")
_SPLIT = re.compile(r"weak|strong(_[2-9]|_[1-9]\d+)?")


@pytree("head", "method", objects=("head", "method"))
@dataclasses.dataclass(frozen=True)
class Stage:
    """One model of an experiment.

    Args:
        name: of the model, which its results carry: `<name>_error`.
        features: name of the representation that its head is fitted on.
        labels: "truth", with the protocol's label noise, or the name of an earlier stage, whose predictions they are.
        split: the training sample: "weak" of `n_weak` rows, "strong" of `n_strong`, or "strong_2", "strong_3", ...,
            each with inputs of its own and as many rows as "strong".
        head: the class of heads.
        method: how labels become targets.

    Raises:
        W2SError: for a name that cannot be one, or what is no head or method.
    """

    name: str
    features: str
    labels: str
    split: str
    head: Head
    method: Method = NAIVE

    def __post_init__(self) -> None:
        for field in ("name", "features", "labels", "split"):
            value = getattr(self, field)
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                raise W2SError(
                    f"stage {field}={shown(value)} is not a name: pass letters, digits and underscores."
                )
        if not _SPLIT.fullmatch(self.split):
            raise W2SError(f"stage split={self.split!r} is not known: pass 'weak', 'strong', 'strong_2', ...")
        if self.name in (TRUTH, TARGET):
            raise W2SError(f"stage name={self.name!r} is taken: choose another.")
        check_head(f"head of stage {self.name}", self.head)
        if isinstance(self.method, type) or not callable(getattr(self.method, "targets", None)):
            raise W2SError(f"method={shown(self.method)} is not a method: pass one of w2sjax.methods.")

    @property
    def split_number(self) -> int:
        """0 for the weak and the first strong split, k for strong_k."""
        return int(self.split.removeprefix("strong_")) if "_" in self.split else 0


def usual_stages(head: Head, weak_head: Head, *, baseline: bool = False) -> tuple[Stage, ...]:
    """Return the weak model, the w2s model on its labels, and the ceiling on true labels of the same inputs.

    With `baseline` also a strong head on the weak model's own true labels.
    """
    stages = (
        Stage("weak", "weak", TRUTH, "weak", weak_head),
        Stage("w2s", "strong", "weak", "strong", head),
        Stage("ceiling", "strong", TRUTH, "strong", head),
    )
    return (*stages, Stage("baseline", "strong", TRUTH, "weak", head)) if baseline else stages


def check_stages(stages: Any) -> tuple[Stage, ...]:
    """Return a chain, or refuse it.

    Raises:
        W2SError: for what are no stages, a name that two have, and labels of a stage that does not come before.
    """
    if not isinstance(stages, tuple | list) or not stages or not all(isinstance(s, Stage) for s in stages):
        raise W2SError(f"stages={shown(stages)} is not a chain: pass a tuple of Stage(...).")
    seen: list[str] = []
    for stage in stages:
        if stage.name in seen:
            raise W2SError(f"stages has two of the name {stage.name!r}: give each its own.")
        if stage.labels != TRUTH and stage.labels not in seen:
            known = ", ".join(map(repr, (TRUTH, *seen)))
            raise W2SError(
                f"stage {stage.name!r} has labels={stage.labels!r}, which is no earlier stage: use one of {known}."
            )
        seen.append(stage.name)
    return tuple(stages)


class Group(NamedTuple):
    """Stages that are fitted on one representation of one sample: they share a factorization.

    Attributes:
        name: what its status is called by.
        split, features: of all its stages.
        number: of the split, see `Stage.split_number`.
        names: representations that are drawn for it, in the order of all: its features, and what labels are made of.
        stages: positions in the chain.
    """

    name: str
    split: str
    features: str
    number: int
    names: tuple[str, ...]
    stages: tuple[int, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the representations that labels are made of, but for its own features."""
        return tuple(name for name in self.names if name != self.features)


def source_of_labels(stages: Sequence[Stage], stage: Stage) -> str:
    """Return the representation that the labels of a stage are a function of."""
    if stage.labels == TRUTH:
        return TARGET
    return next(other.features for other in stages if other.name == stage.labels)


def representations(stages: Sequence[Stage]) -> tuple[str, ...]:
    """Return the names of all representations of a chain, each where it is first needed."""
    needed = (name for stage in stages for name in (stage.features, source_of_labels(stages, stage)))
    return tuple(dict.fromkeys([*needed, TARGET]))


def groups_of(stages: Sequence[Stage]) -> tuple[Group, ...]:
    """Return the groups of a chain, in the order of their first stages."""
    order = representations(stages)
    found: dict[tuple[str, str], list[int]] = {}
    for index, stage in enumerate(stages):
        found.setdefault((stage.split, stage.features), []).append(index)
    groups: list[Group] = []
    for (split, features), members in found.items():
        labels = {source_of_labels(stages, stages[i]) for i in members}
        names = tuple(name for name in order if name == features or name in labels)
        taken = any(group.name == features for group in groups)
        name = stages[members[0]].name if taken else features
        groups.append(Group(name, split, features, stages[members[0]].split_number, names, tuple(members)))
    return tuple(groups)


def depends_on(stages: Sequence[Stage]) -> dict[str, tuple[bool, bool]]:
    """Return for each stage whether it depends on n_weak and on n_strong, by its split and its teachers'."""
    found: dict[str, tuple[bool, bool]] = {TRUTH: (False, False)}
    for stage in stages:
        by_weak, by_strong = found[stage.labels]
        weak_split = stage.split == "weak"
        found[stage.name] = (by_weak or weak_split, by_strong or not weak_split)
    return found


def shared_heads(stages: Sequence[Stage]) -> tuple[int, ...]:
    """Return for each stage the first one that has the same head and method, which can be fitted together with it."""
    return tuple(
        next(i for i, other in enumerate(stages) if other.head is stage.head and other.method is stage.method)
        for stage in stages
    )


def fits_in_order(
    stages: Sequence[Stage], shared: Sequence[int] | None = None
) -> list[tuple[Group, tuple[int, ...]]]:
    """Return which stages are fitted after one another: each time all of a group whose teachers are fitted.

    Args:
        stages: the chain.
        shared: from `shared_heads`, where only stages of one head and method are fitted together.
    """
    groups = {i: group for group in groups_of(stages) for i in group.stages}
    waiting, known = list(range(len(stages))), {TRUTH}
    found: list[tuple[Group, tuple[int, ...]]] = []
    while waiting:
        first = waiting[0]  # its teacher comes before it, and is fitted
        ready = tuple(
            i
            for i in groups[first].stages
            if i in waiting and stages[i].labels in known and (shared is None or shared[i] == shared[first])
        )
        found.append((groups[first], ready))
        known |= {stages[i].name for i in ready}
        waiting = [i for i in waiting if i not in ready]
    return found
