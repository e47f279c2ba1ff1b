"""stamina, which has tenacity try a function or a block again.

Its hooks are called for retries only, and not for the last attempt that failed; and whoever sets hooks takes others
out. So its retries are seen where tenacity decides them.
"""

from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.patches import SDK, Patching
from mlmetrics.integrations.retries import Retries, is_stamina

STAMINA = SDK("stamina", "stamina", "stamina", lowest=(24, 3), below=(27,))


def instrument(recorder: Recorder) -> Instrumentation:
    """Count every retry; see `instrument_stamina`."""
    STAMINA.check("instrument_stamina")
    return Patching(STAMINA, Retries(recorder, is_stamina).patches(), recorder.store.failed).apply()
