"""Weak-to-strong generalization, simulated: thousands of weak-strong pairs at once, in closed form."""

import importlib
import threading
from typing import TYPE_CHECKING, Any

from w2sjax.errors import StoreError as StoreError
from w2sjax.errors import W2SError as W2SError

if TYPE_CHECKING:
    from w2sjax import analysis as analysis
    from w2sjax import figures as figures
    from w2sjax import studies as studies
    from w2sjax import theory as theory
    from w2sjax import worlds as worlds
    from w2sjax.cores import use_all_cores as use_all_cores
    from w2sjax.engine.evaluate import evaluate_features as evaluate_features
    from w2sjax.engine.outcome import Flag as Flag
    from w2sjax.engine.outcome import Outcome as Outcome
    from w2sjax.engine.protocol import Protocol as Protocol
    from w2sjax.heads.experiment import run_pair as run_pair
    from w2sjax.sweeps.run import sweep as sweep

__version__ = "0.1.0"

_PACKAGES = ("analysis", "figures", "studies", "theory", "worlds")

_MODULES = {
    "Flag": "engine.outcome",
    "Outcome": "engine.outcome",
    "Protocol": "engine.protocol",
    "evaluate_features": "engine.evaluate",
    "run_pair": "heads.experiment",
    "sweep": "sweeps.run",
    "use_all_cores": "cores",
}
"""Where the other public names are. Each is imported when it is first used: libraries take seconds to load."""

__all__ = [
    "Flag",
    "Outcome",
    "Protocol",
    "StoreError",
    "W2SError",
    "__version__",
    "analysis",
    "evaluate_features",
    "figures",
    "run_pair",
    "studies",
    "sweep",
    "theory",
    "use_all_cores",
    "worlds",
]


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
