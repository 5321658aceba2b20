"""Numerical trouble, as bits."""

import enum


class Flag(enum.IntFlag):
    """Numerical trouble of a pair, as bits of `Status.code`; zero means none."""

    OK = 0
    WEAK_RANK_DEFICIENT = 1
    STRONG_RANK_DEFICIENT = 2
    ILL_CONDITIONED = 4
    NOT_FINITE = 8
    WEAK_TRAINING_DIVERGED = 16
    STRONG_TRAINING_DIVERGED = 32
    WEAK_REPRESENTATION_DEAD = 64
    STRONG_REPRESENTATION_DEAD = 128
    ERROR_BELOW_ROUNDING = 256
    FEATURE_BELOW_ROUNDING = 512
    FIT_NOT_CONVERGED = 1024
    SEPARABLE = 2048
    CONSTANT_TEACHER = 4096
    NO_GAP = 8192
    AT_CHANCE = 16384

    def meaning(self) -> str:
        """Return what a single bit means for the numbers of its pair, for people."""
        return _MEANINGS[self]

    def words(self) -> str:
        """Return the names of the bits that are set, for people."""
        return ", ".join(str(flag.name).lower().replace("_", " ") for flag in Flag if flag and self & flag)


_MEANINGS = {
    Flag.WEAK_RANK_DEFICIENT: (
        "weak features repeat each other or are constant; the head is the minimum-norm one: no harm"
    ),
    Flag.STRONG_RANK_DEFICIENT: (
        "strong features repeat each other or are constant; the head is the minimum-norm one: no harm"
    ),
    Flag.ILL_CONDITIONED: (
        "training hardly sees some direction of the features: true errors, but perhaps hundreds of times the usual"
    ),
    Flag.NOT_FINITE: "an error is NaN or infinite: left out",
    Flag.WEAK_TRAINING_DIVERGED: "pretraining of the weak network diverged: left out",
    Flag.STRONG_TRAINING_DIVERGED: "pretraining of the strong network diverged: left out",
    Flag.WEAK_REPRESENTATION_DEAD: "all weak features are constant: left out",
    Flag.STRONG_REPRESENTATION_DEAD: "all strong features are constant: left out",
    Flag.ERROR_BELOW_ROUNDING: "a weak error is so small that it is rounding: compute in float64, or do not read it",
    Flag.FEATURE_BELOW_ROUNDING: "a feature varies by no more than rounding and is left out: float64 may keep it",
    Flag.FIT_NOT_CONVERGED: "a head that is trained stopped before its limit: its error is that of an early stop",
    Flag.SEPARABLE: "a hyperplane separates training labels, and the ridge is 0: the logits have no finite limit",
    Flag.CONSTANT_TEACHER: "a teacher predicts one class for all samples: agreement and pgr say little",
    Flag.NO_GAP: "the ceiling is no more accurate than the weak model: there is nothing to recover",
    Flag.AT_CHANCE: "the ceiling is hardly more accurate than the share of the largest class",
}

UNUSABLE = (
    Flag.NOT_FINITE
    | Flag.WEAK_TRAINING_DIVERGED
    | Flag.STRONG_TRAINING_DIVERGED
    | Flag.WEAK_REPRESENTATION_DEAD
    | Flag.STRONG_REPRESENTATION_DEAD
)
"""Flags of pairs that studies leave out. A lower rank or a high condition number alone is no reason."""

SERIOUS = (
    UNUSABLE
    | Flag.ILL_CONDITIONED
    | Flag.ERROR_BELOW_ROUNDING
    | Flag.FEATURE_BELOW_ROUNDING
    | Flag.FIT_NOT_CONVERGED
    | Flag.SEPARABLE
)
"""What is counted as trouble while a sweep runs; a lower rank alone is not."""
