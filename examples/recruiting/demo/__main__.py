"""Entry: `python -m examples.recruiting.demo`."""

import os
import signal

# Nothing runs yet that would have to be ended, so Ctrl-C during the imports below just leaves.
signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))

from examples.recruiting.demo.run import main  # noqa: E402  # the handler above must come first

code = main()
# All has been ended; one more Ctrl-C must not change how this is told.
signal.signal(signal.SIGINT, signal.SIG_IGN)
raise SystemExit(code)
