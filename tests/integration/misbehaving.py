"""A service of the recruiting example with faults that can be switched on, for rehearsals of alerts.

`RECRUITING_MODULE` names the service. `PUT /faults` with a JSON list sets its faults; without faults
it is the service of the example. Faults are in front of its models, so that the service's code is not changed.
"""

import asyncio
import importlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from mlmetrics import track_ml_inference

SLOW_SECONDS = 0.8
SLOW_PAGE_SECONDS = 0.35
LATE_SECONDS = 0.8
PAUSE_SECONDS = 0.6
LINES_TO_A_PAUSE = 5

service: Any = importlib.import_module(os.environ["RECRUITING_MODULE"])
faults: set[str] = set()


class FaultyClassifier:
    """A classifier that is slow or fails if that fault is set."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, text: str) -> Any:
        """Predict as the model does, or fail."""
        if "slow model" in faults:
            time.sleep(SLOW_SECONDS)
        if "failing model" in faults:
            raise MemoryError("the model has run out of memory")
        return self._model.predict(text)


class FaultyMatcher:
    """A matcher whose scores shift or are not numbers, and whose explanations are late or pause, if a fault is set."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def similarity(self, left: str, right: str) -> float:
        """Score as the model does, or wrongly."""
        if "scores are no numbers" in faults:
            return float("nan")
        score: float = self._model.similarity(left, right)
        return score / 8 if "shifted scores" in faults else score

    def closest_lines(self, wanted: str, offered: str) -> Iterator[tuple[str, str, float]]:
        """Compare as the model does, late or with pauses."""
        if "late first chunk" in faults:
            time.sleep(LATE_SECONDS)
        for number, line in enumerate(self._model.closest_lines(wanted, offered)):
            if "pauses" in faults and number % LINES_TO_A_PAUSE == LINES_TO_A_PAUSE - 1:
                time.sleep(PAUSE_SECONDS)
            yield line


for _name in ("kinds", "roles", "languages"):
    if hasattr(service, _name):
        setattr(service, _name, FaultyClassifier(getattr(service, _name)))
if hasattr(service, "matcher"):
    service.matcher = FaultyMatcher(service.matcher)

_numbers = itertools.count()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve the service, with its faults."""
    if scope["type"] == "http" and scope["path"] == "/faults":
        body = (await receive())["body"]
        faults.clear()
        faults.update(json.loads(body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    if "slow page" in faults and scope.get("path") == "/metrics":
        await asyncio.sleep(SLOW_PAGE_SECONDS)
    if "a model name for each call" in faults and scope["type"] == "http":
        track_ml_inference(f"model-{next(_numbers)}", "matching-service", 0.01)
    await service.app(scope, receive, send)
