"""Make the tables and the figure of docs/performance.md from the records beside this file.

Usage: python benchmarks/results/report.py

Prints the tables as Markdown, and writes docs/figures/performance-growth.png where there is a record of growth.
"""

import json
import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

REFERENCES = {"width": (2, "proportional to its square"), "pairs": (0, "constant")}
"""Power of the reference line of an axis where it is not 1, and its name."""

HERE = Path(__file__).parent
FIGURE = HERE.parents[1] / "docs" / "figures" / "performance-growth.png"


def load(name: str) -> dict[str, Any] | None:
    """Return a record, or None where it was not made."""
    path = HERE / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def table(headings: list[str], rows: list[list[Any]]) -> str:
    """Return a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def canonical(report: dict[str, Any]) -> str:
    """Return the table of the workload beside its floor."""
    parts = ("random_numbers", "features", "moments", "solves")
    headings = ["dtype", "tasks", "ms / pair", "median", "floor", *(p.replace("_", " ") for p in parts)]
    headings += ["efficiency", "compile s", "peak MiB", "error of gain: median", "99%"]
    rows = []
    for r in report["records"]:
        floor, error = r["floor_milliseconds"], r["error_against_float64"]
        errors = ["", ""] if error is None else [error["gain"]["median"], error["gain"]["quantile_99"]]
        rows.append(
            [
                r["dtype"],
                r["tasks"],
                f"{r['milliseconds_per_pair']:.3g}",
                f"{r['milliseconds_per_pair_median']:.3g}",
                f"{floor['sum']:.3g}",
                *(f"{floor[p]:.3g}" for p in parts),
                f"{r['efficiency']:.2f}",
                f"{r['compile_seconds']:.0f}",
                r["peak_memory_mib"],
                *(f"{e:.0e}" if e != "" else "" for e in errors),
            ]
        )
    return table(headings, rows)


def peers(report: dict[str, Any]) -> str:
    """Return the table of all sides, milliseconds per pair."""
    names = list(dict.fromkeys(n for r in report["records"] for n in r["least_milliseconds_per_pair"]))
    rows = []
    for r in report["records"]:
        least = r["least_milliseconds_per_pair"]
        cells = [f"{least[name]:.3g}" if name in least else "" for name in names]
        rows.append([f"{r['width']}, {r['n']}, {r['tasks']}, {r['dtype']}", *cells])
    return table(["width, n, tasks, dtype", *names], rows)


def loop(report: dict[str, Any]) -> str:
    """Return the table of the scikit-learn loop."""
    rows = []
    for r in report["records"]:
        rates = [max(r[f"{name}_pairs_per_second"]) for name in ("sweep", "loop_one_thread", "loop")]
        ratios = [
            r["ratio"][name][kind] for name in ("loop_one_thread", "loop") for kind in ("of_best", "median")
        ]
        rows.append([r["tasks"], r["dtype"], r["feature_precision"], *rates, *ratios])
    headings = [
        "tasks",
        "dtype",
        "feature_precision",
        "sweep, pairs / s",
        "loop, one thread",
        "loop, default",
    ]
    return table([*headings, "ratio of best, one thread", "median", "ratio of best, default", "median"], rows)


def growth(report: dict[str, Any]) -> str:
    """Return the table of growth, and draw it."""
    figure = Figure(figsize=(15, 6.6), layout="constrained")
    panels = figure.subplots(2, 4).ravel()
    rows = []
    for axes, r in zip(panels, report["records"], strict=False):
        values, least = r["values"], r["least_milliseconds_per_pair"]
        axes.loglog(values, least, "o-", color="#0072B2", label="measured")
        power, label = REFERENCES.get(r["axis"], (1, "proportional"))
        reference = [least[0] * (v / values[0]) ** power for v in values]
        axes.loglog(values, reference, "--", color="0.4", label=label)
        axes.set_xlabel(r["axis"])
        axes.set_ylabel("time per pair  [ms]")
        axes.set_xticks(values, [f"{v:,}" for v in values])
        axes.minorticks_off()
        low, high = (math.log10(y) for y in axes.get_ylim())
        missing = max(0.0, 1.2 - (high - low)) / 2  # of a little more than a decade
        low, high = low - missing, high + missing
        axes.set_ylim(10**low, 10**high)
        steps = (1, 2, 5) if high - low < 2 else (1,)
        ticks = [s * 10.0**k for k in range(math.floor(low), math.ceil(high)) for s in steps]
        axes.set_yticks([t for t in ticks if low <= math.log10(t) <= high])
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:,g}")
        axes.legend(frameon=False, loc="upper left")
        axes.grid(True, alpha=0.3)
        rows += [
            [r["axis"], f"{v:,}", ms, round(ms / least[0], 2)] for v, ms in zip(values, least, strict=True)
        ]
    for axes in panels[len(report["records"]) :]:
        axes.remove()
    figure.suptitle(
        f"Time per pair, {report['dtype']}, {report['device']}; all else as in the canonical workload"
    )
    figure.savefig(FIGURE, dpi=110)
    return table(["axis", "value", "ms / pair", "to the first"], rows)


def cheap_axes(report: dict[str, Any]) -> str:
    """Return the table of axes that share one pass or one factorization."""
    rows = [
        [
            r["variant"],
            r["least_ms_per_pair"],
            r["ratio_of_least"],
            r["median_ms_per_pair"],
            r["ratio_of_medians"],
        ]
        for r in report["records"]
    ]
    return table(["variant", "ms / pair", "to the first", "median", "to the first"], rows)


def crossover(report: dict[str, Any]) -> str:
    """Return the tables of moments against rows, of moments against labels, and of factorizations."""
    rows = []
    for r in report["records"]:
        times = r["least_milliseconds_per_sample"]
        for n, by_moments, by_rows in zip(r["rows"], times["moments"], times["rows"], strict=True):
            rows.append([r["features"], n, f"{n / r['features']:g}", by_moments, by_rows])
    by_route = []
    for r in report["routes"]:
        times = r["least_milliseconds_per_pair"]
        for tasks, by_moments, by_labels in zip(r["tasks"], times["moments"], times["labels"], strict=True):
            by_route.append([r["width"], tasks, f"{tasks / (3 * r['width']):.2f}", by_moments, by_labels])
    by_factor = []
    for r in report["factorizations"]:
        for way, times in r["least_milliseconds_per_sample"].items():
            by_factor.append([r["features"], way, *times, r["largest_error"][way]])
    ridges = [f"{count} ridges, ms" for count in report["factorizations"][0]["ridges"]]
    return "\n\n".join(
        [
            table(["features", "n", "n / features", "moments, ms", "rows, ms"], rows),
            table(["width", "tasks", "tasks / units", "moments, ms", "labels, ms"], by_route),
            table(["features", "by", *ridges, "largest error"], by_factor),
        ]
    )


def streaming(report: dict[str, Any]) -> str:
    """Return the table of peak memory, and what a sweep costs beside its program."""
    rows = [[f"{r['pairs']:,}", r["seconds"], r["peak_resident_mib"]] for r in report["records"]]
    overhead = report["overhead"]
    costs = [
        [name, overhead["least_milliseconds_per_pair"][name], overhead["median_milliseconds_per_pair"][name]]
        for name in ("sweep", "bare")
    ]
    return "\n\n".join(
        [
            table(["pairs", "seconds", "peak MiB"], rows),
            table([f"{overhead['pairs']:,} pairs", "least ms / pair", "median"], costs),
        ]
    )


def sobol(report: dict[str, Any]) -> str:
    """Return the tables of times by evaluation points, and of variances over Sobol points."""
    names = list(report["times"][0]["least_milliseconds_per_pair"])
    times = [
        [r["workload"], *(r["least_milliseconds_per_pair"][name] for name in names)] for r in report["times"]
    ]
    quantities = list(report["variances"][0]["variance_ratio"])
    ratios = [[r["n_eval"], *(r["variance_ratio"][name] for name in quantities)] for r in report["variances"]]
    return "\n\n".join([table(["workload", *names], times), table(["n_eval", *quantities], ratios)])


def pretraining(report: dict[str, Any]) -> str:
    """Return the table of training one network and many, and of the loop in torch."""
    columns = ("one_microseconds_per_step", "many_microseconds_per_step", "torch_microseconds_per_step")
    columns += ("times_faster_than_torch", "time_of_32_seeds_over_one")
    rows = [[r["network"], *(r[column] for column in columns)] for r in report["records"]]
    return table(["network", *(column.replace("_", " ") for column in columns)], rows)


def gpu_program(report: dict[str, Any]) -> str:
    """Return the table of what programs compiled for a GPU would do."""
    rows = [
        [
            r["program"],
            r["kernels"],
            f"{r['bytes_per_pair'] / 1e6:.1f}",
            r["working_memory_mib"],
            f"{r['compile_seconds']:.0f}",
        ]
        for r in report["programs"]
    ]
    return table(["program", "kernels per group", "MB per pair", "working MiB", "compile s"], rows)


def precision(report: dict[str, Any]) -> str:
    """Return the table of errors by precision."""
    quantities, levels = ("gain", "misfit"), ("median", "quantile_99", "largest")
    headings = [f"{q}: {level.replace('quantile_99', '99%')}" for q in quantities for level in levels]
    rows = [
        [r["precision"], *(f"{r['error'][q][level]:.0e}" for q in quantities for level in levels)]
        for r in report["records"]
    ]
    return table(["precision", *headings], rows)


STEPS = {
    "install": "`pip install .`, downloads included",
    "first_figure": "first figure",
    "first_figure_with_kept_programs": "the same again, compiled programs kept",
    "own_world": "your own world",
    "own_features": "your own features",
    "install_by_uv": "`uv pip install` of a wheel by `uv build`",
    "first_figure_by_uv": "first figure there",
}
"""What is beside a newcomer's steps in the README."""


def newcomer(report: dict[str, Any]) -> str:
    """Return the table of a newcomer's seconds."""
    rows = [[STEPS[name], f"{step['seconds']:.0f}"] for name, step in report["steps"].items()]
    return table([f"step, from nothing, on {report['cores']} cores", "seconds"], rows)


def main() -> None:
    """Print every table of which there is a record."""
    makers = {
        "canonical": canonical,
        "canonical_avx512": canonical,
        "canonical_avx2": canonical,
        "peers": peers,
        "scikit_learn_loop": loop,
        "scikit_learn_loop_avx512": loop,
        "scikit_learn_loop_avx2": loop,
        "growth": growth,
        "cheap_axes": cheap_axes,
        "crossover": crossover,
        "streaming": streaming,
        "sobol": sobol,
        "pretraining": pretraining,
        "precision": precision,
        "gpu_program": gpu_program,
        "newcomer": newcomer,
    }
    for name, make in makers.items():
        report = load(name)
        if report is not None:
            print(f"{name}: {report['device']}\n\n{make(report)}\n")


if __name__ == "__main__":
    main()
