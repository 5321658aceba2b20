"""Figures of matplotlib: `plot` draws any quantities of a sweep, the others the result of an analysis."""

from w2sjax.figures.deviation import law_coverage_figure as law_coverage_figure
from w2sjax.figures.gain import gain_against_misfit as gain_against_misfit
from w2sjax.figures.gain import gain_against_misfit_panels as gain_against_misfit_panels
from w2sjax.figures.label_free import label_free_figure as label_free_figure
from w2sjax.figures.quartiles import head_study as head_study
from w2sjax.figures.quartiles import weak_quality as weak_quality
from w2sjax.figures.reference_panel import reference_panel_figure as reference_panel_figure
from w2sjax.figures.relations import plot as plot
from w2sjax.figures.ridge_phase import ridge_phase_figure as ridge_phase_figure
from w2sjax.figures.samples import deviation_against_samples as deviation_against_samples
from w2sjax.figures.samples import finite_sample_map as finite_sample_map
from w2sjax.figures.selection import selection_against_samples as selection_against_samples
from w2sjax.figures.stopping import student_against_teacher as student_against_teacher
from w2sjax.figures.subspaces import subspaces_figure as subspaces_figure
from w2sjax.figures.theorems import bounds as bounds
from w2sjax.figures.theory import theory_beside_simulation as theory_beside_simulation
from w2sjax.figures.typical import typicality as typicality
from w2sjax.figures.which_theory import theories_figure as theories_figure
from w2sjax.figures.width_map import width_map_figure as width_map_figure
