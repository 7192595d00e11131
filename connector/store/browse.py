"""Reading the store: what `alerts`, `deliveries`, `explain` and the metrics show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from connector.model import Alert, Receipt
from connector.store import codec
from connector.store.engine import now
from connector.store.tables import alerts, deliveries, destinations, episodes

UNFINISHED = ("waiting", "delivering", "held")


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery as it stands. `last_error` has reason, message and at."""

    id: str
    alert_id: str
    destination: str
    episode: str
    state: str
    attempts: int
    next_attempt_at: datetime | None
    received_at: datetime
    done_at: datetime | None
    repeats: int
    receipt: Receipt | None
    last_error: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert and its deliveries."""

    alert: Alert
    deliveries: tuple[StoredDelivery, ...]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one destination, and why; `oldest_waiting_seconds` is 0 where nothing waits."""

    destination: str
    waiting: int
    dead: int
    oldest_waiting_seconds: float
    paused: bool
    paused_since: datetime | None = None
    pause_reason: str | None = None
    pause_message: str | None = None
    next_probe_at: datetime | None = None


def list_alerts(connection: Connection, limit: int | None) -> list[StoredAlert]:
    """Return the newest alerts first, at most `limit`."""
    query = select(alerts.c.id, alerts.c.alert).order_by(alerts.c.received_at.desc(), alerts.c.id).limit(limit)
    return _with_deliveries(connection, connection.execute(query).all())


def find_alerts(connection: Connection, ids: Iterable[str]) -> list[StoredAlert]:
    """Return the alerts with these ids; an id may be cut to a prefix, and may be a delivery's."""
    found: dict[str, Any] = {}
    for wanted in ids:
        by_delivery = select(deliveries.c.alert_id).where(_begins(deliveries.c.id, wanted))
        query = select(alerts.c.id, alerts.c.alert)
        for row in connection.execute(query.where(_begins(alerts.c.id, wanted) | alerts.c.id.in_(by_delivery))):
            found[row.id] = row
    return _with_deliveries(connection, list(found.values()))


def _begins(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    return column.startswith(prefix.lower(), autoescape=True) if len(prefix) >= 6 else column == prefix


def _with_deliveries(connection: Connection, rows: Sequence[Any]) -> list[StoredAlert]:
    by_alert: dict[str, list[StoredDelivery]] = {row.id: [] for row in rows}
    for chunk in _chunks(list(by_alert), 500):
        for row in connection.execute(_deliveries().where(deliveries.c.alert_id.in_(chunk))):
            by_alert[row.alert_id].append(_delivery(row))
    return [StoredAlert(codec.load_alert(row.alert), tuple(by_alert[row.id])) for row in rows]


def _chunks(ids: list[str], size: int) -> Iterable[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _deliveries() -> Any:
    same = (episodes.c.destination == deliveries.c.destination) & (episodes.c.key == deliveries.c.episode)
    return (
        select(deliveries, episodes.c.state.label("episode_state"), episodes.c.due)
        .join(episodes, same, isouter=True)
        .order_by(deliveries.c.received_at.desc(), deliveries.c.destination)
    )


def list_deliveries(
    connection: Connection, state: str | None, destination: str | None, limit: int | None
) -> list[StoredDelivery]:
    """Return deliveries, newest first, by choice of one state or one destination."""
    query = _deliveries().limit(limit)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    if destination is not None:
        query = query.where(deliveries.c.destination == destination)
    return [_delivery(row) for row in connection.execute(query)]


def _delivery(row: Any) -> StoredDelivery:
    waits = row.state in UNFINISHED
    return StoredDelivery(
        row.id,
        row.alert_id,
        row.destination,
        row.episode,
        row.state,
        row.attempts,
        row.next_attempt_at if waits else None,
        row.received_at,
        row.done_at,
        codec.load_episode(row.episode_state).repeats if (row.episode_state or "").startswith("{") else 0,
        codec.load_receipt(row.receipt),
        json.loads(row.last_error) if row.last_error else None,
    )


def backlog(connection: Connection) -> list[Backlog]:
    """Return one row for each destination that the store has ever heard of."""
    row = deliveries.c
    waits = row.state.in_(("waiting", "delivering"))
    query = (
        select(
            row.destination,
            func.sum(case((waits, 1), else_=0)),
            func.sum(case((row.state == "dead", 1), else_=0)),
            func.min(case((waits, row.received_at))),
        )
        .where(row.state.in_((*UNFINISHED, "dead")))
        .group_by(row.destination)
    )
    counted = {found[0]: found for found in connection.execute(query)}
    known = {found.name: found for found in connection.execute(select(destinations))}
    moment = now(connection)
    return [_backlog(name, counted.get(name), known.get(name), moment) for name in sorted({*counted, *known})]


def _backlog(name: str, counts: Any | None, row: Any | None, moment: datetime) -> Backlog:
    waiting, dead, oldest = (counts[1], counts[2], counts[3]) if counts is not None else (0, 0, None)
    age = max(0.0, (moment - oldest).total_seconds()) if oldest is not None else 0.0
    if row is None:
        return Backlog(name, waiting, dead, age, paused=False)
    paused = row.paused_since is not None
    return Backlog(
        name, waiting, dead, age, paused, row.paused_since, row.pause_reason, row.pause_message, row.next_probe_at
    )
