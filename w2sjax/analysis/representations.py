"""Every weak with every strong representation of a data set, over resamples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from w2sjax.engine.chain import Stage
from w2sjax.engine.metrics import outperformance, performance_gap_recovered
from w2sjax.engine.protocol import Protocol
from w2sjax.errors import W2SError
from w2sjax.heads.base import Head
from w2sjax.heads.ridge import Ridge
from w2sjax.sweeps.run import sweep
from w2sjax.validation import check_integer
from w2sjax.worlds.resampled import Resampled

QUANTITIES = (
    "weak_error",
    "w2s_error",
    "ceiling_error",
    "baseline_error",
    "misfit",
    "gain",
    "deviation",
    "pgr",
    "opr",
    "upper_bound",
)


def compare_representations(
    weak: Mapping[str, Any],
    strong: Mapping[str, Any],
    targets: Any,
    *,
    resamples: int = 200,
    head: Head | None = None,
    weak_head: Head | None = None,
    seed: int = 0,
    **splits: Any,
) -> xr.Dataset:
    """Run the experiment with every weak and every strong representation on the same resamples of the rows.

    All stages that share a representation and a split share its factorization, so that many weak representations cost
    little more than one.

    Args:
        weak, strong: floating `[rows, width]` by name.
        targets: floating `[rows]`, or `[rows, target]`: errors are then means over the targets.
        resamples: how often the rows are dealt out anew, >= 1.
        head, weak_head: of the strong stages and of the weak models; `Ridge(0.1)` unless given.
        seed: of the resamples.
        splits: `shares`, `groups`, `domains` and `domain_of` of `w2sjax.worlds.Resampled`.

    Returns:
        A Dataset of `QUANTITIES`, dims ("pair", "weak", "strong"): `baseline_error` is that of a strong head on the
        weak model's own true labels, `pgr` is gain / (weak_error - ceiling_error), NaN where that is not positive,
        `opr` is baseline_error / w2s_error, `upper_bound` is weak_error - misfit, by which Charikar et al. 2024 choose.

    Raises:
        W2SError: as `Resampled`; and for no representations.
    """
    if not weak or not strong:
        raise W2SError("weak or strong is empty: pass at least one representation of each by name.")
    check_integer("resamples", resamples, least=1)
    head = Ridge(0.1) if head is None else head
    weak_head = head if weak_head is None else weak_head
    named = {f"weak_{i}": values for i, values in enumerate(weak.values())}
    named |= {f"strong_{j}": values for j, values in enumerate(strong.values())}
    world = Resampled(features=named, targets=targets, **splits)
    stages = [Stage(f"w{i}", f"weak_{i}", "truth", "weak", weak_head) for i in range(len(weak))]
    for j in range(len(strong)):
        features = f"strong_{j}"
        stages += [Stage(f"s{i}_{j}", features, f"w{i}", "strong", head) for i in range(len(weak))]
        stages += [
            Stage(f"c{j}", features, "truth", "strong", head),
            Stage(f"b{j}", features, "truth", "weak", head),
        ]
    protocol = Protocol(**world.sizes, tasks=world.targets.shape[1], stages=tuple(stages))
    found = sweep(world, protocol, pairs=resamples, seed=seed).mean("task")
    places = [(i, j) for i in range(len(weak)) for j in range(len(strong))]

    def table(name: str) -> np.ndarray:
        values = np.stack([found[name.format(i=i, j=j)].values for i, j in places], axis=1)
        return values.reshape(resamples, len(weak), len(strong))

    values = {
        "weak_error": table("w{i}_error"),
        "w2s_error": table("s{i}_{j}_error"),
        "ceiling_error": table("c{j}_error"),
        "baseline_error": table("b{j}_error"),
        "misfit": table("s{i}_{j}_misfit"),
        "gain": table("s{i}_{j}_gain"),
        "deviation": table("s{i}_{j}_deviation"),
    }
    values |= {"pgr": performance_gap_recovered(values), "opr": outperformance(values)}
    values["upper_bound"] = values["weak_error"] - values["misfit"]
    dims = ("pair", "weak", "strong")
    coordinates = {"pair": found["pair"], "weak": list(weak), "strong": list(strong)}
    table_of_all = xr.Dataset({name: (dims, values[name]) for name in QUANTITIES}, coordinates)
    return table_of_all.assign(status_code=("pair", found["status_code"].values))
