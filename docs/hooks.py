"""Fill docs/api.md with every public name of the package as it is, when the site is built."""

import inspect
from typing import Any

import w2sjax as w2s


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Add an entry for every public class and function, by package."""
    if page.file.src_uri != "api.md":
        return markdown
    packages = {name: value for name in w2s.__all__ if inspect.ismodule(value := getattr(w2s, name))}
    sections = {"w2sjax": {name: getattr(w2s, name) for name in w2s.__all__ if name not in packages}}
    for name, package in packages.items():
        names = getattr(package, "__all__", None) or [key for key in dir(package) if not key.startswith("_")]
        sections[f"w2sjax.{name}"] = {key: getattr(package, key) for key in names}
    seen: set[str] = set()
    lines = [markdown]
    for title, members in sections.items():
        lines.append(f"## {title}")
        for value in members.values():
            ours = str(getattr(value, "__module__", "")).startswith("w2sjax")
            path = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
            if ours and path not in seen and (inspect.isclass(value) or inspect.isfunction(value)):
                seen.add(path)
                lines.append(f"::: {path}")
    return "\n\n".join(lines)
