"""Reads sections of the configuration with pydantic; errors name the key, its value, and what was expected.

pydantic checks the values; this module writes the messages, such as `service[0].targets = []: expected …`.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StrictBool, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from mlmetrics.errors import ConfigurationError

KeyPath = tuple[str | int, ...]
_KEY = "mlmetrics_key"
HIDDEN = "***"
_SECRETIVE = {"notify"}
"""Sections with secrets: no message holds a value of them."""
SectionT = TypeVar("SectionT", bound="Section")


@dataclass(frozen=True, slots=True)
class Expects:
    """Annotates a type with the words that describe its valid values; pydantic's errors about it get these words."""

    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Wrap the checks of the type."""
        return core_schema.no_info_wrap_validator_function(self._check, handler(source))

    def _check(self, value: object, check: Callable[[object], object]) -> object:
        try:
            return check(value)
        except ValidationError as error:
            if _own_errors(error):
                raise  # the message of our own check is more exact
            raise ValueError(self.words) from error


Flag = Annotated[StrictBool, Expects("true or false")]


def key(description: str, *, name: str | None = None, unit: str = "", **options: Any) -> Any:
    """Return a field with its description and unit; `name` is the key where the attribute has another."""
    extra: dict[str, Any] = {"x-unit": unit} if unit else {}
    return Field(validation_alias=name, description=description, json_schema_extra=extra, **options)


class Section(BaseModel):
    """A table of the configuration: it cannot be changed, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def fields_by_key(cls) -> dict[str, FieldInfo]:
        """Return the fields by the key that the user writes."""
        return {str(field.validation_alias or name): field for name, field in cls.model_fields.items()}

    @classmethod
    def hint(cls, _key: str) -> str:
        """Return what the error about an unknown key says besides, such as what would make the key known."""
        return ""

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, values: object) -> object:
        """Refuse a value that is not a table, unknown keys and missing keys, before the values are checked."""
        keys = cls.fields_by_key()
        known = ", ".join(sorted(keys))
        if isinstance(values, cls):
            return values
        if not isinstance(values, Mapping):
            raise ValueError(f"a table with the keys {known}")  # noqa: TRY004 - pydantic takes ValueError for a refusal, and TypeError for a fault
        for key in values:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                guess = f"; did you mean {near[0]!r}?" if near else ""
                raise _key_error(key, f"one of the keys {known}{guess}{cls.hint(key)}")
        for key, field in keys.items():
            if field.is_required() and key not in values:
                raise _key_error(key, next(each.words for each in field.metadata if isinstance(each, Expects)))
        return values


def _key_error(key: str, expected: str) -> PydanticCustomError:
    return PydanticCustomError(_KEY, "{expected}", {"key": key, "expected": expected})


def read(section: type[SectionT], document: Mapping[str, Any]) -> SectionT:
    """Return a document as a section.

    Raises:
        ConfigurationError: A value cannot work; the message names the first such key.
    """
    try:
        return section.model_validate(document)
    except ValidationError as error:
        first = next(iter(_own_errors(error) or error.errors(include_url=False)))
        context = first.get("ctx", {})
        path = (*first["loc"], context["key"]) if first["type"] == _KEY else first["loc"]
        raise refusal(document, path, str(context.get("error") or context.get("expected") or first["msg"])) from error


def _own_errors(error: ValidationError) -> list[ErrorDetails]:
    """Return the errors whose messages are our own."""
    return [each for each in error.errors(include_url=False) if each["type"] in {_KEY, "value_error"}]


def refusal(document: Mapping[str, Any], path: KeyPath, expected: str) -> ConfigurationError:
    """Return the error that names a path of a document, its value if that is no secret, and what was expected."""
    value: Any = document
    try:
        for step in path:
            value = value[step]
        given = f" = {HIDDEN if path[0] in _SECRETIVE else repr(value)}"
    except (KeyError, IndexError, TypeError):
        given = " is missing"
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    return ConfigurationError(f"{where}{given}: expected {expected}")
