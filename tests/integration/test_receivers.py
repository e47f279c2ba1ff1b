"""Alerts on their way through a real Alertmanager to real receivers: mail over SMTP, and all others over HTTP."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from mlmetrics.cli.root import main
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import server_files
from tests.apps import HTTPReceiver, Told
from tests.integration.certificates import Authority
from tests.integration.receivers import MailServer, part_of
from tests.servers import Alertmanager, NodeExporter, wait_until

RUNBOOKS = "https://git.example.org/shop/-/blob/main/runbooks"
SLACK, PAGERDUTY, OPSGENIE, HOOK = "/services/T0", "/pagerduty", "/v2/alerts", "/hook"
PASSWORD = "pass word"  # noqa: S105 - of a server of this test
PROJECT = f"""
[project]
runbooks = "{RUNBOOKS}"
[[service]]
name = "shop"
targets = ["127.0.0.1:8000"]
"""
# A sixtieth of real time: what waits 5 minutes waits 5 seconds.
TIME_SCALE = 1 / 60


def secret(folder: Path, name: str, text: str) -> str:
    """Write the file of a secret, and return its path."""
    path = folder / name
    path.write_text(text)
    return str(path)


def configuration(folder: Path, http: HTTPReceiver, mail: MailServer, password: str = PASSWORD) -> str:
    """Return a configuration that tells of critical alerts by HTTP, and of others by mail, all secrets in files."""
    return f"""{PROJECT}
[notify.page]
slack = {{ api_url_file = "{secret(folder, "slack", f"{http.url}{SLACK}/B0/x")}", channel = "#ml" }}
pagerduty = {{ routing_key_file = "{secret(folder, "pagerduty", "r0uting")}", url = "{http.url}{PAGERDUTY}" }}
opsgenie = {{ api_key_file = "{secret(folder, "opsgenie", "0psgenie")}", api_url = "{http.url}/" }}
webhook = {{ url = "{http.url}{HOOK}" }}
[notify.ticket.email]
to = "team@example.org"
from = "alerts@example.org"
smarthost = "127.0.0.1:{mail.port}"
auth_username = "alerts"
auth_password_file = "{secret(folder, "mail", password)}"
[notify]
watchdog = "{http.url}/alive"
"""


def alertmanager(text: str, authority: Authority | None = None) -> Alertmanager:
    """Return an Alertmanager on what is rendered from a configuration; it trusts an authority of certificates."""
    env = {"SSL_CERT_FILE": str(authority.path)} if authority else {}
    return Alertmanager(server_files(parse(text).scaled(TIME_SCALE))["alertmanager.yml"], env=env)


def check(server: Alertmanager, folder: Path, text: str, *arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of `mlmetrics check --alertmanager`."""
    path = folder / "mlmetrics.toml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["check", "--alertmanager", server.url, "--config", str(path), *arguments])
    return result.exit_code, result.output


def rendered_alert(text: str, name: str, **labels: str) -> dict[str, Any]:
    """Return an alert as Prometheus sends it by the rendered rule: here, its annotations expand labels only."""
    groups = yaml.safe_load(server_files(parse(text))["rules/alerts.yml"])["groups"]
    rule = next(rule for group in groups for rule in group["rules"] if rule["alert"] == name)
    annotations = {
        key: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], words)
        for key, words in rule["annotations"].items()
    }
    assert not [words for words in annotations.values() if "{{" in words]
    return {"labels": {"alertname": name, **rule["labels"], **labels}, "annotations": annotations}


