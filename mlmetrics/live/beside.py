"""The page beside a command that `mlmetrics run --live` has started: finds the metrics pages of its processes.

`mlmetrics run` starts this as a process of its own before it starts the command. It looks at the sockets on which
processes of the command listen, as the kernel tells them, because a port may come from anywhere: an option, a file, the
code. It ends when its standard input ends, which is a pipe from `mlmetrics run`.
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import click

from mlmetrics.errors import MLMetricsError
from mlmetrics.live.feed import live_feed
from mlmetrics.live.serving import HOST, has_desktop, listen, open_page, serve
from mlmetrics.live.target import Access, Target, make_targets
from mlmetrics.monitoring.loading import find_configuration, load

PROC = Path("/proc")
_POLL_SECONDS = 0.5
_TOLD_AFTER_SECONDS = 20.0
_PATIENCE_SECONDS = 2.0
_LISTENS = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_NEEDS_TOKEN = "bearer token"  # noqa: S105 - what a target says that has metrics, but not for us


def listening_places(ancestor: int) -> set[str]:
    """Return host and port of each socket on which descendants of a process listen, but not this process."""
    found: set[str] = set()
    for pid in _descendants(ancestor) - {os.getpid()}:
        with suppress(OSError):  # it has ended
            sockets = set(_sockets(pid))
            found |= {place for place, socket in _listening(pid) if socket in sockets}
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

    >>> _reachable("00000000"), _reachable("0500000A"), _reachable("00000000000000000000000001000000")
    ('127.0.0.1', '10.0.0.5', '[::1]')
    """
    words = bytes.fromhex(address)
    host = ip_address(b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4)))
    if host.is_unspecified:
        return HOST
    return f"[{host}]" if host.version == 6 else str(host)  # noqa: PLR2004 - of IPv6


def metrics_pages(places: set[str]) -> list[str]:
    """Return the addresses at these places that answer with metrics, or that want a token for them."""
    urls = [f"http://{place}/metrics" for place in sorted(places)]
    targets = make_targets(urls, Access(timeout_seconds=_PATIENCE_SECONDS))
    return [target.url for target in targets if _has_metrics(target)]


def _has_metrics(target: Target) -> bool:
    answer = target.ask()
    target.close()
    return _NEEDS_TOKEN in answer.why or "# TYPE " in answer.page


def main() -> None:
    """Wait for a metrics page of the processes beside this one, and show it."""
    Thread(target=_end_with_input, daemon=True).start()
    urls = _wait_for_pages()
    path = find_configuration()
    try:
        feed = live_feed(urls, config=load(path) if path.exists() else None)
        listening = listen(HOST, None, "")
    except MLMetricsError as error:
        _tell(str(error))
        sys.exit(2)
    serve(feed, listening, host=HOST, token="", told=lambda url: _tell_address(url, urls))


def _wait_for_pages() -> list[str]:
    first_seen = 0.0
    while True:
        places = listening_places(os.getppid())
        if urls := metrics_pages(places):
            return urls
        first_seen = first_seen or (time.monotonic() if places else 0.0)
        if places and 0 < first_seen < time.monotonic() - _TOLD_AFTER_SECONDS:
            where = ", ".join(f"http://{place}/metrics" for place in sorted(places))
            _tell(f"no metrics were found at {where}; if they are elsewhere, run `mlmetrics live` with their address")
            first_seen = -1.0  # said once
        time.sleep(_POLL_SECONDS)


def _tell_address(url: str, urls: list[str]) -> None:
    _tell(f"{url} shows {', '.join(urls)}")
    if has_desktop():
        open_page(url)


def _tell(text: str) -> None:
    click.echo(f"mlmetrics live: {text}", err=True)


def _end_with_input() -> None:
    """End this process once `mlmetrics run` has ended, however it ended."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
