"""Figures as files."""

import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2sjax.files import write_atomically
from w2sjax.paths import MARK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf", "jpg")

_METADATA: dict[str, dict[str, Any]] = {
    "png": {"metadata": {"Software": MARK}},
    "svg": {"metadata": {"Creator": MARK}},
    "pdf": {"metadata": {"Creator": MARK}},
    "jpg": {"pil_kwargs": {"comment": MARK.encode()}},
}

_DRAWING = threading.Lock()
"""Fonts and mathematical text of matplotlib are for one thread at a time."""


def save(figure: "Figure", file: Path) -> None:
    """Write a figure in the format of the file's ending, marked as made by this program, complete or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    import matplotlib

    kind = file.suffix[1:].lower()
    content = io.BytesIO()
    with _DRAWING, matplotlib.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):  # text stays text
        figure.savefig(content, format=kind, dpi=150, **_METADATA[kind])
    write_atomically(file, content.getvalue())
