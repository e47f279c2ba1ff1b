"""The rehearsal of all alerts on real servers."""

from mlmetrics.monitoring.rules.alerts import DEFAULTS
from tests.integration import alert_rehearsal


class TestRehearsal:
    """The rehearsal of all alerts."""

    def test_every_alert_fires_and_resolves_and_none_fires_falsely(self) -> None:
        """A webhook receives every alert and its end from Alertmanager, and none while there is no fault."""
        rows = alert_rehearsal.run()
        assert all(row.proven for row in rows), alert_rehearsal.table(rows)

    def test_no_alert_is_left_out(self) -> None:
        """The table has a row for each alert that can be configured."""
        names = {cause.split()[0] for cause in alert_rehearsal.CAUSES}
        assert names == {*DEFAULTS, "ErrorBudgetBurn"} - {"Watchdog"}
