"""`alertmanager.yml`: Alertmanager's own tool accepts every kind of receiver, and the file says whom it tells."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.alertmanager import alertmanager_text
from tests.monitoring.configurations import CONFIGURATIONS, ONE_SERVICE
from tests.monitoring.tools import AMTOOL, run_tool

EMAIL = 'to = "a@example.org"\nfrom = "b@example.org"\nsmarthost = "h.example.org:25"\n'
KINDS = {
    "slack": '[notify.page.slack]\napi_url = "https://h.example.org/x"\n',
    "slack, file": '[notify.page.slack]\napi_url_file = "/run/x"\n',
    "email": f"[notify.page.email]\n{EMAIL}",
    "email, password": f'[notify.page.email]\n{EMAIL}auth_username = "u"\nauth_password = "p"\nrequire_tls = false\n',
    "email, file": f'[notify.page.email]\n{EMAIL}auth_username = "u"\nauth_password_file = "/run/x"\n',
    "pagerduty": '[notify.page.pagerduty]\nrouting_key = "k"\n',
    "pagerduty, file": '[notify.page.pagerduty]\nrouting_key_file = "/run/x"\n',
    "opsgenie": '[notify.page.opsgenie]\napi_key = "k"\n',
    "opsgenie, file": '[notify.page.opsgenie]\napi_key_file = "/run/x"\n',
    "webhook": '[notify.page.webhook]\nurl = "http://h.example.org"\n',
}


def receivers(text: str) -> dict[str, dict[str, Any]]:
    """Return the rendered receivers by name."""
    return {each["name"]: each for each in yaml.safe_load(text)["receivers"]}


class TestReceivers:
    """The receivers of the file."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_are_accepted(self, kind: str, tmp_path: Path) -> None:
        """The tool of Debian's Alertmanager accepts each kind, with the secret in the file or in one of its own."""
        (tmp_path / "alertmanager.yml").write_text(alertmanager_text(parse(ONE_SERVICE + KINDS[kind])))
        code, output = run_tool(AMTOOL, "check-config", "alertmanager.yml", folder=tmp_path)
        assert code == 0, output

    def test_url_file_needs_a_newer_one(self, tmp_path: Path) -> None:
        """Alertmanager 0.25 does not know `url_file` of webhooks; newer ones read what is rendered."""
        text = alertmanager_text(parse(ONE_SERVICE + '[notify.page.webhook]\nurl_file = "/run/x"\n'))
        assert [{"url_file": "/run/x", "send_resolved": True}] == receivers(text)["page"]["webhook_configs"]
        (tmp_path / "alertmanager.yml").write_text(text)
        code, output = run_tool(AMTOOL, "check-config", "alertmanager.yml", folder=tmp_path)
        old = " version 0.25." in run_tool(AMTOOL, "--version", folder=tmp_path)[1]
        assert old == (code != 0), output

    def test_every_kind_tells_of_ends(self) -> None:
        """Every receiver is told when an alert ends, also where Alertmanager would not by default."""
        found = receivers(alertmanager_text(CONFIGURATIONS["clusters"]))
        kinds = [
            config for each in found.values() for key, configs in each.items() if key != "name" for config in configs
        ]
        assert [True] * 6 == [config["send_resolved"] for config in kinds]

    def test_links_only_to_addresses(self) -> None:
        """PagerDuty gets a link to the runbook if that is an address, for it takes nothing else."""
        page = '[notify.page.pagerduty]\nrouting_key_file = "/run/x"\n'
        links = {
            base: [
                link["text"]
                for link in receivers(alertmanager_text(parse(f'[project]\nrunbooks = "{base}"\n{ONE_SERVICE}{page}')))[
                    "page"
                ]["pagerduty_configs"][0]["links"]
            ]
            for base in ("docs/runbooks", "https://h.example.org")
        }
        assert {"docs/runbooks": ["Dashboard"], "https://h.example.org": ["Runbook", "Dashboard"]} == links


class TestComment:
    """The comment at the top."""

    def test_nobody_is_told(self) -> None:
        """If nobody is told of some alerts, the second line says so."""
        assert "# NOBODY IS TOLD of any alert" in alertmanager_text(CONFIGURATIONS["one service"]).splitlines()[1]
        half = alertmanager_text(parse(ONE_SERVICE + KINDS["slack"]))
        assert "# NOBODY IS TOLD of alerts that are not critical" in half.splitlines()[1]

    def test_somebody_is_told(self) -> None:
        """If somebody is told of each alert, there is no such line."""
        assert "NOBODY" not in alertmanager_text(CONFIGURATIONS["clusters"])
