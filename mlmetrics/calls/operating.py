"""How a toolkit declares operations of a project's own."""

from collections.abc import Sequence

from mlmetrics.calls.own import OwnOperation, operation_here
from mlmetrics.calls.recorder import Recorder
from mlmetrics.catalog.own import own_operation


class Operating(Recorder):
    """How a toolkit declares operations of a project's own."""

    def operation(
        self,
        name: str,
        labelnames: Sequence[str] = (),
        *,
        score: bool = False,
        subject: str | None = None,
        buckets: Sequence[float] | None = None,
    ) -> OwnOperation:
        """Declare an operation of your own, such as a retrieval; declared again alike, it is the same operation.

        Args:
            name: its name, in lower case with underscores.
            labelnames: its labels after `service`; not the keywords of `track`, and none that Prometheus or
                mlmetrics sets.
            score: whether its results have scores, 0 to 1.
            subject: the label that a decorator may leave out, whose value is then the function's name; by
                default the first one.
            buckets: upper bounds of its durations, in seconds, ascending.

        Raises:
            DeclarationError: a name cannot be used, or the operation was declared in another way.
            RegistrationError: the registry already has a metric with the name of one of its metrics.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> retrieval = metrics.operation("retrieval", labelnames=("index",), score=True)
            >>> @retrieval.track(index="docs", score="relevance")
            ... def retrieve(query):
            ...     return {"relevance": 0.9, "found": query.split()}
            >>> retrieve("to be")["found"]
            ['to', 'be']
            >>> with retrieval.timer(index="docs") as call:
            ...     call.score(0.8)
        """
        row = own_operation(name, labelnames, score=score, subject=subject, buckets=buckets)
        return operation_here(self, row)
