"""The live page beside the command of `mlmetrics run --live`: a process of its own, which ends with this one."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from mlmetrics.cli.errors import CommandError
from mlmetrics.version import install_command
from mlmetrics.workers.directory import VARIABLE

_NEEDED = ("promql_parser", "pydantic", "starlette", "uvicorn")
_END_SECONDS = 5.0
_POLL_SECONDS = 0.02


@contextmanager
def live_page_beside() -> Iterator[None]:
    """Start the page, and end it at the end; to be entered before the command is started.

    It reads a pipe to its end, so that it ends with this process also if that is killed. In a process group of its
    own it does not get the Ctrl-C of a terminal, with which the command may end slowly.

    Raises:
        CommandError: The extra is not installed.
    """
    if not all(find_spec(name) for name in _NEEDED):
        raise CommandError(f"--live needs the extra `live`: {install_command('live')}")
    ending, held = os.pipe()
    environment = {name: text for name, text in os.environ.items() if name != VARIABLE}
    page = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "mlmetrics.live.beside"],
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, ending, 0)],
        setpgroup=0,
        setsigmask=(),
    )
    os.close(ending)
    try:
        yield
    finally:
        os.close(held)
        _wait_for(page)


def _wait_for(page: int) -> None:
    """Wait for the end of the page, which may have ended long before; end it if it does not."""
    until = time.monotonic() + _END_SECONDS
    try:
        while os.waitpid(page, os.WNOHANG) == (0, 0):
            if time.monotonic() > until:
                os.kill(page, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)
    except ChildProcessError:
        pass  # it was reaped together with the children of the command
