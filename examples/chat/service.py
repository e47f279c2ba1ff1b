"""The chat service: it asks through OpenAI's SDK, and passes on the words of the answer as they come.

`instrument_openai` measures each answer: the time to its first word and between words, its tokens and its cost. When
the reader leaves, the provider's stream is closed, so that no more words are made and paid: that call is `cancelled`.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, StreamingResponse
from openai import AsyncOpenAI, AsyncStream, OpenAIError
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from mlmetrics import instrument, instrument_openai

MODEL = "gpt-4o-mini"
PAGE = Path(__file__).with_name("page.html").read_text("utf-8")
README = Path(__file__).parents[2] / "README.md"
INSTRUCTIONS = f"Answer from the text below.\n\n{README.read_text('utf-8')}"

app = FastAPI(title="Chat")
instrument(app, service_name="chat")
instrument_openai()
client = AsyncOpenAI()


class Message(BaseModel):
    """What the reader or the model has said."""

    role: Literal["user", "assistant"]
    content: str = Field(max_length=10_000)


class Conversation(BaseModel):
    """All that was said so far; the last message is the question."""

    messages: list[Message] = Field(min_length=1, max_length=100)


class Answer(StreamingResponse):
    """The words of a provider's stream, which is closed however this response ends."""

    def __init__(self, stream: AsyncStream[ChatCompletionChunk]) -> None:
        super().__init__(_words(stream), media_type="text/plain")
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the words until they end or the reader has left."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._stream.close()


async def _words(stream: AsyncStream[ChatCompletionChunk]) -> AsyncIterator[str]:
    async for chunk in stream:
        for choice in chunk.choices:
            if choice.delta.content:
                yield choice.delta.content


@app.post("/chat")
async def chat(conversation: Conversation) -> Answer:
    """Answer the last message, word by word."""
    messages = [{"role": "system", "content": INSTRUCTIONS}, *conversation.model_dump()["messages"]]
    try:
        stream = await client.chat.completions.create(
            model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
        )
    except OpenAIError as error:
        raise HTTPException(503, "The language model does not answer now.") from error
    return Answer(stream)


@app.get("/", response_class=HTMLResponse)
async def page() -> str:
    """Show the page."""
    return PAGE
