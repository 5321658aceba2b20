"""The experiment of one pair in any array library, given how to fit a head and how to predict with it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Differences(NamedTuple):
    """Differences on the evaluation split, `[..., row, task]`: of three heads to the truth, and of w2s to weak."""

    weak: Any
    w2s: Any
    ceiling: Any
    misfit: Any


def differences(
    splits: Sequence[Sequence[Any]],
    label: Callable[[Any], Any],
    fit: Callable[[Any, Any], Any],
    predict: Callable[[Any, Any], Any],
) -> Differences:
    """Fit the weak head, the w2s head and the ceiling, and compare what they predict.

    Args:
        splits: weak, strong and evaluation split, each with the target, weak and strong features, `[..., row, unit]`.
        label: returns the true labels for target features, `[..., row, task]`.
        fit: returns a head for features and labels.
        predict: returns the predictions of a head for features, `[..., row, task]`.
    """
    weak, strong, evaluation = splits
    weak_head = fit(weak[1], label(weak[0]))
    w2s_head = fit(strong[2], predict(weak_head, strong[1]))
    ceiling = fit(strong[2], label(strong[0]))
    truth, weak_labels = label(evaluation[0]), predict(weak_head, evaluation[1])
    w2s_labels = predict(w2s_head, evaluation[2])
    return Differences(
        weak=weak_labels - truth,
        w2s=w2s_labels - truth,
        ceiling=predict(ceiling, evaluation[2]) - truth,
        misfit=w2s_labels - weak_labels,
    )
