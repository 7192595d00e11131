"""The life of a work item: the table of docs/lifecycle.md row by row, and what follows from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from adapters.mock import MockAdapter
from connector.adapter import DeliveryError, Reason
from connector.lifecycle import Move, WorkItemSettings, episode_after, move_for
from connector.model import (
    Action,
    Condition,
    Episode,
    ItemState,
    Notice,
    Receipt,
    Severity,
    WorkItem,
    correlation_value,
)
from connector.testing.alerts import BEGIN, Trouble, an_alert, virtual_machine

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

OPEN, RESOLVED, CLOSED, CANCELLED = ItemState


# --- the table, pure ------------------------------------------------------------------------------

SETTINGS = WorkItemSettings(
    adapter="any",
    reopen_within=timedelta(hours=4),
    quiet_after_close=timedelta(hours=8),
    stateless_over_after=timedelta(days=2),
)


@dataclass(frozen=True)
class Row:
    """One row: who ended the item, in which state, whether Azure had said Resolved; then a fired."""

    name: str
    move: Move
    state: ItemState | None = None
    by_us: bool = False
    azure_said_resolved: bool = False
    since_its_end: timedelta = timedelta(0)
    over: bool = False
    vanished: bool = False


def _by_person(name: str, move: Move, since: timedelta, *, azure_said_resolved: bool, over: bool = False) -> list[Row]:
    return [
        Row(f"{state} by a person: {name}", move, state, False, azure_said_resolved, since, over)
        for state in (RESOLVED, CLOSED, CANCELLED)
    ]


TABLE = [
    Row("none", Move.OPEN),
    Row("vanished", Move.OPEN, vanished=True),
    Row("open", Move.COUNT, OPEN),
    Row("open, and Azure had said resolved", Move.COUNT, OPEN, azure_said_resolved=True),
    Row("open, and this alert is over already", Move.COUNT, OPEN, over=True),
    Row("resolved by us: at once", Move.REOPEN, RESOLVED, True, True, SECOND),
    Row("resolved by us: at the last moment of reopen_within", Move.REOPEN, RESOLVED, True, True, 4 * HOUR),
    Row("resolved by us: later", Move.OPEN_LINKED, RESOLVED, True, True, 4 * HOUR + SECOND),
    Row("resolved by us: fired before its end but told late", Move.REOPEN, RESOLVED, True, True, -MINUTE),
    Row("resolved by us: fired before its end, told late, over", Move.NOTHING, RESOLVED, True, True, -MINUTE, True),
    Row("resolved by us: fired after its end, and over", Move.REOPEN, RESOLVED, True, True, MINUTE, True),
    Row("resolved by us, then closed", Move.OPEN_LINKED, CLOSED, True, True, SECOND),
    Row("resolved by us, then cancelled", Move.OPEN_LINKED, CANCELLED, True, True, SECOND),
    *_by_person("a repeat at once", Move.KEEP_QUIET, SECOND, azure_said_resolved=False),
    *_by_person("a repeat at the last quiet moment", Move.KEEP_QUIET, 8 * HOUR, azure_said_resolved=False),
    *_by_person("a repeat later", Move.OPEN_LINKED, 8 * HOUR + SECOND, azure_said_resolved=False),
    *_by_person("a repeat from before, told late", Move.KEEP_QUIET, -MINUTE, azure_said_resolved=False),
    *_by_person("over before its end", Move.NOTHING, -MINUTE, azure_said_resolved=True, over=True),
    Row("resolved by a person, Azure agreed: soon", Move.REOPEN, RESOLVED, False, True, HOUR),
    Row("closed by a person, Azure agreed: soon", Move.OPEN_LINKED, CLOSED, False, True, SECOND),
    Row("closed by a person, Azure agreed: much later", Move.OPEN_LINKED, CLOSED, False, True, 99 * HOUR),
    Row("cancelled by a person, Azure agreed: soon", Move.OPEN_LINKED, CANCELLED, False, True, SECOND),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_table(row: Row) -> None:
    """Each row of the table asks for its move, and says why in a sentence."""
    at = BEGIN + timedelta(days=1)
    ended = row.state not in (None, OPEN)
    item = WorkItem("1", "X1", "", row.state or OPEN, ended_at=at if ended else None)
    episode = Episode(
        "e",
        item=item if row.state or row.vanished else None,
        azure_resolved_at=at if row.azure_said_resolved else None,
        ended_by_us=row.by_us,
        ended_at=at if ended else None,
    )
    shown = item if row.state else None
    alert = an_alert(Condition.FIRED, at + row.since_its_end)
    move, why = move_for(episode, shown, alert, SETTINGS, over=row.over)
    assert move is row.move
    assert ("X1" in why) == (row.state is not None or row.vanished)


def test_a_long_silence_is_the_end_of_an_alert_that_never_resolves() -> None:
    """After `stateless_over_after` without a repeat a fired is a new trouble, also inside the quiet time."""
    closed = WorkItem("1", "X1", "", CLOSED, ended_at=BEGIN + timedelta(days=3))
    episode = Episode("e", item=closed, fired_at=BEGIN)
    edge, later = BEGIN + timedelta(days=2), BEGIN + timedelta(days=2, seconds=1)
    moves = [move_for(episode, closed, an_alert(Condition.FIRED, at), SETTINGS)[0] for at in (edge, later)]
    assert moves == [Move.KEEP_QUIET, Move.OPEN_LINKED]


def test_an_end_without_a_time_counts_from_when_we_saw_it() -> None:
    """A vendor that does not say when an item ended gives the quiet time its begin at our first look."""
    closed = WorkItem("1", "X1", "", CLOSED)
    unseen, seen = Episode("e", item=closed), Episode("e", item=closed, ended_at=BEGIN)
    alert = an_alert(Condition.FIRED, BEGIN + 9 * HOUR)
    assert move_for(unseen, closed, alert, SETTINGS)[0] is Move.KEEP_QUIET
    assert move_for(seen, closed, alert, SETTINGS)[0] is Move.OPEN_LINKED


def test_the_vendors_time_of_an_end_is_better_than_ours() -> None:
    """We saw the end hours after it happened: the quiet time runs from when it happened."""
    closed = WorkItem("1", "X1", "", CLOSED, ended_at=BEGIN)
    episode = Episode("e", item=closed, ended_at=BEGIN + 5 * HOUR)
    assert move_for(episode, closed, an_alert(Condition.FIRED, BEGIN + 9 * HOUR), SETTINGS)[0] is Move.OPEN_LINKED


# --- the same through deliver and episode_after ---------------------------------------------------


class Desk:
    """A mock desk in memory and one trouble on it."""

    def __init__(self, **settings: object) -> None:
        known = {"adapter": "mock", "cis": {virtual_machine().id: "web-01"}}
        self.adapter = MockAdapter(MockAdapter.settings_type.model_validate(known | settings), destination="desk")
        self.trouble = Trouble()

    def tell(self, notice: Notice) -> tuple[str, ...]:
        """Deliver, move the episode on, and return the actions."""
        return tuple(str(action) for action in self.trouble.tell(self.adapter, notice).actions)

    def fires(self, after: timedelta = timedelta(0), **changes: object) -> tuple[str, ...]:
        self.trouble.clock = after
        return self.tell(self.trouble.fires(**changes))

    def resolves(self, after: timedelta = timedelta(0), **changes: object) -> tuple[str, ...]:
        self.trouble.clock = after
        return self.tell(self.trouble.resolves(**changes))

    def person_writes(self, **changes: object) -> None:
        assert self.episode.item is not None
        self.adapter.desk.change(self.episode.item.id, changes)

    def person_ends(self, state: ItemState, after: timedelta) -> None:
        self.person_writes(state=state.value, ended_at=(BEGIN + after).isoformat())

    @property
    def episode(self) -> Episode:
        return self.trouble.episode

    @property
    def states(self) -> list[str]:
        return [each.get("state", "") for each in self.adapter.desk.search()]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the notes on the latest item."""
        return [note["kind"] for note in self.adapter.desk.search()[-1]["notes"]]


