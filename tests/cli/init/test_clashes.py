"""`mlmetrics init` where ports or names clash: what is written, what is said and asked, and that answers are kept."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.init.projects import IMPORT, PLAIN, write
from tests.cli.init.test_init import run

SERVED = PLAIN + "import uvicorn\nuvicorn.run(app, port={port})\n"
RULES = "monitoring/prometheus/rules/alerts.yml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of three services, two of them on one port."""
    files = {
        "chat.py": SERVED.replace("{port}", "8101"),
        "search.py": SERVED.replace("{port}", "8102"),
        "vision.py": SERVED.replace("{port}", "8102"),
    }
    write(tmp_path, files)
    return tmp_path


def services(root: Path) -> dict[str, tuple[str, bool]]:
    """Return the target of each service of a configuration, and whether it is confirmed."""
    document: dict[str, Any] = tomllib.loads((root / "mlmetrics.toml").read_text())
    return {each["name"]: (each["targets"][0], each.get("confirmed", True)) for each in document["service"]}


def recorded(root: Path) -> list[dict[str, Any]]:
    """Return the operations of a configuration."""
    operations: list[dict[str, Any]] = tomllib.loads((root / "mlmetrics.toml").read_text())["operation"]
    return operations


def objectives(root: Path) -> dict[str, set[str]]:
    """Return what the objectives of each service measure."""
    document: dict[str, Any] = tomllib.loads((root / "mlmetrics.toml").read_text())
    found: dict[str, set[str]] = {}
    for each in document["objective"]:
        found.setdefault(each["service"], set()).add(each["operation"])
    return found


class TestTwoOnOnePort:
    """Two applications on one port."""

    def test_all_else_is_written(self, project: Path) -> None:
        """The first is written as a guess, the other is explained with the flags that settle it."""
        done = run(project)
        assert 0 == done.exit_code, done.output
        assert {"chat": ("127.0.0.1:8101", True), "search": ("127.0.0.1:8102", False)} == services(project)
        assert "not settled: vision (vision.py:2) is served on port 8102, which search has too" in done.stderr
        assert "--service vision=PORT, or leave it out with --leave-out vision" in done.stderr
        assert "its code in vision.py:4" in done.stderr

    def test_flag_settles_it(self, project: Path) -> None:
        """The flag gives one of the services an address, the others stay, and the next run needs no flag."""
        run(project)
        assert "not settled" not in run(project, "--service", "vision=8103").stderr
        expected = {
            name: (f"127.0.0.1:{port}", True) for name, port in (("chat", 8101), ("search", 8102), ("vision", 8103))
        }
        assert expected == services(project)
        assert "not settled" not in run(project).stderr
        assert expected == services(project)

    def test_leaving_out_settles_it(self, project: Path) -> None:
        """What is left out stays out, and the other is no guess any more."""
        assert "not settled" not in run(project, "--leave-out", "vision").stderr
        assert "not settled" not in run(project).stderr
        assert {"chat": ("127.0.0.1:8101", True), "search": ("127.0.0.1:8102", True)} == services(project)

    def test_terminal_asks(self, project: Path) -> None:
        """On a terminal both are asked for, a port that is taken is asked for again, and nothing twice."""
        done = run(project, "--ask", answers="search\n8102\nvision\n8102\n8101\n9093\n8103\n-\n")
        assert 0 == done.exit_code, done.output
        assert "search has too" in done.stdout
        assert "Error: port 8102 is that of search" in done.stdout
        assert "Error: port 8101 is that of chat" in done.stdout
        assert "Error: port 9093 is that of the rendered alertmanager" in done.stdout
        assert {"chat", "search", "vision"} == set(services(project))
        assert all(confirmed for _, confirmed in services(project).values())
        again = run(project, "--ask")
        assert 0 == again.exit_code, again.output
        assert "FastAPI application in" not in again.stdout
        assert "Who is told" not in again.stdout

    def test_nothing_is_written_if_the_terminal_is_left(self, project: Path) -> None:
        """Input that ends in the middle of the questions leaves everything as it was."""
        assert 0 != run(project, "--ask", answers="search\n").exit_code
        assert not (project / "mlmetrics.toml").exists()
        assert not (project / "monitoring").exists()

    def test_guess_gives_way(self, project: Path) -> None:
        """A guess on the port of another service gets a free one, and is still a guess."""
        write(project, {"vision.py": PLAIN, "README.md": "`uvicorn vision:app --port 8102`\n"})
        done = run(project)
        assert "not settled" not in done.stderr
        assert ("127.0.0.1:8000", False) == services(project)["vision"]
        assert "a guess: made up; a command line in README.md:1; search has that" in done.stdout


