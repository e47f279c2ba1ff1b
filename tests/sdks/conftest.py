"""The providers' servers as fixtures, one of each for the whole run; what needs an SDK is collected where it is.

`make sdks` installs them. Tests of one SDK stand in modules `test_*_<sdk>.py`; others need at least `openai`.
"""

import gc
import os
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.sdks.servers import AnthropicServer, GeminiServer, MistralServer, OpenAIServer

SDKS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "litellm": "litellm",
    "google_genai": "google.genai",
    "mistralai": "mistralai",
    "langchain": "langchain_core",
}


def installed(module: str) -> bool:
    """Whether a module can be imported; `google` may be missing altogether."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


OTHERS = "(anthropic|google|httpx|langchain|litellm|mistralai|openai|pydantic)"
# LangChain and LiteLLM leave event loops and connections open.
LEFT_OPEN = (
    "Exception ignored in. <(socket|ssl|function (BaseEventLoop|_SelectorTransport|ClientSession|(Base)?Connector))"
)
# These need no SDK.
ALWAYS = ("test_instruments.py", "test_published.py", "test_servers.py")
collect_ignore_glob = [f"*_{name}.py" for name, module in SDKS.items() if not installed(module)]
# LangChain 0.3 has no such events; importing it to look for them would take a while.
langchain = find_spec("langchain_core")
if langchain and not Path(str(langchain.origin)).with_name("language_models").joinpath("chat_model_stream.py").exists():
    collect_ignore = ["test_events_langchain.py"]
if not installed("openai"):
    collect_ignore_glob += [path.name for path in Path(__file__).parent.glob("test_*.py") if path.name not in ALWAYS]


# LiteLLM would otherwise ask the net for its table of models when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

pytest.register_assert_rewrite("tests.sdks.asking", "tests.sdks.handles")


def pytest_configure(config: pytest.Config) -> None:
    """Let the SDKs warn of what they themselves do, of which old releases do much on new ones of what they need."""
    config.addinivalue_line("filterwarnings", f"ignore::Warning:{OTHERS}")
    config.addinivalue_line("filterwarnings", f"ignore:{LEFT_OPEN}:pytest.PytestUnraisableExceptionWarning")
    # And what is found when pytest ends, where only filters from before this file was read would hold.
    warnings.filterwarnings("ignore", LEFT_OPEN, pytest.PytestUnraisableExceptionWarning)


@pytest.fixture(scope="session")
def frozen() -> Iterator[None]:
    """Leave out what is loaded by now, which are several SDKs, of garbage collections: many tests ask for one."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def openai_running() -> Iterator[OpenAIServer]:
    """Run OpenAI's server."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="session")
def anthropic_running() -> Iterator[AnthropicServer]:
    """Run Anthropic's server."""
    with AnthropicServer() as server:
        yield server


@pytest.fixture(scope="session")
def gemini_running() -> Iterator[GeminiServer]:
    """Run Gemini's server."""
    with GeminiServer() as server:
        yield server


@pytest.fixture(scope="session")
def mistral_running() -> Iterator[MistralServer]:
    """Run Mistral's server."""
    with MistralServer() as server:
        yield server


@pytest.fixture
def openai_server(openai_running: OpenAIServer) -> Iterator[OpenAIServer]:
    """Give OpenAI's server with an empty ledger."""
    yield openai_running
    openai_running.reset()


@pytest.fixture
def anthropic_server(anthropic_running: AnthropicServer) -> Iterator[AnthropicServer]:
    """Give Anthropic's server with an empty ledger."""
    yield anthropic_running
    anthropic_running.reset()


@pytest.fixture
def gemini_server(gemini_running: GeminiServer) -> Iterator[GeminiServer]:
    """Give Gemini's server with an empty ledger."""
    yield gemini_running
    gemini_running.reset()


@pytest.fixture
def mistral_server(mistral_running: MistralServer) -> Iterator[MistralServer]:
    """Give Mistral's server with an empty ledger."""
    yield mistral_running
    mistral_running.reset()
