"""`mlmetrics init` asks who is told of alerts, takes it from flags, keeps it, and says what is missing."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlmetrics.cli.init.receivers import notify_text, parse_receivers
from mlmetrics.cli.root import main
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.loading import load, parse
from tests.cli.init.test_repository import repository
from tests.monitoring.configurations import ONE_SERVICE

APP = "from fastapi import FastAPI\napp = FastAPI()\n"
SETTINGS, RENDERED = "mlmetrics.toml", "monitoring/prometheus/alertmanager.yml"
SECRET = "https://hooks.example.org/services/T0/B0/x"  # noqa: S105 - of nobody
MAIL = "email=team@example.org,from=alerts@example.org,smarthost=smtp.example.org:587"


def run(project: Path, *arguments: object, answers: str = "") -> Result:
    """Run the command; it must succeed."""
    done = CliRunner().invoke(main, ["init", str(project), *map(str, arguments)], input=answers)
    assert 0 == done.exit_code, done.output
    return done


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of one file."""
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


def told(project: Path) -> dict[str, list[str]]:
    """Return the kinds of receivers of each place in the configuration of a project."""
    places = load(project / SETTINGS).receivers.places
    return {name: list(place.receivers) for name, place in places.items() if place.receivers}


class TestFlag:
    """`--notify`."""

    def test_both_places(self, project: Path) -> None:
        """Without a place, critical alerts and all others go there; with one, only those."""
        run(project, "--notify", "slack=/run/slack,channel=#ml", "--notify", "page:pagerduty=k3y")
        assert {"page": ["slack", "pagerduty"], "ticket": ["slack"]} == told(project)
        text = (project / RENDERED).read_text()
        assert 2 == text.count("api_url_file: /run/slack\n    channel: '#ml'")
        assert 1 == text.count("routing_key: k3y")

    def test_every_kind(self, project: Path) -> None:
        """A path becomes the key with `_file`, other values stand as they are."""
        flags = (MAIL, "opsgenie=/run/o", "webhook=https://h.example.org/x", "watchdog:webhook=/run/w", "slack=/run/s")
        run(project, *(word for flag in flags for word in ("--notify", flag)))
        receivers = load(project / SETTINGS).receivers
        assert ["slack", "email", "opsgenie", "webhook"] == list(receivers.page.receivers)
        assert ["/run/o", "/run/s", "/run/w"] == receivers.files()
        assert "smtp.example.org:587" == (receivers.ticket.email and receivers.ticket.email.smarthost)

    def test_is_kept(self, project: Path) -> None:
        """A further run keeps who is told; another `--notify` replaces it."""
        run(project, "--notify", "slack=/run/slack")
        assert "updated" not in run(project).output
        assert {"page": ["slack"], "ticket": ["slack"]} == told(project)
        run(project, "--notify", f"ticket:{MAIL}")
        assert {"ticket": ["email"]} == told(project)

    @pytest.mark.parametrize(
        ("flag", "words"),
        [
            ("slack", "expected [PLACE:]KIND=VALUE"),
            ("pigeon=/run/x", "KIND one of slack, email, pagerduty, opsgenie, webhook"),
            ("night:slack=/run/x", "PLACE one of page, ticket, watchdog"),
            ("slack=/run/x,channel", "expected KEY=VALUE after each comma"),
            ("slack=run/x", "notify.page.slack.api_url = ***: expected an address"),
            ("slack=/run/x,chanel=#a", "did you mean 'channel'?"),
            ("email=team@example.org", "email.from is missing: expected a mail address"),
            ("watchdog:slack=/run/x", "watchdog.slack = ***: expected one of the keys webhook"),
            (f"slack={SECRET},api_url_file=/run/x", "either api_url or api_url_file, not both"),
        ],
    )
    def test_mistakes(self, flag: str, words: str, project: Path) -> None:
        """A value that cannot work is refused in one line, without the secret in it, and nothing is written."""
        done = CliRunner().invoke(main, ["init", str(project), "--notify", flag])
        assert (2, 1) == (done.exit_code, len(done.output.splitlines()))
        assert words in done.output
        assert SECRET not in done.output
        assert ["main.py"] == [path.name for path in project.iterdir()]

    def test_secret_without_a_kind_is_not_printed(self) -> None:
        """An address alone may be a secret."""
        with pytest.raises(ConfigurationError) as caught:
            parse_receivers([f"{SECRET}?token=x"])
        assert "hooks" not in str(caught.value)

    def test_against_an_edited_configuration(self, project: Path) -> None:
        """An edited configuration is not overwritten."""
        run(project)
        (project / SETTINGS).write_text((project / SETTINGS).read_text() + "# Mine\n")
        done = CliRunner().invoke(main, ["init", str(project), "--notify", "slack=/run/x"])
        assert 2 == done.exit_code
        assert "was edited" in done.output


