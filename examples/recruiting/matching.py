"""matching-service: scores how well a CV fits a job ad, and explains it line by line."""

from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from examples.recruiting import models
from examples.recruiting.addresses import HOST, MATCHING
from examples.recruiting.extraction import find_skills
from mlmetrics import instrument, track_inference, track_matching

MIN_LINE_SCORE = 0.2

app = FastAPI(title="Matching")
instrument(app, service_name=MATCHING.name)

matcher = models.train_matcher()


class Pair(BaseModel):
    """The texts of a CV and of a job ad."""

    cv: str = Field(min_length=1)
    job: str = Field(min_length=1)


class Match(BaseModel):
    """How well they fit, 0 to 1: by words, and by the skills that the ad asks for."""

    similarity: float
    skills: float


@track_matching(matcher="tfidf-cosine", score=float)
def match_words(pair: Pair) -> float:
    """Compare the two texts by their words."""
    return matcher.similarity(pair.cv, pair.job)


@track_matching(matcher="skill-coverage", score=float)
def match_skills(pair: Pair) -> float:
    """Return the share of the skills asked for that the CV mentions."""
    wanted = find_skills(pair.job)
    return len(set(wanted) & set(find_skills(pair.cv))) / len(wanted) if wanted else 0.0


@track_inference(model="match-explainer")
def explain_lines(pair: Pair) -> Iterator[str]:
    """Yield the lines of the ad that the CV answers, each with the answering line."""
    for wanted, offered, score in matcher.closest_lines(pair.job, pair.cv):
        if score >= MIN_LINE_SCORE:
            yield f"{score:.2f}  {wanted}  <-  {offered}\n"


@app.post("/match")
def match(pair: Pair) -> Match:
    """Score a CV against a job ad."""
    return Match(similarity=match_words(pair), skills=match_skills(pair))


@app.post("/explain")
def explain(pair: Pair) -> StreamingResponse:
    """Stream the explanation of a match."""
    return StreamingResponse(explain_lines(pair), media_type="text/plain")


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the service is up and its model is trained."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host=HOST, port=MATCHING.port)
