"""Stored things as plain JSON documents: what `-o json` prints and the operator API answers.

Stands beside the path of an alert, behind `store`. Pure. The shape of an alert is part of the
public contract (docs/command-line.md): keys may be added, never renamed or dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from connector.model import Alert, ConfigurationItem, Decision, Finding, Preview, WorkItem
from connector.store import Quarantined, Recorded, StoredAlert, StoredDelivery

Document = dict[str, Any]


def instant(moment: datetime | None) -> str | None:
    """Return a time in UTC as RFC 3339 with `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment is not None else None


def of_alert(alert: Alert) -> Document:
    """Return what Azure said, without what became of it."""
    return {
        "id": alert.id,
        "azure_alert_id": alert.azure_alert_id,
        "rule": alert.rule,
        "family": alert.family,
        "service": alert.service,
        "severity": alert.severity,
        "condition": alert.condition,
        "test": alert.test,
        "fired_at": instant(alert.fired_at),
        "resolved_at": instant(alert.resolved_at),
        "received_at": instant(alert.received_at),
        "resources": [resource.id for resource in alert.resources],
        "series": alert.series.key,
        "summary": alert.summary,
        "warnings": list(alert.warnings),
    }


def of_stored_alert(stored: StoredAlert) -> Document:
    """Return an alert and its deliveries."""
    return of_alert(stored.alert) | {"deliveries": [of_delivery(each) for each in stored.deliveries]}


def of_delivery(delivery: StoredDelivery) -> Document:
    """Return a delivery as it stands within its alert."""
    receipt = delivery.receipt
    return {
        "id": delivery.id,
        "destination": delivery.destination,
        "episode": delivery.episode,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": instant(delivery.next_attempt_at),
        "actions": list(receipt.actions) if receipt else [],
        "work_item": _work_item(receipt.item) if receipt and receipt.item else None,
        "configuration_items": [_configuration_item(each) for each in receipt.configuration_items] if receipt else [],
        "last_error": _last_error(delivery),
        "repeats": delivery.repeats,
        "done_at": instant(delivery.done_at),
    }


def _last_error(delivery: StoredDelivery) -> Document | None:
    error = delivery.last_error
    return error | {"at": instant(datetime.fromisoformat(error["at"]))} if error is not None else None


def of_listed_delivery(delivery: StoredDelivery) -> Document:
    """Return a delivery that stands on its own, with the alert it is of."""
    return of_delivery(delivery) | {"alert": delivery.alert_id, "received_at": instant(delivery.received_at)}


def _work_item(item: WorkItem) -> Document:
    return {"id": item.id, "number": item.number, "url": item.url, "state": item.state}


def _configuration_item(item: ConfigurationItem) -> Document:
    return {"id": item.id, "name": item.name, "matched_by": item.matched_by, "url": item.url}


def of_quarantined(kept: Quarantined) -> Document:
    """Return what is known of a kept body, without the body."""
    return {
        "id": kept.id,
        "code": kept.code,
        "detail": kept.detail,
        "state": kept.state,
        "received_at": instant(kept.received_at),
        "size": kept.size,
        "whole": kept.whole,
        "alert": kept.alert_id,
    }


def of_quarantined_body(kept: Quarantined) -> Document:
    """Return a kept body with all that is known of it; bytes that are no UTF-8 appear as `\\xNN`."""
    return of_quarantined(kept) | {"trace": kept.trace, "body": kept.body.decode("utf-8", "backslashreplace")}


def of_decision(decision: Decision) -> Document:
    """Return one step of the way of an alert."""
    return {
        "step": decision.step,
        "outcome": str(decision.outcome),
        "why": decision.why,
        "data": dict(decision.data),
    }


def of_recorded(recorded: Recorded, deliveries: Sequence[StoredDelivery] = ()) -> Document:
    """Return a recorded decision: when it was made, and for which delivery and destination."""
    destination = next((each.destination for each in deliveries if each.id == recorded.delivery_id), None)
    made = {"at": instant(recorded.at), "delivery": recorded.delivery_id, "destination": destination}
    return made | of_decision(recorded.decision)


def of_preview(destination: str, preview: Preview) -> Document:
    """Return what would be sent to a destination."""
    return {"destination": destination, "fields": dict(preview.fields), "notes": list(preview.notes)}


def of_finding(finding: Finding) -> Document:
    """Return something learnt about a destination."""
    return {"level": finding.level, "text": finding.text, "fix": finding.fix}
