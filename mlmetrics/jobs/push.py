"""A push of a registry to a Pushgateway, and its deletion at exit; what fails is counted, and raised only on request.

The text is that of our own exposition. The functions of prometheus_client that push would write another, and have no
redirects refused, no retries and no bearer tokens.
"""

import atexit
import base64
import os
import re
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from itertools import count
from math import isfinite
from random import uniform
from ssl import SSLCertVerificationError
from urllib.error import HTTPError, URLError
from urllib.request import Request

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mlmetrics.errors import ConfigurationError, shown
from mlmetrics.exposition.negotiation import TEXT
from mlmetrics.exposition.text import write
from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.jobs.gateway import ConnectionOptions, connect
from mlmetrics.recording.labels import declared_problem
from mlmetrics.recording.store import Store
from mlmetrics.switch import DISABLED

TIMEOUT_SECONDS = 30.0
RETRIES = 3
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 8.0
OVERLOADED = 429
SERVER_ERROR = 500
LONGEST_ANSWER_BYTES = 300
PLAIN_VALUE = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*")
LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
FLAGS = ("push_add", "delete_at_exit", "insecure_skip_verify", "raise_on_error")
OF_THE_PROCESS = frozenset(
    {
        *("process_cpu_seconds", "process_max_fds", "process_open_fds", "process_resident_memory_bytes"),
        *("process_start_time_seconds", "process_virtual_memory_bytes"),
        *("python_gc_collections", "python_gc_objects_collected", "python_gc_objects_uncollectable", "python_info"),
        *("mlmetrics_build_info", "mlmetrics_cpu_limit_cores", "mlmetrics_memory_limit_bytes"),
        "mlmetrics_price_table_timestamp_seconds",
        *("mlmetrics_scrape_duration_seconds", "mlmetrics_scrape_errors"),
    }
)
"""Families that tell of a running process. At a gateway they would outlive it, and alerts would take it for alive."""


class PushOptions(ConnectionOptions, total=False):
    """How metrics are pushed; `MLMetrics.push_metrics` describes each option."""

    grouping: Mapping[str, str] | None
    push_add: bool
    delete_at_exit: bool
    timeout: float
    retries: int
    raise_on_error: bool


class Lasting(Collector):
    """The families of a registry that still mean something after the process has ended."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        return (family for family in self._registry.collect() if family.name not in OF_THE_PROCESS)


class Push:
    """One group of metrics at one gateway; everything is checked when it is made."""

    def __init__(self, gateway: str, job: str, options: PushOptions) -> None:
        unknown = options.keys() - PushOptions.__annotations__.keys()
        if unknown:
            known = ", ".join(PushOptions.__annotations__)
            raise ConfigurationError(f"a push has no option {min(unknown)}; it has {known}")
        for name in FLAGS:
            if type(flag := options.get(name, False)) is not bool:
                raise ConfigurationError(f"{name}={shown(flag)}: expected True or False")
        labels = {"job": _checked_job(job), **_checked_grouping(options.get("grouping"))}
        self.raise_on_error = options.get("raise_on_error", False)
        self._push_add = options.get("push_add", False)
        self._delete_at_exit = options.get("delete_at_exit", False)
        self._timeout = _checked_timeout(options.get("timeout", TIMEOUT_SECONDS))
        self._retries = _checked_retries(options.get("retries", RETRIES))
        self._gateway = connect(gateway, options)
        self.group = self._gateway.address + "/metrics" + "".join(_part(*label) for label in labels.items())

    def push(self, registry: CollectorRegistry, store: Store) -> None:
        """Send what the registry holds.

        Raises:
            OSError: the gateway is not there, or refuses.
        """
        if self._delete_at_exit:
            _leaving.add(self, store)
        self._deliver("POST" if self._push_add else "PUT", write(Lasting(registry), openmetrics=False))

    def delete(self) -> None:
        """Delete the group at the gateway.

        Raises:
            OSError: the gateway is not there, or refuses.
        """
        self._deliver("DELETE", b"")

    def _deliver(self, method: str, body: bytes) -> None:
        """Send a request, again after what may pass; the waits between double."""
        headers = {"Content-Type": TEXT, **self._gateway.headers}
        request = Request(self.group, body, headers, method=method)  # noqa: S310 (http or https: `connect` has seen to it)
        deadline = time.monotonic() + self._timeout
        for tried in count():
            try:
                with self._gateway.opener.open(request, timeout=max(deadline - time.monotonic(), 0.001)):
                    return
            except (OSError, HTTPException) as error:
                cause = _cause(error)
                if interrupted(cause):
                    raise cause from None
                # Jobs begin at the same minute on many machines: not all of them come again at the same time.
                wait = min(FIRST_WAIT_SECONDS * 2 ** min(tried, 10), LONGEST_WAIT_SECONDS) * uniform(0.5, 1)  # noqa: S311 (no secret)
                late = time.monotonic() + wait >= deadline
                problem = _described(error)  # which also closes the answer
                if late or tried >= self._retries or not _may_pass(error):
                    raise OSError(f"{method} {self.group}: {problem}") from error
            time.sleep(wait)


def _part(name: str, value: str) -> str:
    """Return a label as a part of the address of its group: as it is, or as base64, which the gateway decodes.

    prometheus_client 0.20 sends a space as `+`, which the gateway keeps.
    """
    if PLAIN_VALUE.fullmatch(value):
        return f"/{name}/{value}"
    return f"/{name}@base64/{base64.urlsafe_b64encode(value.encode()).decode('ascii') or '='}"


def _cause(error: Exception) -> Exception:
    """Return what was raised: urllib wraps what connecting raises."""
    reason = getattr(error, "reason", None)
    return reason if isinstance(error, URLError) and isinstance(reason, Exception) else error


def _may_pass(error: Exception) -> bool:
    """Whether another attempt may succeed: the gateway is not there or overloaded, and has not refused."""
    if isinstance(error, HTTPError):
        return error.code == OVERLOADED or error.code >= SERVER_ERROR
    return not isinstance(_cause(error), SSLCertVerificationError)


def _described(error: Exception) -> str:
    """Return what went wrong, with the first words of the gateway's answer."""
    if not isinstance(error, HTTPError):
        return str(_cause(error)) or type(error).__name__
    answer = b""
    with error, Tolerating(OSError, HTTPException):
        answer = error.read(LONGEST_ANSWER_BYTES)
    return f"{error.code} {error.reason} {answer.decode(errors='replace').strip()}".strip()


