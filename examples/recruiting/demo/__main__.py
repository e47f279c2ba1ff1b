"""Entry: `python -m examples.recruiting.demo`."""

import os
import signal

# No process has been started yet, so Ctrl-C during the imports below can exit at once.
signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))

from examples.recruiting.demo.run import main  # noqa: E402  # the handler above must come first

code = main()
# All processes have ended; another Ctrl-C must not change the exit code.
signal.signal(signal.SIGINT, signal.SIG_IGN)
raise SystemExit(code)
