"""All dashboards, as texts."""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.boards.fleet import fleet
from mlmetrics.monitoring.grafana.boards.models import models
from mlmetrics.monitoring.grafana.boards.objectives import objectives
from mlmetrics.monitoring.grafana.boards.performance import performance
from mlmetrics.monitoring.grafana.boards.quality import quality
from mlmetrics.monitoring.grafana.layout import json_text
from mlmetrics.monitoring.rules.alert import DASHBOARDS

BUILDERS = {
    DASHBOARDS["main"]: performance,
    DASHBOARDS["models"]: models,
    DASHBOARDS["quality"]: quality,
    DASHBOARDS["objectives"]: objectives,
    DASHBOARDS["fleet"]: fleet,
}


def dashboard_texts(config: Config) -> dict[str, str]:
    """Return the dashboards as JSON by their uid."""
    return {uid: json_text(build(config)) for uid, build in BUILDERS.items()}
