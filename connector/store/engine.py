"""Opening the database: what SQLite and PostgreSQL need differently stands here and only here.

SQLite: write-ahead log, full synchronisation, files that only their owner can read, one process
that *holds* the store while commands run beside it. PostgreSQL does all of that itself.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.sql.schema import Table

from connector.store.errors import StoreBusyError, StoreError, StoreMissingError, StoreUnavailableError

BUSY_SECONDS = 3.0
"""How long one statement waits for another process's short write transaction on SQLite."""

QUICK_CHECK_BYTES = 64 * 1024 * 1024
"""Files up to this size are checked for damage at start; a larger one would delay it by seconds."""


_SERVER_PATIENCE: dict[str, str | int] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
    "options": "-c lock_timeout=3000 -c statement_timeout=6000 -c idle_in_transaction_session_timeout=15000",
}
"""How long PostgreSQL may keep us waiting: Azure hears within ten seconds, or takes us for dead.

A transaction that somebody left open may not hold a row for ever either.
"""


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite URL, `None` for PostgreSQL."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def connect(url: str, *, create: bool) -> Engine:
    """Return an engine for `url`; raises StoreMissingError where there is no file and `create` is false."""
    path = sqlite_path(url)
    if path is None:
        return create_engine(url, pool_pre_ping=True, pool_size=8, max_overflow=8, connect_args=_SERVER_PATIENCE)
    if create:
        _touch_private(path)
    elif not path.exists():
        raise StoreMissingError(f"there is no store at {path}; `serve`, `worker` or `db upgrade` makes one")
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _touch_private(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)  # SQLite gives its -wal and -shm files the mode of the database
    except OSError as error:
        raise StoreUnavailableError(f"cannot write the store {path}: {error.strerror}") from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own transaction handling starts a transaction only at the first write; ours is
    # explicit (`_begin_sqlite`), so that a write transaction never fails half-way with "locked".
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA wal_autocheckpoint = 2000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def now(connection: Connection) -> datetime:
    """Return the clock that all processes of this store share: the database's."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment.astimezone(UTC)


def insert(connection: Connection, table: Table) -> Any:
    """Return an INSERT that knows ON CONFLICT, in the connection's dialect."""
    build = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return build(table)


def is_deadlock(error: DBAPIError) -> bool:
    """Whether the database asks for the whole transaction to be run again."""
    return getattr(error.orig, "sqlstate", None) in ("40P01", "40001")


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what the database says about itself into StoreError; a wrong statement stays a fault."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise described(error) from error
    except DBAPIError as error:
        if error.connection_invalidated or _damaged(error) or _server_state(error):
            raise described(error) from error
        raise


_SERVER_STATES = ("25", "53", "57", "58")
"""SQLSTATE classes that speak of the server and not of a statement: read-only after a fail-over,
out of resources, shutting down, a fault of its system (PostgreSQL documentation, appendix A)."""


def _server_state(error: DBAPIError) -> bool:
    return (getattr(error.orig, "sqlstate", None) or "").startswith(_SERVER_STATES)


def _damaged(error: DBAPIError) -> bool:
    words = str(error.orig).lower()
    return "malformed" in words or "not a database" in words


def described(error: DBAPIError) -> StoreError:
    """Return the StoreError for what a database said; it never repeats statements or parameters."""
    words = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    if "locked" in words or "busy" in words:
        return StoreBusyError("the database is locked by another process")
    if _damaged(error):
        return StoreUnavailableError(
            f"the database file is damaged ({words}); move it away and restore a copy, then start again"
        )
    if "full" in words:
        return StoreUnavailableError("the disk of the store is full")
    return StoreUnavailableError(f"the database cannot be used: {words}")


def check_sqlite_file(engine: Engine, path: Path) -> None:
    """Look a SQLite file over for damage; raises StoreError."""
    with store_errors(), engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA schema_version")
        if path.stat().st_size <= QUICK_CHECK_BYTES:
            verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            if verdict != "ok":
                raise StoreUnavailableError(f"the database file {path} is damaged: {verdict}")


class StoreFile:
    """The very file that a SQLite engine opened: SQLite goes on writing to one that was removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = self._now()

    @classmethod
    def of(cls, engine: Engine) -> StoreFile | None:
        """Return the file of an engine, `None` for PostgreSQL."""
        path = engine.url.database
        return cls(Path(path)) if engine.dialect.name == "sqlite" and path else None

    def is_there(self) -> bool:
        """Whether the path still leads to the file that was opened."""
        return self._now() == self._identity

    def _now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class Holder:
    """The lock file by which one process holds a SQLite store."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".holder")
        self._file: int | None = None

    def take(self, wait_seconds: float) -> None:
        """Take the store, waiting for a holder that is about to go; raises StoreBusyError."""
        handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        deadline = time.monotonic() + wait_seconds
        while not _locked(handle):
            if time.monotonic() >= deadline:
                os.close(handle)
                raise StoreBusyError(f"another process holds the store {self._path.with_suffix('')}; stop it first")
            time.sleep(0.1)
        self._file = handle

    def release(self) -> None:
        """Let go of the store; done by the system too when the process ends in any way."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
