"""`mlmetrics check --alertmanager`: whether a running Alertmanager tells somebody, also by a test alert."""

from typing import get_args

import click

from mlmetrics.monitoring.config import Config, Severity
from mlmetrics.monitoring.prometheus.alertmanager import TEST_ALERT
from mlmetrics.monitoring.verify.delivery import Delivery, check_alertmanager, send_test, silence_findings
from mlmetrics.monitoring.verify.finding import Finding

alertmanager_option = click.option("--alertmanager", metavar="URL", help="Also check the receivers of an Alertmanager.")
send_test_option = click.option("--send-test", is_flag=True, help=f"Send the alert {TEST_ALERT} through it.")
severity_option = click.option(
    "--severity",
    type=click.Choice(get_args(Severity)),
    default="critical",
    show_default=True,
    help="With --send-test: its severity, which decides where it goes.",
)


def alertmanager_findings(config: Config, url: str | None) -> list[Finding]:
    """Return what is wrong with the receivers of the configuration, and with those of an Alertmanager."""
    return [*silence_findings(config), *(check_alertmanager(url) if url else [])]


def tested(config: Config, url: str, severity: Severity, *, quiet: bool) -> list[Finding]:
    """Send a test alert, print what became of it unless it must be quiet, and return what is wrong."""
    delivery = send_test(config, url, severity)
    if not quiet:
        click.echo(_text(delivery, severity))
    return delivery.findings()


def _text(delivery: Delivery, severity: Severity) -> str:
    where = " and ".join(delivery.receivers) or "no receiver"
    words = [f"{kind}: {'NOT delivered' if reason else 'delivered'}" for kind, reason in delivery.reasons.items()]
    return "\n  ".join([f"{TEST_ALERT} with severity {severity} goes to {where}", *words])
