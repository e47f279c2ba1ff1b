"""The fields that an object stores: those of a dict, of an SDK's model, of a data class with or without slots.

No property, no `__getattr__` and no method of a user's class runs.
"""

from types import MemberDescriptorType
from typing import Any

Fields = dict[str, Any]

NONE: Fields = {}
_PLAIN = frozenset({bool, bytes, float, int, list, str, type(None)})
_read = object.__getattribute__
_mro = type.__dict__["__mro__"].__get__
_vars = type.__dict__["__dict__"].__get__
_DECLARED = ("__pydantic_fields__", "model_fields", "__dataclass_fields__", "__annotations__")


def fields(value: Any) -> Fields:
    """Return the fields by name; of what has none, an empty dict."""
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]  # mypy does not narrow by `type(...) is`
    if kind in _PLAIN:
        return NONE
    if issubclass(kind, dict):
        return dict(dict.items(value))
    try:
        stored = _read(value, "__dict__")
    except AttributeError:
        return _slots(value)
    return stored if type(stored) is dict else NONE


def extra(value: Any) -> Fields:
    """Return what a pydantic model was given beside its fields, such as the reasoning in an SDK of OpenAI."""
    if type(value) is dict:
        return NONE
    try:
        stored = _read(value, "__pydantic_extra__")
    except AttributeError:
        return NONE
    return stored if type(stored) is dict else NONE


def declared(kind: type) -> set[str]:
    """Return the names of the fields that a class declares: a pydantic model, a data class, or one with annotations."""
    names: set[str] = set()
    for base in bases(kind):
        own = _vars(base)
        for where in _DECLARED:
            if type(own.get(where)) is dict:
                names.update(own[where])
    return names


def bases(kind: type) -> tuple[type, ...]:
    """Return the class and its bases, without its metaclass, which may raise."""
    return _mro(kind)  # type: ignore[no-any-return]  # a descriptor of `type`


def module_of(kind: type) -> str:
    """Return the top-level module of a class, without its metaclass."""
    module = _vars(kind).get("__module__")
    return module.partition(".")[0] if type(module) is str else ""


def _slots(value: Any) -> Fields:
    """Return what stands in slots."""
    found = {}
    for base in bases(type(value)):
        for name, slot in _vars(base).items():
            if type(slot) is MemberDescriptorType:
                try:
                    found[name] = slot.__get__(value)
                except AttributeError:  # a slot that was never set
                    continue
    return found