def test_a_whole_life_by_azures_clock() -> None:
    """Opened, resolved, reopened, resolved, and a linked one long after: counted from Azure's times."""
    desk = Desk(reopen_within="4h")
    assert desk.fires() == ("opened",)
    assert desk.resolves(HOUR) == ("resolved",)
    assert desk.fires(5 * HOUR) == ("reopened",)
    assert desk.episode.azure_resolved_at is None
    assert desk.resolves(6 * HOUR) == ("resolved",)
    assert desk.fires(10 * HOUR + SECOND) == ("opened",)
    assert desk.states == ["resolved", "open"]
    assert desk.adapter.desk.search()[1]["previous"] == "MOCK0001"
    assert desk.episode.previous is not None
    assert (desk.episode.occurrence, desk.episode.previous.number) == (2, "MOCK0001")


def test_each_item_of_an_episode_has_its_own_correlation_value() -> None:
    """The occurrence is part of the value, so that a look-up never adopts an item that has ended."""
    desk = Desk()
    desk.fires()
    desk.person_ends(CLOSED, MINUTE)
    desk.resolves(2 * MINUTE)
    desk.fires(3 * MINUTE)
    values = [each["correlation"] for each in desk.adapter.desk.search()]
    assert values == [correlation_value("desk", desk.trouble.key, number) for number in (1, 2)]


