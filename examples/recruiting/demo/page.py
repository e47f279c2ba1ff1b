"""The live page of the demo: how it is started, and what is said about it."""

import os
import sys
from dataclasses import dataclass

from rich.console import Console

from examples.recruiting.addresses import HOST, SERVICES
from mlmetrics.live.serving import has_desktop, open_page


@dataclass(frozen=True, slots=True)
class LivePage:
    """The page that shows the four services, on its port."""

    port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}/"

    def command(self) -> list[str]:
        """Return the command line; the rules are those of `mlmetrics.toml` in the root of the repository."""
        targets = [f"{service.url}/metrics" for service in SERVICES]
        return [sys.executable, "-m", "mlmetrics.cli", "live", *targets, "--port", str(self.port), "--no-open"]

    def show(self, console: Console) -> None:
        """Print the address before the traffic starts; on a desktop, open it."""
        console.print()
        self.tell(console)
        console.print()
        if has_desktop():
            open_page(self.url)

    def tell(self, console: Console) -> None:
        """Print the address so that nobody misses it."""
        console.print(f">>> Look at it now, in the browser: {self.url}", style="bold")

    def tell_end(self, console: Console, wanted_port: int) -> None:
        """Say that the page has ended; the next one has its address, unless the port was chosen for this one alone."""
        is_lasting = self.port == wanted_port and os.environ.get("PORTS") != "free"
        place = f" at {self.url}" if is_lasting else ""
        console.print(f"\nThe live page has ended with the demo; `make demo KEEP=1` keeps it up{place}.", style="bold")
