"""What the user can mend, told in one sentence. Every other exception is a bug of this package."""

import contextlib
import errno
from collections.abc import Iterator


class W2SError(ValueError):
    """An argument, file or option that cannot be used; the message is one sentence that names it and the fix."""


class StoreError(W2SError):
    """A store or a file of trained networks that cannot be used as it is."""


def remedy(error: OSError) -> str:
    """Return what the user can do about a file that could not be written or read."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make space"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "change its permissions, or choose another place"
    return "choose another place"


def reason(error: OSError) -> str:
    """Return why a file could not be used, in the system's words."""
    return error.strerror or " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def told(what: str, kind: type[W2SError] = W2SError, then: str = "") -> Iterator[None]:
    """Tell an OSError inside in one sentence: what cannot be done, the system's reason, and what the user can do."""
    try:
        yield
    except OSError as error:
        raise kind(f"{what} ({reason(error)}): {remedy(error)}{then}.") from error
