"""The worker at work: threads, failures, pauses, and a process that goes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from connector.adapter import Adapter, DeliveryError, Reason, Secret, Settings
from connector.dispatch import Dispatcher, Housekeeper, Target
from connector.failures import Patience
from connector.metrics import Metrics
from connector.model import Action, Findings, Notice, Preview, Receipt, WorkItem
from connector.store import Choice, Store, StoredDelivery
from connector.testing.by_hand import accept, make_alert

QUICK = Patience(timedelta(milliseconds=1), timedelta(milliseconds=50), timedelta(days=3))


class Scripted(Adapter[Settings]):
    """Does for each notice what the test wrote for its rule; remembers what it was handed."""

    settings_type = Settings

    def __init__(self, act: Callable[[Notice], Receipt]) -> None:
        super().__init__(Settings(adapter="scripted"), destination="desk")
        self.act = act
        self.handed: list[Notice] = []

    def deliver(self, notice: Notice) -> Receipt:
        self.handed.append(notice)
        return self.act(notice)

    def preview(self, notice: Notice) -> Preview:
        return Preview({})

    def check(self) -> Findings:
        return ()


def opens(notice: Notice) -> Receipt:
    return Receipt((Action.OPENED,), WorkItem("1", "M1", "", correlation=notice.correlation))


@contextmanager
def working(store: Store, concurrency: int = 4, **adapters: Adapter[Settings]) -> Iterator[Dispatcher]:
    """Run a dispatcher over the adapters."""
    targets = {name: Target(adapter, name) for name, adapter in adapters.items()}
    failures: list[str] = []
    dispatcher = Dispatcher(store, targets, QUICK, Metrics(store.backlog), "w", concurrency, failures.append)
    dispatcher.start()
    yield dispatcher
    dispatcher.stop(5.0)
    assert failures == []


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def only(store: Store) -> StoredDelivery:
    [one] = store.list_deliveries()
    return one


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store.hold(store_url)
    yield opened
    opened.close()


def test_what_is_accepted_is_delivered(store: Store) -> None:
    """Before the worker starts and while it runs; the receipt is kept."""
    accept(store, make_alert(series="before"))
    with working(store, desk=Scripted(opens)) as dispatcher:
        accept(store, make_alert(series="while"))
        dispatcher.wake()
        wait_for(lambda: [each.state for each in store.list_deliveries()] == ["delivered", "delivered"])
    receipt = store.list_deliveries()[0].receipt
    assert receipt is not None
    assert receipt.actions == (Action.OPENED,)


def test_failures_are_tried_again_and_counted(store: Store) -> None:
    """Two time-outs, then success: three attempts, and the retries say that the first is uncertain."""

    def twice(notice: Notice) -> Receipt:
        if len(adapter.handed) <= 2:
            raise DeliveryError(Reason.TIMEOUT, "no answer within 10 s")
        return opens(notice)

    adapter = Scripted(twice)
    accept(store, make_alert())
    with working(store, desk=adapter):
        wait_for(lambda: only(store).state == "delivered")
    assert only(store).attempts == 3
    assert [notice.uncertain_since is None for notice in adapter.handed] == [True, False, False]


def test_an_adapter_that_raises_anything_is_dead_and_harms_no_other(store: Store) -> None:
    """An exception an adapter should not have raised ends that delivery, with a word on why."""

    def broken(notice: Notice) -> Receipt:
        return Receipt((Action.OPENED,)) if notice.alert.rule == "good" else 1 / 0  # type: ignore[return-value]

    accept(store, make_alert(series="bad"))
    accept(store, make_alert(series="good"))
    with working(store, desk=Scripted(broken)):
        wait_for(lambda: {each.state for each in store.list_deliveries()} == {"dead", "delivered"})
    [dead] = store.list_deliveries(state="dead")
    assert dead.last_error is not None
    assert dead.last_error["reason"] == "adapter-fault"
    assert "ZeroDivisionError" in dead.last_error["message"]


def test_a_receipt_that_cannot_be_stored_is_the_adapters_fault(store: Store) -> None:
    """Nonsense from one adapter stops neither the dispatcher nor what was done meanwhile."""

    def nonsense(notice: Notice) -> Receipt:
        number = object() if notice.alert.rule == "bad" else "M1"
        return Receipt((Action.OPENED,), WorkItem("1", number, "", correlation=notice.correlation))  # type: ignore[arg-type]

    accept(store, make_alert(series="bad"))
    accept(store, make_alert(series="good"))
    with working(store, desk=Scripted(nonsense)):
        wait_for(lambda: {each.state for each in store.list_deliveries()} == {"dead", "delivered"})


def test_a_missing_secret_pauses_until_it_is_there(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The secret is read again for each probe; no attempt is burnt while it is missing."""
    path = tmp_path_factory.mktemp("secrets") / "token"
    secret = Secret(file=str(path))

    def signs_in(notice: Notice) -> Receipt:
        secret.reveal()
        return opens(notice)

    adapter = Scripted(signs_in)
    accept(store, make_alert())
    with working(store, desk=adapter):
        wait_for(lambda: store.backlog()[0].paused and len(adapter.handed) >= 2)
        assert str(path) in (store.backlog()[0].pause_message or "")
        path.write_text("s3cret\n")
        wait_for(lambda: only(store).state == "delivered")
    assert only(store).attempts == 1
    assert not store.backlog()[0].paused


