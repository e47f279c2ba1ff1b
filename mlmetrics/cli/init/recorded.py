"""What a project records: read from its source and, with `--url`, from the pages of its running services."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlmetrics.catalog import SHIPPED
from mlmetrics.catalog.own import own_operation
from mlmetrics.cli.init.answers import Answers
from mlmetrics.cli.init.live_page import operations_at
from mlmetrics.cli.init.operations import Reading, Recorded, joined
from mlmetrics.cli.init.owners import owners_of
from mlmetrics.cli.init.survey import Survey
from mlmetrics.errors import DeclarationError


def recorded_operations(found: Survey, answers: Answers, urls: Sequence[str]) -> tuple[Answers, Reading]:
    """Return what is recorded, and the answers with what the pages say, which is kept for later runs.

    Args:
        found: what the source says.
        answers: what earlier pages said.
        urls: the addresses of pages to read now; if there are any, they replace the earlier ones.

    Raises:
        ConfigurationError: A page cannot be read.
    """
    if urls:
        seen = joined([operations_at(url) for url in urls])
        answers = replace(answers, seen=tuple(_data(each) for each in seen))
    remembered = [each for data in answers.seen if (each := _read(data)) is not None]
    return answers, Reading((*_of_services(found, answers), *remembered), found.recorded.problems)


def _of_services(found: Survey, answers: Answers) -> list[Recorded]:
    """Return what the source records, without files that belong to applications which are left out."""
    left_out = [app for app in found.apps if answers.services.get(app.key, app) is None]
    others = [app for app in found.apps if app not in left_out]

    def is_left_out(path: Path) -> bool:
        owners = owners_of(path, found.apps)
        if not owners or any(app not in left_out for app in owners):
            return False
        # A folder that has other applications too may hold what they share.
        folder = owners[0].path.parent
        return path == owners[0].path or not any(app.path.is_relative_to(folder) for app in others)

    return [each for each in found.recorded.places if not all(is_left_out(path) for path in each.files)]


def _data(recorded: Recorded) -> dict[str, Any]:
    row = recorded.row
    own = {} if row.ships else {"labels": list(row.labels), "score": row.score is not None}
    return {"name": row.name, "parts": sorted(recorded.parts), "calls": recorded.calls, **own}


def _read(data: Mapping[str, Any]) -> Recorded | None:
    """Return what `_data` returned, None if it cannot be read."""
    try:
        row = SHIPPED.get(data["name"]) or own_operation(data["name"], data["labels"], score=data["score"])
        return Recorded(row, set(data["parts"]) & row.parts, calls=bool(data["calls"]))
    except (DeclarationError, KeyError, TypeError):
        return None
