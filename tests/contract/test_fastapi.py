"""FastAPI takes decorated functions of every kind, as routes and as dependencies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator  # noqa: TC003 (FastAPI reads them)
from functools import partial
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry  # noqa: TC002 (beside what FastAPI reads)
from pydantic import BaseModel
from pydantic.errors import PydanticUndefinedAnnotation

from mlmetrics import MLMetrics
from tests.recorded import in_progress, outcomes


class Question(BaseModel):
    """A body, whose annotation is a string in this module."""

    text: str


def function(question: Question, limit: int = 3) -> dict[str, Any]:
    """Answer."""
    return {"text": question.text, "limit": limit}


async def coroutine(question: Question, limit: int = 3) -> dict[str, Any]:
    """Answer."""
    return {"text": question.text, "limit": limit}


class CallableRoute:
    """A callable object."""

    def __call__(self, question: Question, limit: int = 3) -> dict[str, Any]:
        """Answer."""
        return {"text": question.text, "limit": limit}


class AsyncCallableRoute:
    """A callable object whose call is a coroutine function."""

    async def __call__(self, question: Question, limit: int = 3) -> dict[str, Any]:
        """Answer."""
        return {"text": question.text, "limit": limit}


def value_dependency(limit: int = 3) -> int:
    """Give a value."""
    return limit


async def async_dependency(limit: int = 3) -> int:
    """Give a value."""
    return limit


def generator_dependency(limit: int = 3) -> Iterator[int]:
    """Give a value, and clean up."""
    yield limit


async def async_generator_dependency(limit: int = 3) -> AsyncIterator[int]:
    """Give a value, and clean up."""
    yield limit


class Dependency:
    """A callable object that gives a value."""

    def __call__(self, limit: int = 3) -> int:
        """Give a value."""
        return limit


class AsyncDependency:
    """A callable object that gives a value when awaited."""

    async def __call__(self, limit: int = 3) -> int:
        """Give a value."""
        return limit


class GeneratorDependency:
    """A callable object that gives a value and cleans up."""

    def __call__(self, limit: int = 3) -> Iterator[int]:
        """Give a value."""
        yield limit


class AsyncGeneratorDependency:
    """A callable object that gives a value and cleans up, asynchronously."""

    async def __call__(self, limit: int = 3) -> AsyncIterator[int]:
        """Give a value."""
        yield limit


ROUTES = [function, coroutine, CallableRoute(), AsyncCallableRoute()]
DEPENDENCIES = [
    *(value_dependency, async_dependency, generator_dependency, async_generator_dependency, partial(value_dependency)),
    *(Dependency(), AsyncDependency(), GeneratorDependency(), AsyncGeneratorDependency(), Dependency().__call__),
]


def name(target: Any) -> str:
    """Return what to call a parameter."""
    return getattr(target, "__name__", type(target).__name__)


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_route(registry: CollectorRegistry, metrics: MLMetrics, route: Callable[..., Any]) -> None:
    """Body and query parameters of a recorded route are read as those of the bare one, and a call is recorded."""
    app = FastAPI()
    declared = metrics.track_inference(model="m")(route)
    try:
        app.post("/bare")(route)
    except PydanticUndefinedAnnotation:  # below 2.10, pydantic refuses what FastAPI before 0.128 does not find
        with pytest.raises(PydanticUndefinedAnnotation):
            app.post("/recorded")(declared)
        return
    app.post("/recorded")(declared)
    with TestClient(app) as client:
        bare, recorded = (
            client.post(path, params={"limit": 5}, json={"text": "hello"}) for path in ("/bare", "/recorded")
        )
        assert (bare.status_code, bare.json()) == (recorded.status_code, recorded.json())
        assert 422 == client.post("/recorded", json={}).status_code
    if route in (function, coroutine):  # FastAPI before 0.128 does not find what the strings of an object's call name
        assert {"text": "hello", "limit": 5} == recorded.json()
    assert ({"success": 1} if bare.is_success else {}) == outcomes(registry)


@pytest.mark.parametrize("dependency", DEPENDENCIES, ids=name)
def test_dependency(registry: CollectorRegistry, metrics: MLMetrics, dependency: Callable[..., Any]) -> None:
    """A recorded dependency gives its value, is cleaned up, and is one call."""
    app = FastAPI()
    recorded = metrics.track_inference(model="m")(dependency)

    @app.get("/")
    async def route(limit: int = Depends(recorded)) -> int:  # noqa: FAST002 (strings cannot name what is local)
        return limit

    with TestClient(app) as client:
        assert 5 == client.get("/", params={"limit": 5}).json()
    assert {"success": 1} == outcomes(registry)
    assert in_progress(registry) == 0


def test_dependency_sees_the_exception_of_its_route(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A generator dependency is thrown what its route raises, and may handle it: a failure only if it does not."""
    app = FastAPI()
    seen = []

    @metrics.track_inference(model="m")
    def session() -> Iterator[int]:
        try:
            yield 1
        except HTTPException as error:
            seen.append(error.status_code)
            raise

    @app.get("/")
    def route(_: int = Depends(session)) -> None:  # noqa: FAST002 (as above)
        raise HTTPException(418)

    with TestClient(app) as client:
        assert 418 == client.get("/").status_code
    assert [418] == seen
    assert {"failure": 1} == outcomes(registry)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_streaming_response(registry: CollectorRegistry, metrics: MLMetrics, *, asynchronous: bool) -> None:
    """A recorded generator behind a streaming response is a call that ends with its last chunk."""
    app = FastAPI()

    @metrics.track_inference(model="m")
    def chunks() -> Iterator[str]:
        yield from ("a", "b")

    @metrics.track_inference(model="m")
    async def async_chunks() -> AsyncIterator[str]:
        for chunk in ("a", "b"):
            yield chunk

    @app.get("/")
    def route() -> StreamingResponse:
        return StreamingResponse(async_chunks() if asynchronous else chunks())

    with TestClient(app) as client:
        assert "ab" == client.get("/").text
    assert {"success": 1} == outcomes(registry)
