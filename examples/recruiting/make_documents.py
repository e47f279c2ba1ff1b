"""Writes `documents/`: 72 CVs and job ads from `roles.toml`, their index, and the broken ones.

Run it as `python -m examples.recruiting.make_documents [folder]`. A second run with the same
versions of fpdf2 and python-docx writes the same bytes.
"""

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

from examples.recruiting.corpus import DOCUMENTS
from examples.recruiting.knowledge import HEADINGS, facts
from examples.recruiting.writing import WRITERS, Draft, write_broken

SEED = 20240229
ESSENTIAL = ("experience", "mission", "skills")
FORMATS = ("pdf", "docx", "txt")
# Headings that our parsers do not know, as in real documents; they lower the confidence.
UNUSUAL = {"en": ("My story so far", "Toolbox", "Good to know"), "fr": ("Mon chemin", "Boîte à outils", "En bref")}
HIRING = {"en": "We are hiring", "fr": "Nous recrutons"}
SPOKEN = {"en": "English (native), French (fluent)", "fr": "Français (langue maternelle), anglais (courant)"}
PROFILE = {
    "en": "{title} with {years} years of practice, looking for a team that takes its craft seriously.",
    "fr": "{title}, {years} ans de pratique, à la recherche d'une équipe qui prend son métier au sérieux.",
}
STUDIES = {"en": "Diploma of the {school}, {year}.", "fr": "Diplôme de l'établissement {school}, {year}."}
EMPLOYER = {"en": "{company}, {town}, since {year}", "fr": "{company}, {town}, depuis {year}"}
ABOUT = {
    "en": "{company} employs {staff} people in {town} and grows steadily.",
    "fr": "{company} emploie {staff} personnes à {town} et grandit régulièrement.",
}
WANTED = {
    "en": "We expect at least {years} years of experience.",
    "fr": "Nous attendons au moins {years} ans d'expérience.",
}
OFFER = {
    "en": "Permanent contract, {salary} 000 EUR a year, two days of remote work a week.",
    "fr": "Contrat à durée indéterminée, {salary} 000 EUR par an, deux jours de télétravail par semaine.",
}
APPLY = {"en": "Send your CV to {contact}.", "fr": "Envoyez votre CV à {contact}."}


def drafts() -> list[tuple[str, Draft]]:
    """Return every document's file name and content: each role twice per kind and language."""
    random = Random(SEED)
    made: list[tuple[str, Draft]] = []
    for role in facts()["role"]:
        for language in ("en", "fr"):
            for kind in ("cv", "cv", "job", "job"):
                write = _write_cv if kind == "cv" else _write_job
                name = f"{len(made) + 1:02d}-{kind}-{language}-{role['key']}.{FORMATS[len(made) % len(FORMATS)]}"
                made.append((name, write(role, language, random)))
    return made


def _write_cv(role: dict[str, Any], language: str, random: Random) -> Draft:
    people, places = facts()["people"], facts()["places"]
    first, last = random.choice(people["first"]), random.choice(people["last"][language])
    draft = Draft("cv", language, role["key"], f"{first} {last}")
    email = f"{first}.{last}@example.org".lower() if random.random() < 0.9 else None
    phone = _phone(language, random) if random.random() < 0.75 else None
    draft.contact = [role["title"][language], *filter(None, (email, phone))]
    skills = random.sample(role["skills"][language], random.randint(3, 7))
    year = random.randint(2012, 2021)
    company, town = random.choice(places["companies"][language]), random.choice(places["towns"][language])
    bodies = {
        "profile": [PROFILE[language].format(title=role["title"][language], years=2024 - year)],
        "experience": [
            EMPLOYER[language].format(company=company, town=town, year=year),
            *random.sample(role["tasks"][language], random.randint(2, 4)),
        ],
        "education": [STUDIES[language].format(school=random.choice(places["schools"][language]), year=year - 2)],
        "skills": [", ".join(skills)],
        "languages": [SPOKEN[language]],
    }
    return _headed(draft, bodies, random, skills, email=email, phone=phone)


def _write_job(role: dict[str, Any], language: str, random: Random) -> Draft:
    places = facts()["places"]
    company, town = random.choice(places["companies"][language]), random.choice(places["towns"][language])
    draft = Draft("job", language, role["key"], f"{HIRING[language]}: {role['title'][language]}")
    email = "jobs@example.com" if random.random() < 0.8 else None
    phone = None if email else _phone(language, random)
    draft.contact = [f"{company}, {town}"]
    skills = random.sample(role["skills"][language], random.randint(3, 7))
    bodies = {
        "company": [ABOUT[language].format(company=company, staff=random.randint(4, 90) * 10, town=town)],
        "mission": random.sample(role["tasks"][language], random.randint(2, 4)),
        "skills": [", ".join(skills), WANTED[language].format(years=random.randint(2, 6))],
        "offer": [OFFER[language].format(salary=random.randint(32, 68))],
        "contact": [APPLY[language].format(contact=email or phone)],
    }
    return _headed(draft, bodies, random, skills, email=email, phone=phone)


def _headed(
    draft: Draft, bodies: dict[str, list[str]], random: Random, skills: list[str], **contact: str | None
) -> Draft:
    """Give each section a heading, known or unusual; leave some sections out; note what the document then contains."""
    unusual = list(UNUSUAL[draft.language])
    known: list[str] = []
    for section, lines in bodies.items():
        fate = random.random()
        if fate < 0.1 and section not in ESSENTIAL:
            continue
        heading = random.choice(HEADINGS[draft.kind][section][draft.language])
        if fate > 0.88 and unusual:
            heading = unusual.pop()
        else:
            known.append(section)
        draft.sections.append((heading, lines))
    said = {name: value if value and value in draft.text else None for name, value in contact.items()}
    draft.truth = {**said, "skills": skills, "sections": known}
    return draft


def _phone(language: str, random: Random) -> str:
    digits = f"{random.randint(0, 9999):04d}"
    return f"01 99 00 {digits[:2]} {digits[2:]}" if language == "fr" else f"020 7946 0{digits[1:]}"


def write_documents(folder: Path) -> None:
    """Write all documents, their index and the broken ones into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (name, draft) in enumerate(drafts()):
        layout = ("plain", "capitals", "columns")[number // len(FORMATS) % 3]
        (folder / name).write_bytes(WRITERS[name.rpartition(".")[2]](draft, layout))
        rows.append({"file": name, "kind": draft.kind, "language": draft.language, "role": draft.role, **draft.truth})
    (folder / "index.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write_broken(folder)


if __name__ == "__main__":
    write_documents(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS)
