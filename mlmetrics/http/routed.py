"""What is being recorded of one scope, so that routers and further middleware find it there."""

from typing import Any

from mlmetrics.interruption import interrupted

RECORDED_BY = "mlmetrics.recorded_by"
"""The key of a scope, and of its copies, that holds what records it: the request or WebSocket counts once."""


class Routed:
    """A request or a WebSocket, whose scope may be copied on its way to the router.

    `scope` is the one that the router got, and None when it is over; `root_path` is what the server added to the path.
    """

    __slots__ = ("middleware", "root_path", "scope")

    middleware: Any
    root_path: str
    scope: Any

    def move(self, scope: Any) -> None:
        """Use the copy of the scope that a router got: it has the endpoint, and the path that was routed."""
        if self.scope is None:
            return
        try:
            before, now = self.scope.get("root_path", ""), scope.get("root_path", "")
            # What mounts have added to the path is part of the template; what the copying code added is not.
            self.root_path = self.root_path + now[len(before) :] if now.startswith(before) else now
            self.scope = scope
        except Exception as problem:  # it continues, and counts by the path of our scope
            if interrupted(problem):
                raise
            self.middleware.store.failed("request", problem)
