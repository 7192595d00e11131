"""What is wrong with a configuration, in words for the person who wrote it.

A fault carries the path of its key as that person wrote it, never the value: a value may be a
secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.adapter import Secret

Loc = tuple[int | str, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SECRET_KEY = re.compile(r"pass|secret|token|key|credential|cert", re.IGNORECASE)
_REVEALING_LENGTH = 4
"""A shorter text stands in too many messages by chance to be taken out of them."""

_WORDS = {
    "missing": "is required",
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "too_short": "must not be empty",
    "union_tag_not_found": 'needs a "type"',
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: the path of the key (`""`: the file as a whole), and what."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(Exception):
    """The configuration cannot be used; `faults` are all that is wrong with it."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__("\n  ".join((f"{source}: {count}", *map(str, faults))))


def path_text(path: Loc) -> str:
    """Return a path the way TOML writes keys: `routes[0].match.severity`, `destinations."a b"`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _BARE_KEY.fullmatch(step) else _quoted(step))
    return text


def _quoted(key: str) -> str:
    shown = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in key[:100])
    return f'"{shown}"'


def faults_of(error: ValidationError, table: object, model: type[BaseModel], prefix: Loc = ()) -> list[Fault]:
    """Return the faults that pydantic found in `table`, which is to become a `model`.

    Where a key may be one of several things, pydantic says for each why it is not that one: one fault.
    """
    messages: dict[str, list[str]] = {}
    for details in error.errors(include_url=False, include_input=False):
        fault = _fault(details, table, model, prefix)
        messages.setdefault(fault.path, []).append(fault.message)
    return [Fault(path, "; or ".join(dict.fromkeys(each))) for path, each in messages.items()]


def _fault(error: ErrorDetails, table: object, model: type[BaseModel], prefix: Loc) -> Fault:
    key_expected = error["type"] in ("missing", "extra_forbidden")
    path, siblings = _place(error["loc"], table, model, key_expected=key_expected)
    message = unknown_key(str(path[-1]), siblings) if error["type"] == "extra_forbidden" else _message(error)
    return Fault(path_text((*prefix, *path)), _without(secret_values(table), message))


def unknown_key(key: str, valid: Sequence[str]) -> str:
    """Return the words for a key that does not exist, with the nearest one that does."""
    others = [each for each in valid if each != key]
    return f"unknown key; {nearest(key, others)}"


def nearest(name: str, valid: Sequence[str]) -> str:
    """Return `did you mean "snow"?` for a name nearly right, and what there is for any other."""
    near = get_close_matches(name, valid, n=1)
    return f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(valid) or 'none'}"


def _message(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in _WORDS:
        return _WORDS[kind]
    if kind == "union_tag_invalid":  # pydantic's own text shows the value
        return f"its {context['discriminator']} must be one of {context['expected_tags']}"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", error["msg"]))
    return re.sub(r"^Input should (?:be )?", "must be ", error["msg"])


def _place(loc: Loc, table: object, model: type[BaseModel], *, key_expected: bool) -> tuple[Loc, list[str]]:
    """Return the path of a fault as written, and the keys that may stand beside its last one.

    Pydantic mixes names of union members into its locations, right behind the key that may be any of
    them; they are left out, also where one (`token`) is spelt like a key inside it.
    """
    path: list[int | str] = []
    models, siblings = [model], keys_of([model])
    for at, step in enumerate(loc):
        expected = key_expected and at == len(loc) - 1
        variant = [each for each in models if len(models) > 1 and _is_named(each, step)]
        if variant or not (expected or _is_key(step, table, models)):
            models = variant or models
            continue
        path.append(step)
        if isinstance(step, str):
            siblings = keys_of(models)
            models = [inner for each in models for inner in _models_below(each, step)]
        table = _below(table, step)
    return tuple(path), siblings


def _is_key(step: int | str, table: object, models: Sequence[type[BaseModel]]) -> bool:
    return isinstance(step, int) or (isinstance(table, Mapping) and step in table) or step in keys_of(models)


def _below(table: object, step: int | str) -> object:
    if isinstance(table, Mapping | list):
        try:
            return table[step]  # type: ignore[index]
        except (LookupError, TypeError):
            return None
    return None


def keys_of(models: Sequence[type[BaseModel]]) -> list[str]:
    """Return the keys that the tables of these models may have, in their order."""
    return list(dict.fromkeys(field.alias or name for each in models for name, field in each.model_fields.items()))


def _models_below(model: type[BaseModel], key: str) -> Iterator[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            yield from models_in(field.annotation)


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation speaks of, through unions, tuples and mappings."""
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def _is_named(model: type[BaseModel], label: int | str) -> bool:
    """Whether pydantic means this member of a union: by its class or by its `type`."""
    literals = (field.annotation for field in model.model_fields.values() if get_origin(field.annotation) is Literal)
    return model.__name__ == label or any(label in get_args(each) for each in literals)


def secret_values(table: object, *, below_secret: bool = False) -> set[str]:
    """Return the literal texts that stand under keys like `password`: no message may hold them."""
    if isinstance(table, str):
        return {table} if below_secret and len(table) >= _REVEALING_LENGTH else set()
    if below_secret and _reference(table):
        return set()
    inner = ((value, below_secret or _is_secret(key)) for key, value in _entries(table))
    return set().union(*(secret_values(value, below_secret=secret) for value, secret in inner))


def secret_references(table: object, path: Loc) -> Iterator[tuple[Loc, Secret]]:
    """Yield the secrets that are named under keys like `password`, each with its path."""
    for key, value in _entries(table):
        reference = _reference(value) if _is_secret(key) else None
        if reference is not None:
            yield (*path, key), reference
        else:
            yield from secret_references(value, (*path, key))


def _is_secret(key: int | str) -> bool:
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def _reference(value: object) -> Secret | None:
    if not (isinstance(value, Mapping) and len(value) == 1):
        return None
    ((kind, where),) = value.items()
    return Secret(**{kind: where}) if kind in ("env", "file") and isinstance(where, str) and where else None


def _entries(table: object) -> list[tuple[int | str, Any]]:
    if isinstance(table, Mapping):
        return list(table.items())
    return list(enumerate(table)) if isinstance(table, list) else []


def _without(secrets: set[str], message: str) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        message = message.replace(secret, "***")
    return message
