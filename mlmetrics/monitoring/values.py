"""Types of values in the configuration: each checks what is given, and says what was expected.

Texts, addresses, labels, durations, ratios, bucket bounds and folders, for the keys of all sections.
"""

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from mlmetrics.monitoring.durations import format_seconds, parse_seconds
from mlmetrics.monitoring.labels import LONGEST_ADDRESS, LONGEST_VALUE, is_label_name, is_label_value
from mlmetrics.monitoring.reading import Expects

_LARGEST = 1e15
_LONGEST_SECONDS = 10 * 365 * 86_400


_TEXT = f"a text of 1 to {LONGEST_VALUE} printable characters without '{{{{' (Prometheus expands those)"


def _label_value(text: str) -> str:
    if not is_label_value(text):
        raise ValueError(_TEXT)
    return text


def _base_address(text: str) -> str:
    if text and not is_label_value(text, LONGEST_ADDRESS):
        raise ValueError(_TEXT.replace(f"{LONGEST_VALUE}", f"{LONGEST_ADDRESS}"))
    return text.rstrip("/")


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for name, text in labels.items():
        if not (is_label_name(name) and is_label_value(text)):
            raise ValueError(f"label names of letters, digits and _ with printable texts, unlike {name!r} = {text!r}")
    return labels


def distinct(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return texts of which none is there twice; raise otherwise."""
    if len(set(texts)) != len(texts):
        raise ValueError("a list of different texts")
    return texts


def _address(text: str) -> str:
    if "/" in text or ":" not in text:
        raise ValueError("addresses of the form host:port, without http:// and path")
    return text


def _seconds(value: object) -> float:
    try:
        seconds = parse_seconds(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        seconds = None
    if seconds is None or seconds > _LONGEST_SECONDS:
        longest = format_seconds(_LONGEST_SECONDS)
        raise ValueError(f'a duration in quotes such as "30s", "5m" or "1h30m", at most {longest}')
    if seconds % 1:
        raise ValueError("whole seconds")
    return seconds


def _positive(seconds: float) -> float:
    if not seconds:
        raise ValueError("whole seconds, more than 0")
    return seconds


def _folder(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or text != str(path).removeprefix(".") or not text.isprintable():
        raise ValueError("a folder in that of this file, such as monitoring; an empty text is that folder itself")
    return text


def _ascending(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if sorted(set(bounds)) != list(bounds):
        raise ValueError("ascending bounds, each once")
    return bounds


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_VALUE), AfterValidator(_label_value), Expects(_TEXT)]
BaseAddress = Annotated[str, AfterValidator(_base_address), Expects("an address in quotes, or an empty text")]
Folder = Annotated[str, AfterValidator(_folder), Expects("a folder in quotes, such as monitoring")]
Target = Annotated[Text, AfterValidator(_address)]
Labels = Annotated[dict[str, str], AfterValidator(_labels), Expects('a table of texts such as { team = "ml" }')]
FreeLabels = Annotated[dict[str, str], Expects('a table of texts such as { release = "prometheus" }')]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=_LARGEST)]
Threshold = Annotated[Number, Expects("a number of 0 or more")]
CallCount = Annotated[Number, Field(ge=1), Expects("a number of calls of 1 or more")]
Ratio = Annotated[Number, Field(ge=0.0001, le=0.9999), Expects("a ratio between 0 and 1, such as 0.05 for 5 %")]
_DURATION = {"type": "string", "pattern": r"^(\d+(ms|[wdhms]))+$"}
Duration = Annotated[float, BeforeValidator(_seconds), WithJsonSchema(_DURATION)]
Window = Annotated[Duration, AfterValidator(_positive)]
BucketBounds = Annotated[
    tuple[Number, ...],
    Field(min_length=2),
    AfterValidator(_ascending),
    Expects("at least two bounds, as finite numbers of 0 or more"),
]
