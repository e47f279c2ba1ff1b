"""`mlmetrics.toml`: its defaults, and the messages for wrong values."""

import traceback
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.loading import find_configuration, load, parse
from mlmetrics.monitoring.rules.alerts import DEFAULTS
from tests.monitoring.configurations import CONFIGURATIONS, ONE_SERVICE, OWN

OBJECTIVE = '[[objective]]\nname = "o"\nservice = "solo"\noperation = "request"\n'

REFUSED = {
    "no service": ("", "service is missing: expected at least one [[service]]"),
    "not TOML": ("[project", "not TOML"),
    "unknown section": ("colour = 1\n" + ONE_SERVICE, "colour = 1: expected one of the keys"),
    "unknown key": (ONE_SERVICE + "[host]\ntargts = []", "host.targts = []: expected one of the keys targets; did you"),
    "unknown alert": (ONE_SERVICE + "[alert.SlowMLInferenc]\n", "did you mean 'SlowMLInference'?"),
    "key of another alert": (ONE_SERVICE + "[alert.ServiceDown]\nthreshold = 1", "alert.ServiceDown.threshold = 1"),
    "threshold beyond the buckets": (
        ONE_SERVICE + "[alert.SlowMLInference]\nthreshold = 301",
        "it lies beyond the last bucket (300) of ml_inference_duration_seconds",
    ),
    "threshold between buckets": (ONE_SERVICE + "[alert.SlowMLInference]\nthreshold = 31", "it is not a bucket bound"),
    "accuracy that nobody can have": (ONE_SERVICE + "[alert.LowParsingAccuracy]\nthreshold = 1", "a bound below 1"),
    "share of 100 %": (ONE_SERVICE + "[alert.HighErrorRate]\nshare = 5", "a ratio between 0 and 1"),
    "share in words": (ONE_SERVICE + '[alert.HighErrorRate]\nshare = "5%"', "alert.HighErrorRate.share = '5%'"),
    "window without a unit": (ONE_SERVICE + "[alert.HighErrorRate]\nwindow = 5", 'such as "30s"'),
    "window of nothing": (ONE_SERVICE + '[alert.HighErrorRate]\nwindow = "0s"', "whole seconds, more than 0"),
    "window of milliseconds": (ONE_SERVICE + '[alert.HighErrorRate]\nwindow = "500ms"', "whole seconds"),
    "unknown severity": (ONE_SERVICE + '[alert.HighErrorRate]\nseverity = "bad"', "one of critical, warning"),
    "not a switch": (ONE_SERVICE + '[alert.HighErrorRate]\nenabled = "no"', "expected true or false"),
    "too few scores for drift": (ONE_SERVICE + "[alert.MatchingScoreDrift]\nminimum = 50", "expected at least 170"),
    "drift of nothing": (ONE_SERVICE + "[alert.MatchingScoreDrift]\nthreshold = 0", "a PSI above 0"),
    "objective of 100 %": (ONE_SERVICE + OBJECTIVE + "target = 1.0", "1 allows no error"),
    "objective of 0 %": (ONE_SERVICE + OBJECTIVE + "target = 0", "0 requires nothing"),
    "objective without a target": (ONE_SERVICE + OBJECTIVE, "objective[0].target is missing"),
    "objective of a stranger": (ONE_SERVICE + OBJECTIVE.replace("solo", "duo") + "target = 0.9", "one of solo"),
    "objective of an unknown label": (
        ONE_SERVICE + OBJECTIVE + 'target = 0.9\nonly = { model = "m" }',
        "labels of fastapi_request_duration_seconds (method, route)",
    ),
    "objective between buckets": (
        ONE_SERVICE + OBJECTIVE + "target = 0.9\nthreshold = 0.3",
        "it is not a bucket bound",
    ),
    "two objectives of one name": (
        ONE_SERVICE + 2 * (OBJECTIVE + "target = 0.9\n"),
        "objective[1].name = 'o': expected a different name for each objective; objective[0] has it too",
    ),
    "two services of one name": (
        2 * ONE_SERVICE,
        "service[1].name = 'solo': expected a different name for each service; service[0] has it too",
    ),
    "a name with a line break": ('[[service]]\nname = "a\\nb"\ntargets = ["h:1"]', "printable characters"),
    "a name that is a template": ('[[service]]\nname = "{{ a }}"\ntargets = ["h:1"]', "without '{{'"),
    "an empty name": ('[[service]]\nname = ""\ntargets = ["h:1"]', "service[0].name = ''"),
    "a name of the monitoring": ('[[service]]\nname = "node"\ntargets = ["h:1"]', "jobs of the monitoring itself"),
    "a target with a path": ('[[service]]\nname = "a"\ntargets = ["http://h:1/m"]', "form host:port"),
    "no target": ('[[service]]\nname = "a"\ntargets = []', "a list of at least 1 different texts"),
    "a label of the rules": (
        '[[service]]\nname = "a"\ntargets = ["h:1"]\nlabels = { service = "b" }',
        "other label names than service",
    ),
    "a bad label name": (
        '[[service]]\nname = "a"\ntargets = ["h:1"]\nlabels = { "a-b" = "c" }',
        "unlike 'a-b' = 'c'",
    ),
    "grouping by no label": ('[project]\ngrouping = ["a b"]\n' + ONE_SERVICE, "label names that targets carry"),
    "buckets of a counter": (
        ONE_SERVICE + "[buckets]\nml_inference_total = [1, 2]",
        "expected one of the keys fastapi_request_duration_seconds, ",
    ),
    "buckets out of order": (
        ONE_SERVICE + "[buckets]\nml_inference_duration_seconds = [2, 1]",
        "ascending bounds, each once",
    ),
    "infinite buckets": (
        ONE_SERVICE + "[buckets]\nfastapi_request_first_byte_seconds = [1, 2, inf]",
        "buckets.fastapi_request_first_byte_seconds = [1, 2, inf]: expected at least two bounds, as finite numbers",
    ),
    "buckets that are no numbers": (
        ONE_SERVICE + "[buckets]\nfastapi_request_first_byte_seconds = [1, nan]",
        "expected at least two bounds, as finite numbers",
    ),
    "buckets that are switches": (
        ONE_SERVICE + "[buckets]\nfastapi_request_first_byte_seconds = [false, true]",
        "expected at least two bounds, as finite numbers",
    ),
    "no buckets": (
        ONE_SERVICE + "[buckets]\nfastapi_request_first_byte_seconds = []",
        "expected at least two bounds, as finite numbers",
    ),
    "a bucket twice": (
        ONE_SERVICE + "[buckets]\nfastapi_request_first_byte_seconds = [1, 1]",
        "ascending bounds, each once",
    ),
    "score buckets that end early": (
        ONE_SERVICE + "[buckets]\nmatching_score_distribution = [0.1, 0.5]",
        "bounds up to 1, the highest score",
    ),
    "a bound that is infinite": (
        ONE_SERVICE + "[buckets]\nml_inference_duration_seconds = [1, 30, inf]",
        "buckets.ml_inference_duration_seconds = [1, 30, inf]: expected at least two bounds, as finite numbers",
    ),
    "a bound that is no number": (
        ONE_SERVICE + "[buckets]\nml_inference_duration_seconds = [1, 30, nan]",
        "[1, 30, nan]: expected at least two bounds, as finite numbers",
    ),
    "a bound that is a truth": (
        ONE_SERVICE + "[buckets]\nml_inference_duration_seconds = [true, 30]",
        "[True, 30]: expected at least two bounds, as finite numbers",
    ),
    "a bound below 0": (
        ONE_SERVICE + "[buckets]\nml_inference_duration_seconds = [-1, 30]",
        "[-1, 30]: expected at least two bounds, as finite numbers of 0 or more",
    ),
    "a bound beyond all numbers": (
        ONE_SERVICE + f"[buckets]\nml_inference_duration_seconds = [1, 30, 1{'0' * 400}]",
        "expected at least two bounds, as finite numbers",
    ),
    "one bound": (
        ONE_SERVICE + "[buckets]\nml_inference_duration_seconds = [30]",
        "[30]: expected at least two bounds",
    ),
    "a threshold that is infinite": (ONE_SERVICE + "[alert.CostBudget]\nthreshold = inf", "a number of 0 or more"),
    "a threshold that is no number": (ONE_SERVICE + "[alert.CostBudget]\nthreshold = nan", "a number of 0 or more"),
    "a share that is no number": (ONE_SERVICE + "[alert.HighErrorRate]\nshare = nan", "a ratio between 0 and 1"),
    "a minimum that is infinite": (ONE_SERVICE + "[alert.HighErrorRate]\nminimum = inf", "a number of calls"),
    "a window beyond all time": (
        ONE_SERVICE + f'[alert.HighErrorRate]\nwindow = "{"9" * 400}w"',
        'such as "30s", "5m" or "1h30m", at most 3650d',
    ),
    "a window that Prometheus cannot hold": (
        ONE_SERVICE + '[alert.HighErrorRate]\nwindow = "400y"'.replace("400y", "20000w"),
        "alert.HighErrorRate.window = '20000w': expected a duration",
    ),
    "a truth for a number": (
        ONE_SERVICE + "[alert.CostBudget]\nthreshold = true",
        "threshold = True: expected a number",
    ),
    "a target that is no text": (
        '[[service]]\nname = "a"\ntargets = ["h:1", 5]',
        "service[0].targets[1] = 5: expected",
    ),
    "a section that is a number": ("project = 5\n" + ONE_SERVICE, "project = 5: expected a table with the keys "),
    "a service that is a number": (
        "service = [5]",
        "service[0] = 5: expected a table with the keys confirmed, labels, module",
    ),
    "a key near another": (
        ONE_SERVICE + "[alert.SlowMLInference]\ntreshold = 60",
        "expected one of the keys enabled, for, minimum, severity, share, threshold, window; did you mean 'threshold'?",
    ),
    "a receiver of an unknown kind": (
        ONE_SERVICE + '[notify.page]\nslak = { api_url = "https://h.example.org/s3cret" }',
        "= ***: expected one of the keys email, opsgenie, pagerduty, slack, webhook; did you mean 'slack'?",
    ),
    "a receiver without its secret": (
        ONE_SERVICE + '[notify.page]\npagerduty = { url = "https://h.example.org/s3cret" }',
        'notify.page.pagerduty = ***: expected routing_key_file = "/path/of/a/file", or routing_key itself',
    ),
    "a secret and its file": (
        ONE_SERVICE + '[notify.page]\nopsgenie = { api_key = "s3cret", api_key_file = "/run/o" }',
        "notify.page.opsgenie = ***: expected either api_key or api_key_file, not both",
    ),
    "a secret that is no address": (
        ONE_SERVICE + '[notify.ticket]\nslack = { api_url = "h.example.org/s3cret" }',
        "notify.ticket.slack.api_url = ***: expected an address that begins with http:// or https://",
    ),
    "a secret that is a template": (
        ONE_SERVICE + '[notify.page]\nopsgenie = { api_key = "{{ s3cret }}" }',
        "notify.page.opsgenie.api_key = ***: expected a text of 1 to 1000 printable characters without '{{'",
    ),
    "a webhook that is no address": (
        ONE_SERVICE + '[notify]\npage = "s3cret"',
        "notify.page = ***: expected an address",
    ),
    "a place that is a number": (
        ONE_SERVICE + "[notify]\npage = 5",
        "notify.page = ***: expected a table with the keys",
    ),
    "a relative file of a secret": (
        ONE_SERVICE + '[notify.page]\nslack = { api_url_file = "secrets/slack" }',
        "notify.page.slack.api_url_file = ***: expected the absolute path of a file",
    ),
    "mail without a server": (
        ONE_SERVICE + '[notify.page]\nemail = { to = "a@example.org", from = "b@example.org" }',
        "notify.page.email.smarthost is missing: expected the mail server as host:port",
    ),
    "mail to nobody": (
        ONE_SERVICE + '[notify.page]\nemail = { to = "team", from = "b@example.org", smarthost = "h:25" }',
        "notify.page.email.to = ***: expected a mail address",
    ),
    "mail by a server without a port": (
        ONE_SERVICE + '[notify.page]\nemail = { to = "a@example.org", from = "b@example.org", smarthost = "h" }',
        "notify.page.email.smarthost = ***: expected the mail server as host:port",
    ),
    "a password without a name": (
        ONE_SERVICE
        + '[notify.page.email]\nto = "a@b.org"\nfrom = "b@b.org"\nsmarthost = "h:25"\nauth_password = "s3cret"',
        "notify.page.email = ***: expected both auth_username and a password",
    ),
    "mail as a watchdog": (
        ONE_SERVICE + '[notify.watchdog.email]\nto = "a@example.org"',
        "notify.watchdog.email = ***: expected one of the keys webhook",
    ),
    "an alert of an operation that is not declared": (
        ONE_SERVICE + "[alert.SlowRetrieval]\n",
        'an operation brings it: [[operation]] with name = "retrieval"',
    ),
    "an alert of scores that an operation has not": (
        ONE_SERVICE + '[[operation]]\nname = "retrieval"\n[alert.RetrievalScoreDrift]\n',
        '[[operation]] with name = "retrieval" and score = true',
    ),
    "an alert near that of an own operation": (
        ONE_SERVICE + OWN + "[alert.SlowRetrieva]\n",
        "did you mean 'SlowRetrieval'?",
    ),
    "a key that an own operation's alert has not": (
        ONE_SERVICE + OWN + "[alert.HighRetrievalFailureRate]\nthreshold = 1",
        "alert.HighRetrievalFailureRate.threshold = 1: expected one of the keys enabled, for, minimum",
    ),
    "buckets of an operation that is not declared": (
        ONE_SERVICE + "[buckets]\nml_retrieval_duration_seconds = [1, 2]",
        'an operation brings it: [[operation]] with name = "retrieval"',
    ),
    "an own threshold between buckets": (
        ONE_SERVICE + OWN + "[alert.LowRetrievalScore]\nthreshold = 0.3",
        "expected one of 0.25, 0.5, 1; it is not a bucket bound of ml_retrieval_score",
    ),
    "own scores that end early": (
        ONE_SERVICE + OWN.replace("[0.25, 0.5, 1]", "[0.25, 0.5]"),
        "buckets.ml_retrieval_score = [0.25, 0.5]: expected bounds up to 1",
    ),
    "an objective on a label that an own operation has not": (
        ONE_SERVICE + OWN.replace("{ index =", "{ model ="),
        "labels of ml_retrieval_duration_seconds (index, tenant) with the value to count; not 'model'",
    ),
    "an objective of an operation that is not in use": (
        "operation = []\n" + ONE_SERVICE + OBJECTIVE.replace("request", "inference") + "target = 0.9",
        "objective[0].operation = 'inference': expected one of request",
    ),
    "an objective on calls that are not recorded": (
        '[[operation]]\nname = "inference"\ncalls = false\nrecords = ["feedback"]\n'
        + ONE_SERVICE
        + OBJECTIVE.replace("request", "inference")
        + "target = 0.9\nthreshold = 1.0",
        "objective[0].operation = 'inference': expected one of request",
    ),
    "an operation whose alert has the name of another": (
        ONE_SERVICE + '[[operation]]\nname = "scrape"\n',
        "operation[0].name = 'scrape': expected another name: its alert SlowScrape would have the name of another",
    ),
    "two operations whose alerts have the same name": (
        ONE_SERVICE + '[[operation]]\nname = "a1"\n[[operation]]\nname = "a_1"\n',
        "operation[1].name = 'a_1': expected another name",
    ),
    "an alert's threshold left out of the buckets": (
        ONE_SERVICE + "[buckets]\nml_inference_duration_seconds = [1, 2]",
        "alert.SlowMLInference.threshold is missing: expected one of 1, 2",
    ),
}