def test_a_hundred_repeats_make_one_item_with_a_count() -> None:
    """One item; a note an hour; the episode and the note at the end know how many there were."""
    desk = Desk(repeat_note_every="1h")
    for minute in range(101):
        desk.fires(minute * MINUTE)
    desk.resolves(101 * MINUTE)
    [record] = desk.adapter.desk.search()
    assert (desk.episode.repeats, record["repeats"]) == (100, 100)
    assert desk.kinds == ["repeat", "recovered"]
    assert "60 times" in record["notes"][0]["text"]
    assert "100 times" in record["notes"][1]["text"]


def test_several_fired_in_one_notice_are_counted_each() -> None:
    """Folded repeats count one by one, and the most severe of them raises the item."""
    desk = Desk()
    desk.fires(severity=Severity.SEV3)
    desk.trouble.clock = MINUTE
    alerts = [desk.trouble.alert(Condition.FIRED, severity=each) for each in (Severity.SEV1, Severity.SEV4)]
    assert desk.tell(desk.trouble.notice(*alerts)) == ("noted",)
    assert (desk.episode.repeats, desk.episode.severity) == (2, Severity.SEV1)
    assert desk.adapter.desk.search()[0]["severity"] == "Sev1"


def test_severity_that_a_person_changed_back_may_rise_again() -> None:
    """What counts is whether the field holds what we wrote, not whether it was ever touched."""
    desk = Desk()
    desk.fires(severity=Severity.SEV3)
    desk.person_writes(severity="mine")
    desk.fires(MINUTE, severity=Severity.SEV2)
    assert desk.adapter.desk.search()[0]["severity"] == "mine"
    desk.person_writes(severity="Sev3")
    desk.fires(2 * MINUTE, severity=Severity.SEV1)
    assert desk.adapter.desk.search()[0]["severity"] == "Sev1"


def test_a_reopened_item_takes_a_more_severe_alert() -> None:
    """What comes back worse is raised with the reopening; a milder one keeps the old severity."""
    desk = Desk()
    desk.fires(severity=Severity.SEV3)
    desk.resolves(MINUTE)
    desk.fires(2 * MINUTE, severity=Severity.SEV1)
    assert desk.adapter.desk.search()[0]["severity"] == "Sev1"
    desk.resolves(3 * MINUTE)
    desk.fires(4 * MINUTE, severity=Severity.SEV4)
    assert desk.adapter.desk.search()[0]["severity"] == "Sev1"


def test_alerts_without_severity_never_raise() -> None:
    """A budget has no severity: nothing is guessed, and a later one that has some may still raise."""
    desk = Desk()
    desk.fires(severity=Severity.SEV2)
    assert desk.fires(MINUTE, severity=None) == ("nothing",)
    assert desk.episode.severity is Severity.SEV2


def test_repeats_on_an_item_that_a_person_ended_are_noted_once_per_end() -> None:
    """One note for one end; when a person opens and ends it again, one more."""
    desk = Desk()
    desk.fires()
    desk.person_ends(CLOSED, MINUTE)
    assert [desk.fires(minute * MINUTE) for minute in (2, 3)] == [("noted",), ("nothing",)]
    desk.person_writes(state="open", ended_at=None)
    assert desk.fires(4 * MINUTE) == ("nothing",)
    desk.person_ends(CLOSED, 5 * MINUTE)
    assert desk.fires(6 * MINUTE) == ("noted",)
    assert desk.kinds == ["ended-by-person", "ended-by-person"]


def test_a_person_may_reopen_what_we_resolved() -> None:
    """The item is open again: repeats are counted on it, and the next Resolved resolves it."""
    desk = Desk()
    desk.fires()
    desk.resolves(MINUTE)
    desk.person_writes(state="open", ended_at=None)
    assert desk.fires(2 * MINUTE) == ("nothing",)
    assert desk.resolves(3 * MINUTE) == ("resolved",)
    assert desk.episode.azure_resolved_at == BEGIN + 3 * MINUTE


