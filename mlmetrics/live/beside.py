"""The page beside a command that `mlmetrics run --live` has started: finds the metrics pages of its processes.

`mlmetrics run` starts this as a process of its own before it starts the command. It looks at the sockets on which
processes of the command listen, as the kernel tells them, because a port may come from anywhere: an option, a file, the
code. It ends when its standard input ends, which is a pipe from `mlmetrics run`.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import click

from mlmetrics.errors import MLMetricsError
from mlmetrics.live.feed import live_feed
from mlmetrics.live.guard import TOKEN_VARIABLE
from mlmetrics.live.serving import HOST, has_desktop, listen, note_on_port, open_page, serve
from mlmetrics.live.target import Access, Target
from mlmetrics.monitoring.loading import find_configuration, load

PROC = Path("/proc")
TOLD_AFTER_SECONDS = 20.0
_POLL_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_PATIENCE_SECONDS = 2.0
_LISTENS = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_NEEDS_TOKEN = "bearer token"  # noqa: S105 - what a target says that has metrics, but not for us


def listening_places(ancestor: int) -> set[str]:
    """Return host and port of each server among the descendants of a process, this process left out.

    A server may listen on several addresses with one port, as for `localhost`; one of them stands for all.
    """
    found: set[str] = set()
    for pid in _descendants(ancestor) - {os.getpid()}:
        with suppress(OSError):  # it has ended
            sockets = set(_sockets(pid))
            places = sorted((place for place, socket in _listening(pid) if socket in sockets), reverse=True)
            found.update({place.rpartition(":")[2]: place for place in places}.values())
    return found


def _descendants(ancestor: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            # The name of the program stands in brackets and may hold anything.
            parent = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found: set[int] = set()
    new = [ancestor]
    while new:
        new = [child for pid in new for child in children.get(pid, ()) if child not in found]
        found.update(new)
    return found


def _sockets(pid: int) -> Iterator[str]:
    for descriptor in (PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):
            match = _SOCKET.fullmatch(str(descriptor.readlink()))
            if match:
                yield match[1]


def _listening(pid: int) -> Iterator[tuple[str, str]]:
    """Yield host and port, and the socket, of all that listens in the network of a process."""
    for name in ("tcp", "tcp6"):
        table = PROC / str(pid) / "net" / name
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            _, local, _, state, *_, socket = line.split()[:10]
            if state == _LISTENS:
                host, _, port = local.partition(":")
                yield f"{_reachable(host)}:{int(port, 16)}", socket


def _reachable(address: str) -> str:
    """Return the host to ask for an address of the kernel's table, which has each four bytes in their reverse order.

    >>> _reachable("00000000"), _reachable("0500000A"), _reachable("00000000000000000000000000000000")
    ('127.0.0.1', '10.0.0.5', '[::1]')
    """
    words = bytes.fromhex(address)
    host = ip_address(b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4)))
    if host.version == 4:  # noqa: PLR2004 - of IPv4
        return HOST if host.is_unspecified else str(host)
    return "[::1]" if host.is_unspecified else f"[{host}]"


def metrics_pages(places: set[str]) -> list[str]:
    """Return the addresses at these places that answer with metrics, or that want a token for them."""
    access = Access(timeout_seconds=_PATIENCE_SECONDS)
    targets = [Target(f"http://{place}/metrics", access, None) for place in sorted(places)]
    return [target.url for target in targets if _has_metrics(target)]


def _has_metrics(target: Target) -> bool:
    answer = target.ask()
    target.close()
    return _NEEDS_TOKEN in answer.why or "# TYPE " in answer.page


def find_pages(ancestor: int, tell: Callable[[str], None], told_after_seconds: float = TOLD_AFTER_SECONDS) -> list[str]:
    """Return the addresses of metrics pages of the descendants of a process, once there are any.

    Each look at the same places comes twice as late as that before, since servers log what they are asked for.

    Args:
        ancestor: the process.
        tell: is told once that servers listen but have no metrics, and once that none listens.
        told_after_seconds: how long that has to last before.
    """
    before: set[str] | None = None
    since = pause = 0.0
    told: set[bool] = set()
    while True:
        places = listening_places(ancestor)
        if places != before:
            before, since, pause = places, time.monotonic(), _POLL_SECONDS
        if urls := metrics_pages(places):
            return urls
        if bool(places) not in told and time.monotonic() - since >= told_after_seconds:
            told.add(bool(places))
            tell(_found_nothing_at(places))
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS) if places else pause


def _found_nothing_at(places: Iterable[str]) -> str:
    where = ", ".join(f"http://{place}/metrics" for place in sorted(places))
    if not where:
        return "the command listens on no port yet; the page opens once it answers with metrics on one"
    return f"no metrics were found at {where}; if they are elsewhere, run `mlmetrics live` with their address"


def main() -> None:
    """Wait for metrics pages of the processes beside this one, and show them."""
    Thread(target=_end_with_input, daemon=True).start()
    token = os.environ.get(TOKEN_VARIABLE, "")
    try:
        path = find_configuration()
        config = load(path) if path.exists() else None
        urls = find_pages(os.getppid(), _tell)
        feed = live_feed(urls, config=config)
        listening = listen(HOST, None, token)
    except MLMetricsError as error:
        _tell(str(error))
        sys.exit(2)

    def told(url: str) -> None:
        _tell(f"{note_on_port(listening, None)}{url} shows {', '.join(urls)}")
        if has_desktop() and not token:
            open_page(url)

    serve(feed, listening, host=HOST, token=token, told=told)


def _tell(text: str) -> None:
    click.echo(f"mlmetrics live: {text}", err=True)


def _end_with_input() -> None:
    """End this process once `mlmetrics run` has ended, however it ended."""
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
