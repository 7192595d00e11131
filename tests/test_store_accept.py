"""The way in of the store: one commit, no doubles, and who hears of a resolved."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from connector.model import Alert, Decision, Fact
from connector.store import (
    ACCEPT_SECONDS,
    Accepting,
    Address,
    Quarantining,
    Store,
    Stored,
    StoreError,
    StoreMissingError,
)
from connector.store.accept import write_accepted
from connector.testing.by_hand import accept, make_alert
from connector.testing.postgres import PostgresServer, fresh_database


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store.hold(store_url)
    yield opened
    opened.close()


def destinations_of(store: Store, alert: Alert) -> dict[str, str]:
    """Return destination -> episode of what is stored of an alert."""
    [stored] = store.find_alerts([alert.id])
    return {each.destination: each.episode for each in stored.deliveries}


def test_an_alert_comes_back_as_it_went_in(store: Store) -> None:
    """What is stored is the whole alert, hostile text included."""
    alert = make_alert(facts=(Fact("né\u202e", "';--\n\U0001f4a5"),), dimensions=(("a", "1"), ("a", "2")))
    accept(store, alert)
    assert store.find_alerts([alert.id])[0].alert == alert


def test_the_same_event_again_has_the_same_ids(store: Store) -> None:
    """A second post of an event is told the ids of the first and writes nothing."""
    alert = make_alert()
    first, second = accept(store, alert, "b", "a"), accept(store, alert, "b", "a", "c")
    assert (first.duplicate, second.duplicate) == (False, True)
    assert first.deliveries == second.deliveries
    assert [name for _, name in first.deliveries] == ["a", "b"]


def test_fifty_concurrent_posts_of_one_event_make_one_delivery(store: Store) -> None:
    """Exactly one of fifty threads is told that the event is new; all hear the same delivery."""
    alert = make_alert()
    start = threading.Barrier(50)

    def post(_: int) -> tuple[bool, tuple[tuple[str, str], ...]]:
        start.wait()
        stored = accept(store, alert)
        return stored.duplicate, stored.deliveries

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(post, range(50)))
    assert sorted(duplicate for duplicate, _ in answers) == [False] + [True] * 49
    assert len({deliveries for _, deliveries in answers}) == 1
    assert len(store.list_deliveries()) == 1


def test_concurrent_accepts_of_many_events_lose_none(store: Store) -> None:
    """Two hundred events from twenty threads, several per episode, are all there afterwards."""
    alerts = [make_alert(azure_id=f"a{n}", minute=n, series=f"s{n % 7}") for n in range(200)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda alert: accept(store, alert, "x", "y"), alerts))
    assert not any(answer.duplicate for answer in answers)
    assert len(store.list_deliveries()) == 400


def test_an_item_that_cannot_be_written_harms_no_other(store: Store) -> None:
    """One alert that the database refuses does not take along those that share its commit."""
    poison = replace(make_alert(azure_id="bad"), id="x" * 32, condition=None)  # type: ignore[arg-type]
    good = [make_alert(azure_id=f"g{n}") for n in range(20)]
    start = threading.Barrier(21)

    def post(alert: Alert) -> str:
        start.wait()
        try:
            return accept(store, alert).alert_id
        except (SQLAlchemyError, AttributeError) as error:
            return type(error).__name__

    with ThreadPoolExecutor(21) as pool:
        answers = list(pool.map(post, [*good, poison]))
    assert answers[:20] == [alert.id for alert in good]
    assert answers[20] != poison.id
    assert len(store.list_alerts(None)) == 20


def test_a_resolved_goes_where_its_fired_went(store: Store) -> None:
    """By Azure's alert id, whatever the routes say today and whatever its own series is."""
    accept(store, make_alert(azure_id="a1"), "old-desk")
    resolved = make_alert("resolved", azure_id="a1", minute=5, series="lost-its-dimensions")
    accept(store, resolved, "new-desk")
    assert destinations_of(store, resolved) == {"old-desk": make_alert().series.episode_key}


def test_a_resolved_with_a_foreign_id_falls_back_to_its_series(store: Store) -> None:
    """Where Azure's id is unknown the series says which episode is meant."""
    accept(store, make_alert(azure_id="a1"), "desk", episode="e" * 40)
    resolved = make_alert("resolved", azure_id="unknown", minute=5)
    accept(store, resolved, "other-desk")
    assert destinations_of(store, resolved) == {"desk": "e" * 40}


def test_a_resolved_nobody_fired_goes_to_the_routed(store: Store) -> None:
    """An unknown resolved is kept under its own series, so that a late fired meets it there."""
    resolved = make_alert("resolved", azure_id="unknown", minute=5)
    accept(store, resolved, "desk")
    assert destinations_of(store, resolved) == {"desk": resolved.series.episode_key}


def test_alert_ids_are_compared_by_subscription_and_last_segment(store: Store) -> None:
    """The same last segment under another subscription is another alert."""
    accept(store, make_alert(azure_id="a1"), "desk", episode="e" * 40)
    same = replace(
        make_alert("resolved", azure_id="x", minute=5, series="other"),
        azure_alert_id="/SUBSCRIPTIONS/S/resourceGroups/g/providers/Microsoft.AlertsManagement/alerts/A1",
    )
    foreign = replace(
        make_alert("resolved", azure_id="y", minute=5, series="another"),
        azure_alert_id="/subscriptions/t/providers/Microsoft.AlertsManagement/alerts/a1",
    )
    accept(store, same, "routed")
    accept(store, foreign, "routed")
    assert destinations_of(store, same) == {"desk": "e" * 40}
    assert destinations_of(store, foreign) == {"routed": foreign.series.episode_key}


