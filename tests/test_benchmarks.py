"""The benchmark runs and its two sides agree; no speed is asserted."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "scikit_learn_loop.py"


def test_fast_mode_runs_and_agrees(tmp_path: Path) -> None:
    out = tmp_path / "record.json"
    subprocess.run([sys.executable, SCRIPT, "--fast", "--out", out], check=True, timeout=600)
    record = json.loads(out.read_text())["records"][0]
    assert record["sweep_pairs_per_second"][0] > 0
    # scikit-learn solves normal equations of condition 1e10 and more: its own digits end here.
    assert max(record["largest_difference_over_weak_error_float64"].values()) < 1e-5