@dataclass(frozen=True)
class Stage:
    """What the receivers were told of one critical alert and of one warning, and of their ends."""

    http: HTTPReceiver
    mails: list[EmailMessage]
    alerts: dict[str, dict[str, Any]]

    def both(self, path: str) -> tuple[Told, Told]:
        """Return what was told first and last at a path."""
        found = self.http.at(path)
        return found[0], found[-1]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Send a critical alert and a warning through Alertmanager, and end them once they have arrived."""
    folder = tmp_path_factory.mktemp("secrets")
    authority = Authority(folder)
    with HTTPReceiver() as http, MailServer(PASSWORD, authority) as mail:
        text = configuration(folder, http, mail)
        alerts = {
            "critical": rendered_alert(text, "ServiceDown", service="shop", job="shop"),
            "warning": rendered_alert(text, "InstanceDown", service="till", job="till", instance="h:1"),
        }
        with alertmanager(text, authority) as server:

            def send(**times: str) -> None:
                body = [{**alert, **times} for alert in alerts.values()]
                httpx.post(f"{server.url}/api/v2/alerts", json=body, trust_env=False).raise_for_status()

            def arrived(count: int) -> bool:
                return len(mail.mails) >= count and all(
                    len(http.at(path)) >= count for path in (SLACK, PAGERDUTY, OPSGENIE, HOOK)
                )

            send()
            wait_until(lambda: arrived(1), timeout=30, what=lambda: f"not all were told\n{server.log}")
            send(endsAt=datetime.now(UTC).isoformat())
            wait_until(lambda: arrived(2), timeout=60, what=lambda: f"not all heard of the end\n{server.log}")
        yield Stage(http, mail.mails, alerts)


class TestMessages:
    """Every kind of receiver gets the message and its end, with words and links to act on."""

    def assert_helpful(self, text: str, alert: dict[str, Any]) -> None:
        """Fail unless a text has what happened, both links, and the labels."""
        annotations = alert["annotations"]
        assert annotations["runbook_url"].startswith(RUNBOOKS)
        for words in annotations.values():
            assert words in text
        assert f"service={alert['labels']['service']}" in text

    def test_slack(self, stage: Stage) -> None:
        """Slack shows the title, the text and a colour, which tells a critical alert from its end."""
        first, last = stage.both(SLACK)
        (fired,), (ended,) = first.body["attachments"], last.body["attachments"]
        assert f"{SLACK}/B0/x" == first.path
        assert "#ml" == first.body["channel"]
        assert ("[FIRING:1] ServiceDown in shop", "danger") == (fired["title"], fired["color"])
        assert ("[RESOLVED] ServiceDown in shop", "good") == (ended["title"], ended["color"])
        assert stage.alerts["critical"]["annotations"]["dashboard_url"] == fired["title_link"]
        self.assert_helpful(fired["text"], stage.alerts["critical"])
        assert fired["text"].startswith("FIRING: ")
        assert ended["text"].startswith("RESOLVED: ")

    def test_pagerduty(self, stage: Stage) -> None:
        """PagerDuty opens an incident with both links, and closes the same one."""
        first, last = stage.both(PAGERDUTY)
        assert ("r0uting", "trigger", "resolve") == (
            first.body["routing_key"],
            first.body["event_action"],
            last.body["event_action"],
        )
        assert first.body["dedup_key"] == last.body["dedup_key"]
        payload = first.body["payload"]
        assert ("[FIRING:1] ServiceDown in shop", "critical") == (payload["summary"], payload["severity"])
        self.assert_helpful(payload["custom_details"]["description"], stage.alerts["critical"])
        annotations = stage.alerts["critical"]["annotations"]
        links = {link["text"]: link["href"] for link in first.body["links"]}
        assert {"Runbook": annotations["runbook_url"], "Dashboard": annotations["dashboard_url"]} == links

    def test_opsgenie(self, stage: Stage) -> None:
        """Opsgenie opens an alert of the highest priority, and closes the same one."""
        first, last = stage.both(OPSGENIE)
        assert (OPSGENIE, "GenieKey 0psgenie") == (first.path, first.authorization)
        assert ("[FIRING:1] ServiceDown in shop", "P1") == (first.body["message"], first.body["priority"])
        self.assert_helpful(first.body["description"], stage.alerts["critical"])
        assert stage.alerts["critical"]["annotations"]["runbook_url"] == first.body["details"]["runbook"]
        assert f"{OPSGENIE}/{first.body['alias']}/close" == last.path.partition("?")[0]

    def test_webhook(self, stage: Stage) -> None:
        """A webhook gets Alertmanager's JSON: all labels and annotations, and the status."""
        first, last = stage.both(HOOK)
        (alert,) = first.body["alerts"]
        assert ("firing", "resolved") == (first.body["status"], last.body["status"])
        assert stage.alerts["critical"] == {"labels": alert["labels"], "annotations": alert["annotations"]}

    def test_mail(self, stage: Stage) -> None:
        """Mail has the title as its subject, a text, and HTML with links; only the warning came by mail."""
        fired, ended = stage.mails[0], stage.mails[-1]
        assert ("team@example.org", "alerts@example.org") == (fired["To"], fired["From"])
        assert "[FIRING:1] InstanceDown in till" == fired["Subject"]
        assert "[RESOLVED] InstanceDown in till" == ended["Subject"]
        self.assert_helpful(part_of(fired, "plain"), stage.alerts["warning"])
        annotations = stage.alerts["warning"]["annotations"]
        for link in (annotations["runbook_url"], annotations["dashboard_url"]):
            assert f'<a href="{link}">{link}</a>' in part_of(fired, "html")
        assert annotations["summary"] in part_of(ended, "plain")

    def test_only_those_who_are_meant(self, stage: Stage) -> None:
        """The page was told of the critical alert only, and nothing but the Watchdog goes to its own webhook."""
        names = {alert["labels"]["alertname"] for told in stage.http.at(HOOK) for alert in told.body["alerts"]}
        assert {"ServiceDown"} == names
        assert [] == stage.http.at("/alive")
        assert not [mail["Subject"] for mail in stage.mails if "ServiceDown" in mail["Subject"]]