def test_a_test_notification_ends_nobody(store: Store) -> None:
    """A portal test carries a constant id: it is bound to its own episode and no other."""
    accept(store, make_alert(azure_id="a1"), "desk")
    test = make_alert("resolved", azure_id="a1", minute=5, test=True)
    accept(store, test, "desk")
    assert destinations_of(store, test)["desk"] != make_alert().series.episode_key


def test_a_replayed_alert_reaches_new_destinations_only(store: Store) -> None:
    """Routing an alert again adds what is missing and repeats nothing."""
    alert = make_alert()
    accept(store, alert, "a")
    addresses = tuple(Address(name, alert.series.episode_key) for name in ("a", "b"))
    again = store.accept(Accepting(alert, b"", addresses, (Decision("replayed", "x", "y"),), again=True))
    assert [name for _, name in again.deliveries] == ["a", "b"]
    assert store.decisions_about(alert.id)[-1].decision.step == "replayed"


def test_a_quarantined_body_is_kept_byte_for_byte(store: Store) -> None:
    """Whatever the bytes, and the id may be shortened to look it up."""
    body = bytes(range(256))
    store.quarantine(Quarantining("ab" * 16, "not-json", "it is not JSON", body, len(body)))
    [kept] = store.find_quarantined("abab" * 2)
    assert (kept.body, kept.code, kept.whole, kept.state) == (body, "not-json", True, "kept")
    store.end_quarantine(kept.id, "discarded", "looked at")
    assert store.list_quarantined(None) == []
    assert store.list_quarantined(None, everything=True)[0].state == "discarded"


def test_commands_do_not_make_a_store(store_url: str) -> None:
    """Opening beside a process that runs it needs a store to be there."""
    with pytest.raises(StoreMissingError):
        Store.beside(store_url)


def test_the_clock_is_one(store: Store) -> None:
    """The store's clock is aware and near to ours on one machine."""
    assert abs((store.now() - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize("table", ["alerts", "decisions", "deliveries", "episodes", "episode_series"])
def test_a_lock_that_somebody_holds_is_told_in_time(postgres_database: str, table: str) -> None:
    """A foreign lock on any table ends in a StoreError well before Azure gives up, and passes with the lock."""
    engine = create_engine(postgres_database)
    with closing(Store.hold(postgres_database)) as store, engine.connect() as foreign:
        foreign.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        with pytest.raises(StoreError):
            store.accept(_accepting())
        assert time.monotonic() - began < ACCEPT_SECONDS + 1
        foreign.rollback()
        assert store.accept(_accepting()).deliveries
    engine.dispose()


def _accepting() -> Accepting:
    alert = make_alert()
    return Accepting(alert, b"{}", (Address("desk", alert.series.episode_key),), (Decision("read", "fired", "x"),))


def test_a_fired_and_its_resolved_at_two_gateways_find_each_other(postgres_database: str) -> None:
    """Accepted at the same moment into two episodes, the resolved still is bound to its fired."""
    with closing(Store.hold(postgres_database)) as one, closing(Store.beside(postgres_database)) as other:
        fired = make_alert(azure_id="a1")
        end = make_alert("resolved", azure_id="a1", minute=5, series="lost-its-dimensions")
        with ThreadPoolExecutor(1) as pool:

            def accept_slowly(connection: Connection) -> Future[Stored]:
                address = Address("desk", fired.series.episode_key)
                write_accepted(connection, [Accepting(fired, b"{}", (address,))])
                following = pool.submit(accept, other, end)
                time.sleep(0.3)  # the other gateway has begun
                return following

            one.write(accept_slowly).result(20)
        assert destinations_of(one, end) == {"desk": fired.series.episode_key}


def test_a_frozen_server_is_told_in_time() -> None:
    """The server stands still in mid-sentence: whoever asks hears so before Azure gives up, and nothing is lost."""
    with (
        PostgresServer() as server,  # its own: nobody else's processes are stopped
        fresh_database(server.url) as url,
        closing(Store.hold(url)) as store,
    ):
        engine = create_engine(url)
        accept(store, make_alert(azure_id="before"))
        pids = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with engine.connect() as connection:
            backends = list(connection.execute(text(pids)).scalars())
        assert backends
        try:
            for pid in backends:
                os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            with ThreadPoolExecutor(4) as pool:
                answers = [pool.submit(accept, store, make_alert(azure_id=f"a{number}")) for number in range(3)]
                look = pool.submit(store.ready)
                errors = [each.exception() for each in (*answers, look)]
            assert [isinstance(error, StoreError) for error in errors] == [True] * 4
            assert time.monotonic() - began < ACCEPT_SECONDS + 1
        finally:
            for pid in backends:
                os.kill(pid, signal.SIGCONT)
        for number in range(3):
            assert accept(store, make_alert(azure_id=f"a{number}")).deliveries
        store.ready()
        assert len(store.list_alerts(None)) == 4
        engine.dispose()


def test_a_store_that_was_removed_is_not_ready(tmp_path: Path) -> None:
    """SQLite would go on writing to the file that nobody can find any more."""
    with closing(Store.hold(f"sqlite:///{tmp_path}/s.db")) as store:
        store.ready()
        (tmp_path / "s.db").unlink()
        with pytest.raises(StoreError, match="moved or removed"):
            store.ready()


def test_a_store_that_is_locked_is_not_ready(tmp_path: Path) -> None:
    """Ready means that an alert could be stored now."""
    with closing(Store.hold(f"sqlite:///{tmp_path}/s.db")) as store:
        with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as foreign:
            foreign.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"):
                store.ready()
            foreign.execute("ROLLBACK")
        store.ready()
