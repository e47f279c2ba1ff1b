"""The stack's files around `prometheus/`: Grafana's folder, the composition, and a cluster's manifests.

`python -m mlmetrics.monitoring.deploy.render` writes them into this folder; `--check` says whether they are up to date.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.compose import ENVIRONMENT, compose_text
from mlmetrics.monitoring.deploy.kubernetes import manifests
from mlmetrics.monitoring.grafana.provisioning import grafana_files
from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.output import stale_files, write_files

COMPOSE = "docker-compose.yml"


def stack_files(config: Config) -> dict[str, str]:
    """Return what a host needs beside `prometheus/`."""
    grafana = {f"grafana/{name}": text for name, text in grafana_files(config).items()}
    return {**grafana, COMPOSE: compose_text(config), ".env.example": ENVIRONMENT}


def committed_folders(config: Config) -> dict[str, dict[str, str]]:
    """Return the files by the folder that is written as a whole."""
    return {".": stack_files(config), "kubernetes": manifests(config, {})}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code of `--check` is 1 if a file is out of date."""
    parser = argparse.ArgumentParser(description="Write Grafana's folder, the composition and the manifests.")
    parser.add_argument("--config", type=Path, default=Path("mlmetrics.toml"))
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    chosen = parser.parse_args(arguments)
    changed: list[str] = []
    for folder, files in committed_folders(load(chosen.config)).items():
        act = stale_files if chosen.check else write_files
        changed += [str(Path(folder) / name) for name in act(files, Path(folder))]
    for name in changed:
        sys.stdout.write(f"{'out of date' if chosen.check else 'wrote'}: {name}\n")
    return 1 if chosen.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