class TestOtherPorts:
    """Ports of the monitoring and of other containers."""

    def test_port_of_the_monitoring(self, project: Path) -> None:
        """A service on the port of a rendered server is explained, and all else is written."""
        write(project, {"vision.py": SERVED.replace("{port}", "9090")})
        done = run(project)
        assert 0 == done.exit_code
        assert "vision (vision.py:2) is served on port 9090, which the rendered prometheus has too" in done.stderr
        assert {"chat", "search"} == set(services(project))

    def test_port_of_a_container(self, project: Path) -> None:
        """So is one on the port of another container of the project, which is named with its file and line."""
        write(project, {"compose.yml": 'services:\n  adminer:\n    image: adminer\n    ports: ["8102:8080"]\n'})
        done = run(project)
        assert 0 == done.exit_code
        assert "search (search.py:2) is served on port 8102, which adminer of docker compose (compose.yml:4) has" in (
            done.stderr
        )
        assert {"chat"} == set(services(project))

    def test_container_on_a_port_of_the_monitoring(self, project: Path) -> None:
        """A container of the project on a port of a rendered server is said, since both cannot start."""
        write(project, {"compose.yml": 'services:\n  ui:\n    image: ui\n    ports: ["3001:80"]\n'})
        assert "port 3001 of the rendered grafana is published by ui of docker compose" in run(project).stderr

    def test_nothing_but_clashes(self, tmp_path: Path) -> None:
        """If no service is left, nothing is written, and the flag that settles it is named."""
        write(tmp_path, {"chat.py": SERVED.replace("{port}", "9090")})
        done = run(tmp_path)
        assert 2 == done.exit_code
        assert "--service chat=PORT" in done.output
        assert ["chat.py"] == [path.name for path in tmp_path.iterdir()]

    def test_two_of_one_name(self, tmp_path: Path) -> None:
        """Two applications that are instrumented under one name are said, and the first is written."""
        ours = "from mlmetrics import instrument\n" + PLAIN + "instrument(app, service_name='till')\n"
        write(tmp_path, {"a.py": ours, "b.py": ours})
        done = run(tmp_path)
        assert 0 == done.exit_code
        assert "(b.py:3) has the name of another service; give one of them another" in done.stderr
        assert {"till"} == set(services(tmp_path))


