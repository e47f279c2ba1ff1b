"""What a server sends, read without any SDK: JSON bodies, and the payloads of streams."""

import json
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx

from tests.sdks.servers import ProviderServer

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
GENERATE_STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"

Payload = dict[str, Any]


@cache  # reading the certificates of the machine takes longer than a test
def certificates() -> ssl.SSLContext:
    """Return the certificates that are never asked for on loopback."""
    return ssl.create_default_context()


def client() -> httpx.Client:
    """Return a client for a `with` block."""
    return httpx.Client(verify=certificates())


def post(server: ProviderServer, path: str, body: Mapping[str, Any], **headers: str) -> httpx.Response:
    """Return the response to a request."""
    with client() as sender:
        return sender.post(server.url + path, json=dict(body), headers=headers)


def events(server: ProviderServer, path: str, body: Mapping[str, Any]) -> list[Payload]:
    """Return the payloads of a stream, oldest first; `[DONE]` is left out."""
    lines = post(server, path, {"stream": True, **body}).text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def chat(text: str = "say these four words", **more: Any) -> Payload:
    """Return the body of a chat request of OpenAI, Mistral or Anthropic."""
    return {"model": "asked", "messages": [{"role": "user", "content": text}], **more}


def contents(text: str = "say these four words", **more: Any) -> Payload:
    """Return the body of a request of Gemini."""
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}
