"""What a theory is: a prediction of what a sweep measures, under the names that the sweep gives its results."""

import contextvars
import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.engine.axes import find, label_of, put, values_of
from w2sjax.engine.protocol import Protocol, check_protocol
from w2sjax.errors import W2SError

_collected: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("collected", default=None)
"""Where violated assumptions are gathered, in place of a refusal."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Theory:
    """Expected results of an experiment, over its pairs, tasks and samples, where the assumptions hold.

    Attributes:
        name: what a legend says.
        reference: the paper.
        assume: refuses, by `require`, a world and a protocol that violate an assumption.
        expect: from a world and a protocol of single values to expectations by the name of the sweep's variable
            (`weak_error`, `gain`, ...), in squared label units, `pgr` in units of 1. `<variable>_spread` is the
            standard deviation over samples. Of a theory that is `by_pair` it takes two more arguments, the seed and the
            range of pairs, and returns arrays `[pair, task]`: expectations over samples, given the pair.
        by_pair: whether it predicts pair by pair.
        finite_size: of a formula for a limit, how far a world and a protocol of finite sizes are from it at most, as
            measured: a share of the prediction, or of the predicted weak_error where that is larger.
    """

    name: str
    reference: str
    assume: Callable[[Any, Protocol], None]
    expect: Callable[..., dict[str, Any]]
    by_pair: bool = False
    finite_size: Callable[[Any, Protocol], float] = lambda world, protocol: 0.0

    def violated(self, world: Any, protocol: Protocol) -> list[str]:
        """Return every assumption that an experiment violates, as far as they can be read from it."""
        found: list[str] = []
        token = _collected.set(found)
        try:
            self.assume(world, protocol)
        except (AttributeError, ValueError, W2SError):  # of a world or chain of another kind
            pass
        finally:
            _collected.reset(token)
        return list(dict.fromkeys(found))

    def predict(
        self,
        world: Any,
        protocol: Protocol,
        axes: Mapping[str, Sequence[Any]] | None = None,
        *,
        pairs: int = 1,
        first_pair: int = 0,
        seed: int = 0,
    ) -> xr.Dataset:
        """Predict a sweep: the arguments are those of `w2sjax.sweep`.

        Args:
            world, protocol: what is run where no axis replaces a field.
            axes: values by field name of the world or the protocol.
            pairs, first_pair, seed: of the sweep, for a theory that predicts pair by pair; others ignore them.

        Returns:
            A Dataset with the sweep's variables and one dimension per axis, in the order given; pair and task, where
            the theory is by pair, and else neither: these are then expectations over both. Attributes: `theory`, its
            name, `reference`, and `finite_size`, the largest of its cells.

        Raises:
            W2SError: if an assumption is violated in any cell; the message names it, the value and the fix. Likewise
                for an axis that is no field.

        Cost: one evaluation of `expect` per cell, in Python.
        """
        check_protocol(protocol)
        axes = {name: values_of(name, values) for name, values in (axes or {}).items()}
        paths = [find(name, world, protocol) for name in axes]
        drawn = range(first_pair, first_pair + pairs)
        draws = (seed, drawn) if self.by_pair else ()
        cells, limits = [], [0.0]
        for chosen in itertools.product(*axes.values()):
            cell = put(world, protocol, dict(zip(paths, chosen, strict=True)))
            self.assume(*cell)
            cells.append(self.expect(*cell, *draws))
            limits.append(self.finite_size(*cell))
        shape = tuple(map(len, axes.values()))
        coords: dict[str, Any] = {name: list(map(label_of, values)) for name, values in axes.items()}
        own: tuple[str, ...] = ()
        if self.by_pair:
            own = ("pair", "task")
            coords |= {"pair": np.array(drawn), "task": np.arange(protocol.tasks)}
        variables = {}
        for name in cells[0]:
            found = np.stack([np.asarray(cell[name], float) for cell in cells])
            variables[name] = ((*axes, *own), np.reshape(found, (*shape, *found.shape[1:])), _units(name))
        attributes = {"theory": self.name, "reference": self.reference, "finite_size": max(limits)}
        return xr.Dataset(variables, coords=coords, attrs=attributes)


def require(holds: bool, assumption: str, given: str, fix: str) -> None:
    """Refuse what violates an assumption of a theory.

    Raises:
        W2SError: one sentence of what was given, the assumption and the fix, if it does not hold.
    """
    if holds:
        return
    if (found := _collected.get()) is not None:
        found.append(assumption)
    else:
        raise W2SError(f"{given} violates the assumption of {assumption}: {fix}.")


def _units(name: str) -> dict[str, str]:
    return {"units": "1" if name in ("pgr", "opr") else "squared label unit"}
