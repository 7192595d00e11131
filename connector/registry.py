"""Which adapters are installed: the entry points of the group `itsm_connector.adapters`.

Read at start, when the configuration names its adapters. Stevedore loads them; it logs and goes on
where one is missing, broken or there twice, and here each of these stops the start. What nobody
named is never imported, so that an installation for one vendor needs no other vendor's library.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from stevedore.named import NamedExtensionManager

from connector.adapter import Adapter, Settings

GROUP = "itsm_connector.adapters"

if TYPE_CHECKING:
    _Manager = NamedExtensionManager[Any]
else:
    _Manager = NamedExtensionManager  # not generic in every version of stevedore that we allow


class RegistryError(LookupError):
    """A named adapter cannot be had; says which distribution it is from, and the cause."""


@dataclass(frozen=True, slots=True)
class InstalledAdapter:
    """An adapter as its distribution declares it; `rivals` are others that use the same name."""

    name: str
    distribution: str
    version: str
    entry_point: str
    loaded: bool
    rivals: tuple[str, ...] = ()


class Registry:
    """The installed adapters, by name; reads what is declared at once and imports on demand."""

    def __init__(self) -> None:
        declared = sorted(entry_points(group=GROUP), key=lambda each: (each.name, _origin(each)))
        self._declared = {name: [each for each in declared if each.name == name] for name in _names(declared)}
        self._loaded: dict[str, type[Adapter[Any]]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names that can be written behind `adapter =`, sorted."""
        return tuple(self._declared)

    def describe(self, name: str) -> InstalledAdapter:
        """Return where an adapter comes from, without importing it; raises RegistryError."""
        entry, *rivals = self._entries(name)
        distribution, version = _distribution(entry)
        rival_origins = tuple(_origin(each) for each in rivals)
        return InstalledAdapter(name, distribution, version, entry.value, name in self._loaded, rival_origins)

    def adapter_class(self, name: str) -> type[Adapter[Any]]:
        """Return the class of an adapter, importing it the first time; raises RegistryError."""
        if name not in self._loaded:
            self._loaded[name] = _checked(self._only(name), _load(self._only(name)))
        return self._loaded[name]

    def _entries(self, name: str) -> list[EntryPoint]:
        if name not in self._declared:
            near = get_close_matches(name, self._declared, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise RegistryError(f"no adapter {name!r} is installed; there are: {self._listed()}{hint}")
        return self._declared[name]

    def _only(self, name: str) -> EntryPoint:
        entry, *rivals = self._entries(name)
        if rivals:
            origins = ", ".join(_origin(each) for each in (entry, *rivals))
            raise RegistryError(f"adapter {name!r} is installed more than once: by {origins}; uninstall all but one")
        return entry

    def _listed(self) -> str:
        return ", ".join(self._declared) or "none"


class _OneAdapter(_Manager):
    """Stevedore's loader over one entry point as declared now.

    Its own list comes from a cache in the home directory that knows no distributions and whose
    key has a resolution of two minutes: an adapter installed just now may be missing from it.
    """

    def __init__(self, entry: EntryPoint) -> None:
        self._entry = entry
        self.causes: list[BaseException] = []
        super().__init__(
            GROUP, [entry.name], on_load_failure_callback=self._failed, on_missing_entrypoints_callback=None
        )

    def list_entry_points(self) -> list[EntryPoint]:
        return [self._entry]

    def _failed(self, _manager: Any, _entry: EntryPoint, cause: BaseException) -> None:
        self.causes.append(cause)


def _load(entry: EntryPoint) -> object:
    try:
        manager = _OneAdapter(entry)
    except (AssertionError, SystemExit) as error:  # stevedore hands exactly these on
        raise _broken(entry, error) from error
    if manager.causes:
        raise _broken(entry, manager.causes[0]) from manager.causes[0]
    return manager[entry.name].plugin


def _broken(entry: EntryPoint, cause: BaseException) -> RegistryError:
    first_line = str(cause).partition("\n")[0][:300]
    hint = f'; is it installed with its extra "{entry.extras[0]}"?' if entry.extras else ""
    return RegistryError(
        f"adapter {entry.name!r} ({entry.value}, from {_origin(entry)}) cannot be imported: "
        f"{type(cause).__name__}: {first_line}{hint}"
    )


def _checked(entry: EntryPoint, loaded: object) -> type[Adapter[Any]]:
    if not (isinstance(loaded, type) and issubclass(loaded, Adapter)):
        raise _unfit(entry, "is not a subclass of connector.adapter.Adapter")
    if inspect.isabstract(loaded):
        raise _unfit(entry, f"lacks {', '.join(sorted(loaded.__abstractmethods__))}")
    settings_type = getattr(loaded, "settings_type", None)
    if not (isinstance(settings_type, type) and issubclass(settings_type, Settings)):
        raise _unfit(entry, "has no settings_type that is a subclass of connector.adapter.Settings")
    return loaded


def _unfit(entry: EntryPoint, why: str) -> RegistryError:
    return RegistryError(f"adapter {entry.name!r} ({entry.value}, from {_origin(entry)}) {why}")


def _names(declared: Iterable[EntryPoint]) -> list[str]:
    return sorted({each.name for each in declared})


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    if entry.dist is None:
        return "unknown", "unknown"
    return entry.dist.name or "unknown", entry.dist.version or "unknown"


def _origin(entry: EntryPoint) -> str:
    return " ".join(_distribution(entry))


__all__ = ["GROUP", "InstalledAdapter", "Registry", "RegistryError"]