def attempt(push: Push, registry: CollectorRegistry, store: Store, *, raising: bool) -> bool:
    """Push, and return whether the gateway took it; what fails is counted, and raised only if asked for.

    A program that is switched off pushes nothing, and nothing has failed.
    """
    if DISABLED:
        return True
    try:
        push.push(registry, store)
    except Exception as error:  # besides the gateway, a collector of the user's may raise
        if interrupted(error):
            raise
        store.failed("push", error)
        if raising:
            raise
        return False
    return True


class _Leaving:
    """The groups that are deleted when the interpreter ends."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[Push, Store]] = {}
        self._process = 0

    def add(self, push: Push, store: Store) -> None:
        """Delete the group of this push at exit, once, with the options of its last push."""
        if self._process != os.getpid():  # the first of this process: what a fork copied is the parent's to delete
            self._process = os.getpid()
            self._groups.clear()
            atexit.register(self._leave, self._process)
        self._groups[push.group] = push, store

    def _leave(self, process: int) -> None:
        if process != os.getpid():
            return
        for push, store in self._groups.values():
            try:
                push.delete()
            except Exception as error:
                if interrupted(error):
                    raise
                store.failed("push", error)


_leaving = _Leaving()


def _checked_job(job: str) -> str:
    problem = declared_problem(job)
    if problem is not None:
        raise ConfigurationError(f"job={shown(job)}: expected a non-empty string; this one is {problem}")
    return job


def _checked_grouping(grouping: Mapping[str, str] | None) -> dict[str, str]:
    if grouping is None:
        return {}
    if not isinstance(grouping, Mapping):
        raise ConfigurationError(f"grouping={shown(grouping)}: expected label values by label name")
    for name, value in grouping.items():
        if not isinstance(name, str) or not LABEL_NAME.fullmatch(name) or name == "job":
            raise ConfigurationError(
                f"grouping: {shown(name)}: expected a label name of letters, digits and _ other than job"
            )
        if not isinstance(value, str) or (value and declared_problem(value) is not None):
            raise ConfigurationError(f"grouping: {name}={shown(value)}: expected a text")
    return dict(sorted(grouping.items()))


def _checked_timeout(timeout: float) -> float:
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not number or not isfinite(timeout) or timeout <= 0:
        raise ConfigurationError(f"timeout={shown(timeout)}: expected a number of seconds above 0")
    return timeout


def _checked_retries(retries: int) -> int:
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ConfigurationError(f"retries={shown(retries)}: expected a whole number, 0 or more")
    return retries
