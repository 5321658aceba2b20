"""Weak-to-strong generalization, simulated: thousands of weak-strong pairs at once, in closed form."""

from w2sjax import worlds as worlds
from w2sjax.engine.evaluate import evaluate_features as evaluate_features
from w2sjax.engine.outcome import Flag as Flag
from w2sjax.engine.outcome import Outcome as Outcome
from w2sjax.engine.protocol import Protocol as Protocol
from w2sjax.heads.experiment import run_pair as run_pair
from w2sjax.sweeps.run import sweep as sweep
