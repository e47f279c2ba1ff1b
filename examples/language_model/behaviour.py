"""How the server behaves: its pace, and what goes wrong, for the next requests or from now on."""

import os
from collections import deque

from pydantic import BaseModel, Field


def _from_environment(variable: str, seconds: float) -> float:
    return float(os.environ.get(variable, seconds))


class Behaviour(BaseModel):
    """What happens to a request; without a pace of its own it has that of the environment."""

    first_word_seconds: float = Field(
        default_factory=lambda: _from_environment("LANGUAGE_MODEL_FIRST_WORD_SECONDS", 0.2)
    )
    between_words_seconds: float = Field(
        default_factory=lambda: _from_environment("LANGUAGE_MODEL_BETWEEN_WORDS_SECONDS", 0.03)
    )
    rate_limited: bool = False
    """Answer 429."""
    cut_after_words: int | None = None
    """Close the connection in the middle of the answer."""
    error_after_words: int | None = None
    """Send an error in the middle of a stream; answer 500 where there is no stream."""
    usage: bool = True
    """Report tokens, where the request asks for them."""


class Plan:
    """The usual behaviour, and what was planned for the next requests, first come first served."""

    def __init__(self) -> None:
        self.usual = Behaviour()
        self._next: deque[Behaviour] = deque()

    def add(self, behaviour: Behaviour, requests: int) -> None:
        """Plan the behaviour for as many requests, after those that are planned already."""
        self._next.extend([behaviour] * requests)

    def take(self) -> Behaviour:
        """Return how to treat the request that has come."""
        return self._next.popleft() if self._next else self.usual
