"""The method: what a prompt asks for is found in its own text, by TF-IDF and a few rules; nothing is made up.

If the first paragraph of the instructions (the system messages) asks for JSON, the fields of a CV that it names are
extracted from the last message. Otherwise, the last message is a question, and the answer is those sentences that fit
it best, out of the rest of the instructions and of the messages before.
"""

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # ships no types

NOTHING_FOUND = "The text says nothing about that."
ANSWER_SENTENCES = 4
SUMMARY_SENTENCES = 2
SUMMARY_WORDS = 6
KEY_PHRASES = 8
LISTED_SKILLS = 3
NAME = re.compile(r"[^\W\d_][\w'.-]*(?: [^\W\d_][\w'.-]*){1,3}")
YEARS = re.compile(r"\b(\d{1,2}) (?:years|ans)\b")
SKILLS_HEADING = re.compile(r"skills|toolbox|compétences|savoir-faire|outils", re.IGNORECASE)
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*|#]|\d+\.) )")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÀ-Ý`*])")
NOT_PROSE = ("#", "|", "<")


def answer(instructions: str, earlier: str, last: str) -> str:
    """Answer the last message of a conversation from its text."""
    task, _, text = instructions.partition("\n\n")
    if "JSON" in task:
        named = {field: find(last) for field, find in FIELDS.items() if re.search(rf"\b{field}\b", task)}
        return json.dumps(named, ensure_ascii=False)
    return " ".join(fitting_sentences(f"{text}\n\n{earlier}", last)) or NOTHING_FOUND


def fitting_sentences(text: str, question: str) -> list[str]:
    """Return the sentences that share most with a question, in the order of the text."""
    found = sentences(text)
    return [found[place] for place in _best(similarities(found, question), ANSWER_SENTENCES)]


def sentences(text: str) -> list[str]:
    """Cut prose into sentences; headings, tables and code are left out."""
    blocks = (" ".join(block.split()) for block in BLOCK.split(LINK.sub(r"\1", CODE.sub("\n", text))))
    prose = (block.removeprefix("- ") for block in blocks if not block.startswith(NOT_PROSE))
    return [sentence for block in prose for sentence in SENTENCE_END.split(block) if " " in sentence]


def find_name(cv: str) -> str:
    """Return the first line, if it looks like the name of a person."""
    first = next(iter(_lines(cv)), "")
    return first if NAME.fullmatch(first) else ""


def find_years(cv: str) -> int | None:
    """Return the years of practice that the text tells."""
    told = YEARS.search(cv)
    return int(told[1]) if told else None


def find_skills(cv: str) -> list[str]:
    """Return the list beneath a heading about skills, else the longest list, else the key phrases."""
    lines = _lines(cv)
    lists = [line.rstrip(".").split(", ") for line in lines if not re.search(r"\d|\(", line)]
    longest = max(lists, key=len, default=[])
    for heading, line in pairwise(lines):
        if SKILLS_HEADING.search(heading) and len(heading.split()) < LISTED_SKILLS:
            return line.rstrip(".").split(", ")
    return longest if len(longest) >= LISTED_SKILLS else key_phrases(lines)


def key_phrases(lines: Sequence[str]) -> list[str]:
    """Return the pairs of words that weigh most."""
    vectorizer = TfidfVectorizer(stop_words="english", ngram_range=(2, 2))
    try:
        weights = vectorizer.fit_transform(lines).sum(axis=0).A1
    except ValueError:  # no line has two words
        return []
    names = vectorizer.get_feature_names_out()
    return [str(names[place]) for place in _best(weights.tolist(), KEY_PHRASES)]


def summarize(cv: str) -> str:
    """Return the sentences that are nearest to the text as a whole."""
    found = [line for line in _lines(cv) if len(line.split()) >= SUMMARY_WORDS]
    return " ".join(found[place] for place in _best(similarities(found, cv), SUMMARY_SENTENCES))


def similarities(found: Sequence[str], wanted: str) -> list[float]:
    """Return the cosine of each text with the wanted one, by the words that they share; rare words have more weight."""
    vectorizer = TfidfVectorizer(strip_accents="unicode", stop_words="english", sublinear_tf=True)
    try:
        vectors = vectorizer.fit_transform(found)
    except ValueError:  # there is no text, or all of it is words like "of" and "the"
        return [0.0] * len(found)
    scores: list[float] = (vectors @ vectorizer.transform([wanted]).T).toarray().ravel().tolist()
    return scores


FIELDS: dict[str, Callable[[str], Any]] = {
    "name": find_name,
    "years": find_years,
    "skills": find_skills,
    "summary": summarize,
}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _best(scores: Sequence[float], count: int) -> list[int]:
    """Return the places of the highest scores above 0, in order."""
    ranked = sorted((place for place, score in enumerate(scores) if score > 0), key=lambda place: -scores[place])
    return sorted(ranked[:count])
