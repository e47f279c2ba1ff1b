"""The runbooks that alerts and panels name, to stand in the project too."""

from pathlib import Path

_INSTALLED = Path(__file__).parents[2] / "monitoring" / "runbooks"
_IN_THE_REPOSITORY = Path(__file__).parents[3] / "docs" / "runbooks"


def runbook_texts() -> dict[str, str]:
    """Return the runbooks by their file's name."""
    folder = _INSTALLED if _INSTALLED.is_dir() else _IN_THE_REPOSITORY
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
