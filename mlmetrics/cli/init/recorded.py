"""What a project records: read from its source and, with `--url`, from the pages of its running services."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlmetrics.catalog import SHIPPED
from mlmetrics.catalog.own import own_operation
from mlmetrics.cli.init.answers import Answers
from mlmetrics.cli.init.live_page import recorded_at
from mlmetrics.cli.init.operations import Reading, Recorded, joined
from mlmetrics.cli.init.owners import owners_of
from mlmetrics.cli.init.requests import KEYS, joined_requests
from mlmetrics.cli.init.survey import Survey
from mlmetrics.errors import DeclarationError
from mlmetrics.monitoring.operations import REQUEST


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
        pages = [recorded_at(url) for url in urls]
        seen = [_data(each) for each in joined([page.places for page in pages])]
        requests = sorted({key for page in pages for key in page.requests})
        answers = replace(answers, seen=(*seen, *([{"name": REQUEST, "parts": requests}] if requests else ())))
    remembered = [each for data in answers.seen if (each := _read(data)) is not None]
    is_left_out = _left_out(found, answers)
    places = [each for each in found.recorded.places if not all(is_left_out(path) for path in each.files)]
    requests_in = [(key, path) for key, paths in found.recorded.requests.items() for path in paths]
    kept = [(key, [path]) for key, path in requests_in if not is_left_out(path)]
    return answers, Reading(
        (*places, *remembered), found.recorded.problems, joined_requests([*kept, *_remembered_requests(answers)])
    )


def _left_out(found: Survey, answers: Answers) -> Callable[[Path], bool]:
    """Return what tells whether a file belongs to applications which are left out."""
    left_out = [app for app in found.apps if answers.services.get(app.key, app) is None]
    others = [app for app in found.apps if app not in left_out]

    def is_left_out(path: Path) -> bool:
        owners = owners_of(path, found.apps)
        if not owners or any(app not in left_out for app in owners):
            return False
        # A folder that has other applications too may hold what they share.
        folder = owners[0].path.parent
        return path == owners[0].path or not any(app.path.is_relative_to(folder) for app in others)

    return is_left_out


def _remembered_requests(answers: Answers) -> list[tuple[str, tuple[Path, ...]]]:
    """Return what pages said of requests; of what cannot be read, nothing."""
    parts = [data.get("parts") for data in answers.seen if data.get("name") == REQUEST]
    return [(key, ()) for key in KEYS if any(isinstance(each, list) and key in each for each in parts)]


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
