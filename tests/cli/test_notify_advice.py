"""What `init` and `render` say of secrets."""

from pathlib import Path

import pytest

from mlmetrics.cli.notify_advice import notes
from tests.monitoring.test_notify import SECRET, receivers


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
