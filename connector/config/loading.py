"""Reads a configuration file and names everything that is wrong with it at once.

What a destination may hold is its adapter's business: the settings class comes from there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from connector.adapter import Adapter, Secret, SecretError, Settings
from connector.config.faults import ConfigError, Fault, Loc, faults_of, nearest, path_text, secret_references
from connector.config.sections import GUID, Config, MatchConfig

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Adapters(Protocol):
    """Where the class behind `adapter = "..."` comes from: the registry."""

    def adapter_class(self, name: str) -> type[Adapter[Any]]:
        """Return it; raises LookupError with words for the person who wrote the name."""


def load(path: Path | str, registry: Adapters, *, read_secrets: bool = True) -> Config:
    """Return the configuration in the file; raises ConfigError with every fault.

    A secret that cannot be read now is a fault, unless the caller will not use any
    (`read_secrets=False`).
    """
    table = _read(Path(path))
    destinations, faults = _destinations(table.get("destinations", {}), registry)
    config, more = _sections(table, destinations)
    faults = [*more, *faults, *_route_faults(table)]
    if read_secrets:
        faults += _secret_faults(table.get("destinations"), destinations)
    if faults or config is None:
        raise ConfigError(str(path), faults)
    config._warnings = tuple(_warnings(config))
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), [Fault("", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [Fault("", f"is not UTF-8 text (byte {error.start})")]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [Fault("", f"is not TOML: {error}")]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(str(path), [Fault("", "is not TOML: a number or a nesting beyond all bounds")]) from error


def _sections(table: Mapping[str, Any], destinations: Mapping[str, Settings]) -> tuple[Config | None, list[Fault]]:
    try:
        return Config.model_validate({**table, "destinations": destinations}), []
    except ValidationError as error:
        return None, faults_of(error, table, Config)


def _destinations(tables: object, registry: Adapters) -> tuple[dict[str, Settings], list[Fault]]:
    settings: dict[str, Settings] = {}
    faults: list[Fault] = []
    if not isinstance(tables, Mapping):
        return {}, [Fault("destinations", "must be a table")]
    for name, table in tables.items():
        found = _settings(("destinations", name), table, registry)
        if isinstance(found, Settings):
            settings[name] = found
        else:
            faults += found
    return settings, faults


def _settings(path: Loc, table: object, registry: Adapters) -> Settings | list[Fault]:
    if not isinstance(table, Mapping):
        return [Fault(path_text(path), "must be a table")]
    name, adapter = str(path[-1]), table.get("adapter")
    if not name.isprintable() or not name.strip():
        return [Fault(path_text(path), "the name of a destination must be printable text")]
    if not isinstance(adapter, str):
        what = "is required" if adapter is None else "must be text in quotes"
        return [Fault(path_text((*path, "adapter")), what)]
    try:
        model = registry.adapter_class(adapter).settings_type
    except LookupError as error:
        return [Fault(path_text((*path, "adapter")), str(error))]
    try:
        return model.model_validate(table)
    except ValidationError as error:
        return faults_of(error, table, model, path)


def _route_faults(table: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong between the routes and the rest; read from the file, whatever else is wrong there."""
    names = table.get("destinations")
    known = list(names) if isinstance(names, Mapping) else []
    seen: dict[str, int] = {}
    for at, route in enumerate(_tables(table.get("routes"))):
        name = route.get("name")
        if isinstance(name, str) and seen.setdefault(name, at) != at:
            yield Fault(f"routes[{at}].name", f"is the name of routes[{seen[name]}] already")
        yield from _unknown_destinations(at, route.get("destinations"), known)


def _tables(value: object) -> list[Mapping[str, Any]]:
    return [each if isinstance(each, Mapping) else {} for each in value] if isinstance(value, list) else []


def _unknown_destinations(at: int, named: object, known: list[str]) -> Iterator[Fault]:
    for place, name in enumerate(named if isinstance(named, list) else []):
        if isinstance(name, str) and name.strip() and name not in known:
            path = path_text(("routes", at, "destinations", place))
            yield Fault(path, f"there is no {path_text(('destinations', name))}; {nearest(name, known)}")


def _secret_faults(tables: object, destinations: Mapping[str, Settings]) -> Iterator[Fault]:
    """The secrets that cannot be read, also those of a table with other faults: there by the look of it."""
    for name, table in tables.items() if isinstance(tables, Mapping) else ():
        path: Loc = ("destinations", name)
        settings = destinations.get(name)
        named = _secrets(settings, path) if settings is not None else secret_references(table, path)
        yield from (Fault(path_text(at), words) for at, secret in named for words in _unreadable(secret))


def _unreadable(secret: Secret) -> Iterator[str]:
    try:
        secret.reveal()
    except SecretError as error:
        yield _about_secret(secret, error)


def _about_secret(secret: Secret, error: SecretError) -> str:
    kind, _, where = secret.source.partition(" ")
    if kind == "env" and not _ENVIRONMENT_NAME.fullmatch(where):  # maybe the secret itself
        return "env must be the name of an environment variable"
    return str(error)


def _secrets(value: object, path: Loc) -> Iterator[tuple[Loc, Secret]]:
    if isinstance(value, Secret):
        yield path, value
    for key, inner in _parts(value):
        yield from _secrets(inner, (*path, key))


def _parts(value: object) -> list[tuple[int | str, Any]]:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return [(field.alias or name, getattr(value, name)) for name, field in fields.items()]
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, tuple | list) else []


def _warnings(config: Config) -> Iterator[str]:
    """What is allowed but probably not meant."""
    named = {name for route in config.routes for name in route.destinations}
    for name in config.destinations:
        if name not in named:
            yield f"{path_text(('destinations', name))}: no route names it, so it will hear of nothing"
    if not config.routes:
        yield "routes: there are none, so every alert will be stored as unrouted"
    for key, ids in (("callers", config.auth.callers), ("subscriptions", config.auth.subscriptions)):
        for at, each in enumerate(ids):
            if not GUID.fullmatch(each):
                yield f"auth.{key}[{at}]: is not a GUID, as all such ids are"
    if config.store.url_holds_password:
        yield "store.url: holds a password; PGPASSFILE or PGPASSWORD keep it out of the file"
    yield from _never_reached(config)


def _never_reached(config: Config) -> Iterator[str]:
    catch_all = ""
    for at, route in enumerate(config.routes):
        if catch_all:
            yield f"routes[{at}]: is never reached, because {catch_all} before it takes every alert"
        elif route.match == MatchConfig() and not route.continue_:
            catch_all = f"routes[{at}]"
