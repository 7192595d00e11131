"""What an operator does by hand: replay, discard. Each act leaves a decision with its comment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from connector.model import Decision
from connector.store.claim import place_in_queue
from connector.store.decisions import write_decisions
from connector.store.engine import now
from connector.store.tables import deliveries, episodes


@dataclass(frozen=True, slots=True)
class Choice:
    """Which deliveries are meant: by id (or a prefix of it), or all of a state."""

    ids: tuple[str, ...] = ()
    state: str | None = None
    destination: str | None = None


REPLAYABLE = ("dead", "held", "discarded")
DISCARDABLE = ("dead", "held", "waiting")


def chosen(connection: Connection, choice: Choice, allowed: Sequence[str]) -> list[str]:
    """Return the ids of the chosen deliveries whose state allows the act, oldest first."""
    query = select(deliveries.c.id).where(deliveries.c.state.in_(list(allowed)))
    if choice.ids:
        named = [deliveries.c.id.startswith(each.lower(), autoescape=True) for each in choice.ids if len(each) >= 6]
        query = query.where(deliveries.c.id.in_(choice.ids) | _any(named))
    if choice.state is not None:
        query = query.where(deliveries.c.state == choice.state)
    if choice.destination is not None:
        query = query.where(deliveries.c.destination == choice.destination)
    return list(connection.execute(query.order_by(deliveries.c.received_at)).scalars())


def _any(conditions: list[Any]) -> Any:
    found: Any = deliveries.c.id.in_([])
    for condition in conditions:
        found = found | condition
    return found


def replay(connection: Connection, ids: Sequence[str], comment: str) -> None:
    """Try the deliveries again, and free what they held back; order is restored by Azure's times."""
    decision = Decision("replayed", "waiting", comment or "replayed by an operator")
    _put(connection, ids, REPLAYABLE, "waiting", decision)


def discard(connection: Connection, ids: Sequence[str], comment: str) -> None:
    """Give the deliveries up, and free what they held back."""
    decision = Decision("discarded", "discarded", comment or "discarded by an operator")
    _put(connection, ids, DISCARDABLE, "discarded", decision)


def _put(connection: Connection, ids: Sequence[str], allowed: Sequence[str], state: str, decision: Decision) -> None:
    """Change those that still are in an allowed state: a worker may have taken one meanwhile."""
    moment = now(connection)
    for each in ids:
        query = select(deliveries).where(deliveries.c.id == each, deliveries.c.state.in_(list(allowed)))
        row = connection.execute(query.with_for_update()).first()
        if row is None:
            continue
        fresh = {"attempts": 0, "first_failed_at": None} if state == "waiting" else {}
        values = {"state": state, "next_attempt_at": None, "done_at": None, "reason": None, **fresh}
        connection.execute(update(deliveries).where(deliveries.c.id == each).values(values))
        write_decisions(connection, row.alert_id, [decision], moment, each)
        here = (deliveries.c.destination == row.destination) & (deliveries.c.episode == row.episode)
        connection.execute(update(deliveries).where(here, deliveries.c.state == "held").values(state="waiting"))
        episode = (episodes.c.destination == row.destination) & (episodes.c.key == row.episode)
        place = place_in_queue(connection, row.destination, row.episode, moment)
        connection.execute(update(episodes).where(episode).values(place))
