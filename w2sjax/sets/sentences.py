"""Sentences rated by people (Hutto and Gilbert 2014, "VADER"): the mean rating, and single raters as supervisors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from w2sjax.errors import W2SError
from w2sjax.sets.rows import number, read_rows, text

DOMAINS = ("amazon", "tweets", "news", "movies")

SCALE = 4.0
"""Ratings go from -4 to 4."""


class Sentences(NamedTuple):
    """Sentences of a domain.

    Attributes:
        texts: of every sentence.
        rating: float `[sentence]`, the published mean of the ratings.
        ratings: float `[rater]` by sentence, of as many people as rated it, in no common order.
        source: `[sentence]`, what article or review it is of, or a label of its own: as groups of a split.
        dropped: rows that were left out, by what was wrong.
    """

    texts: list[str]
    rating: np.ndarray
    ratings: list[np.ndarray]
    source: np.ndarray
    dropped: dict[str, int]


def read_sentences(file: Any, *, drop: bool = False) -> Sentences:
    """Read sentences from a CSV file or another table with the columns id, rating, ratings and text.

    Args:
        file: `ratings` are numbers with blanks between; an id "1_2" is the second sentence of article 1.
        drop: leave out rows that are wrong, and count them.

    Raises:
        W2SError: naming row and column of what is wrong.
    """
    checks = {"id": text, "rating": _rating, "ratings": _ratings, "text": text}
    found = read_rows(file, checks, drop=drop)
    columns = found.columns
    source = np.array([own.rpartition("_")[0] or own for own in columns["id"]])
    return Sentences(columns["text"], np.array(columns["rating"]), columns["ratings"], source, found.dropped)


def _rating(field: str) -> float:
    value = number(field)
    if abs(value) > SCALE:
        raise ValueError(f"is not from -4 to 4 ({value:g})")
    return value


def _ratings(field: str) -> np.ndarray:
    if not field.strip():
        raise ValueError("is blank")
    return np.array([_rating(part) for part in field.split()])


class Raters(NamedTuple):
    """Raters of the same sentences, apart.

    Attributes:
        labels: float `[sentence]` by k, the means of the first k of those that supervise.
        truth: float `[sentence]`, the mean of all others, none of whom supervises.
        noise: variance of a single rating about the mean of its sentence, averaged over sentences.
        truth_noise: the variance of `truth` about what infinitely many raters would say, averaged over sentences: it is
            in every error, and neither in gain nor in misfit.
    """

    labels: dict[int, np.ndarray]
    truth: np.ndarray
    noise: float
    truth_noise: float


def raters(ratings: Sequence[np.ndarray], counts: Sequence[int] = (1, 2, 5, 10), *, seed: int = 0) -> Raters:
    """Deal the raters of every sentence out at random: some supervise, the others say what is true.

    Args:
        ratings: of `Sentences`.
        counts: how many supervise; the smaller are among the larger.
        seed: of the deal.

    Raises:
        W2SError: where a sentence has not one rater more than the largest count.
    """
    most = max(counts)
    fewest = min(len(own) for own in ratings)
    if min(counts) < 1 or fewest <= most:
        raise W2SError(
            f"counts={tuple(counts)} leaves a sentence of {fewest} raters no truth: pass fewer, and from 1."
        )
    rng = np.random.default_rng(seed)
    shuffled = [rng.permutation(own) for own in ratings]
    variances = np.array([own.var(ddof=1) for own in ratings])
    others = np.array([len(own) - most for own in ratings])
    return Raters(
        {k: np.array([own[:k].mean() for own in shuffled]) for k in counts},
        np.array([own[most:].mean() for own in shuffled]),
        float(variances.mean()),
        float((variances / others).mean()),
    )
