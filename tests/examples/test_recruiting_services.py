"""The four services of the recruiting example as real processes: answers, errors and metrics."""

import os
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from examples.recruiting import corpus
from examples.recruiting.addresses import API, CV_PARSER, HOST, JOB_PARSER, LANGUAGE_MODEL, MATCHING, Service
from examples.recruiting.demo import report
from examples.recruiting.demo.figures import PrometheusFigures, ScrapedFigures
from examples.recruiting.demo.processes import Processes
from examples.recruiting.demo.server import command
from examples.recruiting.demo.settings import DemoFailure, move_to_free_ports
from examples.recruiting.demo.traffic import BROKEN_ANSWERS, LARGE_BYTES
from tests.programs import NO_AUTHORITIES, find_program, wait_until

ENGLISH_CV = next(each for each in corpus.documents() if (each.kind, each.language) == ("cv", "en"))
ENGLISH_JOB = next(each for each in corpus.documents() if (each.kind, each.language) == ("job", "en"))
HTTP: dict[str, Any] = {"timeout": 30.0, "trust_env": False, "verify": NO_AUTHORITIES}
TOLD = {"input": "prompt_tokens", "output": "completion_tokens"}
FRENCH_JOB = next(each for each in corpus.documents() if (each.kind, each.language) == ("job", "fr"))


def undisturbed() -> None:
    """Let the processes start without being stopped."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Start the four services and the language model on free ports."""
    with patch.dict(os.environ), Processes(tmp_path_factory.mktemp("services"), undisturbed) as processes:
        move_to_free_ports()
        processes.start_services()
        processes.wait_ready()
        yield processes


def upload(service: Service, name: str, content: bytes) -> httpx.Response:
    """Send a file to a parser."""
    return httpx.post(f"{service.url}/parse", files={"file": (name, content)}, **HTTP)


def send_pair(path: str) -> httpx.Response:
    """Send a CV and a job ad to the gateway."""
    files = {"cv": (ENGLISH_CV.file, ENGLISH_CV.content), "job": (ENGLISH_JOB.file, ENGLISH_JOB.content)}
    return httpx.post(f"{API.url}{path}", files=files, **HTTP)


def measured(service: Service, sample: str, **labels: str) -> float:
    """Add up a sample of a service's `/metrics` over all series that have these labels."""
    text = httpx.get(f"{service.url}/metrics", **HTTP).text
    samples = (each for family in text_string_to_metric_families(text) for each in family.samples)
    return sum(each.value for each in samples if each.name == sample and labels.items() <= each.labels.items())


@pytest.mark.usefixtures("services")
class TestParsers:
    """The CV parser and the job parser."""

    def test_cv(self) -> None:
        """A CV is parsed, with its occupation and a confidence that is also measured."""
        before = measured(CV_PARSER, "parsing_accuracy_score_sum", parser="cv")
        parsed = upload(CV_PARSER, ENGLISH_CV.file, ENGLISH_CV.content).json()

        assert (ENGLISH_CV.role, ENGLISH_CV.email) == (parsed["role"], parsed["email"])
        assert 0.0 < parsed["confidence"] <= 1.0
        after = measured(CV_PARSER, "parsing_accuracy_score_sum", parser="cv")
        assert pytest.approx(parsed["confidence"]) == after - before

    def test_job(self) -> None:
        """A job ad is parsed, and its language detected by a timed model."""
        before = measured(JOB_PARSER, "ml_inference_total", model="language-detector", outcome="success")
        parsed = upload(JOB_PARSER, FRENCH_JOB.file, FRENCH_JOB.content).json()

        assert "fr" == parsed["language"]
        after = measured(JOB_PARSER, "ml_inference_total", model="language-detector", outcome="success")
        assert 1 == after - before

    @pytest.mark.parametrize(("name", "status"), BROKEN_ANSWERS.items())
    def test_broken_file(self, name: str, status: int) -> None:
        """A broken file is refused with a reason, counted by its error type, and the next one is parsed."""
        answer = upload(CV_PARSER, name, (corpus.BROKEN / name).read_bytes())

        assert status == answer.status_code
        assert answer.json()["reason"]
        assert measured(CV_PARSER, "ml_parsing_errors_total", parser="cv", error_type=answer.json()["error"]) > 0
        assert 200 == upload(CV_PARSER, ENGLISH_CV.file, ENGLISH_CV.content).status_code

    def test_too_large(self) -> None:
        """A file of 20 MB is refused with 413, and its size is still measured."""
        before = measured(CV_PARSER, "file_processing_size_bytes_sum", file_type="pdf")
        answer = upload(CV_PARSER, "large.pdf", bytes(LARGE_BYTES))

        assert (413, "DocumentTooLarge") == (answer.status_code, answer.json()["error"])
        assert LARGE_BYTES == measured(CV_PARSER, "file_processing_size_bytes_sum", file_type="pdf") - before

    def test_other_kind(self) -> None:
        """A job ad is refused as a CV, and a CV as a job ad."""
        answers = (
            upload(CV_PARSER, ENGLISH_JOB.file, ENGLISH_JOB.content),
            upload(JOB_PARSER, ENGLISH_CV.file, ENGLISH_CV.content),
        )

        assert [(422, "UnexpectedKind")] * 2 == [(answer.status_code, answer.json()["error"]) for answer in answers]


