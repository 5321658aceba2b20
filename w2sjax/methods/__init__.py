"""Methods that use weak-to-strong generalization, on Datasets of synthetic worlds and on features alike."""

from w2sjax.methods.selection import CRITERIA as CRITERIA
from w2sjax.methods.selection import Selection as Selection
from w2sjax.methods.selection import compare_criteria as compare_criteria
from w2sjax.methods.selection import rank_correlation as rank_correlation
from w2sjax.methods.selection import select as select
from w2sjax.methods.selection import select_candidates as select_candidates
from w2sjax.methods.selection import select_in_dataset as select_in_dataset
