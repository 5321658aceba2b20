"""Which precision a command computes in, and on what."""

import os

from w2sjax.cache import keep_compiled_programs
from w2sjax.errors import W2SError

CHOICES = ("auto", "float64", "float32")


def configure(precision: str) -> str:
    """Set JAX's x64 flag and compilation cache for a command, and return what was used, in words.

    "auto" is float64 where the device has it (every device but a TPU), else float32.

    Raises:
        W2SError: for an unknown precision, float64 on a device without it, or a platform that is not there.
    """
    import jax

    if precision not in CHOICES:
        raise W2SError(f"--precision {precision!r} is not known: choose one of {', '.join(CHOICES)}.")
    keep_compiled_programs()
    try:
        kind = jax.local_devices()[0].device_kind
    except (RuntimeError, AssertionError) as error:  # JAX asserts where it skips a plugin that is not there
        asked = os.environ.get("JAX_PLATFORMS") or jax.config.jax_platforms
        why = f" ({' '.join(str(error).split())[:200]})" if str(error) else ""
        raise W2SError(
            f"JAX_PLATFORMS={asked} names no device of this machine{why}: unset it, or name one that is there."
        ) from error
    has_float64 = jax.default_backend() != "tpu"
    if precision == "float64" and not has_float64:
        raise W2SError("--precision float64 is not available on this TPU: choose float32 or auto.")
    x64 = has_float64 and precision != "float32"
    jax.config.update("jax_enable_x64", x64)
    return f"{'float64' if x64 else 'float32'} on {jax.local_device_count()} x {kind}"
