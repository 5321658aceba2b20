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

    def words(self) -> str:
        """Return the names of the bits that are set, for people."""
        return ", ".join(str(flag.name).lower().replace("_", " ") for flag in Flag if flag and self & flag)


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
