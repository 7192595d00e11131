"""What tests of more than one module need: a store on either engine, each test on a fresh one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.testing.postgres import PostgresError, PostgresServer, fresh_database


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server. None to be had is a failure: a skipped engine is an untested one."""
    given = os.environ.get("ITSM_TEST_POSTGRES")
    if given:
        yield given.replace("postgresql://", "postgresql+psycopg://", 1)
        return
    try:
        server = PostgresServer()
    except PostgresError as error:
        pytest.fail(f"the tests need PostgreSQL: {error}\nOr name one in ITSM_TEST_POSTGRES.", pytrace=False)
    with server:
        yield server.url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a store that does not exist yet, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    url: str = request.getfixturevalue("postgres_database")
    return url
