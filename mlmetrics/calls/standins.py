"""Stand-ins: objects that are returned in place of a result whose use is recorded.

A stand-in behaves as its original in everything except the few methods that are recorded. Python
looks special methods up on the class, so each type of original has its own class of stand-ins, with
exactly the special methods of that type. For example, a stand-in for a generator has no `__len__`,
and `len` of it raises the same error as before.
"""

import types
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

OWN = frozenset(
    f"__{name}__"
    for name in (
        *("new", "init", "del", "init_subclass", "class_getitem", "subclasshook", "set_name", "mro_entries"),
        *("getattribute", "getattr", "setattr", "delattr", "dict", "weakref", "class", "slots"),
        *("eq", "ne", "hash", "repr", "str", "format", "reduce", "reduce_ex", "dir"),
    )
)
"""Special methods that are not taken from the original: they make objects or classes, or every stand-in has them."""
ATTRIBUTES = (property, types.GetSetDescriptorType, types.MemberDescriptorType)
"""Descriptors of instance attributes; Python does not look these up on the class."""


class StandIn:
    """Behaves as the original in everything that its own class does not record.

    Its own attributes begin with `mlmetrics_`; all other attributes are those of the original.
    """

    __slots__ = ("__weakref__", "mlmetrics_original", "mlmetrics_run")
    mlmetrics_heard: Mapping[str, Any] = {}

    def __init__(self, original: Any, run: Any) -> None:
        object.__setattr__(self, "mlmetrics_original", original)
        object.__setattr__(self, "mlmetrics_run", run)

    @property  # type: ignore[misc]  # it is never set
    def __class__(self) -> Any:
        """The original's, so that `isinstance` is as before."""
        return self.mlmetrics_original.__class__

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.mlmetrics_original, name)
        heard = self.mlmetrics_heard.get(name)
        return value if heard is None else partial(heard, self, value)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.mlmetrics_original, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.mlmetrics_original, name)

    def __dir__(self) -> Iterable[str]:
        return dir(self.mlmetrics_original)

    def __eq__(self, other: object) -> Any:
        return self.mlmetrics_original == other

    def __ne__(self, other: object) -> Any:
        return self.mlmetrics_original != other

    def __hash__(self) -> int:
        return hash(self.mlmetrics_original)

    def __repr__(self) -> str:
        return repr(self.mlmetrics_original)

    def __str__(self) -> str:
        return str(self.mlmetrics_original)

    def __format__(self, spec: str) -> str:
        return format(self.mlmetrics_original, spec)

    def __reduce__(self) -> Any:
        return self.mlmetrics_original.__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.mlmetrics_original.__reduce_ex__(protocol)


class _Special:
    """A special method of the original's class, as a stand-in has it."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, standin: StandIn | None, owner: type | None = None) -> Any:
        return self if standin is None else special(standin.mlmetrics_original, self._name)

    def __call__(self, standin: StandIn, *args: Any, **kwargs: Any) -> Any:
        return self.__get__(standin)(*args, **kwargs)


def special(original: Any, name: str) -> Any:
    """Return a special method, looked up and bound as Python does it: on the class, not on the instance."""
    kind = type(original)
    found = find(kind, name)
    bind = getattr(type(found), "__get__", None)
    return found if bind is None else bind(found, original, kind)


def find(kind: type, name: str) -> Any:
    """Return what a class or its bases define under this name; None if none of them does."""
    for base in kind.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return None


def class_for(kind: type, parts: tuple[type[StandIn], ...]) -> type[StandIn]:
    """Return the class of stand-ins for originals of this type: with those methods of the parts that the type has."""
    classes = _CLASSES.setdefault(kind, {})
    found = classes.get(parts)
    if found is None:
        found = classes[parts] = _new_class(kind, parts)
    return found


_CLASSES: "WeakKeyDictionary[type, dict[tuple[type[StandIn], ...], type[StandIn]]]" = WeakKeyDictionary()
"""The classes by type of original; they do not refer to that type, so they are collected with it."""


def _new_class(kind: type, parts: tuple[type[StandIn], ...]) -> type[StandIn]:
    namespace: dict[str, Any] = {}
    for base in kind.__mro__[:-1]:
        for name, value in vars(base).items():
            if name.startswith("__") and name.endswith("__") and name not in OWN and name not in namespace:
                if value is None:
                    namespace[name] = None
                elif hasattr(type(value), "__get__") and not isinstance(value, ATTRIBUTES):
                    namespace[name] = _Special(name)
    heard: dict[str, Any] = {}
    for part in parts:
        for base in reversed(part.__mro__[: part.__mro__.index(StandIn)]):
            heard |= vars(base).get("mlmetrics_heard", {})
            namespace |= {name: each for name, each in vars(base).items() if namespace.get(name) is not None}
    if find(kind, "__hash__") is None:
        namespace["__hash__"] = None
    namespace |= {"__slots__": (), "mlmetrics_heard": heard, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (StandIn,), namespace)
