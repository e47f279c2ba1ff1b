"""Asks a language model who a CV is about: name, years of practice, skills and a summary.

The model helps where it can: if it fails, or takes too long, the CV is parsed without its answer. Like every client of
OpenAI's SDK it asks the address in `OPENAI_BASE_URL`; nothing is asked where that is not set.
"""

import logging
import os
import time

from openai import OpenAI, OpenAIError
from pydantic import ValidationError

from examples.recruiting.extraction import Candidate

MODEL = "gpt-4"
PATIENCE_SECONDS = 2.0
RETRIES = 1
TASK = "Who is this CV about? Answer with a JSON object that has the keys name, years, skills and summary."

logger = logging.getLogger(__name__)


def connect() -> OpenAI | None:
    """Return a client for the address of the environment, or None if it names none."""
    if not os.environ.get("OPENAI_BASE_URL"):
        return None
    # Servers of one's own need no key, but the SDK does.
    key = os.environ.get("OPENAI_API_KEY", "none")
    return OpenAI(api_key=key, timeout=PATIENCE_SECONDS, max_retries=RETRIES)


def describe(client: OpenAI | None, cv: str) -> Candidate | None:
    """Ask about a CV; return None if there is no answer, or none that can be read."""
    if client is None:
        return None
    try:
        answer = _ask(client, cv)
        return None if answer is None else Candidate.model_validate_json(answer)
    except (OpenAIError, ValidationError) as error:
        # Its message may quote the CV.
        logger.warning("parsed without the language model: %s", type(error).__name__)
        return None


def _ask(client: OpenAI, cv: str) -> str | None:
    """Return the answer, or None once it has taken too long; then leaving the stream ends the model's work."""
    until = time.monotonic() + PATIENCE_SECONDS
    words: list[str] = []
    with client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "system", "content": TASK}, {"role": "user", "content": cv}],
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        for chunk in stream:
            if time.monotonic() > until:
                return None
            words += [choice.delta.content or "" for choice in chunk.choices]
    return "".join(words)
