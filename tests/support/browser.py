"""A headless Chromium that a test drives by its DevTools protocol over a pipe: no driver and no package is needed."""

import base64
import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
]
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "Tab": 9}


def binary() -> str | None:
    """The path of a Chromium on this machine, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One page of a running Chromium."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers, self._pending, self._count, self._session = commands, answers, b"", 0, None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command; events that come before it are dropped."""
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while (answer := self._read()).get("id") != self._count:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            if not (more := os.read(self._answers, 2**16)):
                raise RuntimeError("Chromium ended")
            self._pending += more
        message, _, self._pending = self._pending.partition(b"\0")
        return json.loads(message)

    def open(self, url: str, width: int = 1400, height: int = 1000, touch: bool = False) -> None:
        """Show an address in a window of this size, and wait until it is loaded."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.send("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression: str) -> Any:
        """A JavaScript expression's value, as JSON has it.

        Raises:
            RuntimeError: what the script raises.
        """
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = 60.0) -> None:
        """Until a JavaScript expression holds."""
        end = time.monotonic() + seconds
        while not self.value(f"Boolean({condition})"):
            if time.monotonic() > end:
                raise TimeoutError(f"after {seconds:g} s it does not hold that {condition}")
            time.sleep(0.02)

    def settle(self) -> None:
        """Until what was asked for is drawn."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def press(self, key: str, shift: bool = False) -> None:
        """One stroke of a key."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        self.send("Input.dispatchKeyEvent", type="rawKeyDown", **about)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)
        self.settle()

    def drag(self, selector: str, x: float, y: float) -> None:
        """Take the middle of an element with the mouse and leave it x to the right and y below."""
        left, top = self.middle(selector)
        self._mouse("mousePressed", left, top)
        for share in (0.5, 1.0):
            self._mouse("mouseMoved", left + share * x, top + share * y)
        self._mouse("mouseReleased", left + x, top + y)
        self.settle()

    def swipe(self, selector: str, x: float, y: float) -> None:
        """The same with a finger."""
        left, top = self.middle(selector)
        for kind, share in (("touchStart", 0.0), ("touchMove", 0.5), ("touchMove", 1.0)):
            point = {"x": left + share * x, "y": top + share * y}
            self.send("Input.dispatchTouchEvent", type=kind, touchPoints=[point])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.settle()

    def middle(self, selector: str) -> tuple[float, float]:
        """Where an element is, after scrolling to it."""
        self.value(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        left, top = self.value(f"(box => [box.x + box.width / 2, box.y + box.height / 2])({box})")
        return left, top

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        shown = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shown["data"]))

    def _mouse(self, kind: str, x: float, y: float) -> None:
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)


@contextmanager
def chromium(path: str) -> Iterator[Page]:
    """A page of a Chromium that runs while the block does, with a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        heard, commands = os.pipe()
        answers, said = os.pipe()
        # Chromium reads commands from file descriptor 3 and answers on 4; free numbers from 10 on keep clear of these
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (heard, said)]
        actions = [(os.POSIX_SPAWN_DUP2, end, 3 + k) for k, end in enumerate(ends)]
        silent = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)  # it misses a desktop, line after line
        command, room = [path, *FLAGS, f"--user-data-dir={profile}"], {**os.environ, "HOME": profile}
        process = os.posix_spawn(path, command, room, file_actions=[*actions, silent])
        try:
            yield Page(commands, answers)
        finally:
            os.kill(process, signal.SIGTERM)
            os.waitpid(process, 0)
            for end in (heard, commands, answers, said, *ends):
                os.close(end)
