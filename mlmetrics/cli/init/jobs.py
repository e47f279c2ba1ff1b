"""Names of jobs that differ between `prometheus.yml` and the rules, where one of them was edited."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from mlmetrics.monitoring.config import RESERVED_JOBS, Config
from mlmetrics.monitoring.output import Change
from mlmetrics.monitoring.prometheus.scrape import prometheus_document

_MATCHER = re.compile(r"\bjob=~?\"([^\"]*)\"")


def job_problems(config: Config, changes: Sequence[Change]) -> Iterator[str]:
    """Yield what an edited `prometheus.yml` scrapes and no rule knows or the reverse, and so for edited rule files."""
    expected = _jobs(prometheus_document(config, []))
    for change in changes:
        if change.status != "edited" or change.present is None or change.rendered is None:
            continue
        path = PurePosixPath(change.name)
        if path.name == "prometheus.yml":
            yield from _of_scraping(change, expected)
        elif path.parent.name == "rules" and path.suffix == ".yml":
            known, rendered = _jobs_in(change.present), _jobs_in(change.rendered)
            if known != rendered:
                yield _told(change.name, "has rules about", known - rendered, "not about", rendered - known)


def _of_scraping(change: Change, expected: set[str]) -> Iterator[str]:
    try:
        document = yaml.safe_load(change.present or "")
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        yield f"{change.name}, edited by you, is not YAML (line {line}): Prometheus will not start with it"
        return
    jobs = _jobs(document) if isinstance(document, Mapping) else set()
    missing, unknown = expected - jobs, jobs - expected - {*RESERVED_JOBS}
    if missing or unknown:
        yield _told(change.name, "scrapes", unknown, "not", missing)


def _told(name: str, verb: str, more: set[str], negated: str, less: set[str]) -> str:
    parts = [f"the job {_named(more)}, which the configuration does not name"] if more else []
    parts += [f"{negated} {_named(less)}, which it names"] if less else []
    return (
        f"{name}, edited by you, {verb} {', and '.join(parts)}: rules and scraping no longer fit each other; rename "
        f"the service or the job, or take ours back with `mlmetrics init --force {name}`"
    )


def _named(jobs: set[str]) -> str:
    return ", ".join(sorted(jobs))


def _jobs_in(rules: str) -> set[str]:
    """Return the jobs that the text of a rule file selects."""
    return {job for match in _MATCHER.findall(rules) for job in match.replace("\\", "").split("|")}


def _jobs(document: Mapping[str, Any]) -> set[str]:
    jobs = document.get("scrape_configs")
    return {str(job.get("job_name")) for job in jobs if isinstance(job, Mapping)} if isinstance(jobs, list) else set()
