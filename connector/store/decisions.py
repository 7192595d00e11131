"""The recorded decisions: written in the same commit as what they led to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from connector.model import Decision
from connector.store import codec
from connector.store.tables import decisions


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision, when it was made, and for which delivery (`None`: before there was one)."""

    at: datetime
    decision: Decision
    delivery_id: str | None


def write_decisions(
    connection: Connection, subject: str, made: Iterable[Decision], at: datetime, delivery_id: str | None = None
) -> None:
    """Record what was decided about `subject`, an alert or a quarantined body."""
    rows = [
        {
            "subject": subject,
            "delivery_id": delivery_id,
            "at": at,
            "step": each.step,
            "outcome": str(each.outcome).replace("\x00", ""),  # PostgreSQL refuses it, a vendor may send it
            "why": each.why.replace("\x00", ""),
            "data": codec.dump_data(each.data),
        }
        for each in made
    ]
    if rows:
        connection.execute(insert(decisions), rows)


def decisions_about(connection: Connection, subject: str) -> list[Recorded]:
    """Return all that was decided about `subject`, oldest first."""
    rows = connection.execute(select(decisions).where(decisions.c.subject == subject).order_by(decisions.c.id))
    return [
        Recorded(row.at, Decision(row.step, row.outcome, row.why, codec.load_data(row.data)), row.delivery_id)
        for row in rows
    ]
