"""Which precision a command computes in, and where compiled programs are kept."""

import os
from pathlib import Path

from w2sjax.errors import W2SError

CHOICES = ("auto", "float64", "float32")


def configure(precision: str) -> str:
    """Set JAX's x64 flag and compilation cache for a command, and return what was used, in words.

    "auto" is float64 where the device has it (every device but a TPU), else float32.

    Raises:
        W2SError: for an unknown precision, or float64 on a device without it.
    """
    import jax

    if precision not in CHOICES:
        raise W2SError(f"--precision {precision!r} is not known: choose one of {', '.join(CHOICES)}.")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "w2sjax" / "compiled"
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    has_float64 = jax.default_backend() != "tpu"
    if precision == "float64" and not has_float64:
        raise W2SError("--precision float64 is not available on this TPU: choose float32 or auto.")
    x64 = has_float64 and precision != "float32"
    jax.config.update("jax_enable_x64", x64)
    kind = jax.local_devices()[0].device_kind
    return f"{'float64' if x64 else 'float32'} on {jax.local_device_count()} x {kind}"
