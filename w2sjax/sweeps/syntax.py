"""What is wrong with a file that is not TOML, in a sentence."""

import re
from pathlib import Path


def syntax_error(file: Path, text: str, message: str) -> str:
    """Return a sentence for a file that is not TOML; a key given twice is named by its full path."""
    found = re.search(r"\(at line (\d+), column \d+\)", message)
    lines = text.splitlines()
    number = int(found.group(1)) if found else 0
    if ("overwrite" in message or "twice" in message) and 1 <= number <= len(lines):
        key = lines[number - 1].split("=")[0].strip().strip("[]\"' ")
        headers = [
            m.group(1) for line in lines[: number - 1] if (m := re.match(r"\s*\[\s*([\w.]+)\s*\]", line))
        ]
        in_table = "=" in lines[number - 1] and headers
        path = f"{headers[-1]}.{key}" if in_table else key
        return f"{file}: {path} is given twice, the second time in line {number}: keep one."
    return f"{file} is not valid TOML ({message}): mend that line."
