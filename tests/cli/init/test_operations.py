"""Tests that the operations of a project are found in its source and on a live page, and nothing is run."""

import tomllib
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.catalog import INFERENCE, SHIPPED
from mlmetrics.cli.init.live_page import recorded_at
from mlmetrics.cli.init.operations import Recorded, joined, read_operations, toml_lines
from mlmetrics.cli.init.reading.source import Source
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.rules.alerts import enabled_alerts

Found = dict[str, tuple[set[str], bool]]
SERVICE = '[[service]]\nname = "s"\ntargets = ["127.0.0.1:8000"]\n'


def found(root: Path, **files: str) -> Found:
    """Write modules and return the operations that are found, with their parts and whether they have calls."""
    for name, text in files.items():
        (root / f"{name}.py").write_text(text)
    return {each.row.name: (each.parts, each.calls) for each in read_operations(Source(root)).operations}


class TestNames:
    """A function of mlmetrics is found under every name that it may have."""

    @pytest.mark.parametrize(
        "source",
        [
            "from mlmetrics import track_inference\n@track_inference\ndef f(): ...\n",
            "from mlmetrics import track_inference as ti\n@ti(model='m')\nasync def f(): ...\n",
            "import mlmetrics\n@mlmetrics.track_inference(model='m')\ndef f(): ...\n",
            "import mlmetrics as ml\nask = ml.track_inference(model='m')(print)\n",
            "import mlmetrics as ml\nask = ml.track_inference(print)\n",
            "from mlmetrics import MLMetrics\nm = MLMetrics()\n@m.track_inference\ndef f(): ...\n",
            "import mlmetrics\nm: object = mlmetrics.MLMetrics(service='s')\nwith m.inference_timer(): ...\n",
            "from mlmetrics import MLMetrics\nclass S:\n m = MLMetrics()\n def f(self):\n  self.m.inference_timer()\n",
            "from mlmetrics import MLMetrics\ntrack = MLMetrics().track_inference\n@track\ndef f(): ...\n",
            "from mlmetrics import track_ml_inference\ntrack_ml_inference('m', 's', 1.0)\n",
            "from mlmetrics import inference_timer\nasync def f():\n    async with inference_timer(): ...\n",
        ],
    )
    def test_in_one_module(self, tmp_path: Path, source: str) -> None:
        """Imported, under an alias, as an attribute of the package or of a toolkit, as decorator, timer or function."""
        assert {"inference": (set(), True)} == found(tmp_path, main=source)

    def test_from_another_module(self, tmp_path: Path) -> None:
        """A toolkit, or a function, that a project keeps in a module of its own."""
        telemetry = "from mlmetrics import MLMetrics, track_parsing\nmetrics = MLMetrics()\n"
        app = (
            "from telemetry import metrics as m, track_parsing\nimport telemetry\n@m.track_matching\ndef f(): ...\n"
            "@track_parsing(doc_type='pdf', accuracy=None)\ndef g(): ...\n"
            "with telemetry.metrics.inference_timer(): ...\n"
        )
        assert {"inference", "parsing", "matching"} == set(found(tmp_path, telemetry=telemetry, app=app))

    @pytest.mark.parametrize(
        "source",
        [
            "from other import track_inference\n@track_inference\ndef f(): ...\n",
            "class T:\n    def track_inference(self): ...\nT().track_inference()\n",
            "@tracker.track_inference\ndef f(): ...\n",
            "def track_inference(f): ...\n@track_inference\ndef f(): ...\n",
            "from mlmetrics import track_inference\n",
            "from mlmetrics import track_inference(\n",
        ],
    )
    def test_of_others(self, tmp_path: Path, source: str) -> None:
        """A function of the same name that is not mlmetrics', an import without a use, and a broken file are none."""
        assert {} == found(tmp_path, main=source)

    def test_nothing_is_run(self, tmp_path: Path) -> None:
        """Reading a module does not import it."""
        ran = str(tmp_path / "ran")
        source = f"from mlmetrics import track_inference\nopen({ran!r}, 'w')\n@track_inference\ndef f(): ...\n"
        assert {"inference"} == set(found(tmp_path, main=source))
        assert not (tmp_path / "ran").exists()


