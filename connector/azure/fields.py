"""Reading values nobody vouches for: null for text, a list for an object, control characters.

Every value of an alert passes through here on its way into an `Alert`, so that what is stored and
shown is text that can be encoded as UTF-8, that PostgreSQL takes (no NUL), and that is bounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Self

from connector.model import Pairs

NAME_LIMIT = 256
VALUE_LIMIT = 4096
ID_LIMIT = 2048
RULE_LIMIT = 512
"""Longest text kept of each kind, in characters."""

MANY = 100
"""Most entries kept of any list."""

CUT = "…"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_BLANKS = re.compile(r"\s+")


def text(value: object, limit: int = VALUE_LIMIT) -> str:
    """Return a scalar as clean text of at most `limit` characters; empty for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if not isinstance(value, str):
        return ""
    return _cut(_clean(value[: limit * 2]), limit)


def line(value: object, limit: int = NAME_LIMIT) -> str:
    """Return a scalar as one line of clean text."""
    if not isinstance(value, str):
        return text(value, limit)
    piece = value[: limit * 2]
    if not piece.isprintable() or "  " in piece:  # of the blanks only a space is printable
        piece = _BLANKS.sub(" ", _clean(piece))
    return _cut(piece.strip(), limit)


def entries(value: object) -> list[object]:
    """Return a list as it is, and anything else as none."""
    return value if isinstance(value, list) else []


def lines(value: object, limit: int = NAME_LIMIT) -> tuple[str, ...]:
    """Return the scalars of a list (or one alone) as lines, without the empty ones."""
    found = (line(each, limit) for each in (value if isinstance(value, list) else [value]))
    return tuple(each for each in found if each)


def compact(value: object, limit: int = VALUE_LIMIT) -> str:
    """Return any value as text; an object or a list as JSON."""
    if isinstance(value, dict | list):
        return text(_json(value), limit)
    return text(value, limit)


def unique(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Return the pairs without doubles, in order, and no more than `MANY`."""
    return tuple(islice(dict.fromkeys(pairs), MANY))


def without_addresses(value: str, limit: int = VALUE_LIMIT) -> str:
    """Return a text without the e-mail addresses in it, and no longer for that."""
    return _cut(_ADDRESS.sub("[address left out]", value), limit) if "@" in value else value


class Fields:
    """A JSON object (or the lack of one) whose members are read without regard to case.

    Azure spells members differently from family to family (`alertRuleID`, `alertRuleId`). Of two
    spellings in one object the last that is not null counts.
    """

    def __init__(self, value: object) -> None:
        self._members: dict[str, object] = {}
        for name, member in value.items() if isinstance(value, dict) else ():
            folded = name.lower()
            if member is not None or folded not in self._members:
                self._members[folded] = member
        self.raw: dict[str, object] = value if isinstance(value, dict) else {}

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._members

    def get(self, name: str) -> object:
        """Return the member as it came, or None."""
        return self._members.get(name.lower())

    def first(self, *names: str) -> object:
        """Return the first of these members that is not null or empty."""
        for name in names:
            value = self._members.get(name.lower())
            if value is not None and value not in ("", []):
                return value
        return None

    def text(self, *names: str, limit: int = VALUE_LIMIT) -> str:
        """Return the first of these members as text."""
        return text(self.first(*names), limit)

    def line(self, *names: str, limit: int = NAME_LIMIT) -> str:
        """Return the first of these members as one line."""
        return line(self.first(*names), limit)

    def fields(self, name: str) -> Self:
        """Return the object under `name`; an empty one when there is none."""
        return type(self)(self.get(name))

    def objects(self, name: str) -> Iterator[Self]:
        """Return the objects of the list under `name`, no more than `MANY`."""
        found = (each for each in entries(self.get(name)) if isinstance(each, dict))
        return (type(self)(each) for each in islice(found, MANY))

    def pairs(self, name: str) -> Pairs:
        """Return a list of `{"name": …, "value": …}` as pairs."""
        listed = ((each.line("name"), compact(each.get("value"))) for each in self.objects(name))
        return tuple((name, value) for name, value in listed if name)

    def members(self) -> Pairs:
        """Return all members as pairs, whatever they hold."""
        listed = ((line(name), compact(value)) for name, value in islice(self.raw.items(), MANY))
        return tuple((name, value) for name, value in listed if name and value)


def _clean(value: str) -> str:
    if value.isprintable():  # as most are, and then none of these is in it
        return value
    return _UNPRINTABLE.sub("\ufffd", value.replace("\r\n", "\n").replace("\r", "\n"))


def _cut(value: str, limit: int) -> str:
    return value if len(value) <= limit else value[: limit - len(CUT)] + CUT


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except ValueError:  # as below
        return ""


def _number(value: float) -> str:
    try:
        return str(value).removesuffix(".0")
    except ValueError:  # Python does not print thousands of digits; `decode` hands them over as text
        return ""