@pytest.fixture
def http() -> Iterator[HTTPReceiver]:
    """Return a receiver of everything that is told by HTTP."""
    with HTTPReceiver() as receiver:
        yield receiver


class TestSendTest:
    """`mlmetrics check --alertmanager URL --send-test` says where an alert goes, and whether it arrives."""

    def test_arrives_everywhere(self, tmp_path: Path, http: HTTPReceiver) -> None:
        """A test of each severity arrives where its route leads, on time, and is resolved afterwards."""
        authority = Authority(tmp_path)
        with MailServer(PASSWORD, authority) as mail:
            text = configuration(tmp_path, http, mail)
            with alertmanager(text, authority) as server:
                code, output = check(server, tmp_path, text, "--send-test")
                assert 0 == code, f"{output}\n{server.log}"
                assert "MlmetricsTest with severity critical goes to page\n" in output
                kinds = ("opsgenie", "pagerduty", "slack", "webhook")
                assert [f"  {kind}: delivered" for kind in kinds] == sorted(output.splitlines()[1:5])
                assert {1} == {len(http.at(path)) for path in (SLACK, PAGERDUTY, OPSGENIE, HOOK)}
                assert [] == mail.mails
                code, output = check(server, tmp_path, text, "--send-test", "--severity", "warning")
                assert (0, 1) == (code, len(mail.mails)), f"{output}\n{server.log}"
                assert "MlmetricsTest with severity warning goes to ticket\n  email: delivered" in output
                assert f"Runbook: {RUNBOOKS}/README.md" in part_of(mail.mails[0], "plain")
                wait_until(lambda: len(mail.mails) == 2, timeout=30, what=lambda: "the end was not told by mail")
        assert "[RESOLVED] MlmetricsTest" in mail.mails[1]["Subject"]
        assert ["firing", "resolved"] == [told.body["status"] for told in http.at(HOOK)]

    def test_wrong_password(self, tmp_path: Path, http: HTTPReceiver) -> None:
        """If the mail server refuses the login, nothing is delivered, and the log that says why is named."""
        authority = Authority(tmp_path)
        with MailServer(PASSWORD, authority) as mail:
            text = configuration(tmp_path, http, mail, password="pass wort")  # noqa: S106 - of nobody
            with alertmanager(text, authority) as server:
                code, output = check(server, tmp_path, text, "--send-test", "--severity", "warning")
                assert "Notify attempt failed" in server.log
        assert (1, []) == (code, mail.mails)
        assert "  email: NOT delivered" in output
        assert re.search(
            r"error  delivery +ticket: email: not delivered: refused, or not answered, \d+ times?; ", output
        )
        assert "log says why, in lines with `Notify`" in output
        assert "pass wort" not in output

    @pytest.mark.parametrize("status", [400, 503])
    def test_receiver_that_refuses(self, tmp_path: Path, http: HTTPReceiver, status: int) -> None:
        """A refusal, at once or after further tries, is an error; what arrives elsewhere is said too."""
        with HTTPReceiver(status) as refusing:
            text = (
                f'{PROJECT}[notify.page]\nwebhook = {{ url = "{http.url}{HOOK}" }}\n'
                f'slack = {{ api_url = "{refusing.url}{SLACK}" }}\n'
            )
            with alertmanager(text) as server:
                code, output = check(server, tmp_path, text, "--send-test")
        assert 1 == code
        assert "  slack: NOT delivered\n  webhook: delivered" in output
        assert "page: slack: not delivered: refused" in output
        assert (1, SLACK) == (len(http.at(HOOK)), refusing.told[0].path)
        assert refusing.url not in output

    def test_secret_file_that_is_missing(self, tmp_path: Path) -> None:
        """A file that is missing where Alertmanager runs is an error of that receiver."""
        text = f'{PROJECT}[notify.page]\nslack = {{ api_url_file = "{tmp_path}/none" }}\n'
        with alertmanager(text) as server:
            code, output = check(server, tmp_path, text, "--send-test")
            assert "none: no such file" in server.log
        assert 1 == code
        assert "page: slack: not delivered" in output

    def test_nobody(self, tmp_path: Path) -> None:
        """Without receivers, the configuration gives a note; and Alertmanager, and the test, give errors."""
        with alertmanager(PROJECT) as server:
            code, output = check(server, tmp_path, PROJECT, "--send-test")
        assert 1 == code
        found = [line.split() for line in output.splitlines() if "NOBODY IS TOLD" in line]
        assert {
            ("error", "delivery", "page:"),
            ("error", "receivers", "page:"),
            ("error", "receivers", "ticket:"),
            ("note", "receivers", "notify:"),
        } == {(level, kind, subject) for level, kind, subject, *_ in found}
        assert "note   receivers    watchdog: nobody notices if alerts stop" in output

    def test_silence(self, tmp_path: Path, http: HTTPReceiver) -> None:
        """A silence that holds the test back is named."""
        text = f'{PROJECT}[notify]\npage = "{http.url}{HOOK}"\nticket = "{http.url}{HOOK}"\n'
        silence = {
            "matchers": [{"name": "severity", "value": "critical", "isRegex": False, "isEqual": True}],
            "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "2100-01-01T00:00:00Z",
            "createdBy": "a test",
            "comment": "a test",
        }
        with alertmanager(text) as server:
            done = httpx.post(f"{server.url}/api/v2/silences", json=silence, trust_env=False).raise_for_status()
            code, output = check(server, tmp_path, text, "--send-test")
        assert 1 == code
        assert f"page: is held back by a silence ({done.json()['silenceID']})" in output
        assert [] == http.told

    def test_json(self, tmp_path: Path, http: HTTPReceiver) -> None:
        """With --json the findings alone are printed."""
        text = f'{PROJECT}[notify]\npage = "{http.url}{HOOK}"\n'
        with alertmanager(text) as server:
            code, output = check(server, tmp_path, text, "--send-test", "--json")
        assert 1 == code
        assert {("ticket", "error"), ("notify", "note")} <= {
            (finding["subject"], finding["level"]) for finding in json.loads(output)
        }
        assert 1 == len(http.at(HOOK))


