"""The live page beside the command of `mlmetrics run --live`: a process of its own, which ends with this one."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mlmetrics.cli.errors import CommandError
from mlmetrics.cli.extras import is_installed, told_without
from mlmetrics.workers.directory import VARIABLE


@contextmanager
def live_page_beside() -> Iterator[None]:
    """Start the page, and end it at the end; to be entered before the command is started.

    It reads a pipe to its end, so that it ends with this process also if that is killed. In a process group of its
    own it does not get the Ctrl-C of a terminal, with which the command may end slowly.

    Raises:
        CommandError: The extra is not installed.
    """
    if not is_installed("live"):
        raise CommandError(told_without("live"))
    ending, held = os.pipe()
    environment = {name: text for name, text in os.environ.items() if name != VARIABLE}
    page = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", "mlmetrics.live.beside"],  # no file of the project is taken for a library
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, ending, 0)],
        setpgroup=0,
        setsigmask=[signal.SIGTTOU],  # with it, a terminal may stop those that write in the background
    )
    os.close(ending)
    try:
        yield
    finally:
        os.close(held)
        with suppress(ChildProcessError):  # it was reaped together with the children of the command
            if os.waitpid(page, os.WNOHANG) == (0, 0):
                os.kill(page, signal.SIGKILL)  # it has nothing to keep
                os.waitpid(page, 0)