def test_a_hanging_destination_slows_no_other(store: Store) -> None:
    """While one vendor hangs in one thread, everything for another is delivered."""
    release = threading.Event()

    def hangs(notice: Notice) -> Receipt:
        release.wait(30)
        return opens(notice)

    accept(store, make_alert(series="stuck"), "slow")
    for number in range(20):
        accept(store, make_alert(series=f"s{number}"), "quick")
    with working(store, slow=Scripted(hangs), quick=Scripted(opens)):
        wait_for(lambda: len(store.list_deliveries(state="delivered")) == 20)
        assert [each.destination for each in store.list_deliveries(state="delivering")] == ["slow"]
        release.set()


def test_stopping_finishes_what_is_in_flight(store: Store) -> None:
    """A call that is under way is waited for and settled; what waits is left for the next start."""
    started, release = threading.Event(), threading.Event()

    def slow(notice: Notice) -> Receipt:
        started.set()
        release.wait(30)
        return opens(notice)

    accept(store, make_alert(series="first"))
    with working(store, concurrency=1, desk=Scripted(slow)):
        started.wait(10)
        accept(store, make_alert(series="second"))
        threading.Timer(0.2, release.set).start()
    assert sorted(each.state for each in store.list_deliveries()) == ["delivered", "waiting"]


def test_a_hundred_repeats_are_delivered_in_order(store: Store) -> None:
    """One episode, many alerts, many threads: the adapter sees them one by one as they happened."""
    adapter = Scripted(lambda notice: Receipt((Action.NOTHING,), notice.item))
    for minute in reversed(range(100)):
        accept(store, make_alert(azure_id=f"a{minute}", minute=minute))
    with working(store, concurrency=8, desk=adapter):
        wait_for(lambda: len(store.list_deliveries(state="delivered")) == 100)
    times = [notice.alert.happened_at for notice in adapter.handed]
    assert times == sorted(times)
    assert len(times) == 100


def test_a_replayed_dead_one_is_delivered(store: Store) -> None:
    """After the cause was mended an operator's replay brings it through."""
    cured = threading.Event()

    def picky(notice: Notice) -> Receipt:
        if not cured.is_set():
            raise DeliveryError(Reason.REJECTED, "the group does not exist")
        return opens(notice)

    accept(store, make_alert())
    with working(store, desk=Scripted(picky)):
        wait_for(lambda: only(store).state == "dead")
        cured.set()
        store.replay(store.replayable(Choice(state="dead")), "made the group")
        wait_for(lambda: only(store).state == "delivered")


def test_a_database_that_goes_away_for_a_moment_loses_nothing(postgres_database: str) -> None:
    """All connections are cut again and again while a hundred alerts are delivered: each once."""
    store = Store.hold(postgres_database)
    seen: list[str] = []

    def remembers(notice: Notice) -> Receipt:
        seen.append(notice.alert.id)
        return opens(notice)

    for number in range(100):
        accept(store, make_alert(series=f"s{number}"))
    killer = create_engine(postgres_database, isolation_level="AUTOCOMMIT")
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with working(store, desk=Scripted(remembers)), killer.connect() as connection:
        for _ in range(5):
            connection.execute(cut)
            time.sleep(0.05)
        wait_for(lambda: _delivered(store) == 100, 60.0)
    killer.dispose()
    store.close()
    assert len(set(seen)) == 100


def _delivered(store: Store) -> int:
    from connector.store import StoreError  # noqa: PLC0415 - only this test sees the store away

    try:
        return len(store.list_deliveries(state="delivered"))
    except StoreError:
        return -1


def test_a_vanished_workers_episodes_are_taken_over(store: Store) -> None:
    """What a killed worker had taken is delivered by the next once its heartbeat is missed."""
    accept(store, make_alert())
    store.work("killed", [], {"desk": "desk"}, 1, timedelta(minutes=1))
    adapter = Scripted(opens)
    with working(store, desk=adapter) as dispatcher:
        housekeeper = Housekeeper(store, dispatcher, "w", (timedelta(days=1), timedelta(days=1)), lambda _: None)
        housekeeper.start()
        wait_for(lambda: only(store).state == "delivered")
        assert housekeeper.state() == "ok"
        housekeeper.stop(2.0)
    assert adapter.handed[0].uncertain_since is not None