class TestParse:
    """`parse` returns a configuration, or raises an error that says what is wrong."""

    def test_one_service_is_enough(self) -> None:
        """Everything but the services has a default."""
        config = parse(ONE_SERVICE)
        assert DEFAULTS == dict(config.alerts)
        assert ("solo",) == tuple(service.name for service in config.services)

    def test_shipped_configuration_names_the_four_services(self) -> None:
        """The configuration of this repository names the four services of the example."""
        names = {service.name: service.targets for service in CONFIGURATIONS["shipped"].services}
        assert {
            "cv-parser-service": ("127.0.0.1:5051",),
            "job-parser-service": ("127.0.0.1:5055",),
            "matching-service": ("127.0.0.1:5052",),
            "api": ("127.0.0.1:5050",),
        } == names

    @pytest.mark.parametrize("case", REFUSED)
    def test_mistakes_are_named(self, case: str) -> None:
        """An error names the key, the value, and what was expected."""
        text, words = REFUSED[case]
        with pytest.raises(ConfigurationError) as caught:
            parse(text)
        assert words in str(caught.value)
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))

    @pytest.mark.parametrize("name", CONFIGURATIONS)
    def test_configurations_are_frozen(self, name: str) -> None:
        """Neither a configuration nor a section of it can be changed."""
        config = CONFIGURATIONS[name]
        with pytest.raises(FrozenInstanceError):
            config.title = "another"  # type: ignore[misc] # must be refused when it runs, too
        with pytest.raises(ValidationError, match="frozen"):
            config.services[0].name = "another"

    @pytest.mark.parametrize("scale", [0, -1, 1.5, float("nan")])
    def test_time_scale_has_limits(self, scale: float) -> None:
        """The time scale is more than 0 and at most 1."""
        with pytest.raises(ConfigurationError, match="more than 0 and at most 1"):
            CONFIGURATIONS["shipped"].scaled(scale)


