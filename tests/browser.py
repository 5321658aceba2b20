"""A headless Chromium, driven by the W3C WebDriver protocol through chromedriver."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVER = shutil.which("chromedriver")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One window. `run` evaluates JavaScript, `press` types keys, `move` moves the pointer."""

    def __init__(self, session: str) -> None:
        self._session = session

    def call(self, command: str, **values: Any) -> Any:
        """Send a command of the protocol, and return its value."""
        data = json.dumps(values).encode()
        request = urllib.request.Request(
            f"{self._session}/{command}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, file: Path) -> None:
        """Open a page of the disk and wait until it says that it is ready."""
        self.call("url", url=file.as_uri())
        for _ in range(300):
            if self.run("return document.documentElement.dataset.ready === 'yes'"):
                return
            time.sleep(0.1)
        raise TimeoutError(self.messages())

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns, or what the promise becomes that it returns."""
        return self.call("execute/sync", script=script, args=list(arguments))

    def press(self, selector: str, keys: str) -> None:
        """Type keys while an element has the focus."""
        found = self.call("element", using="css selector", value=selector)
        self.call(f"element/{next(iter(found.values()))}/value", text=keys)

    def move(self, x: float, y: float, *more: tuple[float, float]) -> None:
        """Move the pointer to a place of the window; with further places, drag it there."""
        place = {"type": "pointerMove", "duration": 50, "origin": "viewport"}
        steps: list[dict[str, Any]] = [place | {"x": round(x), "y": round(y)}]
        if more:
            steps += [
                {"type": "pointerDown", "button": 0},
                *(place | {"x": round(a), "y": round(b)} for a, b in more),
                {"type": "pointerUp", "button": 0},
            ]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self.call("actions", actions=[mouse])

    def messages(self) -> list[str]:
        """Return what the console said of warnings and errors since the last call."""
        return [entry["message"] for entry in self.call("se/log", type="browser")]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start a browser without a network, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert DRIVER and CHROMIUM
    driver = subprocess.Popen(
        [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    session = f"http://127.0.0.1:{port}/session"
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1200,1600",
        "--disable-dev-shm-usage",
    ]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}"]
    options = {"binary": CHROMIUM, "args": flags}
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    body = json.dumps({"capabilities": {"alwaysMatch": wanted}}).encode()
    try:
        for attempt in range(100):
            try:
                request = urllib.request.Request(session, body, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=120) as answer:
                    session += "/" + json.load(answer)["value"]["sessionId"]
                break
            except urllib.error.URLError as error:
                if isinstance(error, urllib.error.HTTPError) or attempt == 99:
                    raise
                time.sleep(0.1)
        yield Browser(session)
        urllib.request.urlopen(urllib.request.Request(session, method="DELETE"), timeout=30).close()
    finally:
        driver.terminate()
        driver.wait(30)
