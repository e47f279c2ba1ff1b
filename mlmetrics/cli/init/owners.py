"""Which applications of a project a file belongs to."""

from collections.abc import Sequence
from pathlib import Path

from mlmetrics.cli.init.reading.applications import App


def owners_of(path: Path, apps: Sequence[App]) -> list[App]:
    """Return the applications in the file itself, else those in the nearest folder around it."""
    own = [each for each in apps if each.path == path]
    around = [each for each in apps if path.is_relative_to(each.path.parent)]
    nearest = max((len(each.path.parent.parts) for each in around), default=0)
    return own or [each for each in around if len(each.path.parent.parts) == nearest]
