"""The chat of the examples as a user starts it; tests/browser reads it in a browser."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tests.programs import HOST, READY_SECONDS, STOP_SECONDS, Program, free_port, wait_until

QUESTION = {"messages": [{"role": "user", "content": "Which alerts are there?"}]}


class Chat(Program):
    """`python -m examples.chat` on free ports."""

    ready_path = "/metrics"

    def __init__(self) -> None:
        self.language_model = f"http://{HOST}:{(language_model := free_port())}"
        chat = free_port()
        super().__init__(port=chat, env={"CHAT_PORT": str(chat), "LANGUAGE_MODEL_PORT": str(language_model)})

    def command(self, directory: Path) -> Sequence[str]:
        """Return the command line."""
        return [sys.executable, "-m", "examples.chat"]

    def language_model_answers(self) -> bool:
        """Whether the language model is up."""
        try:
            return httpx.get(f"{self.language_model}/health", trust_env=False).is_success
        except httpx.TransportError:
            return False


class TestChat:
    """`python -m examples.chat`."""

    @pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
    def test_start_and_end(self, stop: signal.Signals) -> None:
        """It prints its address, answers a question, and ends the language model when it is ended."""
        with Chat() as chat:
            wait_until(chat.language_model_answers, timeout=READY_SECONDS, what=lambda: chat.log)
            answer = httpx.post(f"{chat.url}/chat", json=QUESTION, timeout=30, trust_env=False)
            chat.process.send_signal(stop)
            chat.process.wait(STOP_SECONDS)

            assert f"Chat: {chat.url} " in chat.log
            assert "Traceback" not in chat.log
            assert "alerts" in answer.text.lower()
            assert not chat.language_model_answers()

    def test_refusal(self) -> None:
        """While the language model refuses, the chat says so, and stays up."""
        with Chat() as chat:
            wait_until(chat.language_model_answers, timeout=READY_SECONDS, what=lambda: chat.log)
            httpx.post(f"{chat.language_model}/behaviour?requests=3", json={"rate_limited": True}, trust_env=False)
            refused = httpx.post(f"{chat.url}/chat", json=QUESTION, timeout=30, trust_env=False)

            assert (503, "The language model does not answer now.") == (refused.status_code, refused.json()["detail"])
            assert 422 == httpx.post(f"{chat.url}/chat", json={"messages": []}, trust_env=False).status_code
            assert 200 == httpx.post(f"{chat.url}/chat", json=QUESTION, timeout=30, trust_env=False).status_code
