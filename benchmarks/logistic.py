"""Time `heads.Logistic` on many tasks against the loop over them that a user would write with scikit-learn.

Usage: python benchmarks/logistic.py [--fast] [--out FILE.json]

1,000 tasks of 2000 rows and 16 features, labels drawn from a logistic model, C=1. scikit-learn runs at its defaults
(L-BFGS to its tolerance) and by its Newton solver; linear algebra on one thread. All alternate within one run; each
repeat is timed after a warm-up that is reported apart, and the ratio is taken repeat by repeat, of clock time and of
CPU time, which other work on the machine moves less. Agreement is of probabilities, with scikit-learn converged.
"""

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import recording
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from w2sjax.heads import Logistic, Rows

OPTIONS: dict[str, dict[str, Any]] = {"lbfgs": {}, "newton": {"solver": "newton-cholesky"}}


def main() -> None:
    """Run all and write one record as JSON."""
    options = recording.options(__doc__)
    jax.config.update("jax_enable_x64", True)
    n, d, tasks, repeats = (200, 4, 20, 1) if options.fast else (2000, 16, 1000, 3)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d))
    scores = x @ rng.normal(size=(d, tasks))
    y = (scores + rng.logistic(size=scores.shape) > 0).astype(float)
    head = Logistic(C=1.0)
    fit = jax.jit(lambda x, y: head.fit(Rows(x), y))
    features, labels = jnp.asarray(x), jnp.asarray(y)

    def ours() -> None:
        jax.block_until_ready(fit(features, labels))

    def loop(settings: dict[str, Any]) -> None:
        for task in range(tasks):
            LogisticRegression(**settings).fit(x, y[:, task])

    works = {"ours": ours} | {name: partial(loop, settings) for name, settings in OPTIONS.items()}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    with threadpool_limits(1, user_api="blas"):
        for _ in range(1 + repeats):
            for name, work in works.items():
                clock, cpu = time.perf_counter(), time.process_time()
                work()
                seconds[name].append((time.perf_counter() - clock, time.process_time() - cpu))
    fitted, status = fit(features, labels)
    found = head.predict(fitted, features)
    difference = 0.0
    for task in range(min(tasks, 20)):
        model = LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(x, y[:, task])
        difference = max(difference, float(np.abs(model.predict_proba(x)[:, 1] - found[:, task]).max()))
    report: dict[str, Any] = {
        "benchmark": "logistic",
        **recording.surroundings("scikit-learn", "scipy"),
        "rows": n,
        "features": d,
        "tasks": tasks,
        "dtype": "float64",
        "status": int(status.code),
        "largest_difference_of_probabilities": difference,
    }
    for place, kind in enumerate(("clock", "cpu")):
        times = {name: np.array(each)[:, place] for name, each in seconds.items()}
        report[f"{kind}_seconds"] = {name: np.round(each[1:], 4).tolist() for name, each in times.items()}
        report[f"first_{kind}_seconds"] = {name: round(float(each[0]), 3) for name, each in times.items()}
        report[f"{kind}_ratio"] = {
            name: round(float(np.median(times[name][1:] / times["ours"][1:])), 1) for name in OPTIONS
        }
    recording.write(report, options.out)


if __name__ == "__main__":
    main()
