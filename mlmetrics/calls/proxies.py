"""Proxies that behave as their original in everything except what is recorded."""

from typing import TYPE_CHECKING, Any, Never, cast

import wrapt

if TYPE_CHECKING:
    _Original = wrapt.BaseObjectProxy[Any]
else:
    _Original = wrapt.BaseObjectProxy  # the class itself takes no type argument before wrapt 2.2


class _Hidden:
    """Hides an attribute that wrapt's proxies have.

    It is not enough that `__copy__` raises: `itertools.tee` checks whether it exists.
    """

    def __get__(self, instance: object, owner: type | None = None) -> Never:
        raise AttributeError


class Proxy(_Original):
    """Behaves as the original in everything that a subclass does not define, copying included."""

    # No annotations in this class: they would appear as those of the original.
    __copy__ = cast("Any", _Hidden())
    __deepcopy__ = cast("Any", _Hidden())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)