class TestCheckAlertmanager:
    """`mlmetrics check --alertmanager URL` alone."""

    def test_all_is_well(self, tmp_path: Path, http: HTTPReceiver) -> None:
        """If every place has a receiver there is nothing to find, and nothing is sent."""
        text = PROJECT + "[notify]\n" + "".join(f'{place} = "{http.url}"\n' for place in ("page", "ticket", "watchdog"))
        with alertmanager(text) as server:
            assert (0, "0 errors, 0 notes\n") == check(server, tmp_path, text)
        assert [] == http.told

    def test_refused_settings(self, tmp_path: Path, http: HTTPReceiver) -> None:
        """A file that Alertmanager refuses at a reload, such as one with unknown keys, is an error."""
        text = f'{PROJECT}[notify]\npage = "{http.url}"\nticket = "{http.url}"\n'
        with alertmanager(text) as server:
            (server.directory / "alertmanager.yml").write_text("receivers: [{name: r, x_configs: []}]\n")
            server.post("/-/reload")
            code, output = check(server, tmp_path, text)
        assert 1 == code
        assert "alertmanager.yml: was refused at the last reload" in output

    def test_something_else_answers(self, tmp_path: Path) -> None:
        """An address at which no Alertmanager answers gives exit code 2."""
        path = tmp_path / "mlmetrics.toml"
        path.write_text(PROJECT)
        with NodeExporter() as other:
            for url, words in ((other.url, "answer"), ("http://127.0.0.1:1", "cannot be read"), ("nowhere", "http")):
                result = CliRunner().invoke(main, ["check", "--alertmanager", url, "--config", str(path)])
                assert 2 == result.exit_code
                assert words in result.output

    def test_test_needs_an_alertmanager(self, tmp_path: Path) -> None:
        """`--send-test` without an Alertmanager is a usage error."""
        result = CliRunner().invoke(main, ["check", "http://127.0.0.1:1/metrics", "--send-test"])
        assert 2 == result.exit_code
        assert "give --alertmanager URL too" in result.output
