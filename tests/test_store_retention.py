"""What the store forgets, and what it never forgets."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from connector.adapter import DeliveryError, Reason
from connector.lifecycle import episode_after
from connector.model import Action, ItemState, Receipt, WorkItem
from connector.store import Delivered, Failed, Quarantining, Store
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
