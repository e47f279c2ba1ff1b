"""The server: `/v1/chat/completions` and `/v1/models` as OpenAI has them, and how it behaves as tests and demos wish.

It prints and keeps no prompt and no answer; `/ledger` has the tokens that it has told its callers, model by model.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.types import Send

from examples.language_model.behaviour import Behaviour, Plan
from examples.language_model.extraction import answer
from examples.language_model.payloads import Reply, error_payload
from examples.language_model.tokens import PromptCache, Usage, pieces, tokenize

# The names that it answers to, and whether OpenAI caches the prompts of the model of that name.
MODELS = {"gpt-4": False, "gpt-4o-mini": True, "extractive": False}
RETRY_AFTER_MILLISECONDS = "50"
REFUSED_KEY = "expired"
"""The key that is refused; any other one, and none, will do."""


class Message(BaseModel):
    """One message of a conversation."""

    role: str
    content: str


class StreamOptions(BaseModel):
    """What a stream should tell besides the answer."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """What is read of a request; its other fields change nothing."""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()


class CutOff(Exception):
    """The connection ends here, in the middle of an answer."""


class Cuttable(StreamingResponse):
    """A response that ends without its last part when its content raises `CutOff`, so that uvicorn hangs up."""

    async def stream_response(self, send: Send) -> None:
        """Send the content until it ends or is cut."""
        try:
            await super().stream_response(send)
        except CutOff:
            return


app = FastAPI(title="Language model")
plan = Plan()
cache = PromptCache()
told: defaultdict[str, Counter[str]] = defaultdict(Counter)


@app.exception_handler(RequestValidationError)
async def refuse(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Name the field that is wrong, and nothing of what was sent."""
    place = ".".join(map(str, error.errors()[0]["loc"]))
    return JSONResponse(error_payload(f"{place} is not as expected.", "invalid_request_error"), 400)


@app.post("/v1/chat/completions")
async def complete(asked: ChatRequest, authorization: Annotated[str, Header()] = "") -> Response:
    """Answer a conversation, in one piece or word by word."""
    if authorization == f"Bearer {REFUSED_KEY}":
        message = "The key is not valid any more."
        return JSONResponse(error_payload(message, "invalid_request_error", "invalid_api_key"), 401)
    behaviour = plan.take()
    if asked.model not in MODELS:
        message = f"There is no model of this name; there are {', '.join(MODELS)}."
        return JSONResponse(error_payload(message, "invalid_request_error", "model_not_found"), 404)
    if behaviour.rate_limited:
        body = error_payload("Too many requests.", "requests", "rate_limit_exceeded")
        return JSONResponse(body, 429, {"retry-after-ms": RETRY_AFTER_MILLISECONDS})
    reply = Reply(asked.model)
    words = pieces(await asyncio.to_thread(_answer, asked.messages))
    usage = _count(asked, words)
    if asked.stream:
        with_usage = asked.stream_options.include_usage
        events = _events(reply, words, usage if with_usage and behaviour.usage else None, behaviour)
        return Cuttable(events, media_type="text/event-stream")
    return await _whole(reply, words, usage, behaviour)


def _answer(messages: list[Message]) -> str:
    instructions = [each.content for each in messages if each.role in ("system", "developer")]
    others = [each.content for each in messages if each.role not in ("system", "developer")]
    return answer("\n\n".join(instructions), "\n\n".join(others[:-1]), "".join(others[-1:]))


def _count(asked: ChatRequest, words: list[str]) -> Usage:
    prompt = [token for message in asked.messages for token in tokenize(message.content)]
    cached = cache.cached_tokens(prompt) if MODELS[asked.model] else 0
    return Usage(prompt_tokens=len(prompt), completion_tokens=len(tokenize("".join(words))), cached_tokens=cached)


async def _events(reply: Reply, words: list[str], usage: Usage | None, behaviour: Behaviour) -> AsyncIterator[str]:
    """Yield the events of a stream: the role, the words, the end, and the tokens if they are asked for."""
    yield _event(reply.chunk({"role": "assistant", "content": ""}))
    for place, word in enumerate(words):
        await asyncio.sleep(behaviour.between_words_seconds if place else behaviour.first_word_seconds)
        if place == behaviour.cut_after_words:
            raise CutOff
        if place == behaviour.error_after_words:
            yield _event(error_payload("The server had an error.", "server_error"))
            return
        yield _event(reply.chunk({"content": word}))
    yield _event(reply.chunk({}, "stop"))
    if usage is not None:
        _note(reply.model, usage)
        yield _event(reply.usage_chunk(usage))
    yield "data: [DONE]\n\n"


async def _whole(reply: Reply, words: list[str], usage: Usage, behaviour: Behaviour) -> Response:
    """Return an answer in one piece, after the time that its words take."""
    await asyncio.sleep(behaviour.first_word_seconds + behaviour.between_words_seconds * len(words))
    if behaviour.error_after_words is not None:
        return JSONResponse(error_payload("The server had an error.", "server_error"), 500)
    body = reply.completion("".join(words), usage if behaviour.usage else None)
    if behaviour.cut_after_words is not None:
        return Cuttable(_half(json.dumps(body)), media_type="application/json")
    if behaviour.usage:
        _note(reply.model, usage)
    return JSONResponse(body)


async def _half(text: str) -> AsyncIterator[str]:
    yield text[: len(text) // 2]
    raise CutOff


def _event(payload: dict[str, Any]) -> str:
    return f"data: {json.dumps(payload)}\n\n"


def _note(model: str, usage: Usage) -> None:
    told[model].update({"requests": 1, **usage.model_dump()})


@app.get("/v1/models")
async def models() -> dict[str, Any]:
    """List the models."""
    made = {"object": "model", "created": 0, "owned_by": "examples"}
    return {"object": "list", "data": [{"id": name, **made} for name in MODELS]}


@app.put("/behaviour")
async def behave(behaviour: Behaviour) -> None:
    """Behave so from now on."""
    plan.usual = behaviour


@app.post("/behaviour")
async def behave_next(behaviour: Behaviour, requests: int = 1) -> None:
    """Behave so in the next requests."""
    plan.add(behaviour, requests)


@app.get("/ledger")
async def ledger() -> dict[str, Counter[str]]:
    """Return the requests that were told their tokens, and these tokens, by model."""
    return told


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the server is up."""
    return {"status": "ok"}
