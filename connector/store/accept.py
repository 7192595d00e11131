"""The way in: alerts and what shall be delivered of them, written in one commit before the 202.

`write_accepted` writes a whole batch, so that concurrent requests share one commit (`commits`).
A resolved or an update goes to the episodes its fired alert went to - found by Azure's alert id,
else by its series - whatever the routes say today; only if there are none, to the routed ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from connector.model import Alert, Condition, Decision, Severity, digest
from connector.store import codec
from connector.store.decisions import write_decisions
from connector.store.engine import insert, now
from connector.store.tables import alerts, deliveries, episode_series, episodes

ORDER_IN_TIME = {Condition.FIRED: 0, Condition.UPDATE: 1, Condition.RESOLVED: 2}
RANKS = {severity: rank for rank, severity in enumerate(Severity)}
RANK_WITHOUT_SEVERITY = len(RANKS)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an alert shall go: a destination and the episode it belongs to there."""

    destination: str
    episode: str


@dataclass(frozen=True, slots=True)
class Accepting:
    """An alert about to be stored. `again` routes a stored one once more (replay)."""

    alert: Alert
    body: bytes
    addresses: tuple[Address, ...]
    decisions: tuple[Decision, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store made of it. `deliveries` are (id, destination), in order of destination."""

    alert_id: str
    duplicate: bool
    deliveries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Bound:
    """An address, and the series that the alert speaks of there."""

    destination: str
    episode: str
    series: str


def write_accepted(connection: Connection, batch: Sequence[Accepting]) -> list[Stored]:
    """Store a batch, oldest request first; returns one answer for each, in the same order."""
    moment = now(connection)
    firsts: dict[str, Accepting] = {}
    for each in sorted(batch, key=lambda each: each.alert.id):  # one order of locks for everybody
        firsts.setdefault(each.alert.id, each)
    _one_alert_at_a_time(connection, firsts.values())
    new = _insert_alerts(connection, firsts.values())
    to_address = [each for each in firsts.values() if each.alert.id in new or each.again]
    for conditions in ((Condition.FIRED,), (Condition.UPDATE, Condition.RESOLVED)):
        _insert_deliveries(connection, [e for e in to_address if e.alert.condition in conditions], moment)
    for each in to_address:
        write_decisions(connection, each.alert.id, each.decisions, moment)
    known = _deliveries_of(connection, firsts)
    answers: list[Stored] = []
    for each in batch:
        duplicate = each.alert.id not in new and not each.again
        answers.append(Stored(each.alert.id, duplicate, known.get(each.alert.id, ())))
        new.discard(each.alert.id)
    return answers


def _one_alert_at_a_time(connection: Connection, batch: Iterable[Accepting]) -> None:
    """Let two gateways accept a fired and its resolved one after the other, though into two episodes.

    Neither would see the other's uncommitted row, and the resolved would miss its fired.
    """
    if connection.dialect.name != "postgresql":
        return  # SQLite has one writer
    digests = {codec.azure_digest(each.alert) for each in batch}
    keys = sorted(int(each[:15], 16) for each in digests if each)
    for key in keys:
        connection.execute(select(func.pg_advisory_xact_lock(key)))


def _insert_alerts(connection: Connection, batch: Iterable[Accepting]) -> set[str]:
    rows = [_alert_row(each) for each in batch if not each.again]
    if not rows:
        return set()
    statement = insert(connection, alerts).on_conflict_do_nothing(index_elements=["id"]).returning(alerts.c.id)
    return set(connection.execute(statement, rows).scalars())


def _alert_row(each: Accepting) -> dict[str, Any]:
    alert = each.alert
    return {
        "id": alert.id,
        "azure_key": codec.azure_digest(alert),
        "series": alert.series.key,
        "condition": alert.condition.value,
        "test": alert.test,
        "fired_at": alert.fired_at,
        "happened_at": alert.happened_at,
        "received_at": alert.received_at,
        "alert": codec.dump(alert),
        "body": each.body,
    }


def _insert_deliveries(connection: Connection, batch: Sequence[Accepting], moment: datetime) -> None:
    addressed = [(each.alert, bound) for each in batch for bound in _bind(connection, each)]
    if not addressed:
        return
    addressed.sort(key=lambda pair: (pair[1].destination, pair[1].episode))
    for alert, bound in addressed:
        _wake_episode(connection, alert, bound, moment)
    statement = insert(connection, deliveries).on_conflict_do_nothing(index_elements=["alert_id", "destination"])
    connection.execute(statement, [_delivery_row(alert, bound) for alert, bound in addressed])
    series = [_series_row(bound) for alert, bound in addressed if alert.condition is Condition.FIRED]
    if series:
        connection.execute(insert(connection, episode_series).on_conflict_do_nothing(), series)


def _bind(connection: Connection, each: Accepting) -> list[_Bound]:
    alert = each.alert
    routed = [_Bound(a.destination, a.episode, alert.series.key) for a in each.addresses]
    if alert.test or alert.condition is Condition.FIRED:
        return routed
    return _bound_by_alert_id(connection, alert) or _bound_by_series(connection, alert) or routed


def _bound_by_alert_id(connection: Connection, alert: Alert) -> list[_Bound]:
    if not alert.azure_key:
        return []
    fired = (
        alerts.c.azure_key == codec.azure_digest(alert),
        alerts.c.condition == Condition.FIRED,
        alerts.c.test.is_(False),
    )
    return _one_for_each_destination(
        connection,
        select(deliveries.c.destination, deliveries.c.episode, deliveries.c.series)
        .join(alerts, alerts.c.id == deliveries.c.alert_id)
        .where(*fired)
        .order_by(deliveries.c.happened_at.desc())
        .limit(100),
    )


def _bound_by_series(connection: Connection, alert: Alert) -> list[_Bound]:
    row = episode_series.c
    return _one_for_each_destination(
        connection,
        select(row.destination, row.episode, row.series)
        .where(row.series == alert.series.key)
        .order_by(row.open.desc(), row.fired_at.desc().nulls_first())
        .limit(100),
    )


def _one_for_each_destination(connection: Connection, query: Any) -> list[_Bound]:
    """The latest episode at each destination: one trouble has one work item at a time there."""
    found: dict[str, _Bound] = {}
    for row in connection.execute(query):
        found.setdefault(row.destination, _Bound(row.destination, row.episode, row.series))
    return list(found.values())


def _wake_episode(connection: Connection, alert: Alert, bound: _Bound, moment: datetime) -> None:
    """Make the episode due; its row lock serialises everything that happens to one episode."""
    rank = rank_of(alert)
    statement = insert(connection, episodes).values(
        destination=bound.destination,
        key=bound.episode,
        state="",
        occurrence=0,
        item_open=False,
        due=moment,
        rank=rank,
        waiting_since=alert.received_at,
        failures=0,
        epoch=0,
        touched_at=moment,
    )
    idle = episodes.c.due.is_(None)
    smaller = case((episodes.c.rank < rank, episodes.c.rank), else_=rank)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["destination", "key"],
            set_={
                "due": func.coalesce(episodes.c.due, moment, type_=episodes.c.due.type),
                "rank": case((idle, rank), else_=smaller),
                "waiting_since": case((idle, statement.excluded.waiting_since), else_=episodes.c.waiting_since),
                "touched_at": statement.excluded.touched_at,
            },
        )
    )


def rank_of(alert: Alert) -> int:
    """Return the place of an alert's severity in the queue; no severity comes last."""
    return RANKS[alert.priority] if alert.priority else RANK_WITHOUT_SEVERITY


def _delivery_row(alert: Alert, bound: _Bound) -> dict[str, Any]:
    return {
        "id": delivery_id(alert.id, bound.destination),
        "alert_id": alert.id,
        "destination": bound.destination,
        "episode": bound.episode,
        "series": bound.series,
        "condition": alert.condition.value,
        "happened_at": alert.happened_at,
        "received_at": alert.received_at,
        "order_in_time": ORDER_IN_TIME[alert.condition],
        "rank": rank_of(alert),
        "state": "waiting",
        "in_doubt": False,
        "attempts": 0,
    }


def delivery_id(alert_id: str, destination: str) -> str:
    """Return the id of a delivery: one alert is delivered once to a destination."""
    return digest("delivery", alert_id, destination)[:32]


def _series_row(bound: _Bound) -> dict[str, Any]:
    return {
        "destination": bound.destination,
        "episode": bound.episode,
        "series": bound.series,
        "fired_at": None,
        "open": False,
    }


def _deliveries_of(connection: Connection, alert_ids: Iterable[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    query = (
        select(deliveries.c.alert_id, deliveries.c.id, deliveries.c.destination)
        .where(deliveries.c.alert_id.in_(list(alert_ids)))
        .order_by(deliveries.c.destination)
    )
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for row in connection.execute(query):
        found[row.alert_id] = (*found.get(row.alert_id, ()), (row.id, row.destination))
    return found
