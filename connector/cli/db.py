"""`db upgrade|check`: the store's own version and health."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.exits import Ended, Exit
from connector.cli.options import loaded, with_config
from connector.cli.output import show
from connector.store import SchemaError, Store, schema
from connector.store.engine import connect, sqlite_path, store_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine


@click.group()
def db() -> None:
    """The store's own version and health."""


@db.command()
@with_config
def upgrade(config_path: Path) -> None:
    """Make the store, or bring it to the version of this program."""
    url = loaded(config_path).store.url
    if sqlite_path(url) is not None:
        Store.hold(url).close()  # its copy before the change and its lock are those of `serve`
    else:
        engine = connect(url, create=True)
        try:
            schema.upgrade(engine)
        finally:
            engine.dispose()
    show(f"the store has schema {schema.head()}")


@db.command()
@with_config
def check(config_path: Path) -> None:
    """Say which version the store has and whether it is sound."""
    url = loaded(config_path).store.url
    engine = connect(url, create=False)
    try:
        show(f"schema     {schema.version(engine) or 'none'} (this program: {schema.head()})")
        if sqlite_path(url) is not None:
            _look_over(engine)
        schema.require_current(engine)
    except SchemaError as error:
        raise Ended(Exit.NEGATIVE, str(error)) from error
    finally:
        engine.dispose()


def _look_over(engine: Engine) -> None:
    """Read the whole file: what a start does not do for a large one, because it takes so long."""
    with store_errors(), engine.connect() as connection:
        faults = list(connection.exec_driver_sql("PRAGMA integrity_check(5)").scalars())
    show(f"integrity  {'; '.join(faults)}")
    if faults != ["ok"]:
        raise Ended(Exit.NEGATIVE, "the database file is damaged: stop the program, and restore a copy")
