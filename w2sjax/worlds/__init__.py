"""Worlds: what nature is. Each draws pairs (h*, h_w, h_s), and each pair draws features.

A field that is out of its range is refused where a world is made, by a `W2SError` that names it.
"""

from w2sjax.worlds.base import Pair as Pair
from w2sjax.worlds.base import World as World
from w2sjax.worlds.bilevel import BilevelClassification as BilevelClassification
from w2sjax.worlds.derived import Adapted as Adapted
from w2sjax.worlds.derived import Joined as Joined
from w2sjax.worlds.groups import SpuriousGroups as SpuriousGroups
from w2sjax.worlds.mlp import PerturbedCandidates as PerturbedCandidates
from w2sjax.worlds.mlp import PerturbedMLP as PerturbedMLP
from w2sjax.worlds.multi_index import MultiIndex as MultiIndex
from w2sjax.worlds.nested import NestedFeatures as NestedFeatures
from w2sjax.worlds.overlap_density import OverlapDensity as OverlapDensity
from w2sjax.worlds.power_law import PowerLaw as PowerLaw
from w2sjax.worlds.pretrained import PretrainedMLP as PretrainedMLP
from w2sjax.worlds.random_features import PowerLawFeatures as PowerLawFeatures
from w2sjax.worlds.random_features import ScaledFeatures as ScaledFeatures
from w2sjax.worlds.random_features import TwoLevelFeatures as TwoLevelFeatures
from w2sjax.worlds.random_mlp import RandomMLP as RandomMLP
from w2sjax.worlds.resampled import Resampled as Resampled
from w2sjax.worlds.rotated import RotatedSpectra as RotatedSpectra
from w2sjax.worlds.sphere import SphereReLU as SphereReLU
from w2sjax.worlds.subspaces import OverlappingSubspaces as OverlappingSubspaces
from w2sjax.worlds.surrogates import Surrogates as Surrogates
from w2sjax.worlds.truncated import TruncatedMLP as TruncatedMLP
