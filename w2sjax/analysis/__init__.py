"""Statistics of sweeps, without drawing: an analysis is from Dataset to Dataset, a report from that to numbers."""

from w2sjax.analysis.bounds import bounds_report as bounds_report
from w2sjax.analysis.bounds import compare_bounds as compare_bounds
from w2sjax.analysis.bounds import looseness as looseness
from w2sjax.analysis.choices import CRITERIA as CRITERIA
from w2sjax.analysis.choices import Selection as Selection
from w2sjax.analysis.choices import compare_criteria as compare_criteria
from w2sjax.analysis.choices import rank_correlation as rank_correlation
from w2sjax.analysis.choices import select as select
from w2sjax.analysis.gain import gain_on_misfit as gain_on_misfit
from w2sjax.analysis.gain import summarize as summarize
from w2sjax.analysis.heads import by_head_class as by_head_class
from w2sjax.analysis.heads import head_study_report as head_study_report
from w2sjax.analysis.moments import class_moments as class_moments
from w2sjax.analysis.samples import deviation_by_size as deviation_by_size
from w2sjax.analysis.samples import finite_sample as finite_sample
from w2sjax.analysis.samples import finite_sample_slopes as finite_sample_slopes
from w2sjax.analysis.samples import medians_by_size as medians_by_size
from w2sjax.analysis.selection import select_candidates as select_candidates
from w2sjax.analysis.selection import select_in_dataset as select_in_dataset
from w2sjax.analysis.selection_by_size import selection_by_size as selection_by_size
from w2sjax.analysis.selection_by_size import selection_report as selection_report
from w2sjax.analysis.theory import beside_theory as beside_theory
from w2sjax.analysis.typicality import per_pair as per_pair
from w2sjax.analysis.typicality import typicality_report as typicality_report
from w2sjax.analysis.weak_quality import weak_quality_quartiles as weak_quality_quartiles
from w2sjax.analysis.weak_quality import weak_quality_report as weak_quality_report
