"""The runbook of each alert that is rendered, without the queries and causes that nothing records.

The pages of the alerts that ship stand in the wheel; those of an own operation's alerts are made from the
templates in `own`, in which `<noun>` and the like stand for what its row and the configuration say.
"""

import re
from pathlib import Path

from mlmetrics.catalog import Operation
from mlmetrics.monitoring.config import AlertSettings, Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.recorded import Recorded
from mlmetrics.monitoring.rules.promql import number
from mlmetrics.monitoring.rules.rows.own import DRIFT, FAILURES, LOW_SCORE, OF_SCORES, SLOW, camel_case, subject_labels

_PACKAGE = Path(__file__).parents[2]
# In the wheel, and in the repository.
_SHIPPED = (_PACKAGE / "monitoring" / "shipped" / "runbooks", _PACKAGE.parent / "docs" / "runbooks")
_OWN = Path(__file__).with_name("own")
_TEMPLATES = (SLOW, FAILURES, LOW_SCORE, DRIFT)
"""In the order of the list of pages; each file is named as its alert without an operation."""
INDEX = "README"
_ENTRY = re.compile(r"- \[(\w+)\]\(\w+\.md\)\n")
_QUERY = re.compile(r"^\d\. (.+?)\n\n   ```promql\n(.+?)\n   ```\n+", re.MULTILINE | re.DOTALL)
_CAUSE = re.compile(r"^- .+\n", re.MULTILINE)
_HEADING, _FEWER = "## First three queries\n", "## First queries\n"


def runbook_files(config: Config) -> dict[str, str]:
    """Return the runbooks of the alerts that are rendered, and the list of them, by their file's name."""
    recorded, own = Recorded.of(config), _own_pages(config)
    folder = next(folder for folder in _SHIPPED if folder.is_dir())
    shipped = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    index = _index(shipped.pop(INDEX), [*own], recorded)
    pages = {name: _of_what_is_recorded(text, recorded) for name, text in {**shipped, **own}.items()}
    return {f"{name}.md": text for name, text in pages.items() if name in recorded.alerts} | {f"{INDEX}.md": index}


def _index(text: str, own: list[str], recorded: Recorded) -> str:
    """Return the list of the pages that are rendered, those of own operations at the end."""
    shipped = _ENTRY.sub(lambda entry: entry[0] if entry[1] in recorded.alerts else "", text)
    return shipped + "".join(f"- [{name}]({name}.md)\n" for name in own if name in recorded.alerts)


def _of_what_is_recorded(page: str, recorded: Recorded) -> str:
    """Return a page without the queries and causes that read what is not recorded."""
    queries = [match for match in _QUERY.finditer(page) if recorded.has(match[2])]
    numbers = {match.start(): number for number, match in enumerate(queries, 1)}
    page = _QUERY.sub(lambda match: f"{numbers[match.start()]}{match[0][1:]}" if match.start() in numbers else "", page)
    page = _CAUSE.sub(lambda match: match[0] if recorded.has(match[0]) else "", page)
    return page if len(queries) == 3 else page.replace(_HEADING, _FEWER)  # noqa: PLR2004 - the heading says three


def _own_pages(config: Config) -> dict[str, str]:
    """Return a page for each alert of each own operation."""
    return {
        (name := alert.format(camel_case(operation.name))): _page(alert, name, operation, config.alerts[name])
        for operation in config.operations
        if not operation.ships
        for alert in _TEMPLATES
        if operation.score is not None or alert not in OF_SCORES
    }


def _page(template: str, alert: str, operation: Operation, settings: AlertSettings) -> str:
    by = ("service", *subject_labels(operation))
    share = settings.share or 0.0
    words = {
        "end": (_OWN / "end.md").read_text(encoding="utf-8").rstrip("\n") + "\n",
        "alert": alert,
        "noun": operation.noun,
        "by": ", ".join(by),
        "labels": ", ".join(("service", *operation.labels)),
        "silenced": f'{by[-1]}="{by[-1].upper()}"',
        "finished": operation.finished,
        "duration": operation.duration,
        "errors": operation.errors,
        "in_progress": operation.in_progress,
        "scores": "" if operation.score is None else operation.score.name,
        "threshold": number(settings.threshold or 0.0),
        "share": f"{share * 100:g} %",
        "ratio": number(share),
        "window": format_seconds(settings.window_seconds or 0.0),
        "for": format_seconds(settings.for_seconds),
        "minimum": number(settings.minimum or 0.0),
    }
    text = (_OWN / f"{template.format('')}.md").read_text(encoding="utf-8")
    for name, word in words.items():  # the first, the end, has words of its own
        text = text.replace(f"<{name}>", word)
    return text
