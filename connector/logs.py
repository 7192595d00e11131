"""The log: one line per decision on standard error, for machines or for a person at a terminal.

Stands beside the whole path of an alert. Every value is hostile until it has been through `clean`:
secrets and addresses of people are struck out, control characters escaped, lengths bounded. The
lines of libraries (waitress, alembic) take the same way out.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence, Set
from datetime import date
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

from connector.model import Decision

HIDDEN = "***"
TEXT_AT_MOST = 2_000
TRACE_AT_MOST = 16_000
KEY_AT_MOST = 100
ITEMS_AT_MOST = 40
DEPTH_AT_MOST = 4

_SECRET_KEY = re.compile(
    r"(authorization|tokens?|passw(or)?ds?|pwd|secrets?|claims|cookies?|credentials?|assertions?|(api|private)[-_]?keys?)$",
    re.IGNORECASE,
)
_NAMED = r"(?:\w{0,40}(?:password|secret|token|api_?key)|pwd|sig)"
_SECRET_TEXT: Sequence[tuple[re.Pattern[str], str]] = [
    (re.compile(r"eyJ[\w-]{5,}(?:\.[\w-]*)*"), HIDDEN),  # the beginning of every JSON Web Token
    (re.compile(r"\b(authorization\b['\"]?\s*[:=]\s*['\"]?)(?:(?:bearer|basic)\s+)?[^\s'\",]+", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"\b(bearer\s+)[\w.~+/=-]{8,}", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"\b(basic\s+)[A-Za-z0-9+/]{6,}={0,2}(?![\w-])", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"(://)[^\s/@]{1,256}@"), rf"\1{HIDDEN}@"),
    (re.compile(rf"\b({_NAMED}(?:\s*=\s*|['\"]\s*[:=]\s*)['\"]?)[^\s&;,'\"]+", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), f"{HIDDEN}@{HIDDEN}"),
]
_MARKS = (
    "@",
    "eyj",
    "authorization",
    "bearer",
    "basic",
    "password",
    "secret",
    "token",
    "apikey",
    "api_key",
    "pwd",
    "sig",
)
"""Whatever a pattern above finds holds one of these: a text without them, as most are, needs no such look."""

# C0 and C1 controls, line and paragraph separators, marks that turn the direction of text, lone surrogates
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FIRST_KEYS = ("time", "level", "event", "logger")
_QUIET_LIBRARIES = {"alembic": logging.WARNING, "sqlalchemy": logging.WARNING, "urllib3": logging.WARNING}


def configure(level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send every line of at least `level` to `stream` (standard error where none is given).

    JSON lines, or readable ones where the stream is a terminal; `NO_COLOR` is honoured there.
    """
    out = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        # cleaned here already: other handlers than ours may hang on the root logger
        processors=[*_shared(), structlog.processors.format_exc_info, clean, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _route_standard_logging(out, threshold)


def decision(logger: Any, decided: Decision, **ids: str) -> None:
    """Write the one line of a decision; `ids` say whose it is (alert, delivery, destination)."""
    data = {"data": dict(decided.data)} if decided.data else {}
    logger.info("decided", step=decided.step, outcome=str(decided.outcome), why=decided.why, **data, **ids)


def one_line(text: str, at_most: int = TEXT_AT_MOST) -> str:
    """Return a hostile text fit to be shown: secrets struck out, one line, at most so many characters."""
    # cut before the patterns run, so that their time is bounded too; the margin lets them see a whole secret
    shown = text[: at_most + TEXT_AT_MOST]
    if _may_hold_secret(shown):
        for pattern, replacement in _SECRET_TEXT:
            shown = pattern.sub(replacement, shown)
    return _cut(shown if shown.isprintable() else _UNPRINTABLE.sub(_escape, shown), at_most, len(text))


def _may_hold_secret(text: str) -> bool:
    """Words are found twenty times as quickly as patterns, which know more spellings of a letter beyond ASCII."""
    if not text.isascii():
        return True
    folded = text.lower()
    for mark in _MARKS:  # noqa: SIM110 - half the time of any()
        if mark in folded:
            return True
    return False


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `configure` replaces the first and leaves other handlers alone."""


def _route_standard_logging(out: TextIO, threshold: int) -> None:
    handler = _Handler(out)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[*_shared(), structlog.stdlib.add_logger_name],
            processors=[_clean_foreign, *_renderers(out)],
        )
    )
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)
    for name, least in _QUIET_LIBRARIES.items():
        logging.getLogger(name).setLevel(max(least, threshold))
    # one line per request that has to wait would be a flood in the very hour when lines are needed
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def _renderers(out: TextIO) -> list[Any]:
    if not out.isatty():
        return [structlog.processors.JSONRenderer(serializer=json.dumps)]
    colours = not os.environ.get("NO_COLOR")
    return [_indent_trace, structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="time")]


def clean(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return the line with every value made harmless."""
    trace = event.pop("exception", None)
    keys = [key for key in _FIRST_KEYS if key in event] + [key for key in event if key not in _FIRST_KEYS]
    line = {_key(key): _value(key, event[key], 0) for key in keys}
    if trace is not None:
        line["exception"] = _trace(str(trace))
    return line


def _clean_foreign(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("_record", None)
    if event.pop("_from_structlog", False):
        return event
    return clean(logger, method, structlog.processors.format_exc_info(logger, method, event))


def _key(key: Any) -> str:
    return _known_key(key) if isinstance(key, str) and len(key) <= KEY_AT_MOST else one_line(str(key), KEY_AT_MOST)


@lru_cache(256)  # the same few words in every line
def _known_key(key: str) -> str:
    return one_line(key, KEY_AT_MOST)


@lru_cache(256)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _value(key: Any, value: Any, depth: int) -> Any:
    if isinstance(key, str) and _is_secret(key):
        return HIDDEN
    return _plain(value, depth)


def _plain(value: Any, depth: int) -> Any:
    if type(value) is str:  # most are
        return one_line(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if _is_plain_number(value) else one_line(_number_words(value))
    if isinstance(value, (Mapping, list, tuple, Set)):
        return _nested(value, depth) if depth < DEPTH_AT_MOST else "…"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value)} bytes"
    return one_line(_words(value))


def _nested(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        some = list(value.items())[:ITEMS_AT_MOST]
        return {_key(key): _value(key, each, depth + 1) for key, each in some}
    return [_plain(each, depth + 1) for each in list(value)[:ITEMS_AT_MOST]]


def _words(value: Any) -> str:
    if isinstance(value, (str, BaseException)):
        return str(value)
    return value.isoformat() if isinstance(value, date) else repr(value)


def _is_plain_number(value: float) -> bool:
    return math.isfinite(value) if isinstance(value, float) else value.bit_length() < 64


def _number_words(value: float) -> str:
    """JSON has no NaN, and Python refuses to print an integer of more than 4,300 digits."""
    return f"integer of {value.bit_length()} bits" if isinstance(value, int) else str(value)


def _escape(match: re.Match[str]) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(match[0], f"\\u{ord(match[0]):04x}")


def _cut(text: str, at_most: int, length: int) -> str:
    return text if len(text) <= at_most and length <= at_most + TEXT_AT_MOST else f"{text[:at_most]}…({length})"


def _trace(text: str) -> str:
    """The end of a trace says most; each of its lines is cleaned for itself."""
    lines = [one_line(line) for line in text[-TRACE_AT_MOST:].splitlines()]
    return "\n".join(lines)


def _indent_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No line of a trace may pass for a line of the log."""
    if "exception" in event:
        event["exception"] = "    | " + event["exception"].replace("\n", "\n    | ")
    return event


__all__ = ["HIDDEN", "clean", "configure", "decision", "one_line"]
