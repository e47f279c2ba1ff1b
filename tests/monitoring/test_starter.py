"""The objectives that a new project starts with."""

from mlmetrics.catalog import BATCH_JOB, INFERENCE
from mlmetrics.catalog.own import own_operation
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.starter import starter_objectives

SERVICES = '[[service]]\nname = "chat"\ntargets = ["h:1"]\n[[service]]\nname = \'a "b" \\ c\'\ntargets = ["h:2"]\n'
DECLARED = (
    '[[operation]]\nname = "inference"\n[[operation]]\nname = "batch_job"\n[[operation]]\nname = "query_rewriting"\n'
)


class TestStarterObjectives:
    """`starter_objectives` writes sections that can be read."""

    def test_are_read(self) -> None:
        """Requests and calls of each service have one, batch jobs none, whatever the services are called."""
        operations = (INFERENCE, BATCH_JOB, own_operation("query_rewriting"))
        text = starter_objectives(operations, ["chat", 'a "b" \\ c'])
        found = [
            (each.name, each.service, each.operation, each.target)
            for each in parse(SERVICES + DECLARED + text).objectives
        ]
        assert [
            (f"{service} {what}", service, operation, target)
            for service in ("chat", 'a "b" \\ c')
            for what, operation, target in (
                ("requests", "request", 0.995),
                ("inference", "inference", 0.99),
                ("query rewriting", "query_rewriting", 0.99),
            )
        ] == found

    def test_requests_only(self) -> None:
        """Without an operation, there is the objective of the requests."""
        text = starter_objectives((), ["chat"])
        assert ["request"] == [each.operation for each in parse("operation = []\n" + SERVICES + text).objectives]
