"""Any order, any repetition, any crash point: the desk ends as Azure's own times say.

Random sequences of fired, resolved, updates, repeats, refusals, lost answers, crashes, a person's
closes and an operator's replays are driven through the real store and the real lifecycle against
`desk_model`, which imports nothing of the product.
"""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import desk_model
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connector.adapter import DeliveryError, Reason
from connector.lifecycle import WorkItemAdapter, WorkItemSettings
from connector.model import (
    Alert,
    Findings,
    ItemState,
    Located,
    Note,
    Notice,
    Preview,
    Resource,
    WorkItem,
    digest,
)
from connector.store import Choice, Store
from connector.testing.by_hand import HandWorker, accept, make_alert

EMPTY_STORE = Path(tempfile.gettempdir()) / f"engine-empty-{os.getpid()}.db"

EPISODES = {"s0": "alone", "s1": "grouped", "s2": "grouped"}
"""Three series in two episodes: one by itself, two grouped."""

REASONS = [Reason.TIMEOUT, Reason.VENDOR_FAULT, Reason.RATE_LIMITED, Reason.UNREACHABLE, Reason.REJECTED]


class ModelAdapter(WorkItemAdapter[WorkItemSettings]):
    """Speaks to the model as an adapter speaks to a vendor."""

    settings_type = WorkItemSettings

    def __init__(self, desk: desk_model.ModelDesk) -> None:
        forever = timedelta(days=10_000)
        super().__init__(
            WorkItemSettings(
                adapter="model", reopen_within=forever, quiet_after_close=forever, stateless_over_after=forever
            ),
            destination="desk",
        )
        self.desk = desk

    def _seen(self, item: desk_model.Item) -> WorkItem:
        return WorkItem(str(item.number), f"M{item.number}", "", ItemState(item.state), item.correlation)

    def _asked(self, act: str, *arguments: object) -> None:
        try:
            getattr(self.desk, act)(*arguments)
        except desk_model.Lost as error:
            raise DeliveryError(Reason.TIMEOUT, "no answer") from error
        except desk_model.Refused as error:
            raise DeliveryError(Reason(error.why), "refused") from error

    def find(self, correlation: str) -> WorkItem | None:
        item = self.desk.find(correlation)
        return self._seen(item) if item else None

    def read(self, item: WorkItem) -> WorkItem | None:
        return self._seen(self.desk.get(int(item.id)))

    def locate(self, resource: Resource) -> Located:
        return Located(resource, None, "the model has no CMDB")

    def open(self, notice: Notice, items: Sequence[Located], previous: WorkItem | None) -> WorkItem:
        self._asked("create", notice.correlation)
        return self._seen(self.desk.items[-1])

    def note(self, item: WorkItem, note: Note) -> WorkItem:
        self._asked("note", int(item.id), str(note.kind))
        return self._seen(self.desk.get(int(item.id)))

    def resolve(self, item: WorkItem, note: Note) -> WorkItem:
        self._asked("resolve", int(item.id))
        return self._seen(self.desk.get(int(item.id)))

    def reopen(self, item: WorkItem, note: Note) -> WorkItem:
        self._asked("reopen", int(item.id))
        return self._seen(self.desk.get(int(item.id)))

    def preview(self, notice: Notice) -> Preview:
        return Preview({})

    def check(self) -> Findings:
        return ()


