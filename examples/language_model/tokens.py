"""Tokens: words and punctuation marks, one each; and the beginnings of prompts that were seen before.

The tokens of a real model are parts of words, so a real one counts more of them.
"""

import re
from collections import OrderedDict
from hashlib import sha256

from pydantic import BaseModel

TOKEN = re.compile(r"\w+|[^\w\s]")
PIECE = re.compile(r"\s*\S+|\s+$")
# As OpenAI documents them: prompts of 1,024 tokens or more are cached, in steps of 128.
CACHED_FROM_TOKENS = 1024
CACHE_STEP_TOKENS = 128
MAX_REMEMBERED = 10_000


class Usage(BaseModel):
    """The tokens of one call; `cached_tokens` are among `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int

    def payload(self) -> dict[str, object]:
        """Return the `usage` of OpenAI's protocol."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def tokenize(text: str) -> list[str]:
    """Return the words and the punctuation marks of a text."""
    return TOKEN.findall(text)


def pieces(text: str) -> list[str]:
    """Cut a text into words with the white space around them; joined, they are the text."""
    return PIECE.findall(text)


class PromptCache:
    """Remembers the beginnings of prompts, as digests only."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def cached_tokens(self, tokens: list[str]) -> int:
        """Return how many tokens at the beginning an earlier prompt had too, and remember this prompt."""
        digest, cached = sha256(), 0
        for end in range(CACHE_STEP_TOKENS, len(tokens) + 1, CACHE_STEP_TOKENS):
            digest.update("\0".join(["", *tokens[end - CACHE_STEP_TOKENS : end]]).encode())
            if digest.digest() in self._seen:
                cached = end
            self._remember(digest.digest())
        return cached if cached >= CACHED_FROM_TOKENS else 0

    def _remember(self, beginning: bytes) -> None:
        self._seen[beginning] = None
        self._seen.move_to_end(beginning)
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
