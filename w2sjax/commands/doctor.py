"""`w2sjax doctor`: whether this machine computes, with what, and how right."""

import platform
import time
from pathlib import Path
from typing import Any

import typer

OLDEST_JAXLIB = (0, 11)
"""Older ones hang for ever in batched factorizations beside matrix products."""

_LIBRARIES = ("w2sjax", "jax", "jaxlib", "numpy", "scipy", "xarray", "zarr", "matplotlib")

TOLERANCE = {"float64": 1e-9, "float32": 2e-4}
"""Largest error of the self-test, relative to the labels."""


def doctor() -> None:
    """Print versions, devices, precision and caches, and check results against NumPy; exit status 1 if one is wrong."""
    from importlib import metadata

    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "source tree" if name == "w2sjax" else "missing"
    _line("python", f"{platform.python_version()}, {platform.platform()}")
    _line("versions", ", ".join(f"{name} {version}" for name, version in versions.items()))
    wrong = jaxlib_trouble(versions["jaxlib"])
    if wrong:
        _line("WRONG", wrong)
        raise typer.Exit(1)

    from w2sjax.commands.precision import configure
    from w2sjax.cores import use_all_cores

    use_all_cores()
    used = configure("auto")
    import jax

    _line("devices", used)
    if hint := unused_accelerator(jax.default_backend(), Path("/proc/driver/nvidia"), Path("/dev/accel0")):
        _line("NOTE", hint)
    _line("programs", _cache(jax.config.jax_compilation_cache_dir))
    failed = False
    for dtype in ("float64", "float32") if jax.config.jax_enable_x64 else ("float32",):
        started = time.perf_counter()
        error = self_test(dtype)
        failed |= not error < TOLERANCE[dtype]
        verdict = "right" if error < TOLERANCE[dtype] else "WRONG"
        _line("self-test", f"{dtype}: {verdict}, 256 ridge heads differ from NumPy's by {error:.1e}, "
              f"{time.perf_counter() - started:.1f} s with compilation")  # fmt: skip
    if failed:
        _line("WRONG", "results of this device cannot be trusted: use another jaxlib, or JAX_PLATFORMS=cpu.")
        raise typer.Exit(1)
    print("all is well")


def _line(name: str, text: str) -> None:
    print(f"{name:>10}  {text}")


def jaxlib_trouble(version: str) -> str:
    """Return what is wrong with a version of jaxlib, or nothing."""
    parts = version.split(".")[:2]
    if all(part.isdigit() for part in parts) and tuple(map(int, parts)) < OLDEST_JAXLIB:
        return f"jaxlib {version} hangs in batched factorizations: pip install 'jaxlib>=0.11'."
    return ""


def unused_accelerator(backend: str, *drivers: Path) -> str:
    """Return a hint where the machine has an accelerator's driver and JAX computes on the CPU."""
    found = [str(driver) for driver in drivers if driver.exists()]
    if backend != "cpu" or not found:
        return ""
    return (
        f"{found[0]} shows an accelerator, and JAX uses the CPU: pip install 'jax[cuda12]' (or 'jax[tpu]'), and look "
        "whether JAX_PLATFORMS is set."
    )


def _cache(folder: str | None) -> str:
    if not folder:
        return "compiled anew by every process: no folder can be written"
    sizes = [file.stat().st_size for file in Path(folder).glob("*-cache")]
    return f"{len(sizes)} compiled ones, {sum(sizes) / 1e6:.0f} MB, kept in {folder}"


def self_test(dtype: str) -> float:
    """Return the largest error of a batch of ridge heads of the default device beside NumPy's in float64.

    Args:
        dtype: "float64" or "float32".

    Cost: one compilation of 256 factorizations of 96 x 16 features, in one program with matrix products.
    """
    import jax
    import numpy as np

    from w2sjax.heads import Ridge
    from w2sjax.heads.base import Rows

    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(256, 96, 16)), rng.normal(size=(256, 96, 3))
    ridge, rows = 1e-3, 96

    def fit(x: Any, y: Any) -> Any:
        linear, _ = Ridge(ridge).fit(Rows(x), y)
        return linear.of_rows(x)

    found = jax.jit(jax.vmap(fit))(features.astype(dtype), labels.astype(dtype))
    x, y = features - features.mean(1, keepdims=True), labels - labels.mean(1, keepdims=True)
    gram = x.transpose(0, 2, 1) @ x + rows * ridge * np.eye(16)
    expected = x @ np.linalg.solve(gram, x.transpose(0, 2, 1) @ y) + labels.mean(1, keepdims=True)
    return float(np.max(np.abs(np.asarray(found, float) - expected)))