class TestLoad:
    """`load` reads a file."""

    def test_missing_file(self, tmp_path: Path) -> None:
        """A missing file is named."""
        with pytest.raises(ConfigurationError, match=r"nowhere\.toml: cannot be read"):
            load(tmp_path / "nowhere.toml")

    def test_mistake_names_the_file(self, tmp_path: Path) -> None:
        """A mistake in a file names the file before the key."""
        path = tmp_path / "mlmetrics.toml"
        path.write_text("x = 1\n" + ONE_SERVICE)
        with pytest.raises(ConfigurationError, match=r"mlmetrics\.toml: x = 1"):
            load(path)


class TestPyproject:
    """`[tool.mlmetrics]` in a `pyproject.toml` can replace the file."""

    TABLE = '[project]\nname = "shop"\n\n[[tool.mlmetrics.service]]\nname = "solo"\ntargets = ["solo:80"]\n'

    def test_is_read_as_the_file_is(self, tmp_path: Path) -> None:
        """The table gives the same configuration as the same keys in `mlmetrics.toml`."""
        path = tmp_path / "pyproject.toml"
        path.write_text(self.TABLE)
        assert parse(ONE_SERVICE) == load(path)

    def test_mistakes_are_named_as_they_were_written(self, tmp_path: Path) -> None:
        """The path of a key begins with the table."""
        path = tmp_path / "pyproject.toml"
        path.write_text(self.TABLE.replace("solo:80", "solo"))
        with pytest.raises(
            ConfigurationError, match=r"pyproject\.toml: tool\.mlmetrics\.service\[0\]\.targets\[0\] = 'solo'"
        ):
            load(path)

    @pytest.mark.parametrize("text", ["", "[tool]\n", "[tool.other]\n", "[tool]\nmlmetrics = 5\n"])
    def test_without_the_table(self, tmp_path: Path, text: str) -> None:
        """Without the table, the error says what to write."""
        path = tmp_path / "pyproject.toml"
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=r"tool\.mlmetrics.*in a table \[tool\.mlmetrics\]"):
            load(path)


class TestFindConfiguration:
    """`find_configuration` chooses the file of a folder."""

    @pytest.mark.parametrize(
        ("files", "found"),
        [
            ({}, "mlmetrics.toml"),
            ({"mlmetrics.toml": ONE_SERVICE}, "mlmetrics.toml"),
            ({"pyproject.toml": TestPyproject.TABLE}, "pyproject.toml"),
            ({"pyproject.toml": TestPyproject.TABLE, "mlmetrics.toml": ""}, "mlmetrics.toml"),
            ({"pyproject.toml": "[project]\n"}, "mlmetrics.toml"),
            ({"pyproject.toml": "[project"}, "mlmetrics.toml"),
            ({"pyproject.toml": "tool = 5"}, "mlmetrics.toml"),
        ],
    )
    def test_own_file_comes_first(self, tmp_path: Path, files: dict[str, str], found: str) -> None:
        """`mlmetrics.toml` is used if it exists, else a `pyproject.toml` that has the table."""
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        assert tmp_path / found == find_configuration(tmp_path)
