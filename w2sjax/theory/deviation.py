"""The law of the deviation: how gain - misfit is spread at finite samples, from moments of order four.

This project's own result; docs/theory.md has the derivation. Fix the weak predictor w. Let z be the strong features,
whitened, a constant one among them (E zz' = I), s = E[w z]'z the w2s predictor of infinitely many samples, r = w - s, g
the truth and a = E[(s - g) z]. The head fitted by least squares to w on n fresh inputs is s + delta'z, with
delta = (Z'Z/n)^-1 (1/n) sum z_i r_i, and exactly

    gain - misfit = limit - 2 a'delta - 2 |delta|^2,      limit = 2 E[r (s - g)].

To first order in 1/n its mean is limit + bias / n with bias = 2 E[(a'z) |z|^2 r] - 2 E[|z|^2 r^2], and its variance is
4 E[(a'z)^2 r^2] / n. Measured on n_eval samples, it has the variance 4 Var[r (s - g)] / n_eval besides.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from w2sjax.engine.chain import Stage
from w2sjax.engine.protocol import Protocol
from w2sjax.engine.redraw import redraw
from w2sjax.heads.ridge import Ridge
from w2sjax.losses import SQUARED
from w2sjax.methods.base import Naive
from w2sjax.theory.base import Theory, require

SAMPLES = 10_000
"""Rows from which the moments of a pair are estimated."""

_SMALLEST = 1e-10
"""Whitened directions below this share of the largest singular value are dropped."""


class DeviationLaw(NamedTuple):
    """The law of gain - misfit given a weak predictor, in squared label units (powers of them), arrays of one shape.

    Attributes:
        limit: for infinitely many samples: 0 where the strong class holds the truth.
        bias: times 1/n it is what n samples add to the mean.
        variance: times 1/n it is the variance over samples of the w2s model.
        evaluation: times 1/n_eval it is the variance that the evaluation sample adds.
        dimension: of z, the same for all tasks.
    """

    limit: Any
    bias: Any
    variance: Any
    evaluation: Any
    dimension: Any

    def mean(self, n: Any) -> Any:
        """Return limit + bias / n."""
        return self.limit + self.bias / n

    def spread(self, n: Any, n_eval: Any = np.inf) -> Any:
        """Return the standard deviation, sqrt(variance / n + evaluation / n_eval)."""
        return (self.variance / n + self.evaluation / n_eval) ** 0.5


def deviation_law(features: Any, weak: Any, truth: Any) -> DeviationLaw:
    """Estimate the law of gain - misfit from a sample of the input distribution.

    Args:
        features: `[n, width]`, of the strong representation.
        weak: `[n, task]`, predictions of the weak model, which has not seen these inputs.
        truth: `[n, task]`, in label units.

    Returns:
        `DeviationLaw` with arrays `[task]`. Directions of the features below 1e-10 of the largest are dropped.

    Cost: O(n width^2 + n width task), in NumPy.
    """
    z = whitened(np.asarray(features, float))
    weak, truth = np.asarray(weak, float), np.asarray(truth, float)
    norms = (z**2).sum(1)[:, None]
    limit = z @ (z.T @ weak / len(z))
    residual, error = weak - limit, limit - truth
    along = z @ (z.T @ error / len(z))  # a'z
    product = residual * error
    return DeviationLaw(
        limit=2 * product.mean(0),
        bias=2 * (along * norms * residual).mean(0) - 2 * (norms * residual**2).mean(0),
        variance=4 * (along**2 * residual**2).mean(0),
        evaluation=4 * product.var(0),
        dimension=np.full(weak.shape[1], z.shape[1]),
    )


def whitened(features: np.ndarray) -> np.ndarray:
    """Return linear combinations of the columns and a constant one, with the unit matrix as their second moment."""
    joint = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    scale = np.sqrt((joint**2).mean(0))
    left, singular, _ = np.linalg.svd(joint[:, scale > 0] / scale[scale > 0], full_matrices=False)
    return left[:, singular > _SMALLEST * singular[0]] * np.sqrt(len(features))


def laws_of_pairs(
    world: Any, protocol: Protocol, seed: int, pairs: Sequence[int], samples: int = SAMPLES
) -> DeviationLaw:
    """Return the laws of a sweep's pairs, arrays `[pair, task]`: their weak models are fitted again.

    Args:
        world, protocol: of one cell; n_strong and n_eval do not matter.
        seed, pairs: of the sweep.
        samples: rows per pair from which the moments are estimated; none is in the sweep.

    Raises:
        W2SError: for features of width n_strong or more.

    Cost: one pass over n_weak + samples rows per pair.
    """
    try:
        return _laws(world, protocol.__class__(**_without_sizes(protocol)), seed, tuple(pairs), samples)
    except TypeError:  # fields that have no hash
        return _laws.__wrapped__(world, protocol, seed, tuple(pairs), samples)


def _without_sizes(protocol: Protocol) -> dict[str, Any]:
    return {**vars(protocol), "n_strong": 1, "n_eval": 1}


@functools.lru_cache(maxsize=8)
def _laws(world: Any, protocol: Protocol, seed: int, pairs: tuple[int, ...], samples: int) -> DeviationLaw:
    chain, student = protocol.chain(), _student(protocol)
    before = chain[: chain.index(student)]
    found = []
    for pair in pairs:  # one after another: rows take memory
        features, labels = redraw(world, protocol, before, (student.features,), samples, seed, [pair])
        drawn = features[student.features], labels[student.labels], labels["truth"]
        found.append(deviation_law(*(rows[0] for rows in drawn)))
    return DeviationLaw(*(np.stack(values) for values in zip(*found, strict=True)))


def _student(protocol: Protocol) -> Stage:
    found = [stage for stage in protocol.chain() if stage.name == "w2s"]
    require(
        bool(found) and found[0].labels == "weak",
        "a student named w2s with labels of weak",
        "the chain of stages",
        "name two stages so",
    )
    return found[0]


def _assume(world: Any, protocol: Protocol) -> None:
    student = _student(protocol)
    ridge = getattr(student.head, "ridge", None)
    require(
        isinstance(student.head, Ridge) and float(ridge or 0) == 0,
        "a w2s model by least squares",
        f"head={student.head!r}",
        "set head=Ridge(0), or weak_head for the weak model alone",
    )
    require(
        isinstance(student.method, Naive),
        "weak labels as they are",
        f"method={student.method!r}",
        "leave it out",
    )
    require(protocol.loss is SQUARED, "squared loss", f"loss={protocol.loss.name!r}", "set loss=SQUARED")
    for field, assumption in (
        ("reuse_inputs", "inputs that the weak model has not seen"),
        ("fresh_misfit", "gain and misfit of one evaluation sample"),
    ):
        require(not getattr(protocol, field), assumption, f"{field}=True", f"set {field}=False")
    points = protocol.numerics.evaluation_points
    require(
        points == "random",
        "independent evaluation inputs",
        f"evaluation_points={points!r}",
        "set it to 'random'",
    )


def _expect(world: Any, protocol: Protocol, seed: int, pairs: range) -> dict[str, Any]:
    law = laws_of_pairs(world, protocol, seed, pairs)
    n, dimension = protocol.n_strong, int(law.dimension.max())
    require(
        n > dimension,
        "more samples than independent strong features and an intercept",
        f"n_strong={n} with {dimension}",
        f"set n_strong to {dimension + 1} or more, and to hundreds for the first order in 1/n to hold",
    )
    return {"deviation": law.mean(n), "deviation_spread": law.spread(n, protocol.n_eval)}


DEVIATION_LAW = Theory(
    name="law of the deviation",
    reference="this project, docs/theory.md",
    assume=_assume,
    expect=_expect,
    by_pair=True,
)
