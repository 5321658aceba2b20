"""Metrics by group: the same means over the samples of one group of the inputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from w2sjax.engine.class_statistics import mean_inside
from w2sjax.engine.design import table_of
from w2sjax.engine.metrics import Metric
from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError
from w2sjax.losses import over_classes
from w2sjax.validation import shown


def by_group(
    protocol: Protocol, names: Sequence[str], groups: Sequence[str], features: str = "group"
) -> tuple[Metric, ...]:
    """Return metrics of a protocol restricted to groups: `<name>_<group>` for every name and group.

    Args:
        protocol: whose metrics they are.
        names: of metrics that are means over the evaluation sample, such as "weak_accuracy" or "misfit".
        groups: names of the groups, in the order of their numbers 0, 1, ...
        features: the representation, one column, that holds the number of each input's group.

    Returns:
        Metrics to pass to `run_pair` or `sweep`; NaN for a group without samples.

    Raises:
        W2SError: for a name that is no mean over the sample, and for groups that are no names.
    """
    if (
        isinstance(groups, str)
        or not isinstance(groups, Sequence)
        or not all(isinstance(g, str) for g in groups)
    ):
        raise W2SError(
            f"groups={shown(groups)} are no names: pass a list of them, in the order of their numbers."
        )
    means = {metric.name: metric for metric in table_of(protocol) if metric.per_sample is not None}
    for name in names:
        if name not in means:
            raise W2SError(
                f"names holds {name!r}, which is no mean of this protocol: use one of {', '.join(means)}."
            )
    return tuple(
        Metric(
            f"{name}_{group}",
            f"{means[name].long_name}, inputs of group {group}",
            means[name].unit,
            of_sample=_restricted(means[name].per_sample, f"features.{features}", number),
            features=(features,),
        )
        for name in names
        for number, group in enumerate(groups)
    )


def _restricted(terms: Any, column: str, number: int) -> Callable[[Mapping[str, Any], Any], Any]:
    def of_sample(seen: Mapping[str, Any], inside: Any) -> Any:
        return mean_inside(over_classes(terms(seen)), inside & (seen[column][0] == number))

    return of_sample
