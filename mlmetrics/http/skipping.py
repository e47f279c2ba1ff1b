"""Which requests are not recorded: by path, as a text or a pattern, and by method.

All of it is checked when it is declared. A path among texts is looked up in a set, as if there were no patterns.
"""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import TypeGuard

from mlmetrics.errors import ConfigurationError, shown
from mlmetrics.http.series import METHODS

Path = str | re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths that are not recorded: those that are equal to a text, and those in which a pattern is found.

    Nothing is remembered of the paths that patterns have been asked about: a client may send any number.
    """

    texts: frozenset[str]
    patterns: tuple[re.Pattern[str], ...] = ()

    def __contains__(self, path: object) -> bool:
        """Whether requests for this path are not recorded."""
        return path in self.texts or (isinstance(path, str) and any(each.search(path) for each in self.patterns))

    def also(self, paths: Iterable[str]) -> "Paths":
        """Return these paths and further ones."""
        return Paths(self.texts | forms_of(paths), self.patterns)

    def lookup(self) -> Container[str]:
        """Return what is fastest to ask: the set itself, if there are no patterns."""
        return self if self.patterns else self.texts


def checked_paths(given: Iterable[object]) -> frozenset[Path]:
    """Return the paths that are given as texts and as compiled patterns.

    Raises:
        ConfigurationError: something else is given, or a text that is no path.
    """
    found = set[Path]()
    for one in several(given, "skip_paths", "('/health', re.compile(r'^/internal/'))"):
        if not is_path(one):
            raise ConfigurationError(f"skip_paths: {refused_path(one)}")
        found.add(one)
    return frozenset(found)


def is_path(one: object) -> TypeGuard[Path]:
    """Whether this is a text that may be a path, or a pattern of texts."""
    if isinstance(one, re.Pattern):
        return isinstance(one.pattern, str)
    return isinstance(one, str) and one.startswith("/")


def paths_of(given: Iterable[object]) -> Paths:
    """Return the paths that are not recorded; refuse what `checked_paths` does."""
    checked = checked_paths(given)
    texts = forms_of(one for one in checked if isinstance(one, str))
    return Paths(texts, tuple(one for one in checked if isinstance(one, re.Pattern)))


def refused_path(one: object) -> str:
    """Return what was given in place of a path, what is expected, and what to do."""
    if isinstance(one, re.Pattern):
        return f"the pattern {shown(one.pattern)} is one of bytes, and paths are texts; compile it from a text"
    if isinstance(one, str):
        return (
            f"{shown(one)} is no path: a text is one exact path and begins with '/', such as '/health'; "
            f"for all paths in which a pattern is found, give re.compile({shown(one)})"
        )
    return f"expected paths as texts, or patterns made by re.compile; one of them is {shown(one)}"


def methods_of(given: Iterable[object]) -> frozenset[str]:
    """Return the names of methods, in upper case.

    Raises:
        ConfigurationError: one of them is no method of HTTP.
    """
    names = set[str]()
    for one in several(given, "skip_methods", "('OPTIONS', 'HEAD')"):
        name = one.upper() if isinstance(one, str) else None
        if name not in METHODS:
            raise ConfigurationError(
                f"skip_methods: {shown(one)} is no method of HTTP; expected names out of {', '.join(sorted(METHODS))}"
            )
        names.add(name)
    return frozenset(names)


def several(given: object, name: str, example: str) -> Iterable[object]:
    """Refuse a single text or pattern, whose letters would be taken one by one, and what has no elements."""
    if isinstance(given, str | bytes | re.Pattern) or not isinstance(given, Iterable):
        raise ConfigurationError(f"{name}={shown(given)}: expected several of them, such as {example}")
    return given


def forms_of(paths: Iterable[str]) -> frozenset[str]:
    """Return the paths as given, and with a slash at the end."""
    return frozenset(form for path in paths for form in (path, f"{path.rstrip('/')}/"))
