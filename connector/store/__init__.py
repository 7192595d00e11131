"""The store: everything that was accepted, everything that waits, and what became of it.

It stands twice on the path of an alert: `accept` writes the alert and its deliveries in one commit
before Azure gets its answer; a worker then `claim`s and `settle`s. SQLAlchemy is used only here.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, delete, select, update

from connector.store import browse, operate, quarantine, retention, schema
from connector.store.accept import Accepting, Address, Stored, write_accepted
from connector.store.browse import Backlog, StoredAlert, StoredDelivery
from connector.store.claim import Claim, write_claims, write_freed
from connector.store.commits import Commits, SharedCommits
from connector.store.decisions import Recorded, decisions_about
from connector.store.engine import (
    Holder,
    StoreFile,
    check_sqlite_file,
    connect,
    insert,
    now,
    sqlite_path,
    store_errors,
)
from connector.store.errors import (
    SchemaError,
    StoreBusyError,
    StoreError,
    StoreMissingError,
    StoreUnavailableError,
)
from connector.store.look import Look
from connector.store.operate import Choice
from connector.store.quarantine import Quarantined, Quarantining
from connector.store.settle import Delivered, Failed, Settled, Settlement, write_settlements
from connector.store.tables import episodes, workers

T = TypeVar("T")

ACCEPT_SECONDS = 8.0
"""A commit that takes longer is answered 503: Azure waits about ten seconds (docs/http.md)."""

READY_SECONDS = 4.0
"""How long /readyz waits for the database; a statement may wait three of them for another's lock."""

HOLDER_WAIT_SECONDS = 15.0
"""How long a second holder waits for the first to go: a restart overlaps by seconds."""

PORTION = 200
"""Deliveries that one commit of an operator changes."""

WORKER_EXPIRY = timedelta(seconds=30)
"""A worker whose heartbeat is older than this is taken for dead; its episodes are free again."""


