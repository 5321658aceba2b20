"""The page itself: one file of HTML with its scripts, styles and numbers in it."""

import functools
import html
import importlib.resources
import json
import re
from typing import Any

from w2sjax.errors import W2SError
from w2sjax.paths import MARK


def page(content: dict[str, Any]) -> str:
    """Return a page that shows the numbers of `contents`, and asks for nothing else when it is opened.

    Raises:
        W2SError: where vl-convert, which brings the drawing library (Vega-Lite), is not installed.
    """
    values = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "TITLE": html.escape(content["title"]),
        "DATA": values,
        "LIBRARY": library(),
        "SCRIPT": _file("page.js"),
    }
    # In one pass: what a title or a store says is never taken for a place of the page.
    text = _file("page.html").replace("ORIGIN", MARK)
    return re.sub(f"__({'|'.join(parts)})__", lambda place: parts[place[1]], text)


@functools.cache
def library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that stands in a page."""
    try:
        import vl_convert
    except ModuleNotFoundError as error:
        raise W2SError(
            "a report needs vl-convert-python, which is not installed: pip install 'w2sjax[report]'."
        ) from error
    bundle: Any = vl_convert.javascript_bundle  # its types ask for a snippet, which may be left out
    script: str = bundle()
    return script.replace("</script", "<\\/script")


def _file(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
