"""What importing the package loads."""

import subprocess
import sys

import w2sjax as w2s


def test_import_leaves_the_libraries_of_results_for_sweeps() -> None:
    slow = ("xarray", "zarr", "pandas", "matplotlib", "optax", "orbax")
    program = f"import sys, w2sjax; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    assert all(hasattr(w2s, name) for name in w2s.__all__)
    assert not hasattr(w2s, "weep")
