"""What a scraper asks for, and scrapes in a process that was forked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlmetrics.http.scrape import Scrape

ROOT = Path(__file__).parents[2]
FORK = """
import asyncio, os, signal, urllib.request
from prometheus_client import CollectorRegistry
from mlmetrics.http.answer import answer_in_thread
from mlmetrics.http.scrape import Scrape
from mlmetrics.http.serving import start_metrics_server

def scrape():
    return asyncio.run(answer_in_thread(Scrape(), registry)).status

def serve():
    with start_metrics_server(0, registry=registry) as own:
        return urllib.request.urlopen(f"http://127.0.0.1:{own.port}").status

registry = CollectorRegistry()
server = start_metrics_server(0, registry=registry)
before = scrape()
child = os.fork()
if child == 0:
    signal.alarm(30)  # who waits for a thread of the parent's waits for ever
    {what}
    os._exit(7)
print(before, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class TestScrape:
    """`Scrape`."""

    def test_headers_that_are_sent_twice(self) -> None:
        """Each line counts, whatever the case of its name (RFC 9110, 5.3)."""
        headers = [("accept", "text/html"), ("Accept", "application/openmetrics-text")]
        headers += [("ACCEPT-ENCODING", "br"), ("accept-encoding", "gzip")]
        assert Scrape(openmetrics=True, gzip=True) == Scrape.of(headers, "")
        assert Scrape() == Scrape.of(headers[::2], "")

    def test_scope_without_a_query(self) -> None:
        """A server may leave the query string out; then everything is asked for."""
        assert Scrape() == Scrape.of_scope({"type": "http", "headers": []})


@pytest.mark.parametrize("what", ["assert scrape() == 200", "assert serve() == 200", "server.close()"])
def test_after_a_fork(what: str) -> None:
    """A forked child writes pages in a thread of its own, and closes the parent's server without its thread."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK.replace("{what}", what)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)
    assert ("200 7", "") == (done.stdout.strip(), done.stderr)
