"""Published figures: each takes a Dataset and returns a matplotlib Figure."""

from w2sjax.figures.deviation_against_samples import (
    deviation_against_samples as deviation_against_samples,
)
from w2sjax.figures.deviation_against_samples import medians_by_size as medians_by_size
from w2sjax.figures.finite_sample import finite_sample_map as finite_sample_map
from w2sjax.figures.finite_sample import finite_sample_slopes as finite_sample_slopes
from w2sjax.figures.gain_against_misfit import gain_against_misfit as gain_against_misfit
from w2sjax.figures.selection import selection_against_samples as selection_against_samples
from w2sjax.figures.selection import selection_report as selection_report
from w2sjax.figures.summary import summarize as summarize
