"""The configurations that tests render: the one of this repository and others, and services that record little."""

from pathlib import Path

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import load, parse

ROOT = Path(__file__).parents[2]

ONE_SERVICE = """
[[service]]
name = "solo"
targets = ["solo:80"]
"""

CLUSTERS = """
[project]
name = "fleet"
grouping = ["cluster", "namespace"]
external_labels = { region = "eu" }
rule_labels = { team = "ml" }
runbooks = "https://runbooks.example.org/ml/"

[[service]]
name = "ranker"
targets = ["a:80", "b:80"]
labels = { cluster = "one", namespace = "prod" }

[[service]]
name = "embedder"
targets = ["c:80"]
confirmed = false
labels = { cluster = "two", namespace = "prod" }

[host]
targets = ["a:9100", "b:9100"]

[pushgateway]
targets = ["pushgateway:9091"]

[alertmanager]
targets = ["alertmanager:9093"]

[remote_write]
url = "http://victoria:8428/api/v1/write"

[notify]
watchdog = "https://alive.example.org/fleet"

[notify.page]
slack = { api_url_file = "/run/secrets/slack", channel = "#ml" }
pagerduty = { routing_key_file = "/run/secrets/pagerduty", url = "https://events.eu.pagerduty.com/v2/enqueue" }
opsgenie = { api_key_file = "/run/secrets/$opsgenie", api_url = "https://api.eu.opsgenie.com/" }
webhook = { url = "http://pager.example.org/hook" }

[notify.ticket.email]
to = "ml@example.org, Operations <ops@example.org>"
from = "alerts@example.org"
smarthost = "smtp.example.org:587"
auth_username = "alerts"
auth_password_file = "/run/secrets/mail"

[kubernetes]
namespace = "monitoring"
labels = { release = "prometheus" }

[alert.HighErrorRate]
share = 0.013
window = "7m"
for = "1m"
minimum = 33
severity = "warning"

[alert.CostBudget]
threshold = 12.34
window = "1d"

[alert.BatchJobNotSucceeded]
window = "90m"
for = "2m"

[alert.MatchingScoreDrift]
window = "6h"
threshold = 0.25
minimum = 300

[alert.SlowScrape]
enabled = false

[[objective]]
name = "ranking: 95 % succeed"
service = "ranker"
operation = "inference"
only = { model = "ranker-v2" }
target = 0.95

[[objective]]
name = "almost always"
service = "embedder"
operation = "request"
target = 0.9999
minimum = 1

[[objective]]
name = "half the time"
service = "embedder"
operation = "inference"
threshold = 1
target = 0.5
"""

AWKWARD = r"""
[project]
title = 'Précision: "été" \ №1'

[[service]]
name = 'prédicteur "été" \ v1.2 (a|b)'
targets = ["h:80"]
labels = { owner = "équipe: #1 - 'x'" }

[[service]]
name = "yes"
targets = ["h:81"]

[buckets]
ml_inference_duration_seconds = [0.125, 7, 1000000]
matching_score_distribution = [0.25, 0.5, 0.75, 1]

[alert.SlowMLInference]
threshold = 7
share = 0.3333

[alert.LowParsingAccuracy]
threshold = 0.95
share = 0.61

[[objective]]
name = "l'objectif \"été\" \\ {1}"
service = 'prédicteur "été" \ v1.2 (a|b)'
operation = "matching"
target = 0.987
"""

OWN = """
[[operation]]
name = "retrieval"
labels = ["index", "tenant"]
subject = "tenant"
score = true

[[operation]]
name = "query_rewriting"

[alert.SlowRetrieval]
threshold = 2.5
severity = "critical"

[alert.HighQueryRewritingFailureRate]
minimum = 3

[buckets]
ml_retrieval_score = [0.25, 0.5, 1]

[[objective]]
name = "retrieval-success"
service = "solo"
operation = "retrieval"
only = { index = "docs" }
target = 0.95
"""
CHAT = '[[operation]]\nname = "inference"\nrecords = ["streams", "tokens", "cost"]\n'
CLASSIFIER = '[[operation]]\nname = "inference"\nrecords = ["score", "classes"]\n'
GATEWAY = '[[operation]]\nname = "inference"\nrecords = ["retries", "fallbacks", "lengths", "loading"]\n'
ONLY_REQUESTS = "operation = []\n"
REQUESTS_AND_MORE = ONLY_REQUESTS + "[requests]\nbody_sizes = true\nwebsockets = true\n"
FEW: dict[str, Config] = {
    "chat": parse(ONE_SERVICE + CHAT),
    "classifier": parse(ONE_SERVICE + CLASSIFIER),
    "gateway": parse(ONE_SERVICE + GATEWAY),
    "requests": parse(ONLY_REQUESTS + ONE_SERVICE),
    "sizes and WebSockets": parse(REQUESTS_AND_MORE + ONE_SERVICE),
    "own operations": parse(ONE_SERVICE + OWN),
}
"""Services that record a part of what there is."""

CONFIGURATIONS: dict[str, Config] = {
    "shipped": load(ROOT / "mlmetrics.toml"),
    "one service": parse(ONE_SERVICE),
    "clusters": parse(CLUSTERS),
    "awkward names": parse(AWKWARD),
    "own operations": FEW["own operations"],
}