class Engine(RuleBasedStateMachine):
    """Azure, the network, the gateway, the desk and two people, in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        shutil.copy(EMPTY_STORE, self.folder / "s.db")
        self.store = Store.beside(f"sqlite:///{self.folder}/s.db")
        self.desk = desk_model.ModelDesk()
        self.adapter = ModelAdapter(self.desk)
        self.worker = HandWorker(self.store, {"desk": self.adapter}, name="w1")
        self.clock = 0.0
        self.troubles: dict[str, desk_model.Trouble] = defaultdict(desk_model.Trouble)
        self.on_the_way: list[tuple[str, Alert]] = []
        self.said: set[str] = set()
        self.current_id = dict.fromkeys(EPISODES, "")

    def _says(self, series: str, alert: Alert) -> None:
        self.on_the_way.append((series, alert))
        self.said.add(alert.id)

    @rule(series=st.sampled_from(sorted(EPISODES)))
    def azure_fires(self, series: str) -> None:
        """A new alert, or a repeat under a new id where the trouble runs already."""
        self.clock += 1
        self.current_id[series] = f"{series}-{self.clock}"
        self.troubles[series].fired.append(self.clock)
        alert = make_alert(azure_id=self.current_id[series], minute=self.clock, series=series)
        self._says(series, alert)

    @rule(series=st.sampled_from(sorted(EPISODES)), loses_dimensions=st.booleans())
    def azure_resolves(self, series: str, loses_dimensions: bool) -> None:
        if not self.troubles[series].runs:
            return
        began = self.troubles[series].fired[-1]
        self.clock += 1
        self.troubles[series].resolved.append(self.clock)
        alone = EPISODES[series] == "alone" and len(self.troubles[series].fired) == 1
        named = "lost" if loses_dimensions and alone else series
        self._says(
            series,
            make_alert(
                "resolved", azure_id=self.current_id[series], minute=self.clock, fired_minute=began, series=named
            ),
        )

    @rule(series=st.sampled_from(sorted(EPISODES)))
    def azure_updates(self, series: str) -> None:
        self.clock += 1
        self._says(series, make_alert("update", azure_id=f"u-{self.clock}", minute=self.clock, series=series))

    def _arrives(self, series: str, alert: Alert, times: int) -> None:
        own = alert.series.key != make_alert(series=series).series.key
        episode = alert.series.episode_key if own else digest("test-episode", EPISODES[series])
        for _ in range(times):
            accept(self.store, alert, episode=episode)

    @precondition(lambda self: self.on_the_way)
    @rule(which=st.integers(0, 50), times=st.integers(1, 2))
    def a_message_arrives(self, which: int, times: int) -> None:
        self._arrives(*self.on_the_way.pop(which % len(self.on_the_way)), times)

    @rule(limit=st.integers(1, 3))
    def the_worker_works(self, limit: int) -> None:
        self.worker.step(limit)

    @rule(settles=st.integers(0, 2))
    def the_worker_is_killed(self, settles: int) -> None:
        """After claiming, after some calls, before their settlement; another takes over."""
        for claim in self.worker.claim(3)[:settles]:
            self.worker.deliver(claim)
        self.store.leave(self.worker.name)

    @rule(reason=st.sampled_from(REASONS))
    def the_desk_will_refuse(self, reason: Reason) -> None:
        self.desk.refuse_next.append(reason.value)

    @rule()
    def an_answer_will_be_lost(self) -> None:
        self.desk.lose_next += 1

    @precondition(lambda self: any(item.state == "open" for item in self.desk.items))
    @rule(which=st.integers(0, 50))
    def a_person_closes_an_item(self, which: int) -> None:
        items = [item for item in self.desk.items if item.state == "open"]
        self.desk.person_closes(items[which % len(items)].number)

    @rule()
    def the_operator_replays_the_dead(self) -> None:
        self.store.replay(self.store.replayable(Choice(state="dead")), "once more")

    @invariant()
    def nothing_forbidden_happened(self) -> None:
        assert self.desk.violations == [] if hasattr(self, "desk") else True

    @invariant()
    def one_item_is_open_at_a_time(self) -> None:
        if hasattr(self, "desk"):
            open_items = [item for item in self.desk.items if item.state == "open"]
            assert len(open_items) <= len(set(EPISODES.values()))

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            self._everything_arrives_and_the_desk_is_well()
            self._check()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    def _everything_arrives_and_the_desk_is_well(self) -> None:
        for series, alert in self.on_the_way:
            self._arrives(series, alert, 1)
        self.desk.refuse_next.clear()
        self.desk.lose_next = 0
        for _ in range(3):
            self.worker.run()
            self.store.replay(self.store.replayable(Choice(state="dead")), "the desk is well again")
        self.worker.run()

    def _check(self) -> None:
        deliveries = self.store.list_deliveries()
        assert {each.alert_id for each in deliveries} == self.said
        assert {each.state for each in deliveries} <= {"delivered"}
        assert self.desk.violations == []
        for episode in set(EPISODES.values()):
            self._check_episode([series for series, name in EPISODES.items() if name == episode], episode)

    def _check_episode(self, members: list[str], name: str) -> None:
        key = digest("test-episode", name)
        items = [item for item in self.desk.items if item.correlation in self._correlations(key)]
        fired = any(self.troubles[series].fired for series in members)
        runs = any(self.troubles[series].runs for series in members)
        if any(item.ended_by_person for item in items):
            return
        assert len(items) == (1 if fired else 0)
        if fired:
            assert items[0].state == ("open" if runs else "resolved")

    def _correlations(self, key: str) -> set[str]:
        return {"azm-" + digest("correlation", "desk", key, occurrence) for occurrence in range(1, 60)}


@pytest.fixture(scope="module", autouse=True)
def empty_store() -> Iterator[None]:
    """Make the empty store once; each example starts with a copy of it."""
    folder = Path(tempfile.mkdtemp(prefix="engine-"))
    Store.hold(f"sqlite:///{folder}/s.db").close()
    (folder / "s.db").rename(EMPTY_STORE)
    yield
    shutil.rmtree(folder)
    EMPTY_STORE.unlink()


def test_the_desk_ends_as_azures_times_say() -> None:
    """Whatever the order, the repetitions, the failures, the crashes and the people."""
    run_state_machine_as_test(Engine, settings=SETTINGS)


SETTINGS = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
