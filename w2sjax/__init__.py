"""Weak-to-strong generalization, simulated: thousands of weak-strong pairs at once, in closed form."""

from typing import TYPE_CHECKING, Any

from w2sjax import worlds as worlds
from w2sjax.cores import use_all_cores as use_all_cores
from w2sjax.engine.outcome import Flag as Flag
from w2sjax.engine.outcome import Outcome as Outcome
from w2sjax.engine.evaluate import evaluate_features as evaluate_features
from w2sjax.engine.protocol import Protocol as Protocol
from w2sjax.errors import StoreError as StoreError
from w2sjax.errors import W2SError as W2SError
from w2sjax.engine.run import run_pair as run_pair
from w2sjax import heads as heads
from w2sjax.engine.protocol import Numerics as Numerics
from w2sjax.engine.chain import Stage as Stage
from w2sjax.engine.metrics import Metric as Metric

if TYPE_CHECKING:
    from w2sjax.sweeps.run import sweep as sweep

__all__ = [
    "Flag",
    "Outcome",
    "Protocol",
    "StoreError",
    "W2SError",
    "evaluate_features",
    "run_pair",
    "sweep",
    "use_all_cores",
    "worlds",
]


def __getattr__(name: str) -> Any:
    # xarray, zarr and pandas take as long to import as JAX itself, and only sweeps need them.
    if name == "sweep":
        from w2sjax.sweeps.run import sweep

        return sweep
    raise AttributeError(f"module 'w2sjax' has no attribute {name!r}")
