"""Debian's Chromium without a window, driven by its DevTools protocol over a pair of pipes."""

import collections
import itertools
import json
import os
import subprocess
import tempfile
from types import TracebackType
from typing import Any, Self

from tests.programs import find_program

STOP_SECONDS = 10.0
KEPT_EVENTS = 100_000
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--remote-debugging-pipe",
)
# The browser reads commands from file 3 and writes answers to file 4; each ends with a zero byte.
SHELL = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'


class Tab:
    """One tab of the browser."""

    def __init__(self, browser: "Chromium", url: str) -> None:
        self._browser = browser
        self._target = browser.send("Target.createTarget", {"url": url})["targetId"]
        attached = {"targetId": self._target, "flatten": True}
        self._session = browser.send("Target.attachToTarget", attached)["sessionId"]

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        options = {"expression": script, "returnByValue": True, "awaitPromise": True}
        answer = self._browser.send("Runtime.evaluate", options, self._session)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def send(self, method: str, **options: Any) -> Any:
        """Send a command of the DevTools protocol about this tab, and return its result."""
        return self._browser.send(method, options, self._session)

    def close(self) -> None:
        """Close the tab, as its cross does."""
        self._browser.send("Target.closeTarget", {"targetId": self._target})


class Chromium:
    """A browser with an empty profile; the end of the block ends it."""

    def __enter__(self) -> Self:
        program = find_program("chromium", package="chromium")
        self._numbers = itertools.count(1)
        self._events: collections.deque[dict[str, Any]] = collections.deque(maxlen=KEPT_EVENTS)
        self._profile = tempfile.TemporaryDirectory(prefix="mlmetrics-", ignore_cleanup_errors=True)
        profile = f"--user-data-dir={self._profile.name}"
        (commands, to), (answers, out) = os.pipe(), os.pipe()
        self._to, self._from = os.fdopen(to, "wb", buffering=0), os.fdopen(answers, "rb")
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", SHELL, "bash", str(commands), str(out), program, *OPTIONS, profile],
            pass_fds=(commands, out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(out)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.send("Browser.close")
            self._process.wait(STOP_SECONDS)
        except (OSError, EOFError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._to.close()
        self._from.close()
        self._profile.cleanup()

    def open(self, url: str) -> Tab:
        """Open a page in a new tab."""
        return Tab(self, url)

    def send(self, method: str, options: dict[str, Any] | None = None, session: str | None = None) -> Any:
        """Send a command, and return its result; events that come before it are kept for `events`."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": options or {}}
        if session is not None:
            command["sessionId"] = session
        self._to.write(json.dumps(command).encode() + b"\0")
        while (answer := self._receive()).get("id") != number:
            self._events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def events(self, until: str) -> list[dict[str, Any]]:
        """Return the events that came since the last time, up to the first with the name `until`."""
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1].get("method") != until:
            seen.append(self._events.popleft() if self._events else self._receive())
        return seen

    def _receive(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            if not byte:
                raise EOFError("Chromium has ended")
            text += byte
        answer: dict[str, Any] = json.loads(text)
        return answer