class TestParts:
    """What is recorded beside the calls."""

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("@track_inference(model='m')\ndef f():\n    yield 1\n", {"streams"}),
            ("@track_inference\nasync def f():\n    async for x in y:\n        yield x\n", {"streams"}),
            ("@track_inference\ndef f():\n    return client.create(stream=True)\n", {"streams"}),
            ("@track_inference(stream=False)\ndef f():\n    yield 1\n", set()),
            ("@track_inference(stream=True)\ndef f():\n    return g()\n", {"streams"}),
            ("@track_inference\ndef f():\n    def inner():\n        yield 1\n    return list(inner())\n", set()),
            ("@track_inference(usage=tokens_of)\ndef f(): ...\n", {"tokens", "cost", "lengths"}),
            ("@track_inference(usage='auto')\ndef f(): ...\n", {"tokens", "cost", "lengths"}),
            ("@track_inference(usage=None)\ndef f(): ...\n", set()),
            ("@track_inference(score='confidence')\ndef f(): ...\n", {"score"}),
            ("@track_inference(predicted_class='label')\ndef f(): ...\n", {"classes"}),
            ("@track_inference(**options)\ndef f(): ...\n", set(INFERENCE.parts)),
            (
                "with inference_timer() as call:\n    call.tokens(input=1)\n    call.cost(0.1)\n",
                {"tokens", "cost", "lengths"},
            ),
            (
                "with inference_timer() as c:\n    c.batch(3)\n    c.queued(1)\n    c.first_chunk()\n",
                {"batches", "queue", "streams"},
            ),
            (
                "with inference_timer() as c:\n    c.cached(True)\n    c.blocked('pii')\n    c.fell_back('n')\n",
                {"cache", "guardrails", "fallbacks"},
            ),
            (
                "with inference_timer() as c:\n    c.finish_reason('stop')\n    with c.waiting(): ...\n",
                {"finish_reasons", "queue"},
            ),
            ("with inference_timer() as c:\n    other.tokens(input=1)\n", set()),
            ("timer = inference_timer()\nwith timer as call:\n    call.tokens(input=1)\n", {"tokens", "lengths"}),
            ("s.t = inference_timer()\nasync with s.t as call:\n    call.cost(0.1)\n", {"cost"}),
            ("c = stack.enter_context(inference_timer())\nc.tokens(input=1)\n", {"tokens", "lengths"}),
            ("t = inference_timer()\nc = await stack.enter_async_context(t)\nc.score(0.5)\n", {"score"}),
            ("timer = inference_timer()\nwith other as call:\n    call.tokens(input=1)\n", set()),
        ],
    )
    def test_of_inferences(self, tmp_path: Path, source: str, expected: set[str]) -> None:
        """By keywords, by the kind of function, and by the methods of the call."""
        start = "from mlmetrics import inference_timer, track_inference\n"
        assert {"inference": (expected, True)} == found(tmp_path, main=start + source)

    @pytest.mark.parametrize("sdk", ["openai", "anthropic", "litellm", "google_genai", "mistralai", "langchain"])
    @pytest.mark.parametrize(
        "source",
        [
            "from mlmetrics import instrument_{0}\ninstrument_{0}()\n",
            "from mlmetrics import instrument_{0} as watch\nhandle = watch(service='s')\n",
            "from mlmetrics.integrations.{0} import instrument_{0}\ninstrument_{0}()\n",
            "import mlmetrics\nmlmetrics.instrument_{0}()\n",
            "import mlmetrics as ml\nwith ml.instrument_{0}():\n    ask()\n",
            "from mlmetrics import MLMetrics\nMLMetrics(service='s').instrument_{0}()\n",
            "from mlmetrics import MLMetrics\nclass S:\n m = MLMetrics()\n def f(self):\n  self.m.instrument_{0}()\n",
        ],
    )
    def test_of_an_sdk(self, tmp_path: Path, sdk: str, source: str) -> None:
        """The calls of an SDK that is instrumented are inferences, with all that is read of its answers."""
        expected = {
            "streams",
            "tokens",
            "cost",
            "lengths",
            "reasoning",
            "providers",
            "retries",
            "rate_limits",
            "finish_reasons",
            *({"fallbacks"} if sdk in {"langchain", "litellm"} else ()),
        }
        assert {"inference": (expected, True)} == found(tmp_path, main=source.format(sdk))

    @pytest.mark.parametrize(
        ("instrument", "expected", "calls"),
        [
            ("transformers", {"streams", "tokens", "lengths", "batches", "score", "classes"}, True),
            ("sentence_transformers", {"batches"}, True),
            ("tenacity", {"retries"}, False),
            ("stamina", {"retries"}, False),
        ],
    )
    def test_of_a_library(self, tmp_path: Path, instrument: str, expected: set[str], *, calls: bool) -> None:
        """Models in the process have calls; what tries again records attempts of calls that are recorded elsewhere."""
        source = f"from mlmetrics import instrument_{instrument}\ninstrument_{instrument}()\n"
        assert {"inference": (expected, calls)} == found(tmp_path, main=source)

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ("call = current_call()\n    call.cached(True)\n    call.tokens(input=1)", {"cache", "tokens", "lengths"}),
            ("current_call().blocked('pii')\n    mlmetrics.current_call().fell_back('n')", {"guardrails", "fallbacks"}),
            ("with current_call().waiting(): ...", {"queue"}),
            ("current_call().fail('quota')\n    current_call().score(0.5)\n    other().cached(True)", set()),
        ],
    )
    def test_of_the_current_call(self, tmp_path: Path, said: str, expected: set[str]) -> None:
        """What code says of its call, in a variable or at once; of scores it is not known whose they are."""
        start = "import mlmetrics\nfrom mlmetrics import current_call, track_inference\n@track_inference\n"
        assert {"inference": (expected, True)} == found(tmp_path, main=f"{start}def f():\n    {said}\n")

    def test_of_the_current_call_of_a_tool(self, tmp_path: Path) -> None:
        """Tools and agents are operations of their own, and have no parts."""
        source = (
            "from mlmetrics import agent_timer, current_call, model_load_timer, track_tool\n@track_tool\n"
            "def f():\n    current_call().fail('empty')\n"
            "with agent_timer(): ...\nwith model_load_timer('m') as load: ...\n"
        )
        assert {
            "tool": (set(), True),
            "agent": (set(), True),
            "inference": ({"loading"}, False),
        } == found(tmp_path, main=source)

    @pytest.mark.parametrize(
        "source",
        ["from mlmetrics import watch\nwatch(model)\n", "import mlmetrics\nmlmetrics.watch(model, model='m')\n"],
    )
    def test_of_a_watched_model(self, tmp_path: Path, source: str) -> None:
        """Its calls are inferences, with batches, and what is known of a classifier."""
        assert {"inference": ({"batches", "score", "classes"}, True)} == found(tmp_path, main=source)

    def test_of_an_sdk_that_is_not_instrumented(self, tmp_path: Path) -> None:
        """An import without a call, and a function of others with the same name, record nothing."""
        assert {} == found(tmp_path, main="from mlmetrics import instrument_openai\n")
        assert {} == found(
            tmp_path, main="from logs import instrument_openai\ninstrument_openai()\n", logs="import mlmetrics\n"
        )

    def test_of_a_timer_that_another_module_makes(self, tmp_path: Path) -> None:
        """What is said of its calls where they are entered belongs to it."""
        timers = "from mlmetrics import inference_timer\nasking = inference_timer(model='m')\n"
        service = "from timers import asking\nwith asking as call:\n    call.tokens(input=1)\n"
        assert {"inference": ({"tokens", "lengths"}, True)} == found(tmp_path, timers=timers, service=service)

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("@track_parsing\ndef f(): ...\n", set()),
            ("@track_parsing\ndef f():\n    return Parsed(confidence=0.9)\n", {"score"}),
            ("@track_parsing(accuracy=None)\ndef f():\n    return Parsed(confidence=0.9)\n", set()),
            ("@track_parsing(accuracy='sure', size=len)\ndef f(): ...\n", {"score", "size"}),
        ],
    )
    def test_of_parsings(self, tmp_path: Path, source: str, expected: set[str]) -> None:
        """`confidence` is read by default, if there is any in the project."""
        assert {"parsing": (expected, True)} == found(tmp_path, main=f"from mlmetrics import track_parsing\n{source}")

    def test_without_calls(self, tmp_path: Path) -> None:
        """Direct functions that give a number record no calls; the size of a file always belongs to parsing."""
        source = (
            "from mlmetrics import *\n"
            "from mlmetrics import track_feedback, track_file_processing, track_parsing_accuracy, inference_timer\n"
            "track_feedback('m')\ntrack_file_processing('pdf', 's', 3)\ntrack_parsing_accuracy('p', 'd', 1.0)\n"
        )
        expected = {"inference": ({"feedback"}, False), "parsing": ({"score", "size"}, False)}
        assert expected == found(tmp_path, main=source)
        assert {"batch_job": (set(), True)} == found(
            tmp_path, main="from mlmetrics import batch_job\nwith batch_job('nightly') as run: run.item()\n"
        )


