"""Real servers for tests, each a context manager on a free port of loopback.

`with Prometheus(config) as prometheus: prometheus.wait_for("up == 1")`. The end
of the block ends the server.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.apps import HTTPReceiver, ThreadServer, UvicornServer
from tests.programs import HOST, Program, find_program, free_port, wait_until

__all__ = [
    "Alertmanager",
    "HTTPReceiver",
    "NodeExporter",
    "Prometheus",
    "Pushgateway",
    "Redis",
    "ThreadServer",
    "UvicornServer",
    "VMAlert",
    "VictoriaMetrics",
    "find_program",
    "free_port",
    "wait_until",
]

Series = dict[str, Any]


class Queryable(Program):
    """A server that answers PromQL at Prometheus's own paths."""

    def query(self, promql: str) -> list[Series]:
        """Return the instant vector of `promql`: each as `{"metric": labels, "value": [time, text]}`."""
        body = self.get("/api/v1/query", query=promql).json()
        assert body["status"] == "success", f"{promql}: {body}"
        data = body["data"]
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        vector: list[Series] = data["result"]
        return vector

    def query_value(self, promql: str) -> float | None:
        """Return the value of the one series of `promql`, or None where it has none."""
        vector = self.query(promql)
        assert len(vector) <= 1, f"{promql} has {len(vector)} series: {vector}"
        return float(vector[0]["value"][1]) if vector else None

    def wait_for(self, promql: str, *, timeout: float = 30.0) -> list[Series]:
        """Return the vector of `promql` once it has a series; fail after `timeout` seconds."""
        found: list[Series] = []

        def ask() -> bool:
            found[:] = self.query(promql)
            return bool(found)

        wait_until(ask, timeout=timeout, what=lambda: f"{promql} has no series\n{self._situation()}")
        return found

    def _situation(self) -> str:
        return self.log[-2000:]


class Prometheus(Queryable):
    """Debian's Prometheus on `config`, the text of a `prometheus.yml`.

    `files` (rules, targets) are written in the same folder, so that `config` names them without a folder.
    """

    ready_path = "/-/ready"

    def __init__(
        self,
        config: str,
        files: Mapping[str, str] | None = None,
        args: Sequence[str] = (),
        *,
        port: int | None = None,
    ) -> None:
        super().__init__(port=port)
        self._files = {**(files or {}), "prometheus.yml": config}
        self._args = args

    def command(self, directory: Path) -> list[str]:
        """Write the files, and return the command line."""
        program = find_program("prometheus", package="prometheus")
        write_files(directory, self._files)
        return [
            program,
            f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address={HOST}:{self.port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
            *self._args,
        ]

    def targets(self) -> list[dict[str, Any]]:
        """Return the active targets, with `labels`, `health`, `lastError` and `scrapeUrl` each."""
        active: list[dict[str, Any]] = self.get("/api/v1/targets").json()["data"]["activeTargets"]
        return active

    def alerts(self) -> list[dict[str, Any]]:
        """Return the pending and firing alerts, with `labels`, `annotations` and `state` each."""
        alerts: list[dict[str, Any]] = self.get("/api/v1/alerts").json()["data"]["alerts"]
        return alerts

    def reload(self, config: str | None = None, files: Mapping[str, str] | None = None) -> None:
        """Write the given files over the old ones, and reload; fail if they are refused."""
        write_files(self.directory, {**(files or {}), **({"prometheus.yml": config} if config else {})})
        answer = self.post("/-/reload")
        assert answer.is_success, answer.text

    def _situation(self) -> str:
        told = (f"{target['scrapeUrl']} {target['health']} {target['lastError']}" for target in self.targets())
        return "\n".join((*told, super()._situation()))


class VictoriaMetrics(Queryable):
    """Debian's VictoriaMetrics; `args` may name a scrape configuration."""

    ready_path = "/health"

    def __init__(self, args: Sequence[str] = (), *, port: int | None = None) -> None:
        super().__init__(port=port)
        self._args = args

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        return [
            find_program("victoria-metrics", package="victoria-metrics"),
            f"-storageDataPath={directory}/data",
            f"-httpListenAddr={HOST}:{self.port}",
            *self._args,
        ]


class VMAlert(Program):
    """Debian's vmalert: evaluates rule files on `storage`, writes results there, and tells `alertmanager`."""

    ready_path = "/health"

    def __init__(
        self, files: Mapping[str, str], storage: VictoriaMetrics, alertmanager: str, args: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self._files = files
        self._args = (f"-datasource.url={storage.url}", f"-remoteWrite.url={storage.url}", *args)
        self._alertmanager = alertmanager

    def command(self, directory: Path) -> list[str]:
        """Return the command line, its rules written."""
        write_files(directory, self._files)
        return [
            find_program("vmalert", package="victoria-metrics"),
            *(f"-rule={directory}/{name}" for name in self._files),
            f"-notifier.url={self._alertmanager}",
            f"-httpListenAddr={HOST}:{self.port}",
            *self._args,
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the pending and firing alerts, with `labels`, `annotations` and `state` each."""
        alerts: list[dict[str, Any]] | None = self.get("/api/v1/alerts").json()["data"]["alerts"]
        return alerts or []


class Alertmanager(Program):
    """Debian's Alertmanager on `config`, the text of an `alertmanager.yml`; it joins no cluster."""

    ready_path = "/-/ready"

    def __init__(self, config: str, *, port: int | None = None, env: Mapping[str, str] | None = None) -> None:
        super().__init__(port=port, env=env)
        self._config = config

    def command(self, directory: Path) -> list[str]:
        """Write the file, and return the command line."""
        program = find_program("prometheus-alertmanager", "alertmanager", package="prometheus-alertmanager")
        write_files(directory, {"alertmanager.yml": self._config})
        return [
            program,
            f"--config.file={directory}/alertmanager.yml",
            f"--storage.path={directory}/data",
            f"--web.listen-address={HOST}:{self.port}",
            "--cluster.listen-address=",
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that were received and are active."""
        alerts: list[dict[str, Any]] = self.get("/api/v2/alerts").json()
        return alerts


class Pushgateway(Program):
    """Debian's Pushgateway; what was pushed stands at `/metrics`, and is kept in memory only.

    `web` is the text of a `web.yml`, for TLS or passwords; it names files by absolute paths.
    """

    def __init__(self, web: str = "", *, port: int | None = None) -> None:
        super().__init__(port=port)
        self._web = web
        self.ready_path = "" if web else "/-/ready"

    def command(self, directory: Path) -> list[str]:
        """Return the command line, its file written."""
        program = find_program("prometheus-pushgateway", "pushgateway", package="prometheus-pushgateway")
        write_files(directory, {"web.yml": self._web})
        place = [f"--web.listen-address={HOST}:{self.port}", "--persistence.file="]
        return [program, *place, *([f"--web.config.file={directory}/web.yml"] if self._web else [])]


class NodeExporter(Program):
    """Debian's node exporter, with metrics of this machine."""

    ready_path = "/"

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        program = find_program("prometheus-node-exporter", "node_exporter", package="prometheus-node-exporter")
        return [program, f"--web.listen-address={HOST}:{self.port}"]


class Redis(Program):
    """Debian's Redis, which writes nothing to disk; it is ready as soon as it accepts connections."""

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        program = find_program("redis-server", package="redis-server")
        options = {
            "--bind": HOST,
            "--port": str(self.port),
            "--dir": str(directory),
            "--save": "",
            "--appendonly": "no",
        }
        return [program, *(word for option in options.items() for word in option)]


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write each of `files` (a name, its text) into `directory`, folders included."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
