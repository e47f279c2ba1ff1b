"""The classifier of the examples as a real process: what it predicts, and what is recorded of that."""

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import UvicornServer

TICKETS = {
    "billing": "I was charged twice and want a refund of the payment",
    "delivery": "The parcel is late and the tracking of the courier is broken",
    "login": "My account is locked and the reset code for my password never came by email",
}
STRANGE = "Guten Tag, wo bleibt denn nun meine Antwort?"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """Start the service, and return a client of it."""
    with (
        UvicornServer("examples.classifier:app", ready_path="/metrics") as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        yield client


def measured(client: httpx.Client, name: str) -> dict[str, float]:
    """Return the samples of a name, by the label that tells them apart."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    found = (sample for family in families for sample in family.samples if sample.name == name)
    return {
        sample.labels.get("predicted_class", sample.labels.get("verdict", sample.labels.get("le", ""))): sample.value
        for sample in found
        if sample.labels.get("model") in ("ticket-sorter", "hours-estimator")
    }


class TestClassifier:
    """`examples/classifier.py`."""

    def test_what_is_recorded(self, client: httpx.Client) -> None:
        """Confidence and class of each ticket; verdict and error of those that are closed."""
        answers = [client.post("/tickets", json={"text": text}).json() for text in TICKETS.values()]
        assert list(TICKETS) == [answer["topic"] for answer in answers]
        strange = client.post("/tickets", json={"text": STRANGE}).json()
        assert strange["confidence"] <= 0.5 < min(answer["confidence"] for answer in answers)
        for answer in answers:
            closed = client.put(f"/tickets/{answer['id']}", json={"topic": "billing", "hours": answer["hours"] + 3})
            assert 204 == closed.status_code

        assert 4 == measured(client, "ml_inference_score_count")[""]
        assert 1 == measured(client, "ml_inference_score_bucket")["0.5"]
        classes = measured(client, "ml_prediction_total")
        assert {*TICKETS} == set(classes)
        assert 4 == sum(classes.values())
        assert {"good": 1, "bad": 2} == measured(client, "ml_feedback_total")
        assert 9 == pytest.approx(measured(client, "ml_prediction_error_sum")[""])
        bounds = measured(client, "ml_prediction_error_bucket")
        assert (0, 3) == (bounds["2.0"], bounds["4.0"])

    def test_a_ticket_is_closed_once(self, client: httpx.Client) -> None:
        """A ticket that is not open is refused, and has no verdict."""
        assert 404 == client.put("/tickets/1", json={"topic": "billing", "hours": 1}).status_code
        assert {} == measured(client, "ml_feedback_total")