def plan(requests: int, **behaviour: float) -> None:
    """Tell the language model how to treat its next requests."""
    url = f"{LANGUAGE_MODEL.url}/behaviour"
    httpx.post(url, params={"requests": requests}, json=behaviour, trust_env=False).raise_for_status()


def told() -> dict[str, int]:
    """Return the tokens that the language model has told under the name gpt-4."""
    ledger = httpx.get(f"{LANGUAGE_MODEL.url}/ledger", trust_env=False).json()
    tokens: dict[str, int] = {"prompt_tokens": 0, "completion_tokens": 0} | ledger.get("gpt-4", {})
    return tokens


def outcomes() -> dict[str, float]:
    """Return the calls of gpt-4 by their outcome, and those whose tokens nobody told."""
    counts = {
        kind: measured(CV_PARSER, "ml_inference_total", model="gpt-4", operation="chat", outcome=kind)
        for kind in ("success", "failure", "cancelled")
    }
    return counts | {"not told": measured(CV_PARSER, "ml_inference_usage_missing_total", model="gpt-4")}


@pytest.mark.usefixtures("services")
class TestLanguageModel:
    """The language model that the CV parser asks."""

    def test_candidate(self) -> None:
        """The model's answer is part of the parsed CV; the tokens that it told are measured, and have a cost."""
        before, cost = told(), measured(CV_PARSER, "ml_inference_cost_usd_total", model="gpt-4")
        tokens = {kind: measured(CV_PARSER, "ml_inference_tokens_total", token_type=kind) for kind in TOLD}
        candidate = upload(CV_PARSER, ENGLISH_CV.file, ENGLISH_CV.content).json()["candidate"]

        assert candidate["name"]
        assert sorted(ENGLISH_CV.skills) == sorted(candidate["skills"])
        after = told()
        for kind, name in TOLD.items():
            added = measured(CV_PARSER, "ml_inference_tokens_total", token_type=kind) - tokens[kind]
            assert 0 < after[name] - before[name] == added
        # The prices of a model are looked up after its first call, so its cost may come a moment later.
        wait_until(
            lambda: measured(CV_PARSER, "ml_inference_cost_usd_total", model="gpt-4") > cost,
            timeout=30,
            what=lambda: "the call has no cost",
        )

    @pytest.mark.parametrize(
        ("requests", "behaviour", "expected"),
        [
            (1, {"cut_after_words": 5}, {"failure": 1, "not told": 1}),
            (1, {"error_after_words": 5}, {"failure": 1, "not told": 1}),
            (1, {"between_words_seconds": 0.25}, {"cancelled": 1, "not told": 1}),
            (1, {"usage": False}, {"success": 1, "not told": 1}),
            (1, {"rate_limited": True}, {"success": 1}),
            (2, {"rate_limited": True}, {"failure": 1}),
        ],
    )
    def test_trouble(self, requests: int, behaviour: dict[str, float], expected: dict[str, float]) -> None:
        """Whatever the model does, the CV is parsed, and the call has exactly one outcome."""
        before = outcomes()
        plan(requests, **behaviour)
        answer = upload(CV_PARSER, ENGLISH_CV.file, ENGLISH_CV.content)

        assert 200 == answer.status_code
        assert ("success" in expected) == (answer.json()["candidate"] is not None)
        after = outcomes()
        assert expected == {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]}


