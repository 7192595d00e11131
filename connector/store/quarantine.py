"""Bodies that could not become an alert, kept whole or in part until a person looked at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from connector.model import Decision
from connector.store.decisions import write_decisions
from connector.store.engine import now
from connector.store.tables import quarantine


@dataclass(frozen=True, slots=True)
class Quarantining:
    """A body about to be kept. `id` is the caller's; `size` is that of the whole body."""

    id: str
    code: str
    detail: str
    body: bytes
    size: int
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A kept body. `state` is `kept`, `replayed` or `discarded`; `whole` unless it was cut."""

    id: str
    code: str
    detail: str
    trace: str | None
    received_at: datetime
    size: int
    body: bytes
    state: str
    alert_id: str | None

    @property
    def whole(self) -> bool:
        """Whether all of the body was kept: only then can it be replayed."""
        return len(self.body) == self.size


def write_quarantined(connection: Connection, batch: Sequence[Quarantining]) -> list[None]:
    """Keep a batch of bodies; there is nothing to answer for each."""
    for kept in batch:
        _write(connection, kept)
    return [None] * len(batch)


def _write(connection: Connection, kept: Quarantining) -> None:
    moment = now(connection)
    values = {
        "id": kept.id,
        "code": kept.code,
        "detail": kept.detail,
        "trace": kept.trace,
        "received_at": moment,
        "size": kept.size,
        "body": kept.body,
        "state": "kept",
    }
    connection.execute(insert(quarantine).values(values))
    write_decisions(connection, kept.id, [Decision("quarantined", kept.code, kept.detail)], moment)


def list_quarantined(connection: Connection, limit: int | None, *, everything: bool = False) -> list[Quarantined]:
    """Return kept bodies, newest first; `everything` includes what was replayed or discarded."""
    query = select(quarantine).order_by(quarantine.c.received_at.desc(), quarantine.c.id).limit(limit)
    if not everything:
        query = query.where(quarantine.c.state == "kept")
    return [_quarantined(row) for row in connection.execute(query)]


def find_quarantined(connection: Connection, wanted: str) -> list[Quarantined]:
    """Return what has this id; six or more of its first digits will do."""
    column = quarantine.c.id
    is_prefix = len(wanted) >= 6
    condition = column.startswith(wanted.lower(), autoescape=True) if is_prefix else column == wanted
    return [_quarantined(row) for row in connection.execute(select(quarantine).where(condition))]


def end_quarantine(connection: Connection, id_: str, state: str, comment: str, alert_id: str | None = None) -> None:
    """Mark a body as `replayed` (it became `alert_id`) or `discarded`."""
    connection.execute(update(quarantine).where(quarantine.c.id == id_).values(state=state, alert_id=alert_id))
    write_decisions(connection, id_, [Decision(state, state, comment)], now(connection))


def _quarantined(row: Any) -> Quarantined:
    return Quarantined(
        row.id, row.code, row.detail, row.trace, row.received_at, row.size, row.body, row.state, row.alert_id
    )
