"""Data about recruiting: roles, skills, and the headings of sections in two languages."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

Kind = Literal["cv", "job"]

HEADINGS: dict[Kind, dict[str, dict[str, tuple[str, ...]]]] = {
    "cv": {
        "profile": {"en": ("Profile", "Summary", "About me"), "fr": ("Profil", "Résumé", "À propos de moi")},
        "experience": {"en": ("Experience", "Employment"), "fr": ("Expérience", "Expériences professionnelles")},
        "education": {"en": ("Education", "Training"), "fr": ("Formation", "Diplômes")},
        "skills": {"en": ("Skills", "Key skills"), "fr": ("Compétences", "Savoir-faire")},
        "languages": {"en": ("Languages", "Spoken languages"), "fr": ("Langues", "Langues parlées")},
    },
    "job": {
        "company": {"en": ("About us", "The company"), "fr": ("Qui sommes-nous", "L'entreprise")},
        "mission": {"en": ("Your mission", "Responsibilities"), "fr": ("Vos missions", "Le poste")},
        "skills": {"en": ("Requirements", "Your profile"), "fr": ("Profil recherché", "Compétences attendues")},
        "offer": {"en": ("What we offer", "Benefits"), "fr": ("Nous offrons", "Avantages")},
        "contact": {"en": ("How to apply", "Contact us"), "fr": ("Pour postuler", "Nous contacter")},
    },
}


@cache
def facts() -> dict[str, Any]:
    """Return the content of `roles.toml`."""
    return tomllib.loads(Path(__file__).with_name("roles.toml").read_text("utf-8"))


@cache
def known_skills() -> tuple[str, ...]:
    """Return every skill that the parsers recognise, in both languages."""
    names = {skill for role in facts()["role"] for skills in role["skills"].values() for skill in skills}
    return tuple(sorted(names, key=str.lower))
