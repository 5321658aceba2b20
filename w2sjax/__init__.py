"""Weak-to-strong generalization, simulated: thousands of weak-strong pairs at once, in closed form."""

import importlib
import threading
from typing import TYPE_CHECKING, Any

from w2sjax.errors import StoreError as StoreError
from w2sjax.errors import W2SError as W2SError
from w2sjax.flags import Flag as Flag

if TYPE_CHECKING:
    from w2sjax import analysis as analysis
    from w2sjax import data as data
    from w2sjax import encoders as encoders
    from w2sjax import figures as figures
    from w2sjax import heads as heads
    from w2sjax import losses as losses
    from w2sjax import methods as methods
    from w2sjax import random as random
    from w2sjax import sets as sets
    from w2sjax import studies as studies
    from w2sjax import targets as targets
    from w2sjax import theory as theory
    from w2sjax import worlds as worlds
    from w2sjax.cores import use_all_cores as use_all_cores
    from w2sjax.engine.chain import Stage as Stage
    from w2sjax.engine.evaluate import evaluate_features as evaluate_features
    from w2sjax.engine.groups import by_group as by_group
    from w2sjax.engine.metrics import Metric as Metric
    from w2sjax.engine.outcome import Models as Models
    from w2sjax.engine.outcome import Outcome as Outcome
    from w2sjax.engine.protocol import Numerics as Numerics
    from w2sjax.engine.protocol import Protocol as Protocol
    from w2sjax.engine.run import run_pair as run_pair
    from w2sjax.sweeps.interrupt import SweepInterrupted as SweepInterrupted
    from w2sjax.sweeps.run import sweep as sweep
    from w2sjax.sweeps.store.merging import merge_stores as merge_stores
    from w2sjax.sweeps.store.reading import open_store as open_store

__version__ = "0.1.0"

_PACKAGES = (
    "analysis",
    "data",
    "encoders",
    "figures",
    "heads",
    "losses",
    "methods",
    "random",
    "sets",
    "studies",
    "targets",
    "theory",
    "worlds",
)

_MODULES = {
    "Metric": "engine.metrics",
    "Models": "engine.outcome",
    "Numerics": "engine.protocol",
    "Outcome": "engine.outcome",
    "Protocol": "engine.protocol",
    "Stage": "engine.chain",
    "SweepInterrupted": "sweeps.interrupt",
    "by_group": "engine.groups",
    "evaluate_features": "engine.evaluate",
    "merge_stores": "sweeps.store.merging",
    "open_store": "sweeps.store.reading",
    "run_pair": "engine.run",
    "sweep": "sweeps.run",
    "use_all_cores": "cores",
}
"""Where the other public names are. Each is imported when it is first used: libraries take seconds to load."""

__all__ = ["Flag", "StoreError", "W2SError", "__version__"] + list(_MODULES) + list(_PACKAGES)

_LOADING = threading.RLock()
"""NumPy and JAX are loaded by one thread: they fail where two begin at once."""


def __getattr__(name: str) -> Any:
    if name in _PACKAGES or name in _MODULES:
        with _LOADING:
            module = importlib.import_module(f"w2sjax.{_MODULES.get(name, name)}")
            value = globals()[name] = module if name in _PACKAGES else getattr(module, name)
        return value
    raise AttributeError(f"module 'w2sjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
