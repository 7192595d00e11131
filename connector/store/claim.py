"""The way out, first half: a worker takes due episodes, most severe first, then oldest.

An episode, not a delivery, is taken: so its deliveries are made one at a time, in the order of
Azure's times, and none can overtake another that is in flight or backing off. The commit of the
claim is also the mark "may have been sent": whoever takes the episode after a crash looks first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select, update

from connector.adapter import Reason
from connector.model import Alert, Condition, Episode, Notice
from connector.store import codec
from connector.store.engine import now
from connector.store.tables import alerts, deliveries, destinations, episode_series, episodes

PENDING = ("waiting", "delivering")
"""`delivering` on an episode that nobody owns is what a crash left: it waits again."""


MOST_URGENT = (episodes.c.rank, episodes.c.waiting_since)
"""The order between episodes: severity, then age."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One delivery taken by one worker. Settling is fenced by `worker` and `epoch`."""

    delivery_id: str
    alert_id: str
    worker: str
    epoch: int
    series: str
    attempts: int
    received_at: datetime
    notice: Notice

    @property
    def destination(self) -> str:
        """The name of the destination."""
        return self.notice.destination

    @property
    def episode(self) -> str:
        """The key of the episode."""
        return self.notice.episode.key


def write_claims(
    connection: Connection, worker: str, namespaces: Mapping[str, str], limit: int, probe_every: timedelta
) -> list[Claim]:
    """Take up to `limit` due episodes of the destinations in `namespaces` (name -> namespace)."""
    moment = now(connection)
    paused = _paused(connection, namespaces)
    taken = _probes(connection, paused, moment, probe_every)
    open_names, room = [name for name in namespaces if name not in paused], limit - len(taken)
    if open_names and room > 0:
        taken += connection.execute(_due(open_names, moment, room)).all()
    claims = [_claim(connection, worker, row, namespaces[row.destination]) for row in taken]
    return [claim for claim in claims if claim is not None]


def write_freed(connection: Connection, which: Any, settling: timedelta) -> None:
    """Free episodes whose worker is gone, to be taken once the call that may be under way has settled."""
    moment = now(connection)
    row = episodes.c
    query = select(row.destination, row.key, row.due, row.touched_at).where(which).with_for_update()
    for found in connection.execute(query).all():
        due = max(found.due or moment, found.touched_at + settling)
        connection.execute(update(episodes).where(_this(found)).values(owner=None, due=due))


def _paused(connection: Connection, names: Mapping[str, str]) -> dict[str, datetime]:
    row = destinations.c
    query = select(row.name, row.next_probe_at).where(row.paused_since.is_not(None), row.name.in_(list(names)))
    return {found.name: found.next_probe_at for found in connection.execute(query)}


def _probes(
    connection: Connection, paused: Mapping[str, datetime], moment: datetime, probe_every: timedelta
) -> list[Any]:
    """One delivery for each paused destination whose probe is due, before anything else is taken.

    Those that failed least often go first: a record that always fails must not use up every probe.
    """
    found = []
    for name in (name for name, probe_at in paused.items() if probe_at <= moment):
        query = _due([name], moment, 1).order_by(None).order_by(episodes.c.failures, *MOST_URGENT)
        waiting = connection.execute(query).first()
        if waiting is not None and _takes_probe(connection, name, paused[name], moment + probe_every):
            found.append(waiting)
    return found


def _takes_probe(connection: Connection, name: str, seen: datetime, following: datetime) -> bool:
    """Whether the probe is ours: of several workers that see it due, one may send it."""
    row = destinations.c
    taken = update(destinations).where(row.name == name, row.next_probe_at == seen).values(next_probe_at=following)
    return connection.execute(taken).rowcount == 1


def _due(names: Sequence[str], moment: datetime, limit: int) -> Select[Any]:
    row = episodes.c
    return (
        select(episodes)
        .where(row.destination.in_(names), row.owner.is_(None), row.due.is_not(None), row.due <= moment)
        .order_by(*MOST_URGENT)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _claim(connection: Connection, worker: str, row: Any, namespace: str) -> Claim | None:
    head = _head(connection, row.destination, row.key)
    if head is None:
        connection.execute(update(episodes).where(_this(row)).values(due=None))
        return None
    moment = now(connection)
    taken = {"owner": worker, "epoch": row.epoch + 1, "touched_at": moment}
    sent = {"uncertain_since": row.uncertain_since or moment}
    connection.execute(update(episodes).where(_this(row)).values(taken | sent))
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == head.id)
        .values(state="delivering", in_doubt=True, next_attempt_at=None)
    )
    episode = _episode(row)
    said, ended = _said(connection, head, row.destination, row.key)
    notice = Notice(row.destination, namespace, episode, said, moment, ended, row.uncertain_since)
    return Claim(head.id, head.alert_id, worker, row.epoch + 1, head.series, head.attempts, head.received_at, notice)


def _episode(row: Any) -> Episode:
    """The episode as it was settled last; of a new or a forgotten one only the count of its items."""
    settled = row.state.startswith("{")
    return codec.load_episode(row.state) if settled else Episode(row.key, row.occurrence)