class TestOwn:
    """Operations that the project declares."""

    def test_row(self, tmp_path: Path) -> None:
        """Name, labels, subject and scores are read from literals; buckets may be computed."""
        source = (
            "from mlmetrics import MLMetrics\nmetrics = MLMetrics()\n"
            "r = metrics.operation('retrieval', labelnames=('index', 'kind'), subject='kind', score=True, buckets=B)\n"
            "e = metrics.operation('embedding')\n"
        )
        found(tmp_path, main=source)
        rows = {each.row.name: each.row for each in read_operations(Source(tmp_path)).operations}
        assert ["embedding", "retrieval"] == list(rows)
        assert (("index", "kind"), "kind") == (rows["retrieval"].labels, rows["retrieval"].subject)
        assert rows["retrieval"].score is not None
        assert rows["embedding"].score is None

    @pytest.mark.parametrize(
        "arguments", ["NAME", "'retrieval', labels()", "*given", "'retrieval', **given", "'inference'"]
    )
    def test_what_cannot_be_read(self, tmp_path: Path, arguments: str) -> None:
        """An operation that only running the code shows, or that is refused, is named with its place."""
        found(tmp_path, main=f"from mlmetrics import operation\nr = operation({arguments})\n")
        reading = read_operations(Source(tmp_path))
        assert () == reading.operations
        assert ["main.py, line 2"] == [problem.partition(":")[0] for problem in reading.problems]


