"""Finds the parts of a CV or a job ad in its text, with a confidence.

The confidence is the weighted share of the parts of a complete document that were found:
sections, contact data, skills, length, and the classifier's own probability.
"""

import re
import unicodedata

from pydantic import BaseModel

from examples.recruiting.knowledge import HEADINGS, Kind, known_skills

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PHONE = re.compile(r"\+?\d(?:[ .-]?\d){8,13}")
CONFIDENCE_WEIGHTS = {"sections": 0.35, "contact": 0.2, "skills": 0.2, "length": 0.1, "kind": 0.15}
EXPECTED_SKILLS = 5
EXPECTED_WORDS = 80


class Candidate(BaseModel):
    """What a language model says of the person."""

    name: str
    years: int | None
    skills: list[str]
    summary: str


class ParsedDocument(BaseModel):
    """What was found in a document; `confidence` is between 0 and 1."""

    kind: Kind
    headline: str
    role: str = ""
    language: str = ""
    candidate: Candidate | None = None
    email: str | None
    phone: str | None
    skills: list[str]
    sections: list[str]
    text: str
    confidence: float


def extract(text: str, kind: Kind, kind_probability: float) -> ParsedDocument:
    """Find the parts of a document of a known kind."""
    found = ParsedDocument(
        kind=kind,
        headline=next(line.strip() for line in text.splitlines() if line.strip()),
        email=_first(EMAIL, text),
        phone=_first(PHONE, text),
        skills=find_skills(text),
        sections=find_sections(text, kind),
        text=text,
        confidence=0.0,
    )
    found.confidence = confidence(found, kind_probability)
    return found


def confidence(found: ParsedDocument, kind_probability: float) -> float:
    """Return the weighted share of the parts of a complete document that were found."""
    contacts = (found.email, found.phone) if found.kind == "cv" else (found.email or found.phone,)
    evidence = {
        "sections": len(found.sections) / len(HEADINGS[found.kind]),
        "contact": sum(map(bool, contacts)) / len(contacts),
        "skills": min(len(found.skills) / EXPECTED_SKILLS, 1.0),
        "length": min(len(found.text.split()) / EXPECTED_WORDS, 1.0),
        "kind": kind_probability,
    }
    return round(sum(weight * evidence[part] for part, weight in CONFIDENCE_WEIGHTS.items()), 4)


def find_sections(text: str, kind: Kind) -> list[str]:
    """Name the sections whose heading stands on a line of its own."""
    lines = {plain(line) for line in text.splitlines()}
    return [
        section
        for section, headings in HEADINGS[kind].items()
        if any(plain(heading) in lines for heading in (*headings["en"], *headings["fr"]))
    ]


def find_skills(text: str) -> list[str]:
    """Name the known skills that the text mentions as whole words."""
    words = f" {plain(text)} "
    return [skill for skill in known_skills() if f" {plain(skill)} " in words]


def plain(text: str) -> str:
    """Reduce text to lower-case words without accents or punctuation, one space apart."""
    letters = unicodedata.normalize("NFKD", text.lower())
    return " ".join(re.findall(r"[a-z0-9]+", "".join(c for c in letters if not unicodedata.combining(c))))


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group() if match else None
