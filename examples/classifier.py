"""A service with two classical models: it sorts support tickets and estimates their hours, and hears later how it did.

Run it, POST {"text": "..."} to /tickets, PUT {"topic": "...", "hours": ...} to /tickets/1, then open /metrics.
"""

import itertools
import random
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped]  # ships no types
from sklearn.linear_model import LogisticRegression, Ridge  # type: ignore[import-untyped]  # ships no types
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]  # ships no types

from mlmetrics import configure, instrument, track_feedback, track_inference, track_prediction_error

SORTER, ESTIMATOR = "ticket-sorter", "hours-estimator"
# The words of a topic, and the hours that a ticket about it takes; training data is made from them at the start.
TOPICS = {
    "billing": ("invoice charged refund card price payment receipt twice", 4.0),
    "delivery": ("parcel late courier address tracking shipped lost broken", 24.0),
    "login": ("password account locked reset code email sign screen", 1.0),
}

configure(buckets={"ml_prediction_error": [0.25, 0.5, 1, 2, 4, 8, 24, 72]})  # hours
app = FastAPI(title="Tickets")
instrument(app, service_name="ticket-service")


class Ticket(BaseModel):
    """What a customer writes."""

    text: str


class Sorted(BaseModel):
    """A topic, and how sure the model is of it."""

    topic: str
    confidence: float


class Answer(Sorted):
    """What the service says about a ticket."""

    id: int
    hours: float


class Truth(BaseModel):
    """What is known of a ticket once it is closed."""

    topic: str
    hours: float


def train() -> tuple[Any, Any]:
    """Learn the topic and the hours of tickets from their words."""
    made = random.Random(1)
    topics = [made.choice(list(TOPICS)) for _ in range(600)]
    texts = [" ".join(made.choices(TOPICS[topic][0].split(), k=made.randint(2, 6))) for topic in topics]
    hours = [max(0.25, made.gauss(TOPICS[topic][1], 1.0)) for topic in topics]
    sorter = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, topics)
    return sorter, make_pipeline(CountVectorizer(), Ridge()).fit(texts, hours)


sorter, estimator = train()
numbers = itertools.count(1)
open_tickets: dict[int, Answer] = {}


@track_inference(model=SORTER, score="confidence", predicted_class="topic")
def sort(text: str) -> Sorted:
    """Find the topic of a ticket."""
    probabilities = sorter.predict_proba([text])[0]
    best = probabilities.argmax()
    return Sorted(topic=str(sorter.classes_[best]), confidence=float(probabilities[best]))


@track_inference(model=ESTIMATOR)
def estimate(text: str) -> float:
    """Estimate the hours that a ticket takes."""
    return float(estimator.predict([text])[0])


@app.post("/tickets")
def receive(ticket: Ticket) -> Answer:
    """Sort a ticket, and keep what was predicted until it is closed."""
    found = sort(ticket.text)
    answer = Answer(id=next(numbers), hours=estimate(ticket.text), **dict(found))
    open_tickets[answer.id] = answer
    return answer


@app.put("/tickets/{number}", status_code=204)
def close(number: int, truth: Truth) -> None:
    """Compare what was predicted with what turned out to be true."""
    answer = open_tickets.pop(number, None)
    if answer is None:
        raise HTTPException(404, "No such ticket is open.")
    track_feedback(SORTER, good=answer.topic == truth.topic)
    track_prediction_error(ESTIMATOR, abs(answer.hours - truth.hours))


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8000)
