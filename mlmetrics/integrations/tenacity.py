"""tenacity, which tries a function or a block again; it has no hook for all of them, so its decision is replaced."""

from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.patches import SDK, Patching
from mlmetrics.integrations.retries import Retries, is_stamina

# The first that has its async part as `tenacity.asyncio`.
TENACITY = SDK("tenacity", "tenacity", "tenacity", lowest=(8, 4, 1), below=(10,))


def instrument(recorder: Recorder) -> Instrumentation:
    """Count every retry; see `instrument_tenacity`."""
    TENACITY.check("instrument_tenacity")
    retries = Retries(recorder, lambda retrying: not is_stamina(retrying))
    return Patching(TENACITY, retries.patches(), recorder.store.failed).apply()
