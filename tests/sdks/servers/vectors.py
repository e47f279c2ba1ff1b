"""Requests for embeddings, which providers answer in much the same way."""

from collections.abc import Mapping
from dataclasses import replace

from tests.sdks.servers.answers import Answer, Asked, Body
from tests.sdks.servers.ledger import Tokens
from tests.sdks.servers.provider import Endpoint


class Vectors(Endpoint):
    """An endpoint that answers texts with vectors; as OpenAI's, its texts are the `input` of a request."""

    operation = "embeddings"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for."""
        given = body["input"]
        return Asked(model=body["model"], texts=[given] if isinstance(given, str) else given, body=body)

    def spent(self, said: Answer) -> Tokens:
        """Return the tokens of the input: embeddings have no output."""
        return replace(said.tokens, output=0, reasoning=0)
