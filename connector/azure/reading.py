"""A JSON document to an `Alert`: the second step of the path of an alert.

Recognise the schema (`common`, `noncommon`), choose the family by the shape of the context, and put
together what both said. Whatever the document holds, this either answers or raises NotAnAlert.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from connector.azure import common, generic, log, metric, noncommon
from connector.azure.envelope import Envelope, NotAnAlert
from connector.azure.family import Family, Reading
from connector.azure.fields import MANY, Fields, unique
from connector.azure.links import alert_link, resource_link, whole
from connector.azure.portal_tests import is_portal_test
from connector.azure.times import parse_time
from connector.model import Alert, Condition, Link, Pairs, Series, digest

FAMILIES: tuple[Family, ...] = (log, metric, generic)
"""In the order they are asked; the first that knows the context reads it."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """What the request added: when it came, what was in it, and a number used once."""

    at: datetime
    body_digest: str
    nonce: str


def read_alert(document: object, *, received_at: datetime, body_digest: str, nonce: str) -> Alert:
    """Return the alert a JSON document is; raises NotAnAlert.

    `body_digest` identifies the body where Azure gave no alert id; `nonce` keeps portal tests,
    whose ids are constant, from being duplicates of each other.
    """
    envelope = _recognise(document)
    family = next(family for family in FAMILIES if family.matches(envelope))
    reading = family.read(envelope)
    arrival = _Arrival(received_at, body_digest, nonce)
    alert = _with_reading(_from_envelope(envelope, family.NAME, arrival), envelope, reading)
    return replace(alert, id=_event_key(alert, arrival), series=_series(alert, reading, arrival))


def _recognise(document: object) -> Envelope:
    if not isinstance(document, dict):
        raise NotAnAlert("not-an-object", "an alert is a JSON object")
    told = Fields(document)
    envelope = common.read(told) if common.matches(told) else noncommon.recognise(told)
    if envelope is None:
        raise NotAnAlert("unknown-schema", f"not recognisable as an alert; if it is one, {noncommon.SWITCH}")
    return envelope


def _from_envelope(envelope: Envelope, family: str, arrival: _Arrival) -> Alert:
    return Alert(
        id="",
        received_at=arrival.at,
        family=family,
        condition=envelope.condition,
        series=Series(family, ()),
        azure_alert_id=envelope.alert_id or None,
        origin_alert_id=envelope.origin_alert_id or None,
        service=envelope.service or None,
        signal=envelope.signal or None,
        rule=envelope.rule or None,
        rule_id=envelope.rule_id or None,
        severity=envelope.severity,
        test=is_portal_test(envelope),
        fired_at=parse_time(envelope.fired_text),
        resolved_at=parse_time(envelope.resolved_text) if envelope.condition is Condition.RESOLVED else None,
        time_text=envelope.time_text,
        description=envelope.description,
        warnings=envelope.warnings,
    )


def _with_reading(alert: Alert, envelope: Envelope, reading: Reading) -> Alert:
    return replace(
        alert,
        condition=reading.condition or alert.condition,
        priority_hint=reading.priority_hint,
        summary=reading.summary,
        resources=reading.resources,
        dimensions=reading.dimensions,
        labels=reading.labels,
        custom=_merged(envelope.custom, reading.custom),
        facts=reading.facts,
        links=_links(envelope, reading),
        subscriptions=_subscriptions(envelope, reading),
    )


def _event_key(alert: Alert, arrival: _Arrival) -> str:
    """The identity of the event. An id without a time cannot tell one firing from the next."""
    identity = (alert.azure_key, alert.condition, alert.time_text)
    event = identity if alert.azure_key and alert.time_text else (arrival.body_digest,)
    return digest("alert", *event, *((arrival.nonce,) if alert.test else ()))[:32]


def _series(alert: Alert, reading: Reading, arrival: _Arrival) -> Series:
    """A series of its own where nothing says what repeats."""
    alone = ("alert", alert.azure_key) if alert.azure_key else ("body", arrival.body_digest)
    return Series(alert.family, reading.series or (alone,), reading.trouble)


def _merged(first: Pairs, second: Pairs) -> Pairs:
    """Each name once; what the envelope says goes before what the context repeats."""
    return unique(({**dict(second), **dict(first)}).items())


def _links(envelope: Envelope, reading: Reading) -> tuple[Link, ...]:
    best = reading.resources[0] if reading.resources else None
    return whole(alert_link(envelope.alert_id), resource_link(best) if best else None, *reading.links)


def _subscriptions(envelope: Envelope, reading: Reading) -> tuple[str, ...]:
    """All of them: the allow-list must see each, so too many are refused and not cut."""
    found = envelope.subscriptions.union(each.subscription for each in reading.resources if each.subscription)
    if len(found) > MANY:
        raise NotAnAlert("too-many-subscriptions", f"names more than {MANY} subscriptions")
    return tuple(sorted(found))
