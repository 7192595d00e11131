"""Which version the store has, and bringing it to ours (Alembic).

SQLite is upgraded on start, after a copy; PostgreSQL only by `db upgrade`, because other processes
may be running on it. A store newer than the program is refused: it would lose what it cannot see.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from connector.store.engine import store_errors
from connector.store.errors import SchemaError, StoreMissingError, StoreUnavailableError

_MIGRATIONS = Path(__file__).parent / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """Return the version that this program writes."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def version(engine: Engine) -> str | None:
    """Return the version of the store, `None` where it has no tables yet."""
    with store_errors(), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> None:
    """Bring the store to our version; raises SchemaError for a newer one."""
    refuse_newer(engine)
    with store_errors(), engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":  # a large table takes the time it takes
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(
                text("SELECT pg_advisory_xact_lock(4917207)")
            )  # several may start at once on an empty one
        command.upgrade(_config(connection), "head")


def refuse_newer(engine: Engine) -> None:
    """Raise SchemaError when the store was written by a program we do not know, or is not ours."""
    found = version(engine)
    if found is None:
        _refuse_foreign(engine)
    elif found not in known_versions():
        raise SchemaError(f"the store has schema {found}, newer than this program ({head()}); use the newer program")


def _refuse_foreign(engine: Engine) -> None:
    with store_errors(), engine.connect() as connection:
        names = set(inspect(connection).get_table_names())
    if names & {"alerts", "deliveries", "episodes"}:
        raise SchemaError("the database has tables of these names but no version: it is not a store of this program")


def known_versions() -> set[str]:
    """Return every version that this program can read or upgrade from."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def require_current(engine: Engine) -> None:
    """Raise unless the store has exactly our version; says which command mends it."""
    refuse_newer(engine)
    found = version(engine)
    if found is None:
        raise StoreMissingError("the database holds no store yet; run `itsm-connector db upgrade`")
    if found != head():
        raise SchemaError(f"the store has the older schema {found}; run `itsm-connector db upgrade` ({head()})")


def copy_before_upgrade(path: Path, found: str) -> Path:
    """Copy a SQLite store aside before it is changed; return the copy."""
    copy = path.with_name(f"{path.name}.{found}.copy")
    try:
        with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
            source.backup(target)
        shutil.copymode(path, copy)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailableError(f"cannot copy the store to {copy} before its upgrade: {error}") from error
    return copy
