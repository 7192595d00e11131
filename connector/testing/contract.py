"""The contract of every adapter that keeps work items, as tests its author subclasses and runs.

    class TestAcmeContract(WorkItemAdapterContract):
        @pytest.fixture
        def vendor(self):
            with AcmeStandIn() as stand_in:
                yield stand_in

`VendorStandIn` is all the author supplies: the adapter, and a vendor to look at, to work on as a
person would, and to let fail. It should speak the vendor's own protocol over a real socket. Needs
the extra `test` (pytest); docs/writing-an-adapter.md leads here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from connector.adapter import DeliveryError, Reason
from connector.lifecycle import WorkItemAdapter
from connector.model import Action, ItemState, Level, Notice, Receipt, Resource, Severity, WorkItem, digest
from connector.testing.alerts import Trouble

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

FAILURES = (Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.VENDOR_FAULT, Reason.UNAUTHORIZED, Reason.REJECTED)
"""What every vendor can answer with; a timeout is tested by a lost answer."""

HOSTILE = "'; DROP TABLE incident;--\r\n\x00\x1b[31m\u202e<script>{{7*7}}{color:red}[~admin] \ud800 ^ORsys_id!=1 " * 400


@dataclass(frozen=True, slots=True)
class Seen:
    """A work item as a person sees it at the vendor. `previous` is the number of the item it links to."""

    id: str
    state: ItemState
    correlation: str
    title: str
    notes: tuple[str, ...] = ()
    configuration_items: tuple[str, ...] = ()
    previous: str | None = None
    severity_fields: Mapping[str, str] = field(default_factory=dict)


class VendorStandIn(ABC):
    """A vendor on loopback that the contract looks at, works on and lets fail.

    `known` is a resource that its CMDB has, under the name `known_as`; `unknown` one it has not.
    `ends` are the states in which a person can end an item there. `secrets` are what the adapter
    signs in with: they must show up in no error.
    """

    known: Resource
    known_as: str
    unknown: Resource
    ends: tuple[ItemState, ...] = (ItemState.RESOLVED, ItemState.CLOSED, ItemState.CANCELLED)
    secrets: tuple[str, ...] = ()

    @abstractmethod
    def adapter(self, **settings: Any) -> WorkItemAdapter[Any]:
        """Return an adapter for this vendor; `settings` as in the configuration, over the vendor's own."""

    @abstractmethod
    def items(self) -> list[Seen]:
        """Return every work item, oldest first."""

    @abstractmethod
    def end_as_person(self, item: WorkItem, state: ItemState) -> None:
        """End the item now, as a person would."""

    @abstractmethod
    def vanish(self, item: WorkItem) -> None:
        """Delete the item, as a person would."""

    @abstractmethod
    def double(self, item: WorkItem) -> None:
        """Make a second item that carries the same correlation value."""

    @abstractmethod
    def change_severity_by_hand(self, item: WorkItem) -> None:
        """Write another value to a severity-bearing field, as a person would."""

    @abstractmethod
    def lose_next_answer(self) -> None:
        """Do what the next writing call asks for, and let its answer be lost."""

    @abstractmethod
    def fail_next(self, reason: Reason) -> None:
        """Let the next writing call fail, undone, with what means `reason` at this vendor."""

    @abstractmethod
    def break_cmdb(self) -> None:
        """Let the CMDB be unreachable from now on."""


