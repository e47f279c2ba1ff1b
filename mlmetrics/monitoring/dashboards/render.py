"""All dashboards, as texts."""

from mlmetrics.monitoring.alerts import DASHBOARDS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.dashboards.board import json_text
from mlmetrics.monitoring.dashboards.fleet import fleet
from mlmetrics.monitoring.dashboards.models import models
from mlmetrics.monitoring.dashboards.objectives import objectives
from mlmetrics.monitoring.dashboards.performance import performance
from mlmetrics.monitoring.dashboards.quality import quality

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
