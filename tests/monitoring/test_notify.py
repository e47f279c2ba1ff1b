"""`[notify]`: what is said of it, and what is hidden."""

import pytest

from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.notify import Receivers, masked, untold
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
