"""Servers on loopback that speak the wire protocols of the LLM providers and keep the true ledger.

`with OpenAIServer() as server: ...`; `server.queue(Scenario(cut_at=2))`; `server.ledger.tokens("gpt-4o")`.
"""

from tests.sdks.servers.anthropic import AnthropicServer
from tests.sdks.servers.gemini import GeminiServer
from tests.sdks.servers.ledger import CLIENT_GONE, COMPLETE, CUT, ERROR_INSIDE, REJECTED, Ledger, Row
from tests.sdks.servers.mistral import MistralServer
from tests.sdks.servers.openai import OpenAIServer
from tests.sdks.servers.provider import ProviderServer
from tests.sdks.servers.scenario import Scenario

__all__ = [
    "CLIENT_GONE",
    "COMPLETE",
    "CUT",
    "ERROR_INSIDE",
    "REJECTED",
    "AnthropicServer",
    "GeminiServer",
    "Ledger",
    "MistralServer",
    "OpenAIServer",
    "ProviderServer",
    "Row",
    "Scenario",
]
