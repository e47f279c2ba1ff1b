"""api: the gateway. It takes files from the outside and asks the three other services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse

from examples.recruiting.addresses import API, CV_PARSER, HOST, JOB_PARSER, MATCHING, Service
from examples.recruiting.reading import document_type
from mlmetrics import instrument, track_file_processing

TIMEOUT_SECONDS = 30.0


class UpstreamRefusal(Exception):
    """Another service answered with an error, which is passed on."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.request.url} answered {answer.status_code}")
        self.answer = answer


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one HTTP client for the life of the gateway."""
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        app.state.client = client
        yield


app = FastAPI(title="Recruiting API", lifespan=lifespan)
instrument(app, service_name=API.name)


@app.exception_handler(UpstreamRefusal)
async def pass_refusal_on(_request: Request, refusal: UpstreamRefusal) -> Response:
    """Answer with the status and the reason of the other service."""
    return Response(refusal.answer.content, refusal.answer.status_code, media_type="application/json")


@app.exception_handler(httpx.TransportError)
async def tell_unreachable(_request: Request, error: httpx.TransportError) -> JSONResponse:
    """Answer 503 when another service cannot be reached."""
    return JSONResponse({"error": "ServiceUnavailable", "reason": f"{error.request.url}: {error}"}, 503)


async def _parse_by(service: Service, file: UploadFile) -> httpx.Response:
    content = await file.read()
    track_file_processing(document_type(file.filename), API.name, len(content))
    client: httpx.AsyncClient = app.state.client
    answer = await client.post(f"{service.url}/parse", files={"file": (file.filename, content)})
    if answer.is_error:
        raise UpstreamRefusal(answer)
    return answer


async def _parse_both(cv: UploadFile, job: UploadFile) -> dict[str, str]:
    parsed = await asyncio.gather(_parse_by(CV_PARSER, cv), _parse_by(JOB_PARSER, job))
    return {name: answer.json()["text"] for name, answer in zip(("cv", "job"), parsed, strict=True)}


@app.post("/cvs")
async def parse_cv(file: UploadFile) -> Response:
    """Parse a CV."""
    return Response((await _parse_by(CV_PARSER, file)).content, media_type="application/json")


@app.post("/jobs")
async def parse_job(file: UploadFile) -> Response:
    """Parse a job ad."""
    return Response((await _parse_by(JOB_PARSER, file)).content, media_type="application/json")


@app.post("/matches")
async def match(cv: UploadFile, job: UploadFile) -> Response:
    """Parse a CV and a job ad, and score how well they fit."""
    client: httpx.AsyncClient = app.state.client
    answer = await client.post(f"{MATCHING.url}/match", json=await _parse_both(cv, job))
    if answer.is_error:
        raise UpstreamRefusal(answer)
    return Response(answer.content, media_type="application/json")


@app.post("/matches/explanation")
async def explain(cv: UploadFile, job: UploadFile) -> StreamingResponse:
    """Parse a CV and a job ad, and stream why they fit."""
    client: httpx.AsyncClient = app.state.client
    request = client.build_request("POST", f"{MATCHING.url}/explain", json=await _parse_both(cv, job))
    answer = await client.send(request, stream=True)
    if answer.is_error:
        await answer.aread()
        await answer.aclose()
        raise UpstreamRefusal(answer)
    return StreamingResponse(_relay(answer), media_type="text/plain")


async def _relay(answer: httpx.Response) -> AsyncIterator[str]:
    try:
        async for text in answer.aiter_text():
            yield text
    finally:
        await answer.aclose()


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the gateway is up."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host=HOST, port=API.port)