class WorkItemAdapterContract:
    """What every work-item adapter does; one test for one promise."""

    @pytest.fixture
    def vendor(self) -> VendorStandIn:
        """The stand-in; a subclass overrides this fixture."""
        raise NotImplementedError("override the fixture `vendor` with a stand-in of your vendor")

    @pytest.fixture
    def trouble(self) -> Trouble:
        """A fresh trouble, beginning now."""
        return _trouble()

    # --- opening, finding, adopting ---

    def test_a_first_fired_opens_an_item_that_carries_the_correlation_value(
        self, vendor: VendorStandIn, trouble: Trouble
    ) -> None:
        """No item yet: one is opened, in state open, and is what the receipt says."""
        notice = _fires(vendor, trouble)
        receipt = trouble.tell(vendor.adapter(), notice)
        [seen] = vendor.items()
        assert receipt.actions == (Action.OPENED,)
        assert (seen.state, seen.correlation) == (ItemState.OPEN, notice.correlation)
        assert _item(receipt).id == seen.id
        assert _item(receipt).correlation == notice.correlation
        assert "CPU above 80 percent" in seen.title

    def test_find_returns_the_item_of_its_correlation_value_only(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """A vendor that answers more rows than were asked for must not lend a foreign item."""
        adapter = vendor.adapter()
        notice = _fires(vendor, trouble)
        receipt = trouble.tell(adapter, notice)
        found = adapter.find(notice.correlation)
        assert found is not None
        assert found.id == _item(receipt).id
        assert adapter.find(_trouble().fires().correlation) is None

    def test_two_items_with_one_correlation_value_are_ambiguous(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """Guessing between two items would annotate the wrong one."""
        adapter = vendor.adapter()
        notice = _fires(vendor, trouble)
        vendor.double(_item(trouble.tell(adapter, notice)))
        with pytest.raises(DeliveryError) as caught:
            adapter.find(notice.correlation)
        assert caught.value.reason is Reason.AMBIGUOUS

    def test_read_shows_the_item_as_it_is_now(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """By the vendor's own id: its state after a person's act, and None once it is gone."""
        adapter = vendor.adapter()
        item = _item(trouble.tell(adapter, _fires(vendor, trouble)))
        before = adapter.read(item)
        vendor.end_as_person(item, vendor.ends[0])
        ended = adapter.read(item)
        vendor.vanish(item)
        assert before is not None
        assert before.severity_fields == item.severity_fields
        assert ended is not None
        assert (before.state, ended.state) == (ItemState.OPEN, vendor.ends[0])
        assert adapter.read(item) is None

    def test_a_create_whose_answer_was_lost_is_adopted(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """The next try finds the item by its correlation value: there is no second one."""
        adapter = vendor.adapter()
        vendor.lose_next_answer()
        with pytest.raises(DeliveryError) as caught:
            trouble.tell(adapter, _fires(vendor, trouble))
        assert caught.value.maybe_done
        receipt = trouble.tell(adapter, _fires(vendor, trouble, uncertain=True))
        [seen] = vendor.items()
        assert _item(receipt).id == seen.id
        assert receipt.actions == (Action.OPENED,)

    def test_a_create_that_never_arrived_is_made_again(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """An uncertain try that had done nothing leaves nothing to adopt: the item is opened."""
        receipt = trouble.tell(vendor.adapter(), _fires(vendor, trouble, uncertain=True))
        assert receipt.actions == (Action.OPENED,)
        assert len(vendor.items()) == 1

    def test_a_resolve_whose_answer_was_lost_is_not_made_twice(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """The next try sees that the item is resolved and says so."""
        adapter = vendor.adapter()
        trouble.tell(adapter, _fires(vendor, trouble))
        vendor.lose_next_answer()
        with pytest.raises(DeliveryError):
            trouble.tell(adapter, trouble.resolves())
        notes = vendor.items()[0].notes
        receipt = trouble.tell(adapter, trouble.resolves(uncertain=True))
        assert receipt.actions == (Action.RESOLVED,)
        assert vendor.items()[0].notes == notes

    def test_threads_share_one_adapter(self, vendor: VendorStandIn) -> None:
        """Sixteen troubles over eight threads: sixteen items, each with its own correlation value."""
        adapter = vendor.adapter()
        troubles = [_trouble() for _ in range(16)]
        wanted = {each.fires().correlation for each in troubles}
        with ThreadPoolExecutor(8) as pool:
            receipts = list(pool.map(lambda each: each.tell(adapter, each.fires()), troubles))
        assert {each.correlation for each in vendor.items()} == wanted
        assert len(vendor.items()) == len(troubles)
        assert {_item(each).correlation for each in receipts} == wanted

    # --- the item is open ---

    def test_repeats_are_counted_and_noted_now_and_then(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """A repeat soon after says nothing; one after `repeat_note_every` says how many there were."""
        adapter = vendor.adapter(repeat_note_every="1h")
        trouble.tell(adapter, _fires(vendor, trouble))
        trouble.clock = MINUTE
        soon = trouble.tell(adapter, _fires(vendor, trouble))
        silent = len(vendor.items()[0].notes)
        trouble.clock = HOUR
        trouble.episode = replace(trouble.episode, repeats=41)
        later = trouble.tell(adapter, _fires(vendor, trouble))
        [seen] = vendor.items()
        assert (soon.actions, later.actions) == ((Action.NOTHING,), (Action.NOTED,))
        assert len(seen.notes) == silent + 1
        assert "42" in seen.notes[-1]

    def test_the_severity_rises(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """A more severe repeat raises the item at once, with a note, and a milder one does not lower it."""
        adapter = vendor.adapter()
        opened = _item(trouble.tell(adapter, _fires(vendor, trouble, severity=Severity.SEV3)))
        trouble.clock = MINUTE
        receipt = trouble.tell(adapter, _fires(vendor, trouble, severity=Severity.SEV1))
        raised = vendor.items()[0].severity_fields
        trouble.clock = 2 * MINUTE
        trouble.tell(adapter, _fires(vendor, trouble, severity=Severity.SEV4))
        assert receipt.actions == (Action.NOTED,)
        assert raised != opened.severity_fields
        assert _item(receipt).severity_fields == raised
        assert vendor.items()[0].severity_fields == raised

    def test_a_severity_that_a_person_changed_is_left_alone(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """Also when other repeats were read in between: what a person wrote never becomes ours."""
        adapter = vendor.adapter()
        item = _item(trouble.tell(adapter, _fires(vendor, trouble, severity=Severity.SEV3)))
        vendor.change_severity_by_hand(item)
        by_hand = vendor.items()[0].severity_fields
        trouble.clock = MINUTE
        trouble.tell(adapter, _fires(vendor, trouble, severity=Severity.SEV3))
        trouble.clock = 2 * MINUTE
        trouble.tell(adapter, _fires(vendor, trouble, severity=Severity.SEV0))
        assert by_hand != item.severity_fields
        assert vendor.items()[0].severity_fields == by_hand

    def test_news_is_always_a_note(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """Two updates within a minute are two notes, and change no state."""
        adapter = vendor.adapter()
        trouble.tell(adapter, _fires(vendor, trouble))
        before = len(vendor.items()[0].notes)
        receipts = [trouble.tell(adapter, trouble.updates()) for _ in range(2)]
        [seen] = vendor.items()
        assert [each.actions for each in receipts] == [(Action.NOTED,), (Action.NOTED,)]
        assert (len(seen.notes), seen.state) == (before + 2, ItemState.OPEN)

    def test_news_of_an_unknown_trouble_opens_nothing(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """An update without an item is recorded and no more."""
        assert trouble.tell(vendor.adapter(), trouble.updates()).actions == (Action.NOTHING,)
        assert vendor.items() == []

    # --- the end ---

    def test_resolved_resolves(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """The last series ended: the item is resolved - not closed - with a note."""
        adapter = vendor.adapter()
        trouble.tell(adapter, _fires(vendor, trouble))
        before = len(vendor.items()[0].notes)
        receipt = trouble.tell(adapter, trouble.resolves())
        [seen] = vendor.items()
        assert receipt.actions == (Action.RESOLVED,)
        assert seen.state is ItemState.RESOLVED is _item(receipt).state
        assert len(seen.notes) == before + 1

    @pytest.mark.parametrize(
        ("on_resolved", "action", "notes"), [("note", Action.NOTED, 1), ("ignore", Action.NOTHING, 0)]
    )
    def test_on_resolved_can_leave_the_item_open(
        self, vendor: VendorStandIn, trouble: Trouble, on_resolved: str, action: Action, notes: int
    ) -> None:
        """With `note` the item is told, with `ignore` it is not touched; it stays open."""
        adapter = vendor.adapter(on_resolved=on_resolved)
        trouble.tell(adapter, _fires(vendor, trouble))
        before = len(vendor.items()[0].notes)
        receipt = trouble.tell(adapter, trouble.resolves())
        [seen] = vendor.items()
        assert receipt.actions == (action,)
        assert (seen.state, len(seen.notes) - before) == (ItemState.OPEN, notes)

    def test_resolved_while_other_series_are_open_changes_nothing(
        self, vendor: VendorStandIn, trouble: Trouble
    ) -> None:
        """One of several series ended: the item stays open."""
        adapter = vendor.adapter()
        trouble.tell(adapter, _fires(vendor, trouble))
        assert trouble.tell(adapter, trouble.resolves(ended=False)).actions == (Action.NOTHING,)
        assert vendor.items()[0].state is ItemState.OPEN

    def test_an_unknown_resolved_opens_nothing(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """Its fired, arriving late and handed over with it, is opened and resolved at once."""
        adapter = vendor.adapter()
        unknown = trouble.tell(adapter, trouble.resolves())
        assert (unknown.actions, vendor.items()) == ((Action.NOTHING,), [])
        fired, resolved = _fires(vendor, trouble).alert, trouble.resolves().alert
        receipt = trouble.tell(adapter, trouble.notice(fired, resolved, ended=True))
        assert receipt.actions == (Action.OPENED, Action.RESOLVED)
        assert [each.state for each in vendor.items()] == [ItemState.RESOLVED]

    @pytest.mark.parametrize("on_resolved", ["resolve", "note", "ignore"])
    def test_a_portal_test_is_opened_marked_and_resolved_at_once(
        self, vendor: VendorStandIn, trouble: Trouble, on_resolved: str
    ) -> None:
        """Whatever `on_resolved` says: nobody should have to clean up after a test button."""
        receipt = trouble.tell(vendor.adapter(on_resolved=on_resolved), trouble.tests(resources=(vendor.known,)))
        [seen] = vendor.items()
        assert receipt.actions == (Action.OPENED, Action.RESOLVED)
        assert "[TEST]" in seen.title
        assert seen.state is ItemState.RESOLVED

    # --- fired again after the end ---

    def test_fired_again_soon_after_our_resolve_reopens(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """Inside `reopen_within` it is the same trouble: the item is open again, with a note."""
        adapter = vendor.adapter(reopen_within="24h")
        trouble.tell(adapter, _fires(vendor, trouble))
        trouble.clock = HOUR
        trouble.tell(adapter, trouble.resolves())
        before = len(vendor.items()[0].notes)
        trouble.clock = DAY + HOUR
        receipt = trouble.tell(adapter, _fires(vendor, trouble))
        [seen] = vendor.items()
        assert receipt.actions == (Action.REOPENED,)
        assert (seen.state, len(seen.notes)) == (ItemState.OPEN, before + 1)

    def test_fired_again_long_after_our_resolve_opens_a_linked_item(
        self, vendor: VendorStandIn, trouble: Trouble
    ) -> None:
        """Later than `reopen_within` it is a new trouble: a new item that names the old one."""
        adapter = vendor.adapter(reopen_within="24h")
        old = _item(trouble.tell(adapter, _fires(vendor, trouble)))
        trouble.tell(adapter, trouble.resolves())
        trouble.clock = DAY + MINUTE
        receipt = trouble.tell(adapter, _fires(vendor, trouble))
        _is_new_and_linked(vendor, receipt, old)
        assert vendor.items()[0].state is ItemState.RESOLVED

    def test_repeats_after_a_person_ended_the_item_are_noted_once(self, vendor: VendorStandIn) -> None:
        """Azure only repeats, inside `quiet_after_close`: one note at most, and the person's end stands."""
        for state in vendor.ends:
            trouble, adapter = _trouble(), vendor.adapter(quiet_after_close="24h")
            item = _item(trouble.tell(adapter, _fires(vendor, trouble)))
            vendor.end_as_person(item, state)
            before = len(_seen(vendor, item).notes)
            actions = []
            for minutes in (1, 2, 3):
                trouble.clock = minutes * MINUTE
                actions.append(trouble.tell(adapter, _fires(vendor, trouble)).actions)
            seen = _seen(vendor, item)
            assert actions == [(Action.NOTED,), (Action.NOTHING,), (Action.NOTHING,)], state
            assert (seen.state, len(seen.notes)) == (state, before + 1)

    def test_repeats_long_after_a_person_ended_the_item_open_a_linked_one(self, vendor: VendorStandIn) -> None:
        """Later than `quiet_after_close` the trouble deserves an item again."""
        for state in vendor.ends:
            trouble, adapter = _trouble(), vendor.adapter(quiet_after_close="24h")
            item = _item(trouble.tell(adapter, _fires(vendor, trouble)))
            vendor.end_as_person(item, state)
            trouble.clock = MINUTE
            trouble.tell(adapter, _fires(vendor, trouble))
            trouble.clock = DAY + HOUR
            receipt = trouble.tell(adapter, _fires(vendor, trouble))
            _is_new_and_linked(vendor, receipt, item)
            assert _seen(vendor, item).state is state

    def test_fired_again_after_a_person_closed_what_azure_had_ended(self, vendor: VendorStandIn) -> None:
        """Closed or cancelled, and Azure had said Resolved: a new item at any time, never a reopening."""
        for state in (each for each in vendor.ends if each is not ItemState.RESOLVED):
            trouble, adapter = _trouble(), vendor.adapter()
            item = _item(trouble.tell(adapter, _fires(vendor, trouble)))
            trouble.tell(adapter, trouble.resolves())
            vendor.end_as_person(item, state)
            trouble.clock = MINUTE
            _is_new_and_linked(vendor, trouble.tell(adapter, _fires(vendor, trouble)), item)
            assert _seen(vendor, item).state is state

    def test_a_resolved_leaves_an_item_alone_that_a_person_ended(self, vendor: VendorStandIn) -> None:
        """Azure's Resolved after a person's end neither moves nor annotates the item."""
        for state in vendor.ends:
            trouble, adapter = _trouble(), vendor.adapter()
            item = _item(trouble.tell(adapter, _fires(vendor, trouble)))
            vendor.end_as_person(item, state)
            before = _seen(vendor, item)
            assert trouble.tell(adapter, trouble.resolves()).actions == (Action.NOTHING,)
            assert _seen(vendor, item) == before

    def test_a_vanished_item_is_replaced_and_the_receipt_says_so(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """Deleted by a person: a new item is opened for the next fired, with a finding."""
        adapter = vendor.adapter()
        old = _item(trouble.tell(adapter, _fires(vendor, trouble)))
        vendor.vanish(old)
        trouble.clock = MINUTE
        receipt = trouble.tell(adapter, _fires(vendor, trouble))
        [seen] = vendor.items()
        assert receipt.actions == (Action.OPENED,)
        assert (seen.state, seen.correlation) == (ItemState.OPEN, _item(receipt).correlation)
        assert any(old.number in finding.text for finding in receipt.findings)

    def test_a_resolved_of_a_vanished_item_is_no_failure(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """There is nothing left to resolve."""
        adapter = vendor.adapter()
        vendor.vanish(_item(trouble.tell(adapter, _fires(vendor, trouble))))
        assert trouble.tell(adapter, trouble.resolves()).actions == (Action.NOTHING,)
        assert vendor.items() == []

    # --- configuration items ---

    def test_a_known_resource_is_linked(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """The item carries the CI, the receipt says how it was found; Azure's spelling does not matter."""
        shouted = replace(vendor.known, id=vendor.known.id.upper())
        receipt = trouble.tell(vendor.adapter(), trouble.fires(resources=(shouted,)))
        [found] = receipt.configuration_items
        assert found.name == vendor.known_as
        assert found.matched_by
        assert vendor.items()[0].configuration_items == (vendor.known_as,)

    def test_an_unknown_resource_opens_an_item_without_ci_and_says_so(
        self, vendor: VendorStandIn, trouble: Trouble
    ) -> None:
        """A CMDB that does not know the resource blocks no ticket."""
        receipt = trouble.tell(vendor.adapter(), trouble.fires(resources=(vendor.unknown,)))
        assert (receipt.actions, receipt.configuration_items) == ((Action.OPENED,), ())
        assert vendor.items()[0].configuration_items == ()
        assert any(finding.level is Level.WARNING for finding in receipt.findings)

    def test_an_unreachable_cmdb_fails_the_delivery_before_anything_is_opened(
        self, vendor: VendorStandIn, trouble: Trouble
    ) -> None:
        """It is tried again later: an item without its CI would stay so for ever."""
        vendor.break_cmdb()
        with pytest.raises(DeliveryError):
            trouble.tell(vendor.adapter(), _fires(vendor, trouble))
        assert vendor.items() == []

    # --- failures, words, manners ---

    @pytest.mark.parametrize("reason", FAILURES)
    def test_each_failure_is_a_delivery_error_with_its_reason(
        self, vendor: VendorStandIn, trouble: Trouble, reason: Reason
    ) -> None:
        """No exception of a library leaves the adapter, no secret is in the message, nothing was done."""
        adapter = vendor.adapter()
        vendor.fail_next(reason)
        with pytest.raises(DeliveryError) as caught:
            trouble.tell(adapter, _fires(vendor, trouble))
        assert caught.value.reason is reason
        assert caught.value.message
        assert not [secret for secret in vendor.secrets if secret in f"{caught.value!r} {caught.value}"]
        assert vendor.items() == []

    def test_hostile_text_opens_an_item(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """Markup, control characters, half surrogates and 40 KB of text are no reason to lose a ticket."""
        notice = trouble.fires(
            rule=HOSTILE,
            summary=HOSTILE,
            description=HOSTILE,
            dimensions=((HOSTILE, HOSTILE),),
            resources=(Resource(HOSTILE[:80], HOSTILE[:80]),),
        )
        adapter = vendor.adapter()
        trouble.tell(adapter, notice)
        trouble.tell(adapter, trouble.updates(summary=HOSTILE, description=HOSTILE))
        [seen] = vendor.items()
        assert seen.correlation == notice.correlation
        assert "\x00" not in seen.title + "".join(seen.notes)

    def test_an_alert_that_says_next_to_nothing_opens_an_item(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """Without severity, rule, resources, links and text there still is a title."""
        bare: dict[str, Any] = {"severity": None, "rule": None, "service": None, "signal": None}
        empty: dict[str, Any] = {"summary": "", "description": "", "resources": (), "links": (), "facts": ()}
        trouble.tell(vendor.adapter(), trouble.fires(**bare, **empty))
        [seen] = vendor.items()
        assert seen.title.strip()

    def test_preview_asks_nobody(self, vendor: VendorStandIn, trouble: Trouble) -> None:
        """It names the fields and the title while the vendor is down, and twice the same."""
        adapter = vendor.adapter()
        vendor.break_cmdb()
        vendor.fail_next(Reason.UNREACHABLE)
        preview = adapter.preview(_fires(vendor, trouble))
        assert any("CPU above 80 percent" in value for value in preview.fields.values())
        assert preview == adapter.preview(_fires(vendor, trouble))
        assert vendor.items() == []

    def test_check_finds_nothing_wrong_and_writes_nothing(self, vendor: VendorStandIn) -> None:
        """Against a vendor that is well no finding is a failure."""
        findings = vendor.adapter().check()
        assert findings
        assert not [finding for finding in findings if finding.level is Level.FAILURE]
        assert vendor.items() == []


def _trouble() -> Trouble:
    return Trouble(key=digest("contract", uuid4().hex), begin=datetime.now(UTC).replace(microsecond=0))


def _fires(vendor: VendorStandIn, trouble: Trouble, **changes: Any) -> Notice:
    return trouble.fires(**({"resources": (vendor.known,)} | changes))


def _item(receipt: Receipt) -> WorkItem:
    assert receipt.item is not None
    return receipt.item


def _seen(vendor: VendorStandIn, item: WorkItem) -> Seen:
    [seen] = [each for each in vendor.items() if each.id == item.id]
    return seen


def _is_new_and_linked(vendor: VendorStandIn, receipt: Receipt, old: WorkItem) -> None:
    new = _item(receipt)
    assert receipt.actions == (Action.OPENED,)
    assert new.id != old.id
    assert new.correlation != old.correlation
    assert _seen(vendor, new).state is ItemState.OPEN
    assert _seen(vendor, new).previous == old.number


__all__ = ["Seen", "VendorStandIn", "WorkItemAdapterContract"]
