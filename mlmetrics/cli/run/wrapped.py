"""A command that runs in the place of this process: it gets the signals, and its exit code is handed on.

The signals are blocked and waited for, not handled, so that none is lost or comes at a wrong moment. This also
holds in a container where this process is the first one, which there also reaps what others have left.
"""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

HANDED_ON = {
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2),
    *(signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU),
}
"""What servers are told by; for example gunicorn starts one more worker at TTIN, and one less at TTOU."""
HELD = {*HANDED_ON, signal.SIGCHLD}
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
KILLED = 128
"""Shells add it to the number of the signal that ended a command."""


@contextmanager
def holding_signals() -> Iterator[None]:
    """Block the signals that are handed on; those that come when nobody is left to get them are dropped."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        while signal.sigtimedwait(HELD, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_wrapped(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command until it ends, hand signals on to it, and return its exit code as a shell would.

    To be called while signals are held. The command stays in the process group of this process, so that job
    control works as without us. Then a terminal sends Ctrl-C to both, and it must not be handed on: servers take
    a second one as the order to end at once. The kernel tells who sent a signal, a process or the terminal.

    Raises:
        OSError: the command cannot be started.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it came ignored, nobody could wait for the command
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) - HELD
    child = os.posix_spawnp(command[0], list(command), environment, setsigmask=unblocked, setsigdef=IGNORED_BY_PYTHON)
    while (code := _ended(child)) is None:
        received = signal.sigwaitinfo(HELD)
        if received.si_signo in HANDED_ON and received.si_code <= 0:  # it is above 0 if the kernel sent the signal
            os.kill(child, received.si_signo)
    return code


def _ended(child: int) -> int | None:
    """Return the exit code of the child, None while it runs; other children that have ended are reaped."""
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else KILLED - code
        if ended == 0:
            return None
