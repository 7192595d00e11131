"""Samples with any node replaced, removed or retyped: read or refused, never an accident."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.azure import NotAnAlert, decode, read_alert
from connector.model import Alert, Fact, Link, Resource
from connector.testing import samples

SAMPLES = {name: samples.load(name) for name in samples.names()}
NASTY = st.sampled_from(
    [
        "\x00",
        "\ud800",
        "a\udfffb",
        "\u202eexe.txt",
        "x" * 5000,
        "\r\n\x1b[2J",
        "/subscriptions/",
        "/subscriptions//resourceGroups//",
        "subscriptions/a/providers",
        "/providers/",
        "/" * 300,
        "9" * 5000,
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.9999999-14:00",
        "2026-13-45T99:99:99Z",
        "https://[",
        10**39,
        1e308,
        float("inf"),
        True,
        [],
        {},
        [[]],
        ["x"] * 300,
        [{"name": "n", "value": "v"}] * 300,
        {str(number): number for number in range(300)},
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | NASTY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
REMOVE = object()


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document."""
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, member in inner:
        yield from places(member, (*path, key))


PLACES = [(name, path) for name, sample in SAMPLES.items() for path in places(sample) if path]


def put(document: Any, path: tuple[Any, ...], value: object) -> None:
    """Replace or remove what stands at a place, if the place is still there."""
    node = document
    for step in path[:-1]:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return
    key = path[-1]
    there = key in node if isinstance(node, dict) else isinstance(node, list) and key in range(len(node))
    if not there:
        return
    if value is REMOVE:
        del node[key]
    else:
        node[key] = value


def texts(value: object) -> Iterator[str]:
    """Every text in an alert."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from texts(getattr(value, each.name))
    elif isinstance(value, tuple):
        for each in value:
            yield from texts(each)


def check(alert: Alert) -> None:
    """All that may be stored and shown is text of a known size that any database takes."""
    for text in texts(alert):
        assert "\x00" not in text
        text.encode()
        assert len(text) <= 8192
    for resource in alert.resources:
        assert isinstance(resource, Resource)
        assert len(resource.id) <= 2048
        assert len(resource.name) <= 256
        assert "\n" not in resource.id + resource.name
    assert len(alert.resources) <= 20
    for listed in (alert.dimensions, alert.custom, alert.facts, alert.subscriptions, alert.labels):
        assert len(listed) <= 100
    assert all(isinstance(fact, Fact) and len(fact.name) <= 256 and len(fact.value) <= 4096 for fact in alert.facts)
    assert all(len(name) <= 256 and len(value) <= 4096 for name, value in (*alert.dimensions, *alert.custom))
    assert all(isinstance(link, Link) and link.url.startswith(("http://", "https://")) for link in alert.links)
    assert len(alert.description) <= 4096
    assert len(alert.series.parts) <= 130
    assert "\n" not in (alert.rule or "") + (alert.azure_alert_id or "") + (alert.service or "")
    assert alert.fired_at is None or alert.fired_at.utcoffset() is not None
    assert alert.series.key
    assert alert.happened_at
    assert len(alert.id) == 32


def read(document: object) -> Alert | None:
    """Read it; None when it is refused as no alert."""
    try:
        return read_alert(document, received_at=datetime(2026, 3, 10, tzinfo=UTC), body_digest="body", nonce="once")
    except NotAnAlert:
        return None


@given(st.sampled_from(PLACES), JSON | st.just(REMOVE))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_node_may_be_anything(place: tuple[str, tuple[Any, ...]], value: object) -> None:
    """One node replaced by any JSON value, or taken away."""
    name, path = place
    document = copy.deepcopy(SAMPLES[name])
    put(document, path, value)
    if (alert := read(document)) is not None:
        check(alert)


@given(st.sampled_from(sorted(SAMPLES)), st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_many_nodes_may_be_anything_at_once(name: str, data: st.DataObject) -> None:
    """Several nodes of one sample at a time."""
    document = copy.deepcopy(SAMPLES[name])
    spots = data.draw(st.lists(st.sampled_from([path for where, path in PLACES if where == name]), max_size=8))
    for path in spots:
        put(document, path, data.draw(JSON | st.just(REMOVE)))
    if (alert := read(document)) is not None:
        check(alert)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_any_document_is_read_or_refused(document: object) -> None:
    """Also one that resembles nothing."""
    read(document)


@pytest.mark.parametrize("value", [None, 0, True, "", "x", [], {}, [None], {"name": None}, [[["x"]]], 1.5])
def test_every_node_of_every_sample_may_be_of_another_type(value: object) -> None:
    """The whole table of places, one at a time, with a value of each JSON type."""
    for name, path in PLACES:
        document = copy.deepcopy(SAMPLES[name])
        put(document, path, value)
        if (alert := read(document)) is not None:
            check(alert)


def test_control_characters_and_surrogates_are_replaced() -> None:
    """What PostgreSQL or UTF-8 would refuse is shown as the replacement character."""
    sample = samples.load("metric-static-fired")
    sample["data"]["essentials"]["description"] = "a\x00b\ud800c\x1bd\r\ne\tf"
    sample["data"]["essentials"]["alertRule"] = "one\nrule\twith\x00breaks"
    alert = read(decode(json.dumps(sample).encode()))
    assert alert is not None
    assert alert.description == "a\ufffdb\ufffdc\ufffdd\ne\tf"
    assert alert.rule == "one rule with\ufffdbreaks"


def test_long_text_is_cut_with_a_mark() -> None:
    """So that a reader sees that there was more."""
    sample = samples.load("metric-static-fired")
    sample["data"]["essentials"]["description"] = "x" * 10_000
    alert = read(sample)
    assert alert is not None
    assert (len(alert.description), alert.description[-1]) == (4096, "…")


def test_an_id_too_long_to_be_one_is_no_id() -> None:
    """A cut id could be another alert's."""
    sample = samples.load("metric-static-fired")
    sample["data"]["essentials"]["alertId"] += "x" * 3000
    alert = read(sample)
    assert alert is not None
    assert alert.azure_alert_id is None


def test_half_a_megabyte_of_targets_is_bounded() -> None:
    """Many resources are cut, and a series of them stays small."""
    sample = samples.load("log-v2-fired")
    sample["data"]["essentials"]["configurationItems"] = [f"machine-{number}" for number in range(40_000)]
    alert = read(sample)
    assert alert is not None
    check(alert)


def test_a_number_of_thousands_of_digits_is_shown_or_left_out() -> None:
    """From a body it comes as text; a document made otherwise must not stop the reader either."""
    body = json.dumps(samples.load("metric-static-fired")).replace("96.2", "9" * 10_000).encode()
    alert = read(decode(body))
    assert alert is not None
    assert "999" in alert.summary
    sample = samples.load("metric-static-fired")
    sample["data"]["customProperties"] = {"one": 10**5000, "many": [10**5000]}
    alert = read(sample)
    assert alert is not None
    assert {"one", "many"}.isdisjoint(dict(alert.custom))
