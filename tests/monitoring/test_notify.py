"""`[notify]`: what is said of it, and what is hidden."""

from pathlib import Path

import pytest

from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.notify import Receivers, masked, notes, untold
from tests.monitoring.configurations import CLUSTERS, CONFIGURATIONS, ONE_SERVICE, ROOT
from tests.monitoring.test_runbooks import blocks

SECRET = "s3cret"  # noqa: S105 - of nobody


def receivers(text: str) -> Receivers:
    """Return the receivers of a configuration with these lines in `[notify]`."""
    return parse(f"{ONE_SERVICE}[notify]\n{text}\n").receivers


class TestReceivers:
    """The model of the section."""

    def test_an_address_is_a_webhook(self) -> None:
        """An address in quotes is the same as a webhook with it, and an empty text the same as nothing."""
        assert receivers('page = "https://h.example.org"') == receivers(
            'page = { webhook = { url = "https://h.example.org" } }'
        )
        assert receivers('page = ""') == receivers("") == Receivers()

    def test_secrets_are_not_shown(self) -> None:
        """Neither a configuration nor a receiver shows its secrets where it is printed."""
        config = parse(f'{ONE_SERVICE}[notify.page]\nopsgenie = {{ api_key = "{SECRET}" }}\n')
        assert SECRET not in repr(config)

    def test_files(self) -> None:
        """Each file with a secret is named once."""
        same = 'slack = { api_url_file = "/run/s" }'
        assert ["/run/s"] == receivers(f"page = {{ {same} }}\nticket = {{ {same} }}").files()


class TestUntold:
    """`untold` says of which alerts nobody is told."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "of any alert"),
            ('watchdog = "https://h.example.org"', "of any alert"),
            (
                'page = "https://h.example.org"',
                "of alerts that are not critical: [notify] names no receiver for ticket",
            ),
            ('ticket = "https://h.example.org"', "of critical alerts: [notify] names no receiver for page"),
        ],
    )
    def test_places_without_receivers(self, text: str, words: str) -> None:
        """The sentence names the places that have none."""
        assert f"NOBODY IS TOLD {words}" in untold(receivers(text))

    def test_all_are_told(self) -> None:
        """There is no sentence if both places have receivers."""
        assert not untold(CONFIGURATIONS["clusters"].receivers)


class TestNotes:
    """`notes` says what to know of secrets."""

    def test_all_is_well(self, tmp_path: Path) -> None:
        """A file with a secret is not spoken of, nor is an address of a webhook."""
        (tmp_path / "s").write_text(SECRET)
        text = f'page = {{ slack = {{ api_url_file = "{tmp_path}/s" }} }}\nticket = "https://h.example.org"'
        assert [] == list(notes(receivers(text)))

    @pytest.mark.parametrize(
        ("content", "words"),
        [(None, "no such file on this machine"), ("", "is empty"), (f"{SECRET}\n", "ends with a line break")],
    )
    def test_files_that_do_not_work(self, tmp_path: Path, content: str | None, words: str) -> None:
        """Files that are missing or have no secret, or one that old versions read wrongly, are noted."""
        path = tmp_path / "k"
        if content is not None:
            path.write_text(content)
        (note,) = notes(receivers(f'page = {{ opsgenie = {{ api_key_file = "{path}" }} }}'))
        assert note.startswith(f"notify.page.opsgenie.api_key_file = {path}: ")
        assert words in note
        assert SECRET not in note

    def test_what_old_versions_refuse(self, tmp_path: Path) -> None:
        """A file with the address of a webhook needs a newer Alertmanager than Debian 12 has."""
        (tmp_path / "w").write_text("https://h.example.org")
        (note,) = notes(receivers(f'watchdog = {{ webhook = {{ url_file = "{tmp_path}/w" }} }}'))
        assert note.startswith("notify.watchdog.webhook.url_file needs Alertmanager 0.26 or later")

    def test_secrets_in_the_file(self) -> None:
        """A secret that stands in rendered files is noted."""
        (note,) = notes(receivers(f'page = {{ pagerduty = {{ routing_key = "{SECRET}" }} }}'))
        assert "notify.page.pagerduty.routing_key is a secret that stands in rendered files" in note


class TestMasked:
    """`masked` hides what may be secret."""

    @pytest.mark.parametrize(
        "text",
        [
            f'+api_url = "https://h.example.org/{SECRET}"',
            f'slack = {{ channel = "#a", api_url = "https://h.example.org/{SECRET}" }}',
            f'slack = {{ api_url = "https://h/{SECRET}", channel = "#a" }}',
            f"slack = {{ api_url = 'https://h/{SECRET}', channel = '#a' }}",
            f'auth_password = "a\\"{SECRET}"',
            f'routing_key = "{SECRET}',
            f"-  - routing_key: {SECRET}",
            f"+    auth_password: '{SECRET}'",
            f'page = "https://h.example.org/{SECRET}"',
            f"  url: https://h.example.org/{SECRET}?a=b#c",
        ],
    )
    def test_secrets(self, text: str) -> None:
        """No secret is left, in TOML or in YAML, also where the line is half written."""
        assert SECRET not in masked(text)
        assert "***" in masked(text)

    def test_the_rest_stays(self) -> None:
        """Other keys, files and the names of places stay."""
        stays = [line for line in CLUSTERS.splitlines() if "url" not in line and not line.startswith("watchdog")]
        assert "\n".join(stays) == masked("\n".join(stays))
        for text in (
            "receiver: page",
            "- name: page",
            "[notify.page]",
            'api_url_file = "/run/s"',
            "runbook_url: https://h",
        ):
            assert text == masked(text)


@pytest.mark.parametrize("block", blocks((ROOT / "docs" / "receivers.md").read_text(encoding="utf-8"), "toml"))
def test_page(block: str) -> None:
    """Every example of the page is valid."""
    assert ("solo",) == parse(f"{ONE_SERVICE}{block}").jobs
