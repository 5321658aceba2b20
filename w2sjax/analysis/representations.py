"""Every weak with every strong representation of a data set, over resamples."""

from collections.abc import Mapping
from typing import Any, NamedTuple

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


class Comparison(NamedTuple):
    """An experiment with many representations on the same resamples.

    Attributes:
        world: the data set.
        stages: a chain in which all that share a representation and a split share its factorization.
        weak, strong: names, in the order of the table; a strong one with several heads has each of them.
    """

    world: Resampled
    stages: tuple[Stage, ...]
    weak: tuple[str, ...]
    strong: tuple[str, ...]

    def table(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return `QUANTITIES` of a sweep of this world and chain, dims ("pair", its axes, "weak", "strong")."""
        found = dataset.mean("task")

        def by_weak(names: list[str]) -> xr.DataArray:
            return xr.concat([found[name] for name in names], xr.Variable("weak", list(self.weak)))

        def by_both(pattern: str) -> xr.DataArray:
            columns = [
                by_weak([pattern.format(i=i, j=j) for i in range(len(self.weak))])
                for j in range(len(self.strong))
            ]
            return xr.concat(columns, xr.Variable("strong", list(self.strong)))

        values = {
            "weak_error": by_both("w{i}_error"),
            "w2s_error": by_both("s{i}_{j}_error"),
            "ceiling_error": by_both("c{j}_error"),
            "baseline_error": by_both("b{j}_error"),
            "misfit": by_both("s{i}_{j}_misfit"),
            "gain": by_both("s{i}_{j}_gain"),
            "deviation": by_both("s{i}_{j}_deviation"),
        }
        arrays = {name: value.values for name, value in values.items()}
        values["pgr"] = values["gain"].copy(data=performance_gap_recovered(arrays))
        values["opr"] = values["gain"].copy(data=outperformance(arrays))
        values["upper_bound"] = values["weak_error"] - values["misfit"]
        result = xr.Dataset({name: values[name].transpose(..., "weak", "strong") for name in QUANTITIES})
        return result.assign(status_code=dataset["status_code"])

    def run(self, resamples: int, seed: int = 0) -> xr.Dataset:
        """Deal the rows out anew so many times, at the largest sizes, and return the `table`."""
        check_integer("resamples", resamples, least=1)
        protocol = Protocol(**self.world.sizes, tasks=self.world.targets.shape[1], stages=self.stages)
        return self.table(sweep(self.world, protocol, pairs=resamples, seed=seed))


def comparison(
    weak: Mapping[str, Any],
    strong: Mapping[str, Any],
    targets: Any,
    *,
    head: Head | Mapping[str, Head] | None = None,
    weak_head: Head | Mapping[str, Head] | None = None,
    **splits: Any,
) -> Comparison:
    """Return the experiment of `compare_representations`, for sweeps with axes of their own.

    Args:
        weak, strong, targets, splits: as there.
        head: of the strong stages; or several by name, each of which the table has.
        weak_head: of all weak models, or by their names.

    Raises:
        W2SError: as `Resampled`; and for no representations.
    """
    if not weak or not strong:
        raise W2SError("weak or strong is empty: pass at least one representation of each by name.")
    heads = head if isinstance(head, Mapping) else {"": Ridge(0.1) if head is None else head}
    first = next(iter(heads.values()))
    weak_heads = weak_head if isinstance(weak_head, Mapping) else dict.fromkeys(weak, weak_head or first)
    named = {f"weak_{i}": values for i, values in enumerate(weak.values())}
    named |= {f"strong_{j}": values for j, values in enumerate(strong.values())}
    world = Resampled(features=named, targets=targets, **splits)
    stages = [Stage(f"w{i}", f"weak_{i}", "truth", "weak", weak_heads[name]) for i, name in enumerate(weak)]
    columns = [
        (f"{name}, {label}" if label else name, f"strong_{place}", own)
        for place, name in enumerate(strong)
        for label, own in heads.items()
    ]
    for j, (_, features, own) in enumerate(columns):
        stages += [Stage(f"s{i}_{j}", features, f"w{i}", "strong", own) for i in range(len(weak))]
        stages += [
            Stage(f"c{j}", features, "truth", "strong", own),
            Stage(f"b{j}", features, "truth", "weak", own),
        ]
    return Comparison(world, tuple(stages), tuple(weak), tuple(name for name, _, _ in columns))


def compare_representations(
    weak: Mapping[str, Any],
    strong: Mapping[str, Any],
    targets: Any,
    *,
    resamples: int = 200,
    head: Head | Mapping[str, Head] | None = None,
    weak_head: Head | Mapping[str, Head] | None = None,
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
        head, weak_head: of the strong stages and of the weak models, as of `comparison`; `Ridge(0.1)` unless given.
        seed: of the resamples.
        splits: `shares`, `groups`, `domains` and `domain_of` of `w2sjax.worlds.Resampled`.

    Returns:
        A Dataset of `QUANTITIES`, dims ("pair", "weak", "strong"): `baseline_error` is that of a strong head on the
        weak model's own true labels, `pgr` is gain / (weak_error - ceiling_error), NaN where that is not positive,
        `opr` is baseline_error / w2s_error, `upper_bound` is weak_error - misfit, by which Charikar et al. 2024 choose.

    Raises:
        W2SError: as `Resampled`; and for no representations.
    """
    return comparison(weak, strong, targets, head=head, weak_head=weak_head, **splits).run(resamples, seed)
