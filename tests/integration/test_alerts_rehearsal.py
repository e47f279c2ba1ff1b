"""Every alert, fired by real misbehaviour on real servers, and resolved by its end."""

from mlmetrics.monitoring.rules.alerts import DEFAULTS
from tests.integration import alert_rehearsal


class TestRehearsal:
    """The rehearsal of all alerts."""

    def test_every_alert_fires_and_resolves_and_none_fires_falsely(self) -> None:
        """A webhook behind Alertmanager hears of each alert and of its end, and of none while all is well."""
        rows = alert_rehearsal.run()
        assert all(row.proven for row in rows), alert_rehearsal.table(rows)

    def test_no_alert_is_left_out(self) -> None:
        """The table has a row for each alert that can be configured."""
        names = {cause.split()[0] for cause in alert_rehearsal.CAUSES}
        assert names == {*DEFAULTS, "ErrorBudgetBurn"} - {"Watchdog"}