class TestAnswers:
    """What is answered is kept."""

    def test_confirms_a_guess(self, tmp_path: Path) -> None:
        """A guess is marked in the file and in the output until a flag or an answer confirms it."""
        write(tmp_path, {"chat.py": PLAIN})
        printed = run(tmp_path).stdout
        assert "  chat  127.0.0.1:8000  a guess: made up; the project does not say it" in printed
        assert "`mlmetrics init --service chat=PORT`" in printed
        assert {"chat": ("127.0.0.1:8000", False)} == services(tmp_path)
        assert "# The address is a guess." in (tmp_path / "mlmetrics.toml").read_text()
        assert "severity: critical\n      scope: guess" not in (tmp_path / RULES).read_text()
        assert 'up{job="chat"}' in (tmp_path / RULES).read_text()
        assert "a guess" not in run(tmp_path, "--service", "chat=8000").stdout
        assert {"chat": ("127.0.0.1:8000", True)} == services(tmp_path)
        assert "guess" not in (tmp_path / RULES).read_text()

    def test_deleting_the_key_confirms_too(self, tmp_path: Path) -> None:
        """Without the key in the file, the service is one like others."""
        write(tmp_path, {"chat.py": PLAIN})
        run(tmp_path)
        path = tmp_path / "mlmetrics.toml"
        assert "scope: guess" in (tmp_path / RULES).read_text()
        path.write_text(path.read_text().replace("confirmed = false\n", ""))
        assert "a guess" not in run(tmp_path).stdout
        assert "scope: guess" not in (tmp_path / RULES).read_text()

    def test_services_and_title_that_were_given(self, project: Path) -> None:
        """Services that replace what is found, and the title, are those of the next run too."""
        run(project, "--service", "till=8200", "--service", "store=10.0.0.7:8200", "--title", "Shop")
        before = (project / "mlmetrics.toml").read_text()
        assert {"till": ("127.0.0.1:8200", True), "store": ("10.0.0.7:8200", True)} == services(project)
        assert 0 == run(project).exit_code
        assert before == (project / "mlmetrics.toml").read_text()
        run(project, "--service", "till=8201")
        assert {"till": ("127.0.0.1:8201", True), "store": ("10.0.0.7:8200", True)} == services(project)

    def test_ports_that_change_in_the_code_are_followed(self, project: Path) -> None:
        """What was not answered follows the code."""
        run(project)
        write(project, {"chat.py": SERVED.replace("{port}", "8110")})
        run(project)
        assert ("127.0.0.1:8110", True) == services(project)["chat"]

    def test_leaving_out_what_is_not_there(self, project: Path) -> None:
        """A name that was not found is refused with those that were."""
        done = run(project, "--leave-out", "shop")
        assert 2 == done.exit_code
        assert "--leave-out = 'shop': expected a service that is found: chat, search, vision" in done.output

    def test_answers_that_cannot_be_read(self, project: Path) -> None:
        """Answers of another form are as if they had not been given."""
        run(project, "--leave-out", "vision")
        manifest = project / "monitoring/.mlmetrics.json"
        kept = json.loads(manifest.read_text())
        kept["answers"] = {"services": {"chat.py:app": {"name": 7}, "search.py:app": []}, "given": "x"}
        manifest.write_text(json.dumps(kept))
        assert 0 == run(project).exit_code
        assert {"chat", "search"} == set(services(project))

    def test_what_is_left_out_records_nothing(self, tmp_path: Path) -> None:
        """Operations of an application that is left out, or not settled, are no other's; what is shared stays."""
        served = IMPORT + "from mlmetrics import {0}\napp = FastAPI()\nimport uvicorn\nuvicorn.run(app, port=8101)\n"
        tracked = "@{0}\ndef work(): ...\n"
        files = {
            "chat/main.py": (served + tracked).format("track_inference"),
            "scan/main.py": (served + tracked).format("track_parsing"),
            "scan/match.py": "from mlmetrics import track_inference, track_matching\n@track_matching\ndef m(): ...\n"
            "@track_inference(score='s')\ndef i(): ...\n",
            "shared/find.py": "from mlmetrics import operation\noperation('retrieval')\n",
        }
        write(tmp_path, files)
        run(tmp_path)
        assert {"request", "inference", "retrieval"} == objectives(tmp_path)["chat"]
        assert ["inference", "parsing", "matching", "retrieval"] == [each["name"] for each in recorded(tmp_path)]
        run(tmp_path, "--leave-out", "scan")
        assert ["inference", "retrieval"] == [each["name"] for each in recorded(tmp_path)]
        assert [] == recorded(tmp_path)[0]["records"]
        write(
            tmp_path,
            {
                "gateway.py": files["chat/main.py"]
                .replace("8101", "8102")
                .replace("FastAPI()", "FastAPI(title='Gateway')")
            },
        )
        done = run(tmp_path, "--leave-out", "gateway")
        assert 0 == done.exit_code, done.output
        assert ["inference", "retrieval"] == [each["name"] for each in recorded(tmp_path)]

    def test_new_application_in_an_edited_configuration(self, project: Path) -> None:
        """An application that an edited configuration does not name is said."""
        run(project, "--leave-out", "vision")
        path = project / "mlmetrics.toml"
        path.write_text(path.read_text() + "# Mine\n")
        write(project, {"audio.py": IMPORT + "audio = FastAPI()\n"})
        assert "audio (audio.py:2) is not in mlmetrics.toml, which you edited" in run(project).stderr

    def test_service_of_another_name_in_an_edited_configuration(self, project: Path) -> None:
        """The name that the code gives to a service is its label; rules of another name select nothing."""
        code = "from mlmetrics import instrument\naudio = FastAPI()\ninstrument(audio, service_name='audio')\n"
        write(project, {"audio.py": IMPORT + code})
        run(project)
        path = project / "mlmetrics.toml"
        path.write_text(path.read_text() + "# Mine\n")
        assert "in the code" not in run(project).stderr
        path.write_text(path.read_text().replace('"audio"', '"sound"'))
        assert (
            "sound is audio in the code (audio.py:3), a name that mlmetrics.toml does not have" in run(project).stderr
        )
