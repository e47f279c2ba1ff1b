"""What a server does with one request, other than answering well: chosen by the test, one scenario a request."""

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

TIMEOUT_SECONDS = 20.0


@dataclass(eq=False, kw_only=True)
class Scenario:
    """One request's course; without any option it is answered well.

    Positions count chunks of the answer's content: `hold_at=2` holds when two have been sent. What stands before
    the first of them (role events, reasoning) is sent even at position 0. A position beyond the answer is its end,
    before the finish and the usage. A request that is not streamed is held, or cut in the middle of its body,
    whatever the position.

    Args:
        status: Any other than 200 rejects the request with the provider's own error; 429 says when to try again.
        headers: Sends these headers beside the provider's own.
        rejection: The body of an error response, if not the provider's usual one.
        timed_out: Sends nothing, not even a status, until `release()`.
        hold_at: Stops here until `release()`, or until the client has left; `held` is set meanwhile.
        cut_at: Closes the connection here, without the end of the chunked body.
        terminated: Ends the chunked body of a cut stream properly, so that only what it says is incomplete.
        error_at: Sends an error here as the provider does, in a response of status 200.
        failed: In the Responses API, that error is `response.failed` and not `error`.
        refused: Refuses as the provider does.
        usage: False leaves out the usage, although asked for.
        keep_alive: Sends a comment before each chunk of content.
        reasoning_content: Shows the reasoning in chat completions, as DeepSeek and vLLM do.
        response_model: The model that the response names, if not the one that was asked for.
        first_seconds: Time before the first event.
        gap_seconds: Time before each further chunk of content.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    rejection: object | None = None
    timed_out: bool = False
    hold_at: int | None = None
    cut_at: int | None = None
    terminated: bool = False
    error_at: int | None = None
    failed: bool = False
    refused: bool = False
    usage: bool = True
    keep_alive: bool = False
    reasoning_content: bool = False
    response_model: str | None = None
    first_seconds: float = 0.0
    gap_seconds: float = 0.0
    held: threading.Event = field(default_factory=threading.Event, repr=False)
    released: "Future[None]" = field(default_factory=Future, repr=False)

    def release(self) -> None:
        """Let a held request go on; more than once is allowed."""
        if not self.released.done():
            self.released.set_result(None)

    def wait_held(self) -> None:
        """Return once the request is held; fail if it is not."""
        assert self.held.wait(TIMEOUT_SECONDS), f"no request is held by {self}"
