"""Puts the table of results.json into the README: `python -m benchmarks.readme`."""

import re
from pathlib import Path

from benchmarks.results import Results, load
from benchmarks.table import markdown

FOLDER = Path(__file__).parent
README, RESULTS = FOLDER / "README.md", FOLDER / "results.json"
GENERATED = re.compile(r"(?<=<!-- results -->\n).*?(?=<!-- end of results -->)", re.DOTALL)


def section(results: Results) -> str:
    """Return the machine and the table as Markdown."""
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = (
        f"Measured {machine['date']} on {machine['cores']} cores of {machine['processor']}, {machine['system']}, "
        f"{machine['python']}, load average {machine['load_average_before'][0]} before the run; {versions}."
    )
    return f"\n{where}\n\n{markdown(results)}\n"


def filled(text: str, results: Results) -> str:
    """Return the README with these results between its markers."""
    replaced, places = GENERATED.subn(lambda _: section(results), text)
    if places != 1:
        raise ValueError(f"README.md has {places} places for the results; expected one pair of markers")
    return replaced


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8"), load(RESULTS)), encoding="utf-8")
