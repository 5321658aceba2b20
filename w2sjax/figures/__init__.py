"""Published figures: each takes a Dataset and returns a matplotlib Figure."""

from w2sjax.figures.gain_against_misfit import gain_against_misfit as gain_against_misfit
