"""Responses whose tokens have been counted: one response counts once, however many layers hand it on.

A decorated function may return the response of an SDK call that counted its tokens already. It is recognised by
what it says: its id, its model and its usage. Identifiers of small servers repeat (some draw them from a thousand
numbers), so a response only counts as the same if it was counted after the outer call had begun.
"""

import threading

from mlmetrics.recording.store import Store
from mlmetrics.responses.said import Said

MOST = 4096
"""Responses that are remembered; the oldest are forgotten."""

_forgetting = threading.Lock()


def counted_once(store: Store, said: Said, payload: int | None, start: float) -> bool:
    """Note that the tokens of a response are counted; False if they were counted since `start`.

    A response without an id is known by the object that it is, `payload`; without either, it is never the same.
    """
    identity = said.identity or payload
    if identity is None:
        return True
    key = (identity, said.model, *(said.usage or {}).items())
    counted = store.counted
    known = counted.pop(key, None)  # taken out, so that the newest stand last
    counted[key] = store.clock()
    if len(counted) > MOST and _forgetting.acquire(blocking=False):
        try:
            for old in list(counted)[: MOST // 2]:
                counted.pop(old, None)
        finally:
            _forgetting.release()
    return known is None or known < start
