"""The manifests: valid by the schemas of Kubernetes and the documentation of the operator, and complete."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml

from mlmetrics.monitoring.deploy.kubernetes import manifests
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.loading import load
from tests.programs import find_program

ROOT = Path(__file__).parents[3]
CONFIG = replace(load(ROOT / "mlmetrics.toml"), kubernetes_namespace="monitoring")
FILES: dict[str, dict[str, Any]] = {
    name: yaml.safe_load(text) for name, text in manifests(CONFIG, {"release": "prometheus"}).items()
}
LABELS = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}}
DURATION = {"type": "string", "pattern": r"^(\d+(ms|[smhdwy]))+$"}
RULE = {
    "type": "object",
    "properties": {
        "alert": {"type": "string"},
        "record": {"type": "string"},
        "expr": {"type": "string"},
        "for": DURATION,
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["expr"],
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
    "additionalProperties": False,
}
ENDPOINT = {
    "type": "object",
    "properties": {"port": {"type": "string"}, "path": {"type": "string"}, "interval": DURATION},
    "required": ["port"],
    "additionalProperties": False,
}
# The operator's reference documentation, for the keys that are used.
SPECS = {
    "PrometheusRule": {
        "type": "object",
        "properties": {
            "groups": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "rules": {"type": "array", "items": RULE}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            }
        },
        "additionalProperties": False,
    },
    "PodMonitor": {
        "type": "object",
        "properties": {
            "jobLabel": {"type": "string"},
            "selector": {"type": "object"},
            "podMetricsEndpoints": {"type": "array", "items": ENDPOINT},
        },
        "required": ["selector", "podMetricsEndpoints"],
        "additionalProperties": False,
    },
}

custom = pytest.mark.parametrize("name", [name for name, each in FILES.items() if each["kind"] in SPECS])
plain = pytest.mark.parametrize("name", [name for name, each in FILES.items() if each["kind"] == "ConfigMap"])
resources = pytest.mark.parametrize("name", [name for name in FILES if name != "kustomization.yaml"])


class TestSchemas:
    """Every manifest is valid for its kind."""

    @plain
    def test_core(self, name: str) -> None:
        """Resources of Kubernetes are valid by its own strict schema."""
        kubernetes_validate.validate(FILES[name], "1.33", strict=True)

    def test_core_schema_refuses(self) -> None:
        """The schema refuses a misspelt key."""
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({"apiVersion": "v1", "kind": "ConfigMap", "date": {}}, "1.33", strict=True)

    @custom
    def test_operator(self, name: str) -> None:
        """Resources of the operator have only keys that its reference documents."""
        document = FILES[name]
        assert "monitoring.coreos.com/v1" == document["apiVersion"]
        assert {"apiVersion", "kind", "metadata", "spec"} == set(document)
        jsonschema.validate(document["spec"], SPECS[document["kind"]])

    @resources
    def test_metadata(self, name: str) -> None:
        """Names are valid, the namespace and the label that selects them are set."""
        metadata = FILES[name]["metadata"]
        assert "monitoring" == metadata["namespace"]
        assert "prometheus" == metadata["labels"]["release"]
        jsonschema.validate(metadata["labels"], LABELS)
        jsonschema.validate(metadata["name"], {"type": "string", "pattern": r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$"})


class TestContents:
    """The contents of the manifests."""

    def test_rules_are_loaded(self, tmp_path: Path) -> None:
        """The tool promtool accepts the groups of the rule resources."""
        groups = [
            group for each in FILES.values() if each["kind"] == "PrometheusRule" for group in each["spec"]["groups"]
        ]
        path = tmp_path / "rules.yml"
        path.write_text(yaml.safe_dump({"groups": groups}))
        promtool = find_program("promtool", package="prometheus")
        done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr

    def test_jobs_are_named_as_services(self) -> None:
        """The pods' names become jobs, as rules and dashboards expect, and every service is selected."""
        spec = FILES["pod-monitor.yaml"]["spec"]
        expression = spec["selector"]["matchExpressions"][0]
        assert spec["jobLabel"] == expression["key"]
        assert [service.name for service in CONFIG.services] == expression["values"]

    @plain
    def test_dashboards_are_whole(self, name: str) -> None:
        """Each dashboard is the rendered one, found by Grafana's sidecar, and small enough for a ConfigMap."""
        document = FILES[name]
        ((key, text),) = document["data"].items()
        assert json.loads(dashboard_texts(CONFIG)[key.removesuffix(".json")]) == json.loads(text)
        assert "1" == document["metadata"]["labels"]["grafana_dashboard"]
        assert len(text) < 1_000_000

    def test_kustomization_names_all(self) -> None:
        """The kustomization lists every other file, each once."""
        assert sorted(set(FILES) - {"kustomization.yaml"}) == FILES["kustomization.yaml"]["resources"]
