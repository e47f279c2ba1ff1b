"""Four workers under wrk: our metrics and the log of the application agree: `python -m tests.workers.load`."""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.programs import find_program, wait_until
from tests.workers.serving import WorkersServer, total

CONNECTIONS = 16
IDLE_SECONDS = 30.0


class Counted(NamedTuple):
    """The same requests, by each."""

    metrics: tuple[float, ...]
    log: int
    wrk: int


def load(server: str, seconds: int, workers: int = 4, scrapes: int = 8) -> Counted:
    """Send requests for this time; return what each counts, ours by several scrapes, once none is in progress."""
    wrk = find_program("wrk", package="wrk")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with WorkersServer(server, "run", workers=workers, env={"TALLY": str(log)}) as program:
            options = ("--threads", "2", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s")
            command = [wrk, *options, f"{program.url}/work"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            wait_until(
                lambda: total(program.scrape(), "fastapi_requests_in_progress") == 0.0,
                timeout=IDLE_SECONDS,
                what=lambda: "requests are still in progress",
            )
            metrics = tuple(total(program.scrape(), "fastapi_requests_total", route="/work") for _ in range(scrapes))
            found = re.search(r"(\d+) requests in", said)
            assert found, said
            return Counted(metrics, log.stat().st_size, int(found[1]))


def main() -> None:
    """Print what was counted; the exit code is 1 if our number is another than that of the log."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--server", default="uvicorn")
    given = parser.parse_args()
    counted = load(given.server, given.seconds)
    sys.stdout.write(f"{counted}\n")
    sys.exit(0 if {counted.log} == set(counted.metrics) else 1)


if __name__ == "__main__":
    main()