def test_what_a_person_reopened_is_resolved_by_the_next_resolved() -> None:
    """Also with no fired in between: the item ended with that Resolved, not with the first."""
    desk = Desk(reopen_within="1h")
    desk.fires()
    desk.resolves(MINUTE)
    desk.person_writes(state="open", ended_at=None)
    assert desk.resolves(3 * HOUR) == ("resolved",)
    assert desk.fires(3 * HOUR + MINUTE) == ("reopened",)


@pytest.mark.parametrize(("on_resolved", "actions"), [("note", ("noted",)), ("ignore", ("nothing",))])
def test_an_item_left_open_belongs_to_people_after_the_end(on_resolved: str, actions: tuple[str, ...]) -> None:
    """Not resolved by us, but Azure has spoken: closed by a person, the next fired opens a linked one."""
    desk = Desk(on_resolved=on_resolved)
    desk.fires()
    assert desk.resolves(MINUTE) == actions
    desk.person_ends(CLOSED, 2 * MINUTE)
    assert desk.fires(3 * MINUTE) == ("opened",)
    assert desk.states == ["closed", "open"]


def test_an_update_on_an_ended_item_is_a_note_and_no_more() -> None:
    """News never opens or reopens, and does not use up the one note on a repeat."""
    desk = Desk()
    desk.fires()
    desk.person_ends(CLOSED, MINUTE)
    desk.trouble.clock = 2 * MINUTE
    assert desk.tell(desk.trouble.updates()) == ("noted",)
    assert desk.states == ["closed"]
    assert desk.fires(3 * MINUTE) == ("noted",)


def test_a_group_ends_with_its_last_series() -> None:
    """While another series is open a Resolved changes nothing; the last one resolves the item."""
    desk = Desk()
    desk.fires()
    desk.fires(MINUTE)
    assert desk.resolves(2 * MINUTE, ended=False) == ("nothing",)
    assert desk.episode.azure_resolved_at is None
    assert desk.resolves(3 * MINUTE) == ("resolved",)


def test_a_resolved_before_its_fired_ends_it_at_once() -> None:
    """The late fired of an unknown Resolved is opened and resolved in one delivery, and can be reopened."""
    desk = Desk()
    assert desk.resolves(5 * MINUTE) == ("nothing",)
    assert desk.tell(_late(desk, MINUTE, 5 * MINUTE)) == ("opened", "resolved")
    assert desk.states == ["resolved"]
    assert (desk.episode.ended_by_us, desk.episode.repeats) == (True, 0)
    assert desk.fires(6 * MINUTE) == ("reopened",)


def test_a_late_fired_that_its_resolved_has_covered_changes_nothing() -> None:
    """The item already ended with that Resolved: nothing to open for what is over."""
    desk = Desk()
    desk.fires()
    desk.resolves(10 * MINUTE)
    assert desk.tell(_late(desk, 5 * MINUTE, 10 * MINUTE)) == ("nothing",)
    assert desk.states == ["resolved"]


def test_a_late_fired_after_the_end_of_the_item_is_reopened_and_resolved() -> None:
    """Its Resolved came first, when the item had ended before: that must not hide the new trouble."""
    desk = Desk()
    desk.fires()
    desk.resolves(10 * MINUTE)
    assert desk.resolves(30 * MINUTE) == ("nothing",)
    assert desk.tell(_late(desk, 20 * MINUTE, 30 * MINUTE)) == ("reopened", "resolved")
    assert desk.episode.azure_resolved_at == BEGIN + 30 * MINUTE


def _late(desk: Desk, fired: timedelta, resolved: timedelta) -> Notice:
    alerts = an_alert(Condition.FIRED, BEGIN + fired), an_alert(Condition.RESOLVED, BEGIN + resolved)
    return desk.trouble.notice(*alerts, ended=True)


def test_a_vanished_item_is_looked_up_by_its_correlation_value() -> None:
    """An item that got another id - a move between projects - is found again, not opened anew."""
    desk = Desk()
    desk.fires()
    [record] = desk.adapter.desk.search()
    desk.adapter.desk.remove(record["id"])
    moved = desk.adapter.desk.add({name: record[name] for name in record if name != "id"})
    assert desk.fires(MINUTE) == ("nothing",)
    assert desk.episode.item is not None
    assert desk.episode.item.id == moved["id"]
    assert (len(desk.states), desk.episode.occurrence) == (1, 1)


