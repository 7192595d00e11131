"""The mock's own settings, failures and words, beyond the contract of every adapter."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.mock import MockAdapter
from adapters.mock.settings import MockSettings
from connector.adapter import DeliveryError, Reason, Scope
from connector.model import Condition, ItemState, Level, Note, NoteKind, Resource, Severity, WorkItem
from connector.testing.alerts import Trouble, an_alert, virtual_machine


def mock(**settings: Any) -> MockAdapter:
    return MockAdapter(MockSettings.model_validate({"adapter": "mock"} | settings), destination="desk")


def opened(adapter: MockAdapter, **changes: Any) -> WorkItem:
    return adapter.open(Trouble().fires(**changes), [], None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk.json"


@pytest.fixture
def adapter(path: Path) -> Iterator[MockAdapter]:
    made = mock(path=str(path))
    yield made
    made.close()


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"fail": "tired"},
        {"fail_times": -1},
        {"lose_answers": -1},
        {"latency": "20"},
        {"url": "http://192.0.2.7:8099"},
        {"url": "https://desk.example.com"},
        {"url": "desk"},
        {"path": "a.json", "url": "http://127.0.0.1:1"},
        {"cis": {"a": 1}},
        {"pth": "a.json"},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    """A typing error, or a desk on another machine, stops the start and not the first delivery."""
    with pytest.raises(ValidationError):
        mock(**wrong)


@pytest.mark.parametrize("reason", Reason)
def test_fail_takes_every_reason(reason: Reason) -> None:
    """By the word that `last_error` shows."""
    with pytest.raises(DeliveryError) as caught:
        opened(mock(fail=reason.value))
    assert caught.value.reason is reason


def test_fail_times_counts_calls_that_write() -> None:
    """The first N writes fail undone; reads and look-ups neither fail nor count."""
    adapter = mock(fail="rate-limited", fail_times=2)
    for _ in range(2):
        adapter.find("azm-0")
        with pytest.raises(DeliveryError):
            opened(adapter)
    assert adapter.desk.search() == []
    opened(adapter)
    assert len(adapter.desk.search()) == 1


def test_fail_without_times_fails_always() -> None:
    """Until the configuration says otherwise."""
    adapter = mock(fail="vendor-fault")
    for _ in range(5):
        with pytest.raises(DeliveryError):
            opened(adapter)


def test_lost_answers_are_done() -> None:
    """The first N writes happen and time out: what a retry must cope with."""
    adapter = mock(lose_answers=1)
    with pytest.raises(DeliveryError) as caught:
        opened(adapter)
    assert (caught.value.reason, caught.value.maybe_done) == (Reason.TIMEOUT, True)
    assert len(adapter.desk.search()) == 1
    opened(adapter)
    assert len(adapter.desk.search()) == 2


def test_latency_is_waited() -> None:
    """Each call of the desk takes at least as long as it was told to."""
    adapter = mock(latency="20ms")
    began = time.monotonic()
    adapter.find("azm-0")
    assert time.monotonic() - began >= 0.02


# --- configuration items --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "resource", "matched_by"),
    [
        (virtual_machine("web-01").id.upper(), virtual_machine("web-01"), "object_id"),
        (virtual_machine("web-01").id + "/", virtual_machine("web-01"), "object_id"),
        ("WEB-01", virtual_machine("web-01"), "name"),
        ("web-01", Resource("Web-01", "Web-01"), "name"),
    ],
    ids=["id in another case", "id with a slash", "name of an ARM resource", "bare name"],
)
def test_cis_are_found_by_id_and_by_name(key: str, resource: Resource, matched_by: str) -> None:
    """In any spelling; the receipt tells a sure match from one by name."""
    located = mock(cis={key: "the CI"}).locate(resource)
    assert located.item is not None
    assert (located.item.name, located.item.matched_by) == ("the CI", matched_by)


def test_the_id_is_asked_before_the_name() -> None:
    """Two machines of one name in two groups: the id decides."""
    machine = virtual_machine("web-01")
    located = mock(cis={"web-01": "some machine", machine.id: "this machine"}).locate(machine)
    assert located.item is not None
    assert located.item.name == "this machine"


# --- hand-edited desks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("closed", ItemState.CLOSED),
        (" Closed ", ItemState.CLOSED),
        ("canceled", ItemState.CANCELLED),
        ("done", ItemState.RESOLVED),
        ("waiting for parts", ItemState.OPEN),
        (None, ItemState.OPEN),
        (7, ItemState.OPEN),
    ],
)
def test_states_that_people_write(adapter: MockAdapter, word: object, state: ItemState) -> None:
    """What we do not know is taken for work in progress: an item is never opened twice for a word."""
    item = opened(adapter)
    adapter.desk.change(item.id, {"state": word})
    read = adapter.read(item)
    assert read is not None
    assert read.state is state


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-03T10:00:00+01:00", datetime(2026, 2, 3, 9, tzinfo=UTC)),
        ("2026-02-03 09:00", datetime(2026, 2, 3, 9, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
        (12, None),
    ],
)
def test_times_that_people_write(adapter: MockAdapter, text: object, moment: datetime | None) -> None:
    """A time that cannot be read is none; one without a zone is UTC."""
    item = opened(adapter)
    adapter.desk.change(item.id, {"state": "closed", "ended_at": text})
    read = adapter.read(item)
    assert read is not None
    assert read.ended_at == moment


def test_an_item_of_three_words_is_enough(adapter: MockAdapter, path: Path) -> None:
    """A person may write an item with next to nothing; it is read, noted on and resolved."""
    path.write_text(json.dumps({"work_items": [{"id": "by hand", "notes": "none"}]}), encoding="utf-8")
    item = adapter.read(WorkItem("by hand", "x", ""))
    assert item is not None
    resolved = adapter.resolve(item, Note(NoteKind.RECOVERED, an_alert(Condition.RESOLVED)))
    assert (resolved.number, resolved.state) == ("by hand", ItemState.RESOLVED)
    assert len(json.loads(path.read_text(encoding="utf-8"))["work_items"][0]["notes"]) == 1


def test_an_item_that_vanishes_under_a_note_is_tried_again(adapter: MockAdapter) -> None:
    """Of this item only: the destination is well."""
    item = opened(adapter)
    adapter.desk.remove(item.id)
    with pytest.raises(DeliveryError) as caught:
        adapter.note(item, Note(NoteKind.REPEAT, an_alert()))
    assert (caught.value.reason, caught.value.scope) == (Reason.VENDOR_FAULT, Scope.ITEM)


# --- what it writes -------------------------------------------------------------------------------


def test_an_item_is_a_record_that_tells_the_story(adapter: MockAdapter, path: Path) -> None:
    """All that a person wants to know of an item is in its record."""
    trouble = Trouble()
    located = [mock(cis={"web-01": "web-01 (mock CI)"}).locate(virtual_machine())]
    item = adapter.open(trouble.fires(), located, None)
    adapter.resolve(item, Note(NoteKind.RECOVERED, an_alert(Condition.RESOLVED), repeats=3))
    [record] = json.loads(path.read_text(encoding="utf-8"))["work_items"]
    assert record["number"] == item.number == "MOCK0001"
    assert item.url == f"{path.as_uri()}#MOCK0001"
    assert record["correlation"] == trouble.fires().correlation
    assert "CPU above 80 percent" in record["title"]
    assert "web-01" in record["description"]
    assert (record["state"], record["severity"], record["repeats"]) == ("resolved", "Sev2", 3)
    assert record["configuration_items"] == ["web-01 (mock CI)"]
    assert [note["kind"] for note in record["notes"]] == ["recovered"]
    assert datetime.fromisoformat(record["opened_at"]) <= datetime.fromisoformat(record["ended_at"])


@pytest.mark.parametrize(
    ("severity", "hint", "written"),
    [(Severity.SEV4, Severity.SEV1, "Sev1"), (Severity.SEV3, None, "Sev3"), (None, None, "")],
)
def test_the_severity_is_that_of_the_family_first(
    severity: Severity | None, hint: Severity | None, written: str
) -> None:
    """An Azure outage arrives as Sev4; what its family knows wins, and nothing is guessed."""
    assert opened(mock(), severity=severity, priority_hint=hint).severity_fields == {"severity": written}


def test_the_preview_is_what_is_opened() -> None:
    """Field by field, but for what only the opening knows."""
    adapter, notice = mock(), Trouble().fires()
    adapter.open(notice, [], None)
    [record] = adapter.desk.search()
    fields = adapter.preview(notice).fields
    assert {"title", "description", "severity", "correlation"} <= fields.keys()
    assert all(str(record[name]) == value for name, value in fields.items())


# --- check ----------------------------------------------------------------------------------------


def levels(adapter: MockAdapter) -> list[Level]:
    found = [finding.level for finding in adapter.check()]
    adapter.close()
    return found


def test_check_tells_a_desk_that_can_be_used_from_one_that_cannot(tmp_path: Path) -> None:
    """Nothing is made by asking; a broken file, or a file where a folder is needed, is a failure."""
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    assert levels(mock(path=str(tmp_path / "new" / "desk.json"))) == [Level.OK]
    assert not (tmp_path / "new").exists()
    assert levels(mock(path=str(tmp_path / "broken.json"))) == [Level.FAILURE]
    assert Level.FAILURE in levels(mock(path=str(tmp_path / "broken.json" / "desk.json")))
    with pytest.raises(DeliveryError) as raised:
        levels(mock(url="http://127.0.0.1:9"))
    assert raised.value.reason is Reason.UNREACHABLE


def test_check_asks_for_the_right_to_write(tmp_path: Path) -> None:
    """A folder that only others may write is told before the first delivery fails on it."""
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o555)
    expected = [Level.OK] if os.access(folder, os.W_OK) else [Level.OK, Level.FAILURE]  # root may write anywhere
    assert levels(mock(path=str(folder / "desk.json"))) == expected


def test_check_warns_of_a_desk_that_is_told_to_fail() -> None:
    """So that nobody looks for the fault elsewhere."""
    assert levels(mock(fail="timeout", fail_times=1)) == [Level.OK, Level.WARNING]
    assert levels(mock(lose_answers=1)) == [Level.OK, Level.WARNING]


def test_reopening_takes_the_end_back(adapter: MockAdapter) -> None:
    """An open item has no time of its end."""
    note = Note(NoteKind.RECOVERED, an_alert(Condition.RESOLVED))
    resolved = adapter.resolve(opened(adapter), note)
    reopened = adapter.reopen(resolved, Note(NoteKind.FIRED_AGAIN, an_alert(), raise_to=Severity.SEV0))
    assert resolved.ended_at is not None
    assert datetime.now(UTC) - resolved.ended_at < timedelta(minutes=5)
    assert (reopened.state, reopened.ended_at) == (ItemState.OPEN, None)
    assert reopened.severity_fields == {"severity": "Sev0"}
