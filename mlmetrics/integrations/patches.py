"""How an SDK is instrumented: its functions are replaced when it is imported, and put back by the handle."""

import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.machinery import PathFinder
from itertools import accumulate
from types import ModuleType
from typing import Any, Self

import wrapt

from mlmetrics.errors import ConfigurationError, MissingExtraError
from mlmetrics.handle import Instrumentation, Undo
from mlmetrics.interruption import interrupted
from mlmetrics.version import install_command

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]
"""What is called in place of a function: with the function, what it is bound to, and the arguments."""


@dataclass(frozen=True, slots=True)
class SDK:
    """A library that can be instrumented: its import name, its distribution, its extra, and the versions we know.

    `lowest` is the first release that is known, `below` the first one that is not.
    """

    package: str
    distribution: str
    extra: str
    lowest: tuple[int, ...]
    below: tuple[int, ...]

    def check(self, function: str) -> tuple[int, ...]:
        """Refuse a version that is not known; return the one that is installed.

        Raises:
            MissingExtraError: it is not installed.
            ConfigurationError: its version is not one that is known.
        """
        try:
            version = version_of(self.distribution)
        except importlib.metadata.PackageNotFoundError as error:
            raise MissingExtraError(
                f"{function}() needs {self.distribution}, which the extra `{self.extra}` brings: "
                f"{install_command(self.extra)}"
            ) from error
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
        if not self.lowest <= numbers < self.below:
            raise ConfigurationError(
                f"{function}(): {self.distribution} {version} is installed, and mlmetrics knows "
                f"{_text(self.lowest)} up to, but not including, {_text(self.below)}; install one of these, or a newer "
                "mlmetrics"
            )
        return numbers


def version_of(distribution: str) -> str:
    """Return the version of a distribution, as `importlib.metadata.version` does, which also parses its long README.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    told = importlib.metadata.distribution(distribution).read_text("METADATA") or ""
    found = re.search(r"^Version: *(\S+)", told, re.MULTILINE)
    return found[1] if found else importlib.metadata.version(distribution)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


@dataclass(frozen=True, slots=True)
class Patch:
    """One function of an SDK, by module and path in it, and what is called in its place.

    `needed` says that its module belongs to the SDK; what an SDK may do without is left out where it is missing.
    """

    module: str
    path: str
    wrapper: Wrapper
    needed: bool = True

    def apply(self, module: Any, called: Callable[..., Any]) -> Undo:
        """Replace the function; return what puts it back."""
        owner, name, original = wrapt.resolve_path(module, self.path)
        if _is_ours(original, called):
            return _nothing  # the module has it from another one, where it was replaced
        replaced = wrapt.FunctionWrapper(original, partial(called, self.wrapper))
        kept = vars(owner).get(name, original)
        setattr(owner, name, replaced)
        if owner is module:
            return partial(_exchange, {name: (replaced, original)})  # others may have it from here by now
        return partial(_put_back, owner, name, replaced, kept)


@dataclass(frozen=True, slots=True)
class Functions:
    """Functions of a module that others take from it by their names, as `from litellm import completion` does.

    They are replaced there, and in every module that has taken them. One that is missing is left out: the module that
    defines it has a patch of its own, which tells so.
    """

    module: str
    wrappers: Mapping[str, Wrapper]

    def apply(self, module: Any, called: Callable[..., Any]) -> Undo:
        """Replace the functions; return what puts them back."""
        pairs, back = {}, {}
        for name, wrapper in self.wrappers.items():
            original = getattr(module, name, None)
            if original is not None and not _is_ours(original, called):
                replaced = wrapt.FunctionWrapper(original, partial(called, wrapper))
                pairs[name], back[name] = (original, replaced), (replaced, original)
        _exchange(pairs)
        return partial(_exchange, back)


@dataclass(frozen=True, slots=True)
class Hook:
    """What is done when a module of an SDK is there: it gets the module, and returns what undoes it."""

    module: str
    use: Callable[[Any], Undo]

    def apply(self, module: Any, _called: Callable[..., Any]) -> Undo:
        """Do it; return what undoes it."""
        return self.use(module)


class Patching(Instrumentation):
    """What an `instrument_*` function returns: the instrumented SDK, until its functions are put back."""

    def __init__(
        self, sdk: SDK, patches: Iterable[Patch | Functions | Hook], failed: Callable[[str, object], None]
    ) -> None:
        super().__init__(sdk.distribution, ())
        self._sdk = sdk
        self._patches = tuple(patches)
        self._failed = failed

    def apply(self) -> Self:
        """Replace the functions now, or when their module is imported; return itself."""
        for patch in self._patches:
            if patch.module in sys.modules:
                self._replace(patch, sys.modules[patch.module])
            else:
                wrapt.register_post_import_hook(partial(self._replace, patch), patch.module)
        package = self._sdk.package
        if package in sys.modules:
            self._look(sys.modules[package])
        else:
            wrapt.register_post_import_hook(self._look, package)
        return self

    def _look(self, _package: object) -> None:
        """Say which modules are not where they were; the others are replaced when they are imported."""
        for module in dict.fromkeys(patch.module for patch in self._patches if getattr(patch, "needed", True)):
            if self.active and module not in sys.modules and not _exists(module):
                self._failed("instrument", f"{self._sdk.distribution} has no module {module}")

    def _replace(self, patch: Patch | Functions | Hook, module: Any) -> None:
        if not self.active:
            return
        try:
            self._undo.append(patch.apply(module, self._called))
        except Exception as error:  # an SDK with other internals must still be importable
            if interrupted(error):
                raise
            self._failed("instrument", error)

    def _called(self, wrapper: Wrapper, wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        if not self.active:
            return wrapped(*args, **kwargs)
        return wrapper(wrapped, instance, args, kwargs)


def _exists(module: str) -> bool:
    """Return whether there is a module, without importing the packages that it is in, as `find_spec` does."""
    *packages, _ = accumulate(module.split("."), "{}.{}".format)
    places = None
    for package in packages:
        if package in sys.modules:
            places = getattr(sys.modules[package], "__path__", ())
        else:
            spec = PathFinder.find_spec(package, places)
            places = () if spec is None else spec.submodule_search_locations or ()
    return PathFinder.find_spec(module, places) is not None


def _nothing() -> None:
    """Undo nothing."""


def _put_back(owner: Any, name: str, replaced: object, original: object) -> None:
    """Put a function back, unless somebody else has replaced it since; ours then only passes on."""
    if vars(owner).get(name) is replaced:
        setattr(owner, name, original)


def _is_ours(function: Any, called: Callable[..., Any]) -> bool:
    """Return whether a function is one that this instrumentation has put in place of another."""
    own = getattr(function, "_self_wrapper", None)
    return isinstance(own, partial) and own.func == called


def _exchange(pairs: Mapping[str, tuple[object, object]]) -> None:
    """Put, for each name, the second function in the place of the first one in every module that has it."""
    for module in list(sys.modules.values()) if pairs else ():
        if issubclass(type(module), ModuleType):
            names = object.__getattribute__(module, "__dict__")  # of a lazy module, this loads nothing
            if pairs.keys().isdisjoint(names.keys()):
                continue
            for name, (old, new) in pairs.items():
                if names.get(name) is old:
                    names[name] = new
