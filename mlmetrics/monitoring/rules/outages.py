"""The alert on services that are down: a page, but a warning where the address is a guess of `mlmetrics init`."""

from mlmetrics.monitoring.config import AlertSettings, Config
from mlmetrics.monitoring.durations import MINUTE_SECONDS
from mlmetrics.monitoring.rules.alert import AlertDefinition
from mlmetrics.monitoring.rules.conditions import Down


def _confirmed_jobs(config: Config) -> tuple[str, ...]:
    return tuple(job for job in config.jobs if job not in config.guessed_jobs)


SERVICE_DOWN = (
    AlertDefinition(
        "ServiceDown",
        AlertSettings("critical", 2 * MINUTE_SECONDS),
        lambda config, _: Down(_confirmed_jobs(config), (*config.grouping, "job")),
        "{{ $labels.job }} is down",
        "No instance of {{ $labels.job }} answers its scrapes, or none is configured any more.",
        "fleet",
        applies=lambda config: _confirmed_jobs(config) or not config.services,
    ),
    AlertDefinition(
        "ServiceDown",
        AlertSettings("critical", 2 * MINUTE_SECONDS),
        lambda config, _: Down(config.guessed_jobs, (*config.grouping, "job")),
        "{{ $labels.job }} does not answer at an address that is a guess",
        "No instance of {{ $labels.job }} answers its scrapes. Its address was guessed by `mlmetrics init`: correct "
        "it in mlmetrics.toml, and remove `confirmed = false` there.",
        "fleet",
        scope="guess",
        applies=lambda config: config.guessed_jobs,
        at_most="warning",
    ),
)
