"""What is being recorded of one scope, so that routers and further middleware find it there."""

from typing import Any

from mlmetrics.interruption import interrupted

RECORDED_BY = "mlmetrics.recorded_by"
"""The key of a scope, and of its copies, that holds a `Trace` while it is recorded, so that it counts once."""

Trace = list[Any]
"""The middleware that records a request or a WebSocket, the scope that the router got, and the root path as it was at
first, to which mounts add in the scope; empty when it is over. A list is cheaper to make than an object."""


def move(trace: Trace, scope: Any) -> None:
    """Use the copy of the scope that a router got: it has the endpoint, and the path that was routed."""
    if not trace or trace[1] is scope:
        return
    recorder, known, root_path = trace
    try:
        before, now = known.get("root_path", ""), scope.get("root_path", "")
        # What mounts have added to the path is part of the template; what the copying code added is not.
        trace[1:] = scope, root_path + now[len(before) :] if now.startswith(before) else now
    except Exception as problem:  # it continues, and counts by the path of our scope
        if interrupted(problem):
            raise
        recorder.store.failed("request", problem)
