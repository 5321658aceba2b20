"""The table of metrics: name, meaning, unit, and how each follows from the predictions of the stages."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from w2sjax.engine.chain import TRUTH, Stage
from w2sjax.errors import W2SError
from w2sjax.flags import Flag
from w2sjax.linalg import ratio
from w2sjax.losses import SQUARED, Loss, over_classes
from w2sjax.validation import shown


class Metric(NamedTuple):
    """A mean over the evaluation sample, or a function of such means.

    Attributes:
        name: of its values.
        long_name: what it is, in words.
        unit: of its values; "1" for none.
        per_sample: maps predictions, `[task, n]` by stage and "truth", to the terms of the mean, of the same shape.
        of_means: maps means, `[task]` by name, to values `[task]`, where the metric is no mean itself.
        of_sample: maps predictions as above, of the whole evaluation sample, and which of the n samples count (booleans
            `[n]`) to values `[task]`, where the metric follows from no means, such as a rank correlation.
        quadratic: `per_sample` is a homogeneous quadratic form of predictions minus truth: its mean then follows from
            second moments.
        flag: set in the status of a pair where a value is above 0.
        features: names of representations that `per_sample` and `of_sample` also see, `[width, n]`, as
            "features.<name>".
    """

    name: str
    long_name: str
    unit: str
    per_sample: Callable[[Mapping[str, Any]], Any] | None = None
    of_means: Callable[[Mapping[str, Any]], Any] | None = None
    quadratic: bool = False
    of_sample: Callable[[Mapping[str, Any], Any], Any] | None = None
    flag: Flag | None = None
    features: tuple[str, ...] = ()


MODELS = {"weak": "weak model", "w2s": "w2s model", "ceiling": "ceiling", "baseline": "baseline"}
"""What stages are called in words; others go by their names."""


TAKEN = ("pair", "task", "progress", "values", "status", "spread", "curves", "learning")
"""What results have beside metrics: dimensions, and attributes of an `Outcome`."""


def metrics_of(
    stages: Sequence[Stage], loss: Loss = SQUARED, extra: Sequence[Metric] = ()
) -> tuple[Metric, ...]:
    """Return the metrics of a chain: errors, what a student gains over its teacher, shares, and a user's own."""
    names = [stage.name for stage in stages]
    found = [_error(name, loss) for name in names]
    for stage in stages:
        if stage.labels != TRUTH:
            found += _student(stage.labels, stage.name, loss)
    if {"weak", "w2s", "ceiling"} <= set(names):
        found.append(
            Metric("pgr", "gain / (weak_error - ceiling_error)", "1", of_means=performance_gap_recovered)
        )
    if {"w2s", "baseline"} <= set(names):
        found.append(Metric("opr", "baseline_error / w2s_error", "1", of_means=outperformance))
    for metric in extra:
        if metric.name in [other.name for other in found]:
            raise W2SError(f"metric name {metric.name!r} is taken: choose another.")
    return (*found, *extra)


def check_metrics(metrics: Any) -> tuple[Metric, ...]:
    """Return a user's metrics, or refuse them.

    Raises:
        W2SError: for what are no metrics, or two of one name.
    """
    given = (
        tuple(metrics) if isinstance(metrics, Sequence) and not isinstance(metrics, Metric) else (metrics,)
    )
    for metric in given:
        if not isinstance(metric, Metric):
            raise W2SError(f"metrics holds {shown(metric)}, which is no metric: pass Metric(...).")
        if not isinstance(metric.name, str) or not metric.name.isidentifier():
            raise W2SError(
                f"metric name={shown(metric.name)} is not a name: pass letters, digits, underscores."
            )
        if metric.name in TAKEN or metric.name.startswith("status_"):
            raise W2SError(f"metric name {metric.name!r} is that of another part of results: choose another.")
        ways = (metric.per_sample, metric.of_means, metric.of_sample)
        if sum(way is not None for way in ways) != 1:
            raise W2SError(
                f"metric {metric.name} has not one of per_sample, of_means and of_sample: pass one of them."
            )
    names = [metric.name for metric in given]
    if len(set(names)) < len(names):
        raise W2SError(f"metrics has two of one name among {', '.join(names)}: give each its own.")
    return given


@functools.cache  # a metric that is the same is not compiled again
def _error(name: str, loss: Loss) -> Metric:
    def per_sample(p: Mapping[str, Any]) -> Any:
        return loss.value(p[name], p[TRUTH])

    meaning = f"mean {loss.name} of the {MODELS.get(name, name)} against the truth"
    return Metric(f"{name}_error", meaning, loss.unit, per_sample, quadratic=loss is SQUARED)


@functools.cache
def _student(teacher: str, student: str, loss: Loss) -> tuple[Metric, ...]:
    """Return misfit, gain and deviation of a student: of the usual pair by these names, of others with its own."""
    prefix = "" if (teacher, student) == ("weak", "w2s") else f"{student}_"
    squared = loss is SQUARED

    def misfit(p: Mapping[str, Any]) -> Any:
        if squared:
            difference = (p[teacher] - p[TRUTH]) - (p[student] - p[TRUTH])
            return difference * difference
        return loss.between(p[student], p[teacher])

    def gain(p: Mapping[str, Any]) -> Any:
        if squared:  # formed from the residuals so that it does not cancel
            ours, theirs = p[student] - p[TRUTH], p[teacher] - p[TRUTH]
            return (theirs - ours) * (theirs + ours)
        return loss.value(p[teacher], p[TRUTH]) - loss.value(p[student], p[TRUTH])

    def deviation(p: Mapping[str, Any]) -> Any:
        if squared:
            ours, theirs = p[student] - p[TRUTH], p[teacher] - p[TRUTH]
            return 2 * (theirs - ours) * ours
        return over_classes(gain(p)) - over_classes(misfit(p))

    distance = "squared distance" if squared else f"{loss.name} as a distance"
    meanings = (
        ("misfit", f"mean {distance} between {student} and {teacher} predictions", misfit),
        ("gain", f"{teacher}_error - {student}_error", gain),
        ("deviation", f"{prefix}gain - {prefix}misfit", deviation),
    )
    return tuple(
        Metric(prefix + name, meaning, loss.unit, function, quadratic=squared)
        for name, meaning, function in meanings
    )


def performance_gap_recovered(means: Mapping[str, Any]) -> Any:
    """Return gain / (weak_error - ceiling_error), NaN where the gap is not positive (Burns et al. 2023)."""
    return ratio(means["gain"], means["weak_error"] - means["ceiling_error"])


def outperformance(means: Mapping[str, Any]) -> Any:
    """Return baseline_error / w2s_error, NaN where that is not positive."""
    return ratio(means["baseline_error"], means["w2s_error"])
