"""What papers prove, as functions on arrays: one result per file, each citing paper and equation."""

from w2sjax.theory.charikar2024 import Theorem2 as Theorem2
from w2sjax.theory.charikar2024 import complexity_term as complexity_term
from w2sjax.theory.charikar2024 import confidence_term as confidence_term
from w2sjax.theory.charikar2024 import localized_term as localized_term
from w2sjax.theory.charikar2024 import looseness as looseness
from w2sjax.theory.charikar2024 import nonrealizable_term as nonrealizable_term
from w2sjax.theory.charikar2024 import theorem1_bound as theorem1_bound
from w2sjax.theory.charikar2024 import theorem2_bound as theorem2_bound
from w2sjax.theory.class_moments import class_moments as class_moments
from w2sjax.theory.rademacher import empirical_rademacher_bound as empirical_rademacher_bound
from w2sjax.theory.rademacher import linear_rademacher_bound as linear_rademacher_bound
