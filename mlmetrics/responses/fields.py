"""The fields that an object stores: those of a dict, of an SDK's model, of a data class with or without slots.

The fields of a pydantic model include those that it does not declare: SDKs keep there what another server sends.
No property, `__getattr__` or method of a user's class runs.
"""

from collections.abc import Callable
from functools import partial
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any
from weakref import ref

Fields = dict[str, Any]

MOST_TYPES = 1024
NONE: Fields = {}
_EXTRA = "__pydantic_extra__"
_DECLARED = ("__pydantic_fields__", "model_fields", "__dataclass_fields__", "__annotations__")

_mro = type.__dict__["__mro__"].__get__
_vars = type.__dict__["__dict__"].__get__
_module = type.__dict__["__module__"].__get__

_plain: dict[int, tuple[Callable[[Any], Fields | None], object]] = {}
"""By id, the types whose objects give their dict as any object does.

With what a pydantic model was given beside its fields, and a weak reference that forgets the type when it ends.
"""


def fields(value: Any) -> Fields:
    """Return the fields by name; of what has none, an empty dict."""
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]  # mypy does not narrow by `type(...) is`
    if value is None:
        return NONE
    known = _plain.get(id(kind))
    if known is None:
        return _look(kind, value)
    stored: Fields = value.__dict__
    try:
        extra = known[0](value)
    except AttributeError:  # Mistral's SDK keeps it as a field
        extra = stored.get(_EXTRA)
    return stored | extra if extra and type(extra) is dict else stored


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
    module = _module(kind)
    return module.partition(".")[0] if type(module) is str else ""


def _look(kind: type, value: Any) -> Fields:
    """Return the fields of a value whose type was not seen before, or is no plain one."""
    if issubclass(kind, dict):
        return dict(dict.items(value))
    if issubclass(kind, type):
        return NONE
    owns = [_vars(base) for base in bases(kind)]
    dicts = [own["__dict__"] for own in owns if "__dict__" in own]
    stored = next((each for each in dicts if type(each) is GetSetDescriptorType), None)
    if stored is None:
        return _slots(owns, value)
    if stored is dicts[0] and not any("__getattribute__" in own for own in owns[:-1]):
        if len(_plain) >= MOST_TYPES:
            _plain.clear()
        slot = next((own[_EXTRA] for own in owns if type(own.get(_EXTRA)) is MemberDescriptorType), None)
        extra = _nothing if slot is None else slot.__get__
        _plain[id(kind)] = extra, ref(kind, partial(_plain.pop, id(kind)))
        return fields(value)
    found = stored.__get__(value)
    return found if type(found) is dict else NONE


def _nothing(_value: object) -> None:
    """Return what a class that is no pydantic model has beside its fields."""


def _slots(owns: list[Any], value: Any) -> Fields:
    """Return what stands in slots."""
    found = {}
    for own in owns:
        for name, slot in own.items():
            if type(slot) is MemberDescriptorType:
                try:
                    found[name] = slot.__get__(value)
                except AttributeError:  # a slot that was never set
                    continue
    return found