class TestQuestion:
    """The question on a terminal."""

    def test_nobody(self, project: Path) -> None:
        """The default is nobody, which is said loudly in the output, the configuration and `alertmanager.yml`."""
        output = run(project, "--ask", answers="\n\n\n").output
        assert "Who is told of alerts?" in output
        assert "NOBODY IS TOLD of any alert" in output
        assert "# NOBODY IS TOLD" in (project / SETTINGS).read_text()
        assert "# NOBODY IS TOLD" in (project / RENDERED).read_text()
        assert {} == told(project)

    @pytest.mark.parametrize(
        ("answers", "kind", "file"),
        [
            ("slack\n/run/s\n", "slack", "/run/s"),
            ("webhook\nhttps://h.example.org\n", "webhook", None),
            ("email\na@example.org\nb@example.org\nh.example.org:25\n\n", "email", None),
            ("email\na@example.org\nb@example.org\nh.example.org:25\nme\n/run/m\n", "email", "/run/m"),
        ],
    )
    def test_kinds(self, project: Path, answers: str, kind: str, file: str | None) -> None:
        """The kind is asked for, then what it needs; a further run does not ask again."""
        output = run(project, "--ask", answers=f"\n\n{answers}").output
        assert "NOBODY" not in output
        assert "mlmetrics check --alertmanager http://127.0.0.1:9093 --send-test" in output
        assert {"page": [kind], "ticket": [kind]} == told(project)
        assert ([file] if file else []) == load(project / SETTINGS).receivers.files()
        assert "Who is told" not in run(project, "--ask", answers="\n\n").output

    def test_commented_examples_work(self, project: Path) -> None:
        """What stands in the comment works once it is no comment."""
        run(project)
        lines = (project / SETTINGS).read_text().partition("# [notify.page]")
        text = lines[0] + "[notify.page]" + lines[2].replace("\n# ", "\n")
        assert ["slack", "email"] == [
            receiver for place in parse(text).receivers.places.values() for receiver in place.receivers
        ]


class TestSecrets:
    """What is printed."""

    def test_a_literal_secret(self, project: Path) -> None:
        """A secret in the file is allowed, noted with the remedy, and never printed, not even by --diff."""
        outputs = [
            run(project, *arguments).output
            for arguments in (
                ("--notify", f"slack={SECRET}", "--diff"),
                ("--notify", f"slack={SECRET}"),
                ("--notify", f"slack={SECRET}2", "--diff"),
                ("--json",),
                (),
            )
        ]
        assert SECRET in (project / RENDERED).read_text()
        assert not [output for output in outputs if "hooks" in output]
        assert "api_url = ***" in outputs[0]
        assert "notify.page.slack.api_url is a secret that stands in rendered files" in outputs[1]
        assert "-api_url = ***\n+api_url = ***\n" in outputs[2]

    def test_a_file_that_is_missing(self, project: Path) -> None:
        """A file of a secret that is not there, or that a shell wrote with a line break, is a note."""
        (project / "secret").write_text("x\n")
        output = run(project, "--notify", f"slack={project}/secret", "--notify", f"page:opsgenie={project}/none").output
        assert "none: no such file on this machine" in output
        assert "secret: ends with a line break" in output

    def test_notes_are_data(self, project: Path) -> None:
        """With --json the notes are a list."""
        notes = json.loads(run(project, "--json").output)["notes"]
        assert [True, True] == [any(words in note for note in notes) for words in ("NOBODY", "no browser opens")]


class TestRunbooks:
    """Where alerts link to."""

    def test_host_of_the_repository(self, project: Path) -> None:
        """The links lead to the host of the remote; its password is not in them."""
        repository(project, "https://me:token@github.com/acme/shop.git")
        output = run(project).output
        rules = (project / "monitoring/prometheus/rules/alerts.yml").read_text()
        assert "runbook_url: https://github.com/acme/shop/blob/main/monitoring/runbooks/ServiceDown.md" in rules
        assert (project / "monitoring/runbooks/ServiceDown.md").is_file()
        assert "no browser opens" not in output
        assert "me:token" not in rules + output + (project / SETTINGS).read_text()

    def test_long_address(self, project: Path) -> None:
        """An address may be longer than a label."""
        repository(project, f"https://gitlab.example.org/{'/'.join(['a' * 30] * 8)}.git")
        run(project)
        assert 250 < len(load(project / SETTINGS).runbooks)

    def test_no_repository(self, project: Path) -> None:
        """Without a known host the path is used, and the output says how to set an address."""
        output = run(project).output
        assert 'runbooks = "monitoring/runbooks"' in (project / SETTINGS).read_text()
        assert "monitoring/runbooks/NAME.md, which no browser opens; set [project] runbooks to an address" in output


def test_notify_text_is_read_back() -> None:
    """What is written of receivers is read as the same receivers."""
    flags = [f"slack={SECRET}", f'ticket:{MAIL},auth_username=me,auth_password=a"b\\c,require_tls=false']
    receivers = parse_receivers(
        [*flags, "watchdog:webhook=/run/w", "page:pagerduty=/run/p,url=https://events.example.org"]
    )
    assert receivers == parse(f"{ONE_SERVICE}\n{notify_text(receivers)}").receivers
