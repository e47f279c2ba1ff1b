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
from typing import Any

from mlmetrics import track_ml_inference

SLOW_SECONDS = 0.8
SLOW_PAGE_SECONDS = 0.35

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
    """A matcher whose scores shift or are not numbers, if a fault is set."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def similarity(self, left: str, right: str) -> float:
        """Score as the model does, or wrongly."""
        if "scores are no numbers" in faults:
            return float("nan")
        score: float = self._model.similarity(left, right)
        return score / 8 if "shifted scores" in faults else score

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


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