class TestToml:
    """The sections say what was found."""

    def test_round_trip(self, tmp_path: Path) -> None:
        """The configuration with these sections has exactly the metrics of what was found."""
        source = (
            "from mlmetrics import *\nfrom mlmetrics import operation, track_feedback, track_inference, track_parsing\n"
            "r = operation('retrieval', ('index', 'kind'), subject='kind', score=True)\n"
            "track_feedback('m')\n@track_parsing(size=len)\ndef f(): ...\n"
        )
        found(tmp_path, main=source)
        operations = read_operations(Source(tmp_path)).operations
        text = "\n".join([SERVICE, *toml_lines(operations)])
        assert tuple(each.operation for each in operations) == parse(text).operations
        assert {"main.py"} == {line.partition("# ")[2] for line in toml_lines(operations) if "#" in line}

    def test_nothing_yet(self) -> None:
        """A file that says that there is no operation has requests only; one that says nothing has all that ship."""
        assert () == parse(f"operation = []\n{SERVICE}").operations
        assert set(SHIPPED) == {operation.name for operation in parse(SERVICE).operations}
        assert tomllib.loads(f"operation = []\n{SERVICE}")["operation"] == []

    def test_joined(self) -> None:
        """Two readings add up."""
        one, two = Recorded(INFERENCE, {"tokens", "lengths"}), Recorded(INFERENCE, {"cost"}, calls=True)
        (both,) = joined([[one], [two]])
        assert ({"tokens", "cost", "lengths"}, True) == (both.parts, both.calls)


class TestAlerts:
    """What the source records decides which alerts are rendered."""

    BLOCK = "from mlmetrics import inference_timer\nwith inference_timer(model='m') as call:\n    {}\n"

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            (BLOCK.format("call.score(0.9)"), set()),
            (BLOCK.format("call.fell_back('other')"), {"FallbacksExhausted"}),
            ("import mlmetrics\nwith mlmetrics.model_load_timer('m'):\n    pass\n", {"ModelLoadFailed"}),
            (BLOCK.format("call.cost(0.1)"), {"DailySpend"}),
            (
                "import mlmetrics\nmlmetrics.instrument_openai()\n",
                {"RetryStorm", "AuthenticationOrQuotaFailures", "DailySpend"},
            ),
        ],
    )
    def test_around_calls(self, tmp_path: Path, source: str, expected: set[str]) -> None:
        """Of the alerts on what surrounds a call, those are rendered whose metrics the source records."""
        (tmp_path / "main.py").write_text(source)
        read = toml_lines(read_operations(Source(tmp_path)).operations)
        around = {
            *("RetryStorm", "FallbacksExhausted", "AuthenticationOrQuotaFailures"),
            "ModelLoadFailed",
            "DailySpend",
        }
        rendered = {alert.name for alert in enabled_alerts(parse(SERVICE + "\n".join(read)))}
        assert expected == around & rendered


class TestLivePage:
    """A running service says what it records."""

    def test_operations(self) -> None:
        """Shipped ones with the parts that the page has, such as that tokens have no price; others are not there."""
        metrics = MLMetrics(service="s", registry=CollectorRegistry())
        with metrics.inference_timer(model="m") as call:
            call.tokens(input=1)
        with metrics.batch_job("nightly"):
            pass
        metrics.track_parsing_accuracy("p", "d", 0.5)
        server = metrics.start_metrics_server(0)
        try:
            reading = recorded_at(f"http://127.0.0.1:{server.port}/metrics")
            assert reading == recorded_at(f"http://127.0.0.1:{server.port}")
        finally:
            server.close()
        read = {each.row.name: (each.parts, each.calls) for each in reading.operations}
        assert {
            "inference": ({"tokens", "cost", "lengths"}, True),
            "batch_job": (set(), True),
            "parsing": ({"score"}, False),
        } == read

    def test_of_others(self) -> None:
        """An address that answers nothing is refused."""
        with pytest.raises(ConfigurationError, match="cannot be read"):
            recorded_at("http://127.0.0.1:1/metrics")
