"""The four services and the language model: their names, modules, and the ports they listen on."""

import os
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Service:
    """One server; the environment variable `port_variable` moves it to another port."""

    name: str
    module: str
    port_variable: str
    default_port: int

    @property
    def port(self) -> int:
        """The port from the environment, else the default one."""
        return int(os.environ.get(self.port_variable, self.default_port))

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"


CV_PARSER = Service("cv-parser-service", "examples.recruiting.cv_parser", "CV_PARSER_PORT", 5051)
JOB_PARSER = Service("job-parser-service", "examples.recruiting.job_parser", "JOB_PARSER_PORT", 5055)
MATCHING = Service("matching-service", "examples.recruiting.matching", "MATCHING_PORT", 5052)
API = Service("api", "examples.recruiting.api", "API_PORT", 5050)
SERVICES = (CV_PARSER, JOB_PARSER, MATCHING, API)
# Someone else's server in real life, so it is not among the services that are measured.
LANGUAGE_MODEL = Service("language-model", "examples.language_model", "LANGUAGE_MODEL_PORT", 5056)
STARTED = (LANGUAGE_MODEL, *SERVICES)
