"""The chat of the examples in Chromium: answers arrive in pieces, and a reader who leaves ends the answer."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from examples.language_model.extraction import answer
from tests.browser.chromium import Chromium, Tab
from tests.programs import wait_until
from tests.servers import UvicornServer

README = Path(__file__).parents[2] / "README.md"
MODEL = "gpt-4o-mini"
QUESTION = "Which alerts and dashboards are there?"
ANSWER = answer(f"Answer.\n\n{README.read_text('utf-8')}", "", QUESTION)
WITHIN_SECONDS = 60.0


class Chat:
    """A running chat and the language model that it asks; numbers are those since `start_counting`."""

    def __init__(self, service: UvicornServer, language_model: UvicornServer) -> None:
        self.url = service.url
        self._service = service
        self._language_model = language_model
        self._before: dict[str, float] = {}

    def start_counting(self) -> None:
        """Take what is counted now for zero."""
        self._before = self._count()

    def behave(self, **behaviour: float) -> None:
        """Set how the language model behaves from now on."""
        url = f"{self._language_model.url}/behaviour"
        httpx.put(url, json={"first_word_seconds": 0, **behaviour}, trust_env=False).raise_for_status()

    def counted(self, name: str) -> float:
        """Return a number by the name of its sample, followed by its outcome or type of token if it has one."""
        return self._count().get(name, 0) - self._before.get(name, 0)

    def outcomes(self) -> dict[str, float]:
        """Return the answers by their outcome."""
        return {kind: self.counted(f"ml_inference_total {kind}") for kind in ("success", "failure", "cancelled")}

    def _count(self) -> dict[str, float]:
        told = self._language_model.get("/ledger").json().get(MODEL, {})
        counts: dict[str, float] = {f"told {name}": count for name, count in told.items()}
        wanted = {"model": MODEL, "operation": "chat", "service": "chat"}
        for family in text_string_to_metric_families(self._service.get("/metrics").text):
            for name, labels, value, *_ in family.samples:
                if wanted.items() <= labels.items():
                    kind = labels.get("outcome") or labels.get("token_type") or ""
                    counts[f"{name} {kind}".strip()] = value
        return counts


@pytest.fixture(scope="module")
def servers() -> Iterator[Chat]:
    """Start the language model and the chat."""
    with UvicornServer("examples.language_model.server:app", ready_path="/health") as language_model:
        env = {"OPENAI_BASE_URL": f"{language_model.url}/v1", "OPENAI_API_KEY": "none"}
        with UvicornServer("examples.chat.service:app", env=env, ready_path="/metrics") as service:
            yield Chat(service, language_model)


@pytest.fixture
def chat(servers: Chat) -> Chat:
    """Count anew for each test."""
    servers.start_counting()
    return servers


def ask(browser: Chromium, chat: Chat) -> Tab:
    """Open the page, and send a question as a reader does."""
    tab = browser.open(chat.url)
    ready = "location.href != 'about:blank' && document.readyState == 'complete'"
    wait_until(lambda: tab.evaluate(ready), timeout=WITHIN_SECONDS, what=lambda: "the page is not there")
    tab.evaluate(f"question.value = {json.dumps(QUESTION)}; send.click()")
    return tab


def text(tab: Tab, kind: str = "assistant") -> str:
    """Return what the page shows as the answer, or as the problem."""
    shown: str = tab.evaluate(f"document.querySelector('.{kind}')?.textContent ?? ''")
    return shown


def see_pieces(tab: Tab) -> list[str]:
    """Return three different states of the answer, as the page shows one after the other."""
    seen: list[str] = []

    def look() -> bool:
        if (now := text(tab)) not in ("", *seen):
            seen.append(now)
        return len(seen) == 3

    wait_until(look, timeout=WITHIN_SECONDS, what=lambda: f"the page shows {seen}")
    return seen


def wait_for_end(tab: Tab) -> None:
    """Wait until the page lets its reader ask again."""
    wait_until(lambda: not tab.evaluate("send.disabled"), timeout=WITHIN_SECONDS, what=lambda: text(tab))


class TestChat:
    """`examples/chat`."""

    def test_answer_arrives_in_pieces(self, browser: Chromium, chat: Chat) -> None:
        """The page shows the answer as it grows; its tokens are those that the provider told, and have a price."""
        chat.behave(between_words_seconds=0.1)
        tab = ask(browser, chat)
        pieces = see_pieces(tab)
        wait_for_end(tab)

        assert ANSWER == text(tab)
        assert sorted(pieces, key=len) == pieces
        assert all(ANSWER.startswith(piece) for piece in pieces)
        assert {"success": 1, "failure": 0, "cancelled": 0} == chat.outcomes()
        prompt = chat.counted("ml_inference_tokens_total input") + chat.counted("ml_inference_tokens_total cache_read")
        assert 0 < prompt == chat.counted("told prompt_tokens")
        assert 0 < chat.counted("ml_inference_tokens_total output") == chat.counted("told completion_tokens")
        assert 0 == chat.counted("ml_inference_usage_missing_total")
        # The prices of a model are looked up after its first call, so its cost may come a moment later.
        wait_until(
            lambda: chat.counted("ml_inference_cost_usd_total") > 0,
            timeout=WITHIN_SECONDS,
            what=lambda: "the answer has no cost",
        )

    def test_same_beginning_is_cached(self, browser: Chromium, chat: Chat) -> None:
        """The instructions of a second question were seen before, and are counted as cached."""
        chat.behave(between_words_seconds=0)
        for _ in range(2):
            wait_for_end(ask(browser, chat))

        cached = chat.counted("ml_inference_tokens_total cache_read")
        assert 0 < cached == chat.counted("told cached_tokens")
        assert chat.counted("told prompt_tokens") - cached == chat.counted("ml_inference_tokens_total input")

    @pytest.mark.parametrize("leave", ["close the tab", "press stop", "go elsewhere"])
    def test_reader_leaves(self, browser: Chromium, chat: Chat, leave: str) -> None:
        """A reader who leaves half-way is one cancelled answer, whose tokens nobody told."""
        chat.behave(between_words_seconds=0.2)
        tab = ask(browser, chat)
        see_pieces(tab)
        if leave == "close the tab":
            tab.close()
        else:
            tab.evaluate("stop.click()" if leave == "press stop" else "location.href = 'about:blank'")

        gone = {"success": 0, "failure": 0, "cancelled": 1}
        wait_until(lambda: gone == chat.outcomes(), timeout=WITHIN_SECONDS, what=lambda: str(chat.outcomes()))
        assert 1 == chat.counted("ml_inference_usage_missing_total")
        assert 0 == chat.counted("ml_inference_in_progress")
        assert 0 == chat.counted("told requests")

    @pytest.mark.parametrize(
        ("trouble", "shown"),
        [
            ("error_after_words", "The answer broke off"),
            ("cut_after_words", "The answer broke off"),
            ("rate_limited", "does not answer now"),
        ],
    )
    def test_provider_fails(self, browser: Chromium, chat: Chat, trouble: str, shown: str) -> None:
        """A provider that breaks off, or refuses each retry, is one failure, and the page says what happened."""
        chat.behave(between_words_seconds=0, **{trouble: 1})
        tab = ask(browser, chat)
        wait_for_end(tab)

        assert shown in text(tab, "problem")
        assert {"success": 0, "failure": 1, "cancelled": 0} == chat.outcomes()
