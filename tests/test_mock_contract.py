"""The mock passes the contract of every work-item adapter, wherever its desk is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.mock import MockAdapter
from adapters.mock.server import DeskServer
from connector.adapter import DeliveryError, Reason
from connector.model import ItemState, Located, Note, Notice, Preview, Resource, WorkItem
from connector.testing.alerts import Trouble, virtual_machine
from connector.testing.contract import Seen, VendorStandIn, WorkItemAdapterContract


class MockStandIn(VendorStandIn):
    """One mock adapter and its desk; a test asks for its adapter once."""

    known = virtual_machine("web-01")
    known_as = "web-01 (mock CI)"
    unknown: Resource = virtual_machine("web-99")

    def __init__(self, kind: type[MockAdapter] = MockAdapter, **where: Any) -> None:
        self._kind = kind
        self._settings = {"adapter": "mock", "cis": {self.known.id: self.known_as}} | where
        self._made = self._make()
        self._desk, self._faults = self._made.desk, self._made.faults

    def _make(self, **settings: Any) -> MockAdapter:
        return self._kind(MockAdapter.settings_type.model_validate(self._settings | settings), destination="desk")

    def adapter(self, **settings: Any) -> MockAdapter:
        made = self._make(**settings)
        made.close()
        made.desk, made.faults = self._desk, self._faults
        return made

    def close(self) -> None:
        self._made.close()

    def items(self) -> list[Seen]:
        return [
            Seen(
                id=each["id"],
                state=ItemState(each["state"]),
                correlation=each["correlation"],
                title=each["title"],
                notes=tuple(note["text"] for note in each["notes"]),
                configuration_items=tuple(each["configuration_items"]),
                previous=each["previous"],
                severity_fields={"severity": each["severity"]},
            )
            for each in self._desk.search()
        ]

    def end_as_person(self, item: WorkItem, state: ItemState) -> None:
        self._desk.change(item.id, {"state": state.value, "ended_at": datetime.now(UTC).isoformat()})

    def vanish(self, item: WorkItem) -> None:
        self._desk.remove(item.id)

    def double(self, item: WorkItem) -> None:
        record = self._desk.get(item.id)
        assert record is not None
        self._desk.add({name: value for name, value in record.items() if name not in ("id", "number")})

    def change_severity_by_hand(self, item: WorkItem) -> None:
        self._desk.change(item.id, {"severity": "as I see it"})

    def lose_next_answer(self) -> None:
        self._faults.lose_answers(1)

    def fail_next(self, reason: Reason) -> None:
        self._faults.fail_next(reason)

    def break_cmdb(self) -> None:
        self._faults.lookups = Reason.UNREACHABLE


class TestMockInMemory(WorkItemAdapterContract):
    @pytest.fixture
    def vendor(self) -> MockStandIn:
        return MockStandIn()


class TestMockInAFile(WorkItemAdapterContract):
    @pytest.fixture
    def vendor(self, tmp_path: Path) -> Iterator[MockStandIn]:
        stand_in = MockStandIn(path=str(tmp_path / "desk.json"))
        yield stand_in
        stand_in.close()


class TestMockInAnotherPlace(WorkItemAdapterContract):
    @pytest.fixture
    def vendor(self) -> Iterator[MockStandIn]:
        server = DeskServer().start()
        stand_in = MockStandIn(url=server.url)
        yield stand_in
        stand_in.close()
        server.stop()


# --- the contract finds an adapter that breaks it -------------------------------------------------


class FindsAnything(MockAdapter):
    def find(self, correlation: str) -> WorkItem | None:
        return next((self._item(each) for each in self.desk.search()), None)


class FindsNothing(MockAdapter):
    def find(self, correlation: str) -> WorkItem | None:
        return None


class ReadsFromMemory(MockAdapter):
    def read(self, item: WorkItem) -> WorkItem | None:
        return item


class Closes(MockAdapter):
    def resolve(self, item: WorkItem, note: Note) -> WorkItem:
        return self._change(item, note, {"state": "closed"})


class ForgetsTheOldItem(MockAdapter):
    def open(self, notice: Notice, items: Sequence[Located], previous: WorkItem | None) -> WorkItem:
        return super().open(notice, items, None)


class ForgetsTheConfigurationItem(MockAdapter):
    def open(self, notice: Notice, items: Sequence[Located], previous: WorkItem | None) -> WorkItem:
        return super().open(notice, [], previous)


class NeverRaises(MockAdapter):
    def note(self, item: WorkItem, note: Note) -> WorkItem:
        return super().note(item, replace(note, raise_to=None))


class ForgetsToCount(MockAdapter):
    def note(self, item: WorkItem, note: Note) -> WorkItem:
        return super().note(item, replace(note, repeats=0))


class LooksUpByExactSpelling(MockAdapter):
    def locate(self, resource: Resource) -> Located:
        return super().locate(resource) if resource.id in self.settings.cis else Located(resource, None, "none")


class OpensInItsPreview(MockAdapter):
    def preview(self, notice: Notice) -> Preview:
        self.open(notice, [], None)
        return super().preview(notice)


class LosesItsTemper(MockAdapter):
    def open(self, notice: Notice, items: Sequence[Located], previous: WorkItem | None) -> WorkItem:
        try:
            return super().open(notice, items, previous)
        except Exception as error:
            raise ConnectionError("a library's own") from error


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        (FindsAnything, WorkItemAdapterContract.test_find_returns_the_item_of_its_correlation_value_only),
        (FindsNothing, WorkItemAdapterContract.test_a_create_whose_answer_was_lost_is_adopted),
        (ReadsFromMemory, WorkItemAdapterContract.test_a_vanished_item_is_replaced_and_the_receipt_says_so),
        (Closes, WorkItemAdapterContract.test_resolved_resolves),
        (ForgetsTheOldItem, WorkItemAdapterContract.test_fired_again_long_after_our_resolve_opens_a_linked_item),
        (ForgetsTheConfigurationItem, WorkItemAdapterContract.test_a_known_resource_is_linked),
        (NeverRaises, WorkItemAdapterContract.test_the_severity_rises),
        (ForgetsToCount, WorkItemAdapterContract.test_repeats_are_counted_and_noted_now_and_then),
        (LooksUpByExactSpelling, WorkItemAdapterContract.test_a_known_resource_is_linked),
        (OpensInItsPreview, WorkItemAdapterContract.test_preview_asks_nobody),
    ],
    ids=lambda each: each.__name__,
)
def test_the_contract_finds_a_broken_adapter(kind: type[MockAdapter], broken: Any) -> None:
    """A test of the kit passes for the mock and fails for the mock with one promise broken."""
    broken(WorkItemAdapterContract(), MockStandIn(), Trouble())
    with pytest.raises((AssertionError, DeliveryError, ValueError, pytest.fail.Exception)):
        broken(WorkItemAdapterContract(), MockStandIn(kind), Trouble())


def test_the_contract_finds_an_adapter_that_raises_what_it_likes() -> None:
    """Only DeliveryError may leave an adapter."""
    test = WorkItemAdapterContract.test_each_failure_is_a_delivery_error_with_its_reason
    with pytest.raises(ConnectionError):
        test(WorkItemAdapterContract(), MockStandIn(LosesItsTemper), Trouble(), Reason.REJECTED)