def test_the_item_for_a_vanished_one_says_so() -> None:
    """The new item has no link to follow, but names what is gone; so does the decision."""
    desk = Desk()
    desk.fires()
    [record] = desk.adapter.desk.search()
    desk.adapter.desk.remove(record["id"])
    desk.trouble.clock = MINUTE
    receipt = desk.trouble.tell(desk.adapter, desk.trouble.fires())
    [new] = desk.adapter.desk.search()
    assert new["previous"] is None
    assert "is not there any more" in new["notes"][0]["text"]
    assert ("found", "vanished") in [(each.step, each.outcome) for each in receipt.decisions]
    assert desk.episode.occurrence == 2


# --- answers that were lost -----------------------------------------------------------------------


@contextmanager
def _lost(desk: Desk) -> Iterator[None]:
    """The write inside is done, its answer is lost, and the episode does not move on."""
    desk.adapter.faults.lose_answers(1)
    with pytest.raises(DeliveryError) as caught:
        yield
    assert (caught.value.reason, caught.value.maybe_done) == (Reason.TIMEOUT, True)


def test_an_adopted_item_is_where_an_opened_one_would_be() -> None:
    """After adoption the episode is the same as after a create that answered, CI included."""
    plain, lossy = Desk(), Desk()
    plain.fires()
    with _lost(lossy):
        lossy.fires()
    receipt = lossy.trouble.tell(lossy.adapter, lossy.trouble.fires(uncertain=True))
    assert [each.name for each in receipt.configuration_items] == ["web-01"]
    assert _without_ids(lossy.episode) == _without_ids(plain.episode)
    assert ("found", "adopted") in [(each.step, each.outcome) for each in receipt.decisions]


def _without_ids(episode: Episode) -> Episode:
    assert episode.item is not None
    return replace(episode, item=replace(episode.item, id=""))


def test_an_uncertain_repeat_looks_only_for_the_item_it_might_have_opened() -> None:
    """With an open item known there is nothing to adopt: the repeat is counted as ever."""
    desk = Desk()
    desk.fires()
    desk.trouble.clock = MINUTE
    assert desk.tell(desk.trouble.fires(uncertain=True)) == ("nothing",)
    assert len(desk.states) == 1


def test_a_linked_item_whose_answer_was_lost_is_adopted() -> None:
    """The look-up is for the next occurrence, not for the item that has ended."""
    desk = Desk(reopen_within="1h")
    desk.fires()
    desk.resolves(MINUTE)
    with _lost(desk):
        desk.fires(5 * HOUR)
    assert desk.tell(desk.trouble.fires(uncertain=True)) == ("opened",)
    assert desk.states == ["resolved", "open"]
    assert desk.episode.occurrence == 2


def test_a_reopening_whose_answer_was_lost_is_told_as_one() -> None:
    """The retry finds our resolved item open: it was the earlier try."""
    desk = Desk()
    desk.fires()
    desk.resolves(MINUTE)
    with _lost(desk):
        desk.fires(2 * MINUTE)
    assert desk.tell(desk.trouble.fires(uncertain=True)) == ("reopened",)
    assert desk.kinds == ["recovered", "fired-again"]
    assert not desk.episode.ended_by_us


def test_opened_and_resolved_with_the_last_answer_lost_is_still_our_resolve() -> None:
    """The retry adopts an item that is resolved already: by us, so the next fired reopens it."""
    desk = Desk()
    desk.resolves(5 * MINUTE)
    opened = _late(desk, MINUTE, 5 * MINUTE)
    desk.adapter.deliver(opened)
    uncertain = replace(opened, uncertain_since=opened.at)
    assert desk.tell(uncertain) == ("opened", "resolved")
    assert desk.episode.ended_by_us
    assert desk.fires(6 * MINUTE) == ("reopened",)


def test_a_failure_after_a_first_act_leaves_doubt() -> None:
    """Opened, but not resolved: the error says that something may be done, so the next try looks first."""
    desk = Desk()
    desk.resolves(5 * MINUTE)
    failing = _FailsOnSecondWrite(desk.adapter.settings, destination="desk")
    notice = _late(desk, MINUTE, 5 * MINUTE)
    with pytest.raises(DeliveryError) as caught:
        failing.deliver(notice)
    assert caught.value.maybe_done


class _FailsOnSecondWrite(MockAdapter):
    """Opens, then is rate-limited: a failure that by itself says that nothing was done."""

    def resolve(self, item: WorkItem, note: object) -> WorkItem:
        raise DeliveryError(Reason.RATE_LIMITED, "too many requests")


