"""What OpenTelemetry's conventions for generative AI call our recordings: names, units, bounds, attributes.

They are those of one commit of open-telemetry/semantic-conventions-genai, `docs/gen-ai/gen-ai-metrics.md`:
004902b8cb70aa5ae6ca4ae07132b7daabcd3e10.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlmetrics.catalog.agents import AGENT, TOOL
from mlmetrics.catalog.models import INFERENCE
from mlmetrics.recording.cells import Cell, HistogramCell
from mlmetrics.recording.labels import OTHER as OVER_THE_LIMIT

COMMIT = "004902b8cb70aa5ae6ca4ae07132b7daabcd3e10"
OPERATION, PROVIDER, TOKEN_TYPE = "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.token.type"
REQUEST_MODEL, RESPONSE_MODEL = "gen_ai.request.model", "gen_ai.response.model"
AGENT_NAME, TOOL_NAME, ERROR_TYPE = "gen_ai.agent.name", "gen_ai.tool.name", "error.type"
OTHER = "_OTHER"
"""The convention's word for an error whose type is not known; here also for a provider that must be named."""

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
AGENT_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6)
TOKENS = (
    *(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304),
    *(16777216, 67108864),
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One histogram of the conventions. `provider` says that it must name one; `fixed` are attributes of each value."""

    name: str
    unit: str
    description: str
    bounds: tuple[float, ...]
    provider: bool = False
    fixed: Mapping[str, str] = field(default_factory=dict)


def _tokens(token_type: str) -> Instrument:
    return Instrument(
        "gen_ai.client.token.usage",
        "{token}",
        "Tokens of a call, by type.",
        TOKENS,
        provider=True,
        fixed={TOKEN_TYPE: token_type},
    )


INSTRUMENTS: Mapping[str, Instrument] = {
    INFERENCE.duration: Instrument("gen_ai.client.operation.duration", "s", "Duration of a call.", SECONDS),
    "ml_inference_first_chunk_seconds": Instrument(
        "gen_ai.client.operation.time_to_first_chunk", "s", "Streams: time to the first chunk.", SECONDS, provider=True
    ),
    "ml_inference_chunk_interval_seconds": Instrument(
        "gen_ai.client.operation.time_per_output_chunk",
        "s",
        "Streams: time from chunk to chunk.",
        SECONDS,
        provider=True,
    ),
    "ml_inference_prompt_tokens": _tokens("input"),
    "ml_inference_completion_tokens": _tokens("output"),
    TOOL.duration: Instrument("gen_ai.execute_tool.duration", "s", "Duration of a call of a tool.", SECONDS),
    AGENT.duration: Instrument("gen_ai.invoke_agent.duration", "s", "Duration of a run of an agent.", AGENT_SECONDS),
}
"""By the histogram of ours whose raw numbers it gets."""

NAMED = {TOOL.subject: TOOL_NAME, AGENT.subject: AGENT_NAME}
"""Labels whose values are attributes as they are."""
UNNAMED = "inference"
"""The name of an operation whose label is empty: the conventions require one, and have none that fits any model."""
OPERATIONS = {
    "": UNNAMED,
    "agents": "invoke_agent",
    "completions": "text_completion",
    "embed_content": "embeddings",
    "fim": "text_completion",
    "messages": "chat",
    "responses": "chat",
}
"""What the conventions call an operation, where they have another word for it."""
PROVIDERS = {
    "amazon_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""What they call a provider, where an SDK, LiteLLM or LangChain has another word for it."""


def attributes_of(cell: HistogramCell, error_type: str | None, answered: Iterable[Cell]) -> Mapping[str, str]:
    """Return the attributes of the numbers of a histogram; `answered` are the models and providers that answered.

    A number does not say who answered its call, so a provider or a model is named where it is the only one that has
    answered those of the same service and model.
    """
    labels = dict(zip(cell.metric.labels, cell.labels, strict=True))
    row = INSTRUMENTS[cell.metric.name]
    found = {**row.fixed, **({} if error_type is None else {ERROR_TYPE: error_type})}
    for label, attribute in NAMED.items():
        if label in labels:
            return {**found, attribute: labels[label]}
    found |= {OPERATION: OPERATIONS.get(labels["operation"], labels["operation"]), REQUEST_MODEL: labels["model"]}
    who = [each.labels[2:] for each in answered if each.labels[:2] == cell.labels[:2]]
    provider = _only(provider for provider, _ in who)
    model = _only(model for _, model in who)
    if provider or row.provider:
        found[PROVIDER] = PROVIDERS.get(provider, provider) or OTHER
    if model and error_type is None:
        found[RESPONSE_MODEL] = model
    return found


def _only(names: Iterable[str]) -> str:
    """Return the one name that there is; an empty text if there is none, or another, or if it stands for several."""
    different = set(names)
    return different.pop() if len(different) == 1 and OVER_THE_LIMIT not in different else ""
