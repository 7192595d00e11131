"""Bodies of every sort, from good UTF-8 JSON to what nobody should send."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.azure import Unreadable, decode
from connector.azure.decoding import MAX_DEPTH

GOOD = {
    "an object": (b'{"a": 1}', {"a": 1}),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    "blanks around": (b' \r\n{"a": 1}\t\n', {"a": 1}),
    "as deep as allowed": (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
    "many side by side": (b"[" + b"{}," * 200 + b"[]]", [*[{}] * 200, []]),
    "brackets in a string": (
        json.dumps({"a": "[" * 500 + '"' + "{" * 500}).encode(),
        {"a": "[" * 500 + '"' + "{" * 500},
    ),
    "an endless whole number is kept as text": (b'{"a": ' + b"9" * 10_000 + b"}", {"a": "9" * 10_000}),
    "a number beyond all bounds is kept as text": (b'{"a": [1e999, -1e999]}', {"a": ["1e999", "-1e999"]}),
    "of a repeated key the last counts": (b'{"a": 1, "a": 2}', {"a": 2}),
    "an escaped lone surrogate": (b'{"a": "\\ud800"}', {"a": "\ud800"}),
    "an escaped NUL": (b'{"a": "\\u0000"}', {"a": "\x00"}),
    "not an object": (b"17", 17),
}
BAD = {
    "nothing": (b"", "not-json"),
    "only a byte order mark": (b"\xef\xbb\xbf", "not-json"),
    "blanks": (b" \n", "not-json"),
    "words": (b"Azure was here", "not-json"),
    "half an object": (b'{"a": ', "not-json"),
    "half a string": (b'"' + b'\\"' * 250_000, "not-json"),
    "something after it": (b'{"a": 1} {"b": 2}', "not-json"),
    "NaN": (b'{"a": NaN}', "not-json"),
    "infinity": (b'{"a": -Infinity}', "not-json"),
    "a raw control character": (b'{"a": "\x01"}', "not-json"),
    "an invalid escape": (b'{"a": "\\x41"}', "not-json"),
    "Latin-1": ('{"a": "é"}'.encode("latin-1"), "not-utf8"),
    "UTF-16 with its mark": ('{"a": 1}'.encode("utf-16"), "not-utf8"),
    "UTF-16 without its mark": ('{"a": 1}'.encode("utf-16-le"), "not-utf8"),
    "UTF-32": ('{"a": 1}'.encode("utf-32-be"), "not-utf8"),
    "a surrogate encoded as if it were a character": (b'{"a": "\xed\xa0\x80"}', "not-utf8"),
    "one level too deep": (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested-too-deep"),
    "half a megabyte of brackets": (b"[" * 500_000, "nested-too-deep"),
    "half a megabyte of objects": (b'{"a":' * 100_000, "nested-too-deep"),
}


@pytest.mark.parametrize(("body", "document"), GOOD.values(), ids=GOOD)
def test_a_readable_body(body: bytes, document: object) -> None:
    """It becomes the document it is."""
    decoded = decode(body)
    assert document is None or decoded == document


@pytest.mark.parametrize(("body", "code"), BAD.values(), ids=BAD)
def test_an_unreadable_body(body: bytes, code: str) -> None:
    """It is refused with a code and a sentence that does not repeat the body."""
    with pytest.raises(Unreadable) as refusal:
        decode(body)
    assert refusal.value.code == code
    assert 0 < len(refusal.value.detail) < 120


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_read_or_refused(body: bytes) -> None:
    """Nothing but Unreadable is ever raised, and json itself reads what is read."""
    try:
        document = decode(body)
    except Unreadable:
        return
    assert document == json.loads(body)


@given(st.text(alphabet='[]{}",:\\0a', max_size=2 * MAX_DEPTH - 2))
def test_the_depth_is_counted_as_the_parser_counts_it(text: str) -> None:
    """What json reads within the depth is read here too, and equal."""
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(Unreadable):
            decode(text.encode())
    else:
        assert decode(text.encode()) == expected
