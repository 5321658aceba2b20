"""Published figures: each takes a Dataset and returns a matplotlib Figure."""

from w2sjax.figures.bounds import bounds as bounds
from w2sjax.figures.bounds import bounds_report as bounds_report
from w2sjax.figures.deviation_against_samples import (
    deviation_against_samples as deviation_against_samples,
)
from w2sjax.figures.deviation_against_samples import medians_by_size as medians_by_size
from w2sjax.figures.finite_sample import finite_sample_map as finite_sample_map
from w2sjax.figures.finite_sample import finite_sample_slopes as finite_sample_slopes
from w2sjax.figures.gain_against_misfit import gain_against_misfit as gain_against_misfit
from w2sjax.figures.gain_against_misfit import gain_against_misfit_panels as gain_against_misfit_panels
from w2sjax.figures.head_study import head_study as head_study
from w2sjax.figures.head_study import head_study_report as head_study_report
from w2sjax.figures.selection import selection_against_samples as selection_against_samples
from w2sjax.figures.selection import selection_report as selection_report
from w2sjax.figures.summary import summarize as summarize
from w2sjax.figures.typicality import typicality as typicality
from w2sjax.figures.typicality import typicality_report as typicality_report
from w2sjax.figures.weak_quality import weak_quality as weak_quality
from w2sjax.figures.weak_quality import weak_quality_report as weak_quality_report