@pytest.mark.usefixtures("services")
class TestGateway:
    """The gateway and, behind it, the matching service."""

    def test_match(self) -> None:
        """A pair gets two scores, and both are measured."""
        before = measured(MATCHING, "matching_score_distribution_count")
        scores = send_pair("/matches").json()

        assert all(0.0 < scores[name] <= 1.0 for name in ("similarity", "skills"))
        assert 2 == measured(MATCHING, "matching_score_distribution_count") - before

    def test_explanation(self) -> None:
        """An explanation is a stream of lines, timed to its first one."""
        before = measured(MATCHING, "ml_inference_first_chunk_seconds_count", model="match-explainer")
        answer = send_pair("/matches/explanation")

        assert all("  <-  " in line for line in answer.text.splitlines())
        assert len(answer.text.splitlines()) > 1
        after = measured(MATCHING, "ml_inference_first_chunk_seconds_count", model="match-explainer")
        assert 1 == after - before

    def test_refusal_is_passed_on(self) -> None:
        """If a parser refuses a document, the gateway answers with the same status and reason."""
        content = (corpus.BROKEN / "encrypted.pdf").read_bytes()
        answer = httpx.post(f"{API.url}/cvs", files={"file": ("encrypted.pdf", content)}, trust_env=False)

        assert (422, "EncryptedDocument") == (answer.status_code, answer.json()["error"])

    def test_unknown_page(self) -> None:
        """A page that does not exist is counted under one bounded route."""
        assert 404 == httpx.get(f"{API.url}/nothing-here", trust_env=False).status_code
        assert measured(API, "fastapi_requests_total", route="unmatched", status="404") > 0

    def test_unreachable_service(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        """If the other services are down, the gateway answers 503 and stays up."""
        with patch.dict(os.environ), Processes(tmp_path_factory.mktemp("alone"), undisturbed) as alone:
            move_to_free_ports()
            alone.start_service(API)
            alone.wait_ready()
            answer = httpx.post(f"{API.url}/cvs", files={"file": ("a.txt", b"text")}, trust_env=False)

            assert (503, "ServiceUnavailable") == (answer.status_code, answer.json()["error"])
            assert 200 == httpx.get(f"{API.url}/health", trust_env=False).status_code


class TestFigures:
    """The demo's two sources of numbers."""

    def test_prometheus_and_own_sums_agree(self, services: Processes, tmp_path_factory: pytest.TempPathFactory) -> None:
        """The tables read by PromQL are those computed from the services' own `/metrics`."""
        program = find_program("prometheus", package="prometheus")
        plan(1, error_after_words=5)
        upload(CV_PARSER, ENGLISH_CV.file, ENGLISH_CV.content)
        send_pair("/matches")
        send_pair("/matches/explanation")
        end, port = time.time(), int(os.environ["PROMETHEUS_PORT"])
        url = f"http://{HOST}:{port}"
        services.start("prometheus", command(program, tmp_path_factory.mktemp("prometheus"), port), f"{url}/-/ready")
        services.wait_ready()
        asked = PrometheusFigures(url)
        while not asked.scraped_since(end):
            services.check()
            time.sleep(0.1)

        computed = ScrapedFigures()
        assert [] == report.missing_metrics(asked) == report.missing_metrics(computed)
        for table in report.TABLES:
            rows = [[list(column.cells) for column in table(figures).columns] for figures in (asked, computed)]
            assert rows[0] == rows[1]
            assert rows[0][0]


def test_failing_service_shows_its_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A server that ends by itself stops the demo with the end of its log."""
    with Processes(tmp_path_factory.mktemp("failing"), undisturbed) as processes:
        processes.start("prometheus", ["sh", "-c", "echo out of luck; exit 3"], "http://127.0.0.1:1/")
        with pytest.raises(DemoFailure, match=r"(?s)prometheus ended with code 3.*out of luck"):
            processes.wait_ready()
