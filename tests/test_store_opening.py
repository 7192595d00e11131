"""Opening the store: who holds it, which schema it has, and what is said when it is damaged."""

import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from connector.store import (
    SchemaError,
    Store,
    StoreBusyError,
    StoreMissingError,
    StoreUnavailableError,
)
from connector.store.engine import Holder
from connector.store.tables import metadata
from connector.testing.by_hand import accept, make_alert


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_files_are_private(tmp_path: Path) -> None:
    """The database, its log and the lock can be read by their owner only, in a folder of its own."""
    path = tmp_path / "new" / "store.db"
    with closing(Store.hold(sqlite_url(path))) as store:
        accept(store, make_alert())
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert {"store.db", "store.db-wal", "store.db-shm", "store.db.holder"} == set(modes)
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_stored_is_there_after_a_restart(store_url: str) -> None:
    """Closing and opening again loses nothing, and nothing is owned by the dead process."""
    with closing(Store.hold(store_url)) as store:
        accept(store, make_alert())
    with closing(Store.hold(store_url)) as store:
        assert len(store.list_alerts(None)) == 1


def test_a_second_holder_is_refused(tmp_path: Path) -> None:
    """While one process holds the store another cannot, and says so."""
    path = tmp_path / "s.db"
    with closing(Store.hold(sqlite_url(path))):
        holder = Holder(path)
        with pytest.raises(StoreBusyError, match="another process holds the store"):
            holder.take(0.2)
    holder.take(0.2)
    holder.release()


def test_the_holder_goes_with_its_process(tmp_path: Path) -> None:
    """A process that was killed holds nothing any more: the system itself takes the lock away."""
    url = sqlite_url(tmp_path / "s.db")
    code = (
        "import sys, time; from connector.store import Store;"
        "store = Store.hold(sys.argv[1]); print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    process.kill()
    process.communicate()
    Store.hold(url).close()


def test_commands_work_beside_the_holder(tmp_path: Path) -> None:
    """They read what the holder wrote and write short transactions of their own."""
    url = sqlite_url(tmp_path / "s.db")
    with closing(Store.hold(url)) as holder, closing(Store.beside(url)) as command:
        accept(holder, make_alert())
        assert len(command.list_alerts(None)) == 1
        accept(command, make_alert(azure_id="a2"))
        assert len(holder.list_alerts(None)) == 2


@pytest.mark.parametrize(
    "content", [b"this is no database" * 100, b"SQLite format 3\x00" + b"\xff" * 5000], ids=["text", "half"]
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    """A file that is no database stops the start with words, and stays as it was."""
    path = tmp_path / "s.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match="damaged"):
        Store.hold(sqlite_url(path))
    assert path.read_bytes() == content


def test_a_page_that_was_overwritten_is_found_at_start(tmp_path: Path) -> None:
    """Damage in the middle of a store that opens well is found before anything is written."""
    path = tmp_path / "s.db"
    with closing(Store.hold(sqlite_url(path))) as store:
        for number in range(50):
            accept(store, make_alert(azure_id=f"a{number}", minute=number))
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\x55" * 4096 * 4)
    with pytest.raises(StoreUnavailableError, match="damaged"):
        Store.hold(sqlite_url(path))


def test_a_locked_file_is_named(tmp_path: Path) -> None:
    """A foreign program's lock stops the start with words."""
    path = tmp_path / "s.db"
    Store.hold(sqlite_url(path)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("PRAGMA locking_mode = EXCLUSIVE")
        foreign.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusyError, match="locked"):
            Store.hold(sqlite_url(path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A path that leads through a file cannot hold a store."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailableError, match="cannot write the store"):
        Store.hold(sqlite_url(tmp_path / "file" / "s.db"))


def test_a_server_that_is_not_there_is_named() -> None:
    """Nobody listens on port 1."""
    with pytest.raises(StoreUnavailableError, match="cannot be used"):
        Store.hold("postgresql+psycopg://nobody@127.0.0.1:1/none")


def set_version(url: str, version: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    engine.dispose()


def test_a_newer_store_is_refused(store_url: str) -> None:
    """A program that does not know the schema touches nothing, as holder or beside."""
    Store.hold(store_url).close()
    set_version(store_url, "9999")
    for opening in (Store.hold, Store.beside):
        with pytest.raises(SchemaError, match="newer than this program"):
            opening(store_url)


def test_tables_of_somebody_else_are_refused(store_url: str) -> None:
    """A database that happens to have a table of our name is not made ours."""
    engine = create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alerts (id INTEGER)"))
    engine.dispose()
    with pytest.raises(SchemaError, match="not a store of this program"):
        Store.hold(store_url)


def test_an_empty_database_is_no_store_for_a_command(postgres_database: str) -> None:
    """On PostgreSQL too a command says which command makes the store."""
    with pytest.raises(StoreMissingError, match="db upgrade"):
        Store.beside(postgres_database)


def test_several_may_start_at_once_on_an_empty_database(postgres_database: str) -> None:
    """Each of five ends with the same store, made once."""
    with ThreadPoolExecutor(5) as pool:
        stores = list(pool.map(Store.hold, [postgres_database] * 5))
    for store in stores:
        assert store.list_alerts(None) == []
        store.close()


def test_a_read_only_server_is_named(postgres_database: str) -> None:
    """After a fail-over the old server may only be read: that is the server's state and no fault of ours."""
    with closing(Store.hold(postgres_database)) as store:
        with pytest.raises(StoreUnavailableError, match="read-only"):
            store.write(lambda connection: connection.execute(text("SET TRANSACTION READ ONLY")) and _beat(connection))
        store.beat("w")


def _beat(connection: Connection) -> None:
    connection.execute(text("DELETE FROM workers"))


def test_the_migrations_make_the_tables_that_the_code_uses(store_url: str) -> None:
    """A column or an index that is only in one of the two would be found out by an operator."""
    with closing(Store.hold(store_url)) as store:
        differences = store.read(lambda connection: compare_metadata(MigrationContext.configure(connection), metadata))
    assert differences == []
