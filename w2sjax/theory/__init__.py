"""What papers prove, one result per file, citing paper and equation: functions on arrays, and theories of sweeps."""

from w2sjax.theory.base import Theory as Theory
from w2sjax.theory.base import require as require
from w2sjax.theory.charikar2024 import Theorem2 as Theorem2
from w2sjax.theory.charikar2024 import complexity_term as complexity_term
from w2sjax.theory.charikar2024 import confidence_term as confidence_term
from w2sjax.theory.charikar2024 import localized_term as localized_term
from w2sjax.theory.charikar2024 import nonrealizable_term as nonrealizable_term
from w2sjax.theory.charikar2024 import theorem1_bound as theorem1_bound
from w2sjax.theory.charikar2024 import theorem2_bound as theorem2_bound
from w2sjax.theory.deviation import DEVIATION_LAW as DEVIATION_LAW
from w2sjax.theory.deviation import DeviationLaw as DeviationLaw
from w2sjax.theory.deviation import deviation_law as deviation_law
from w2sjax.theory.dong2025 import SUBSPACES as SUBSPACES
from w2sjax.theory.ildiz2024 import SURROGATES as SURROGATES
from w2sjax.theory.ildiz2024 import optimal_mask as optimal_mask
from w2sjax.theory.ildiz2024 import optimal_surrogate as optimal_surrogate
from w2sjax.theory.ildiz2024 import surrogate_risk as surrogate_risk
from w2sjax.theory.infinite_width import INFINITE_WIDTH as INFINITE_WIDTH
from w2sjax.theory.infinite_width import arc_cosine_kernel as arc_cosine_kernel
from w2sjax.theory.least_squares import LEAST_SQUARES as LEAST_SQUARES
from w2sjax.theory.liu2026 import GROUPS as GROUPS
from w2sjax.theory.liu2026 import PUBLISHED_GROUPS as PUBLISHED_GROUPS
from w2sjax.theory.multi_index import MULTI_INDEX as MULTI_INDEX
from w2sjax.theory.rademacher import empirical_rademacher_bound as empirical_rademacher_bound
from w2sjax.theory.rademacher import linear_rademacher_bound as linear_rademacher_bound
from w2sjax.theory.random_features import RANDOM_FEATURE_FLOW as RANDOM_FEATURE_FLOW
from w2sjax.theory.random_features import RANDOM_FEATURE_RIDGE as RANDOM_FEATURE_RIDGE
from w2sjax.theory.two_stage import TWO_STAGE as TWO_STAGE
from w2sjax.theory.two_stage import two_stage_ridge as two_stage_ridge
from w2sjax.theory.wu_sahai2024 import SIGN_INTERPOLATION as SIGN_INTERPOLATION
from w2sjax.theory.xue2025 import PREDICTION_GAP as PREDICTION_GAP
from w2sjax.theory.xue2025 import PRINCIPAL as PRINCIPAL
from w2sjax.theory.xue2025 import label_free_metric as label_free_metric
from w2sjax.theory.xue2025 import predicted_gap as predicted_gap
from w2sjax.theory.xue2025 import prediction_gap as prediction_gap

THEORIES = (
    LEAST_SQUARES,
    DEVIATION_LAW,
    SUBSPACES,
    PRINCIPAL,
    TWO_STAGE,
    SURROGATES,
    INFINITE_WIDTH,
    RANDOM_FEATURE_RIDGE,
    RANDOM_FEATURE_FLOW,
    SIGN_INTERPOLATION,
    GROUPS,
    MULTI_INDEX,
)
"""Every theory of sweeps; each is held against simulation by the same test."""