class Store:
    """One store, opened. Safe to use from many threads."""

    def __init__(self, engine: Engine, holder: Holder | None = None, *, settling: timedelta = timedelta(0)) -> None:
        self._engine = engine
        self._settling = settling
        self._file = StoreFile.of(engine)
        self._holder = holder
        self._commits = Commits(engine)
        self._accepts = SharedCommits(self._commits, write_accepted)
        self._bodies = SharedCommits(self._commits, quarantine.write_quarantined)
        self._look = Look(self._look_at_database)

    @classmethod
    def hold(cls, url: str, *, settling: timedelta = timedelta(0)) -> Store:
        """Open the store to run it, making or upgrading it where that is safe; raises StoreError.

        `settling` is how long after it was claimed an episode is left alone when its worker is gone:
        the vendor may still be working on the call.
        """
        path = sqlite_path(url)
        if path is None:
            return cls._on_server(url, settling)
        engine, holder = connect(url, create=True), Holder(path)
        holder.take(HOLDER_WAIT_SECONDS)
        with _let_go_on_failure(engine, holder):
            _bring_up_to_date(engine, path)
            store = cls(engine, holder, settling=settling)
            store._free_all()
            return store

    @classmethod
    def _on_server(cls, url: str, settling: timedelta) -> Store:
        engine = connect(url, create=True)
        with _let_go_on_failure(engine):
            if schema.version(engine) is None:
                schema.upgrade(engine)
            schema.require_current(engine)
            return cls(engine, settling=settling)

    @classmethod
    def beside(cls, url: str) -> Store:
        """Open a store that exists, beside the process that runs it; raises StoreError."""
        engine = connect(url, create=False)
        with _let_go_on_failure(engine):
            schema.require_current(engine)
            return cls(engine)

    def close(self) -> None:
        """Let go of connections and of the holder's lock."""
        self._accepts.close()
        self._bodies.close()
        self._engine.dispose()
        if self._holder is not None:
            self._holder.release()

    # the way in

    def accept(self, accepting: Accepting) -> Stored:
        """Store an alert and its deliveries; returns once that is on disk, raises StoreError."""
        return self._accepts.submit(accepting, ACCEPT_SECONDS)

    def quarantine(self, kept: Quarantining) -> None:
        """Keep a body that could not become an alert; raises StoreError."""
        self._bodies.submit(kept, ACCEPT_SECONDS)

    # the way out

    def work(
        self,
        worker: str,
        settlements: Sequence[Settlement],
        namespaces: Mapping[str, str],
        limit: int,
        probe_every: timedelta,
    ) -> tuple[list[Settled], list[Claim]]:
        """Settle what is done and take what is due, in one commit; raises StoreError."""

        def write(connection: Connection) -> tuple[list[Settled], list[Claim]]:
            settled = write_settlements(connection, settlements, probe_every) if settlements else []
            return settled, write_claims(connection, worker, namespaces, limit, probe_every) if limit > 0 else []

        return self._commits.run(write)

    def beat(self, worker: str) -> None:
        """Say that this worker lives, and free the episodes of those that no longer do."""

        def write(connection: Connection) -> None:
            moment = now(connection)
            row = insert(connection, workers).values(id=worker, beat_at=moment)
            connection.execute(row.on_conflict_do_update(index_elements=["id"], set_={"beat_at": moment}))
            connection.execute(delete(workers).where(workers.c.beat_at < moment - WORKER_EXPIRY))
            alive = select(workers.c.id)
            orphaned = episodes.c.owner.is_not(None) & episodes.c.owner.not_in(alive)
            write_freed(connection, orphaned, self._settling)

        self._commits.run(write)

    def leave(self, worker: str) -> None:
        """Say that this worker goes; what it still owned is free at once."""

        def write(connection: Connection) -> None:
            connection.execute(delete(workers).where(workers.c.id == worker))
            write_freed(connection, episodes.c.owner == worker, self._settling)

        self._commits.run(write)

    def free_others(self, worker: str, known: Sequence[tuple[str, str, int]]) -> None:
        """Free what this worker owns but does not know of: the answer of a commit was lost.

        `known` are (destination, episode, epoch): the lost commit may have taken the next delivery
        of an episode whose earlier claim is still known.
        """

        def write(connection: Connection) -> None:
            row = episodes.c
            for each in connection.execute(
                select(row.destination, row.key, row.epoch).where(row.owner == worker)
            ).all():
                if (each.destination, each.key, each.epoch) not in known:
                    here = (row.destination == each.destination) & (row.key == each.key)
                    write_freed(connection, here, self._settling)

        self._commits.run(write)

    def _free_all(self) -> None:
        """The one process that holds a SQLite store knows that nobody else works on it."""
        self.write(lambda connection: write_freed(connection, episodes.c.owner.is_not(None), self._settling))

    # operators

    def list_alerts(self, limit: int | None) -> list[StoredAlert]:
        """Return the newest alerts first."""
        return self.read(lambda connection: browse.list_alerts(connection, limit))

    def find_alerts(self, ids: Iterable[str]) -> list[StoredAlert]:
        """Return alerts by id, by the first digits of one, or by the id of a delivery."""
        return self.read(lambda connection: browse.find_alerts(connection, list(ids)))

    def list_deliveries(
        self, state: str | None = None, destination: str | None = None, limit: int | None = None
    ) -> list[StoredDelivery]:
        """Return the newest deliveries first."""
        return self.read(lambda connection: browse.list_deliveries(connection, state, destination, limit))

    def backlog(self) -> list[Backlog]:
        """Return what waits for each destination."""
        return self.read(browse.backlog)

    def decisions_about(self, subject: str) -> list[Recorded]:
        """Return all decisions about an alert or a quarantined body, oldest first."""
        return self.read(lambda connection: decisions_about(connection, subject))

    def replayable(self, choice: Choice) -> list[str]:
        """Return the ids of the chosen deliveries that can be tried again."""
        return self.read(lambda connection: operate.chosen(connection, choice, operate.REPLAYABLE))

    def discardable(self, choice: Choice) -> list[str]:
        """Return the ids of the chosen deliveries that can be given up."""
        return self.read(lambda connection: operate.chosen(connection, choice, operate.DISCARDABLE))

    def replay(self, ids: Sequence[str], comment: str) -> None:
        """Try deliveries again."""
        self._in_portions(ids, partial(operate.replay, comment=comment))

    def discard(self, ids: Sequence[str], comment: str) -> None:
        """Give deliveries up."""
        self._in_portions(ids, partial(operate.discard, comment=comment))

    def _in_portions(self, ids: Sequence[str], act: Callable[..., None]) -> None:
        """Twenty thousand in one transaction would keep the way in waiting for as long."""
        for start in range(0, len(ids), PORTION):
            some = ids[start : start + PORTION]
            self.write(partial(act, ids=some))

    def list_quarantined(self, limit: int | None, *, everything: bool = False) -> list[Quarantined]:
        """Return kept bodies, newest first."""
        return self.read(lambda connection: quarantine.list_quarantined(connection, limit, everything=everything))

    def find_quarantined(self, wanted: str) -> list[Quarantined]:
        """Return the kept bodies whose id begins so."""
        return self.read(lambda connection: quarantine.find_quarantined(connection, wanted))

    def end_quarantine(self, id_: str, state: str, comment: str, alert_id: str | None = None) -> None:
        """Mark a kept body as `replayed` or `discarded`."""
        self.write(lambda connection: quarantine.end_quarantine(connection, id_, state, comment, alert_id))

    def forget(self, retention_: timedelta, keep_raw: timedelta) -> int:
        """Forget one portion of what is old enough; return how many rows that were."""
        forgotten = self.write(lambda connection: retention.forget_bodies(connection, keep_raw))
        forgotten += self.write(lambda connection: retention.forget_ended(connection, retention_))
        return forgotten + self.write(lambda connection: retention.forget_episodes(connection, retention_))

    # transactions

    def ready(self) -> None:
        """Raise StoreError unless the database can be written now, and says so soon."""
        self._look.within(READY_SECONDS)

    def _look_at_database(self) -> None:
        if self._file is not None and not self._file.is_there():
            raise StoreUnavailableError("the database file has been moved or removed; stop, and restore it")
        nothing = update(workers).where(workers.c.id.is_(None)).values(id="")
        self._commits.run(lambda connection: connection.execute(nothing), timeout=READY_SECONDS)

    def now(self) -> datetime:
        """Return the clock that all processes of this store share."""
        return self.read(now)

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run `query` in a transaction that only reads; raises StoreError."""
        with store_errors(), self._engine.connect() as connection:
            return query(connection)

    def write(self, statement: Callable[[Connection], T]) -> T:
        """Run `statement` in a short write transaction; raises StoreError."""
        return self._commits.run(statement)


@contextmanager
def _let_go_on_failure(engine: Engine, holder: Holder | None = None) -> Iterator[None]:
    try:
        yield
    except BaseException:
        engine.dispose()
        if holder is not None:
            holder.release()
        raise


def _bring_up_to_date(engine: Engine, path: Path) -> None:
    check_sqlite_file(engine, path)
    schema.refuse_newer(engine)
    found = schema.version(engine)
    if found is not None and found != schema.head():
        schema.copy_before_upgrade(path, found)
    schema.upgrade(engine)


def worker_id() -> str:
    """Return a name for this process that no other has: host, process and chance."""
    return f"{os.uname().nodename[:32]}-{os.getpid()}-{secrets.token_hex(6)}"


__all__ = [
    "Accepting",
    "Address",
    "Backlog",
    "Choice",
    "Claim",
    "Delivered",
    "Failed",
    "Quarantined",
    "Quarantining",
    "Recorded",
    "SchemaError",
    "Settled",
    "Settlement",
    "Store",
    "StoreBusyError",
    "StoreError",
    "StoreMissingError",
    "StoreUnavailableError",
    "Stored",
    "StoredAlert",
    "StoredDelivery",
    "worker_id",
]