def _this(row: Any) -> Any:
    return and_(episodes.c.destination == row.destination, episodes.c.key == row.key)


def _head(connection: Connection, destination: str, key: str) -> Any | None:
    """The next delivery of an episode by Azure's times; marks as held what a dead one holds back.

    One in doubt goes first, though an earlier message may have come meanwhile: what its try did at
    the vendor only its own next try can tell.
    """
    of_episode = deliveries.c.destination == destination, deliveries.c.episode == key
    query = select(deliveries).where(*of_episode, deliveries.c.state.in_(PENDING))
    query = query.order_by(deliveries.c.in_doubt.desc(), *IN_ORDER).limit(1)
    while (row := connection.execute(query).first()) is not None:
        if not _is_held(connection, row, of_episode):
            return row
        connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(state="held"))
    return None


IN_ORDER = (
    deliveries.c.happened_at,
    deliveries.c.order_in_time,
    deliveries.c.received_at,
    deliveries.c.id,
)
"""The order of one episode's deliveries."""


def place_in_queue(connection: Connection, destination: str, episode: str, due: datetime) -> dict[str, Any]:
    """Return the columns of an episode that say when and how urgently it waits; idle if nothing does."""
    query = select(func.count(), func.min(deliveries.c.rank), func.min(deliveries.c.received_at)).where(
        deliveries.c.destination == destination, deliveries.c.episode == episode, deliveries.c.state.in_(PENDING)
    )
    count, rank, waiting_since = connection.execute(query).one()
    return {"due": due, "rank": rank, "waiting_since": waiting_since} if count else {"due": None, "waiting_since": None}


def _is_held(connection: Connection, row: Any, of_episode: Any) -> bool:
    """A dead delivery holds what ends or annotates the episode; an ambiguous one a fired as well.

    It does so until a later fired has been delivered: then the episode has its work item.
    """
    before = _not_after(row)
    query = select(deliveries.c.reason, *IN_ORDER).where(*of_episode, deliveries.c.state == "dead", before)
    dead = connection.execute(query.order_by(*(column.desc() for column in IN_ORDER))).all()
    if any(each.reason == Reason.AMBIGUOUS for each in dead):
        return True
    if not dead or row.condition == Condition.FIRED:
        return False
    later_fired = select(deliveries.c.id).where(
        *of_episode,
        deliveries.c.state == "delivered",
        deliveries.c.condition == Condition.FIRED,
        deliveries.c.happened_at >= dead[0].happened_at,
        before,
    )
    return connection.execute(later_fired.limit(1)).first() is None


def _not_after(row: Any) -> Any:
    column = deliveries.c
    same_instant = and_(column.happened_at == row.happened_at, column.order_in_time <= row.order_in_time)
    return or_(column.happened_at < row.happened_at, same_instant)


def _said(connection: Connection, head: Any, destination: str, key: str) -> tuple[tuple[Alert, ...], bool]:
    """The alerts of the notice, and whether they end the episode."""
    query = select(alerts.c.alert).where(alerts.c.id == head.alert_id)
    alert = codec.load_alert(connection.execute(query).scalar_one())
    if alert.test:
        return (alert,), True
    if alert.condition is Condition.RESOLVED:
        return (alert,), _all_over(connection, head, destination, key, alert.happened_at)
    ending = _ending(connection, alert, head, destination, key) if alert.condition is Condition.FIRED else None
    if ending is None:
        return (alert,), False
    return (alert, ending), _all_over(connection, head, destination, key, ending.happened_at)


def _all_over(connection: Connection, head: Any, destination: str, key: str, at: datetime) -> bool:
    row = episode_series.c
    still_open = select(row.series).where(row.destination == destination, row.episode == key, row.open.is_(True))
    others = or_(row.series != head.series, row.fired_at > at)
    return connection.execute(still_open.where(others).limit(1)).first() is None


def _ending(connection: Connection, fired: Alert, head: Any, destination: str, key: str) -> Alert | None:
    """The resolved that came before its fired: Azure sends them in no order.

    One that still has its own turn in this episode is left to it; one that a person discarded
    or that is dead does not count.
    """
    same_id = and_(alerts.c.azure_key.is_not(None), alerts.c.azure_key == codec.azure_digest(fired))
    same_firing = and_(same_id, alerts.c.fired_at == fired.fired_at)
    own_turn = exists().where(
        deliveries.c.alert_id == alerts.c.id,
        deliveries.c.destination == destination,
        deliveries.c.episode == key,
        deliveries.c.state != "delivered",
    )
    query = (
        select(alerts.c.alert)
        .where(
            alerts.c.condition == Condition.RESOLVED,
            alerts.c.test.is_(False),
            or_(same_id, alerts.c.series == head.series),
            or_(alerts.c.happened_at >= fired.happened_at, same_firing),
            ~own_turn,
        )
        .order_by(alerts.c.happened_at)
        .limit(1)
    )
    text = connection.execute(query).scalar_one_or_none()
    return codec.load_alert(text) if text else None
