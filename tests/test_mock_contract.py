"""The mock passes the contract of every work-item adapter, wherever its desk is kept."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.mock import MockAdapter
from adapters.mock.server import DeskServer
from connector.adapter import Reason
from connector.model import ItemState, Resource, WorkItem
from connector.testing.alerts import virtual_machine
from connector.testing.contract import Seen, VendorStandIn, WorkItemAdapterContract


class MockStandIn(VendorStandIn):
    """One mock adapter and its desk; a test asks for its adapter once."""

    known = virtual_machine("web-01")
    known_as = "web-01 (mock CI)"
    unknown: Resource = virtual_machine("web-99")

    def __init__(self, **where: Any) -> None:
        self._settings = {"adapter": "mock", "cis": {self.known.id: self.known_as}} | where
        self._made = self._make()
        self._desk, self._faults = self._made.desk, self._made.faults

    def _make(self, **settings: Any) -> MockAdapter:
        return MockAdapter(MockAdapter.settings_type.model_validate(self._settings | settings), destination="desk")

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
