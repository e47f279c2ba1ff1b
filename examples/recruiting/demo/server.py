"""Prometheus for the demo: it is found or installed, and configured for the four services."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from rich.console import Console

from examples.recruiting.addresses import HOST, SERVICES
from examples.recruiting.demo.interrupts import Interrupts

SCRAPE_INTERVAL_SECONDS = 2
INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", "prometheus"]


def find_prometheus(console: Console, folder: Path, interrupts: Interrupts) -> str | None:
    """Return the path of `prometheus`, and install Debian's package if that is allowed."""
    found = shutil.which("prometheus")
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        console.print("Installing Debian's prometheus with apt-get ...")
        _install(folder / "apt.log", interrupts)
        found = shutil.which("prometheus")
        if found is None:
            console.print("apt-get could not install it.")
    return found


def _install(log: Path, interrupts: Interrupts) -> None:
    """Install the package, and end the server that Debian starts on port 9090, because the demo runs its own."""
    for command in (["apt-get", "update"], INSTALL, ["service", "prometheus", "stop"]):
        if shutil.which(command[0]) is None:
            continue
        with log.open("ab") as output:
            # In its own session, because Ctrl-C during the installation would leave packages half configured.
            subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            )
        interrupts.check()


def write_config(folder: Path) -> Path:
    """Write the configuration that scrapes each service under a job of its name."""
    jobs = [
        {"job_name": service.name, "static_configs": [{"targets": [f"{HOST}:{service.port}"]}]} for service in SERVICES
    ]
    interval = f"{SCRAPE_INTERVAL_SECONDS}s"
    config = {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": jobs}
    path = folder / "prometheus.yml"
    # JSON is YAML.
    path.write_text(json.dumps(config, indent=2), "utf-8")
    return path


def command(program: str, folder: Path, port: int) -> list[str]:
    """Return the command line of the demo's own Prometheus."""
    return [
        program,
        f"--config.file={write_config(folder)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--log.level=warn",
    ]