# --- configuration items --------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Reason.UNREACHABLE, Reason.TIMEOUT, Reason.RATE_LIMITED, Reason.UNAUTHORIZED])
def test_a_cmdb_that_cannot_be_asked_fails_the_delivery(reason: Reason) -> None:
    """What may be well in a minute is tried again, before anything was opened."""
    desk = Desk()
    desk.adapter.faults.lookups = reason
    with pytest.raises(DeliveryError):
        desk.fires()
    assert desk.states == []


@pytest.mark.parametrize("reason", [Reason.REJECTED, Reason.AMBIGUOUS])
def test_a_cmdb_that_refuses_blocks_no_ticket(reason: Reason) -> None:
    """No right to read, or two candidates: opened without CI, with a finding that says so."""
    desk = Desk()
    desk.adapter.faults.lookups = reason
    receipt = desk.trouble.tell(desk.adapter, desk.trouble.fires())
    assert receipt.actions == (Action.OPENED,)
    assert [finding.text for finding in receipt.findings] == ["no configuration item was linked"]
    assert "was told to fail" in " ".join(each.why for each in receipt.decisions)


def test_two_resources_with_one_ci_link_it_once() -> None:
    """The receipt names each CI once, however many resources lead to it."""
    two = {virtual_machine("a").id: "cluster", "b": "cluster"}
    desk = Desk(cis=two)
    notice = desk.trouble.fires(resources=(virtual_machine("a"), virtual_machine("b")))
    receipt = desk.trouble.tell(desk.adapter, notice)
    assert [each.name for each in receipt.configuration_items] == ["cluster"]
    assert desk.adapter.desk.search()[0]["configuration_items"] == ["cluster"]


# --- episodes -------------------------------------------------------------------------------------


def test_a_receipt_without_item_keeps_the_one_that_was_known() -> None:
    """A Resolved of a vanished item forgets nothing: the next fired looks the item up again."""
    desk = Desk()
    desk.fires()
    notice = desk.trouble.resolves()
    after = episode_after(notice, Receipt((Action.NOTHING,)))
    assert after.item == desk.episode.item
    assert after.azure_resolved_at == BEGIN
    assert not after.ended_by_us


def test_only_a_resolve_of_ours_is_ours() -> None:
    """An item that we find ended was ended by a person, at the store's time if the vendor names none."""
    desk = Desk()
    desk.fires()
    assert desk.episode.item is not None
    ended = replace(desk.episode.item, state=CLOSED)
    desk.trouble.clock = MINUTE
    after = episode_after(desk.trouble.fires(), Receipt((Action.NOTHING,), ended))
    assert (after.ended_by_us, after.ended_at) == (False, BEGIN + MINUTE)


def test_a_test_notification_is_over_when_it_is_delivered() -> None:
    """Whatever condition the sample of the portal carries, and whatever `on_resolved` says."""
    for condition in Condition:
        desk = Desk(on_resolved="ignore")
        alert = an_alert(condition, test=True)
        assert desk.tell(desk.trouble.notice(alert, ended=True)) == ("opened", "resolved"), condition
        assert desk.adapter.desk.search()[0]["title"].startswith("[TEST] ")
        assert desk.kinds == ["test-over"]


def _moments() -> list[datetime]:
    return [BEGIN + minutes * MINUTE for minutes in (0, 7, 3)]


def test_the_latest_fired_is_remembered_by_azures_clock() -> None:
    """A fired that was told late does not move the time of the latest one back."""
    desk = Desk()
    for moment in _moments():
        desk.tell(desk.trouble.notice(an_alert(Condition.FIRED, moment)))
    assert desk.episode.fired_at == BEGIN + 7 * MINUTE


def test_the_configuration_item_is_that_of_the_alert_that_fired() -> None:
    """A Resolved that came with it may name less, or something else."""
    desk = Desk()
    fired = an_alert(Condition.FIRED)
    resolved = an_alert(Condition.RESOLVED, BEGIN + MINUTE, resources=(virtual_machine("other"),))
    desk.tell(desk.trouble.notice(fired, resolved, ended=True))
    assert desk.adapter.desk.search()[0]["configuration_items"] == ["web-01"]


def test_an_item_without_correlation_value_is_not_looked_up_by_nothing() -> None:
    """An empty value would find any item that a person wrote without one."""
    desk = Desk()
    desk.adapter.desk.add({"title": "a person's own", "correlation": ""})
    desk.trouble.episode = Episode(desk.trouble.key, 1, WorkItem("gone", "X9", ""))
    assert desk.fires() == ("opened",)
    assert len(desk.states) == 2
