"""Published figures: each takes a Dataset and returns a matplotlib Figure."""

from w2sjax.figures.deviation_against_samples import (
    deviation_against_samples as deviation_against_samples,
)
from w2sjax.figures.gain_against_misfit import gain_against_misfit as gain_against_misfit
