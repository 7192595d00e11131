"""What the store forgets, and what it never forgets."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from connector.adapter import DeliveryError, Reason
from connector.lifecycle import episode_after
from connector.model import Action, ItemState, Receipt, WorkItem
from connector.store import Accepting, Address, Delivered, Failed, Quarantining, Store, Stored, retention
from connector.store.accept import write_accepted
from connector.store.tables import episodes
from connector.testing.by_hand import AT_ONCE, accept, make_alert

NOW = timedelta(0)
LONG = timedelta(days=300)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store.hold(store_url)
    yield opened
    opened.close()


def deliver(store: Store, state: ItemState) -> None:
    """Deliver what waits; the work item is then in `state`."""
    [claim] = store.work("w", [], {"desk": "desk"}, 1, LONG)[1]
    receipt = Receipt((Action.OPENED,), WorkItem("1", "M1", "", state, correlation=claim.notice.correlation))
    store.work("w", [Delivered(claim, receipt, episode_after(claim.notice, receipt))], {}, 0, LONG)


def forget(store: Store) -> None:
    while store.forget(NOW, LONG):
        pass


def test_a_raw_body_goes_before_its_alert(store: Store) -> None:
    """After `keep_raw` the body is gone and the alert is not."""
    accept(store, make_alert())
    assert store.forget(LONG, NOW) == 1
    assert store.forget(LONG, NOW) == 0
    assert len(store.list_alerts(None)) == 1


def test_what_ended_is_forgotten_whole(store: Store) -> None:
    """Alert, deliveries, decisions and episode go together once the work item has ended."""
    accept(store, make_alert())
    deliver(store, ItemState.RESOLVED)
    alert_id = store.list_alerts(None)[0].alert.id
    forget(store)
    assert (store.list_alerts(None), store.list_deliveries(), store.decisions_about(alert_id)) == ([], [], [])


def test_an_alert_that_no_route_wants_is_forgotten(store: Store) -> None:
    """Unrouted alerts have nothing to wait for."""
    accept(store, make_alert(), *())
    store.discard([store.list_deliveries()[0].id], "not wanted")
    forget(store)
    assert store.list_alerts(None) == []


def test_an_open_work_item_is_never_forgotten(store: Store) -> None:
    """Azure's Resolved may come after any time and must find its fired alert."""
    accept(store, make_alert())
    deliver(store, ItemState.OPEN)
    forget(store)
    assert len(store.list_alerts(None)) == 1


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.REJECTED], ids=["waiting", "dead"])
def test_what_was_not_delivered_is_never_forgotten(store: Store, reason: Reason) -> None:
    """What waits, or needs a person, stays until it is done."""
    accept(store, make_alert())
    [claim] = store.work("w", [], {"desk": "desk"}, 1, LONG)[1]
    error = DeliveryError(reason, "no")
    store.work("w", [Failed(claim, error, lambda standing: AT_ONCE.verdict(error, standing))], {}, 0, LONG)
    forget(store)
    assert len(store.list_deliveries()) == 1


def test_a_refused_body_is_forgotten(store: Store) -> None:
    """Azure was told that it was not taken in; it is kept as long as an ended alert."""
    store.quarantine(Quarantining("ab" * 16, "not-json", "", b"x", 1))
    forget(store)
    assert store.list_quarantined(None, everything=True) == []


def test_a_body_that_was_answered_202_waits_for_a_person(store: Store) -> None:
    """A fault of ours kept it from being an alert: it goes only after it was replayed or discarded."""
    store.quarantine(Quarantining("ab" * 16, "fault", "", b"x", 1))
    forget(store)
    assert len(store.list_quarantined(None)) == 1
    store.end_quarantine("ab" * 16, "discarded", "looked at")
    forget(store)
    assert store.list_quarantined(None, everything=True) == []


def test_a_quarantined_body_that_was_dealt_with_goes_like_a_raw_body(store: Store) -> None:
    """It holds what a raw body holds; what was decided about it stays for the retention."""
    store.quarantine(Quarantining("ab" * 16, "not-json", "", b"x", 1))
    assert store.forget(LONG, NOW) == 0
    store.end_quarantine("ab" * 16, "discarded", "looked at")
    assert store.forget(LONG, NOW) == 1
    assert store.list_quarantined(None, everything=True)[0].body == b""


def test_an_episode_that_fires_while_it_is_forgotten_is_delivered(postgres_database: str) -> None:
    """What is accepted in the very moment its old episode is removed still has an episode to wait in."""
    with closing(Store.hold(postgres_database)) as store, closing(Store.beside(postgres_database)) as gateway:
        accept(store, make_alert())
        deliver(store, ItemState.RESOLVED)
        while store.write(lambda connection: retention.forget_ended(connection, NOW)):
            pass
        with ThreadPoolExecutor(1) as pool:

            def forget_slowly(connection: Connection) -> Future[Stored]:
                retention.forget_episodes(connection, NOW)
                accepted = pool.submit(accept, gateway, make_alert(azure_id="a2", minute=90))
                time.sleep(0.3)  # the accept has begun and waits for the row that is going
                return accepted

            store.write(forget_slowly).result(20)
        assert len(store.work("w", [], {"desk": "desk"}, 1, LONG)[1]) == 1


@pytest.mark.timeout(60)  # without passing over, it would wait for itself
def test_an_episode_that_has_just_fired_again_is_not_forgotten(postgres_database: str) -> None:
    """What another process is accepting at this moment is passed over."""
    with closing(Store.hold(postgres_database)) as store, closing(Store.beside(postgres_database)) as gateway:
        accept(store, make_alert())
        deliver(store, ItemState.RESOLVED)
        while store.write(lambda connection: retention.forget_ended(connection, NOW)):
            pass

        def accept_slowly(connection: Connection) -> int:
            alert = make_alert(azure_id="a2", minute=90)
            address = Address("desk", alert.series.episode_key)
            write_accepted(connection, [Accepting(alert, b"", (address,))])
            return store.write(lambda other: retention.forget_episodes(other, NOW))

        assert gateway.write(accept_slowly) == 0
        assert len(store.work("w", [], {"desk": "desk"}, 1, LONG)[1]) == 1


def test_correlation_values_never_repeat(store: Store) -> None:
    """A look-up after the retention must not find an item of long ago: the count outlives the rest."""
    values = []
    for number in (1, 2):
        accept(store, make_alert(azure_id=f"a{number}", minute=number))
        [claim] = store.work("w", [], {"desk": "desk"}, 1, LONG)[1]
        assert claim.notice.item is None
        values.append(claim.notice.correlation)
        item = WorkItem("1", "M1", "", ItemState.RESOLVED, correlation=claim.notice.correlation)
        receipt = Receipt((Action.OPENED,), item)
        store.work("w", [Delivered(claim, receipt, episode_after(claim.notice, receipt))], {}, 0, LONG)
        forget(store)
    assert len(set(values)) == 2


def test_an_episode_without_an_item_leaves_nothing(store: Store) -> None:
    """There is no correlation value to keep apart."""
    accept(store, make_alert("resolved", azure_id="unknown", minute=5))
    [claim] = store.work("w", [], {"desk": "desk"}, 1, LONG)[1]
    receipt = Receipt((Action.NOTHING,))
    store.work("w", [Delivered(claim, receipt, episode_after(claim.notice, receipt))], {}, 0, LONG)
    forget(store)
    assert store.read(lambda connection: connection.execute(select(episodes)).all()) == []
