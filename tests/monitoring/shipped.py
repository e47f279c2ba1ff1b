"""Render the rules and dashboards that the wheel ships, for any service: `python -m tests.monitoring.shipped`."""

import json
from dataclasses import replace
from pathlib import Path

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.output import plan, write
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.text import yaml_text

FOLDER = Path(__file__).parents[2] / "mlmetrics" / "monitoring" / "shipped"
EVERYTHING = "[requests]\nbody_sizes = true\nwebsockets = true\n"
HEADER = "# Rendered by mlmetrics for any service; `mlmetrics init` renders rules for yours.\n"


def configuration() -> Config:
    """Return the default configuration and all that requests may record; there is no service, and runbooks are near."""
    defaults = parse('[[service]]\nname = "any"\ntargets = ["any:80"]\n' + EVERYTHING)
    return replace(defaults, services=(), runbooks="runbooks", grafana="")


def shipped_files() -> dict[str, str]:
    """Return the texts by their path in the folder `shipped`; dashboards take one line each."""
    config = configuration()
    rules = {
        f"rules/{name}.yml": yaml_text({"groups": [group.document() for group in groups]}, HEADER)
        for name, groups in rule_groups(config).items()
    }
    dashboards = {f"dashboards/{uid}.json": _compact(text) for uid, text in dashboard_texts(config).items()}
    return rules | dashboards


def _compact(text: str) -> str:
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def main() -> None:
    """Write the folder."""
    held = [str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()]
    write(FOLDER, plan(FOLDER, shipped_files(), lambda _name, _present, _rendered: True, held))


if __name__ == "__main__":
    main()
