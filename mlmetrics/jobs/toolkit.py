"""Batch jobs and pushes, as methods of a toolkit."""

from typing import Unpack

from prometheus_client import CollectorRegistry

from mlmetrics.calls.recorder import Recorder
from mlmetrics.catalog import BATCH_JOB
from mlmetrics.errors import ConfigurationError, DeclarationError, shown
from mlmetrics.jobs.batch import BatchJob
from mlmetrics.jobs.push import Push, PushOptions, attempt
from mlmetrics.recording.labels import declared_problem


class Jobs(Recorder):
    """What a program that ends records and pushes."""

    registry: CollectorRegistry

    def push_metrics(self, gateway: str, job: str, **options: Unpack[PushOptions]) -> bool:
        """Push the metrics to a Pushgateway, and return whether it took them.

        A gateway that is not there, or refuses, raises nothing unless `raise_on_error` is set: the failure
        is counted and logged once. What describes only the running process, such as its memory, is not pushed.

        Args:
            gateway: its address, such as `localhost:9091` or `https://push.example.org`.
            job: the `job` label.
            **options: each may be left out.

                - `grouping`: further labels that tell this job's metrics from others.
                - `push_add`: replace only metrics of the same names; by default, everything that was pushed
                  before under the same job and grouping is replaced.
                - `delete_at_exit`: delete this job's metrics at the gateway when the interpreter ends; a process
                  that a signal kills deletes nothing.
                - `timeout`: seconds until the push is given up, all attempts together; 30 by default.
                - `retries`: how often a push is tried again when the gateway is not there or overloaded, after
                  waits that double from half a second; 3 by default.
                - `basic_auth`, `bearer_token`: who asks: `(user, password)`, or a token.
                - `ca_file`, `cert_file`, `key_file`: PEM files: whom to trust instead of the system's authorities,
                  and the certificate of this client. Without `key_file`, the key stands in `cert_file`.
                - `insecure_skip_verify`: trust any certificate.
                - `raise_on_error`: raise what went wrong.

        Raises:
            ConfigurationError: address or options are not possible, or contradict each other.
            OSError: with `raise_on_error`: the gateway is not there, or refuses.

        Metrics: `mlmetrics_recording_errors_total{where="push"}`.
        """
        push = Push(gateway, job, options)
        return attempt(push, self.registry, self.store, raising=push.raise_on_error)

    def batch_job(
        self, name: str, *, service: str | None = None, push_to: str | None = None, **options: Unpack[PushOptions]
    ) -> BatchJob:
        """Record a block, or every call of a function, as a run of a batch job.

        Use `with`, `async with`, or a decorator. The outcome is decided as for every other call: an exception is
        a failure, `run.fail("no input")` makes it one, a cancellation is neither success nor failure.

        Args:
            name: the job.
            service: the service, if it is not the toolkit's.
            push_to: a Pushgateway to which the metrics are pushed at the end of each run, with `name` as `job`.
            **options: those of `push_metrics`. `push_add` is True unless it is given: a run that fails
                must not delete the time of the last success.

        Raises:
            DeclarationError: the name is no text, or empty.
            ConfigurationError: as `push_metrics`.

        Metrics: `ml_batch_job_total`, `ml_batch_job_duration_seconds`, `ml_batch_job_in_progress`,
        `ml_batch_job_errors_total`, `ml_batch_job_last_success_timestamp_seconds`, `ml_batch_job_items_total`.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> with metrics.batch_job("nightly-parse") as run:
            ...     for document in ["a.pdf", "b.pdf"]:
            ...         run.item()
        """
        problem = declared_problem(name)
        if problem is not None:
            raise DeclarationError(f"batch_job({shown(name)}): expected a non-empty string; this one is {problem}")
        if options and push_to is None:
            raise ConfigurationError(f"batch_job({name!r}): {min(options)} is about a push; it needs push_to as well")
        push = None if push_to is None else Push(push_to, name, {"push_add": True, **options})
        series = self.calls(BATCH_JOB).series(self.named(service), (name,))
        return BatchJob(series, self.registry, push)
