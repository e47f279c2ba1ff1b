"""Objects that are their original in everything but the one thing that is recorded."""

from typing import TYPE_CHECKING, Any, Never, cast

import wrapt

if TYPE_CHECKING:
    _Original = wrapt.BaseObjectProxy[Any]
else:
    _Original = wrapt.BaseObjectProxy  # the class itself takes no type argument before wrapt 2.2


class _Hidden:
    """An attribute that wrapt's proxies have, and that is hidden again.

    A proxy that merely refuses to be copied still says that it can be: `itertools.tee` asks.
    """

    def __get__(self, instance: object, owner: type | None = None) -> Never:
        raise AttributeError


class Proxy(_Original):
    """The original, for everything that a subclass does not say; its copies are the original's."""

    # No annotations in this class: they would be seen as those of the original.
    __copy__ = cast("Any", _Hidden())
    __deepcopy__ = cast("Any", _Hidden())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)
