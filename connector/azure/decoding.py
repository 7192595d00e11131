"""The body of a request to a JSON document: the first step of the path of an alert.

Stricter than `json.loads` where leniency would hide a fault (encodings, NaN, trailing text), and
more patient where strictness would lose an alert (numbers of any length are kept, as text).
Of a repeated key the last one counts, as in every common parser; the body is parsed only here, so
the subscription check and the ticket can never see two different values.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

MAX_DEPTH = 64
"""Objects and arrays inside one another; the deepest known alert has 9."""

_LONGEST_NUMBER = 40
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class Unreadable(Exception):
    """The body is not a JSON document; `code` says why in one word, `detail` in a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def decode(body: bytes) -> object:
    """Return the JSON document of a UTF-8 body (a BOM is allowed); raises Unreadable."""
    text = _utf8(body)
    _refuse_depth(body)
    try:
        return json.loads(text, parse_int=_whole, parse_float=_fraction, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise Unreadable("not-json", f"{error.msg.removesuffix(' at')} at character {error.pos}") from error


def _utf8(body: bytes) -> str:
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        raise Unreadable("not-utf8", f"the body looks like {encoding.upper()}; it must be UTF-8")
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("not-utf8", f"{error.reason} at byte {error.start}") from error
    if not text.strip():
        raise Unreadable("not-json", "the body is empty")
    return text


def _refuse_depth(body: bytes) -> None:
    """Count brackets outside of strings: json recurses, and would run out of stack in mid-air."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(body):
        first = match[0][0]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Unreadable("nested-too-deep", f"nested more than {MAX_DEPTH} levels deep")
        elif first in b"]}":
            depth -= 1


def _whole(digits: str) -> int | str:
    """Python refuses to convert very long numbers, and nothing here counts with one."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits


def _fraction(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable("not-json", f"{name} is not JSON")
