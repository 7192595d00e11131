"""The life of a work item, written once for every vendor that keeps work items.

On the path of an alert this stands between the worker and a vendor's moves: the *condition* of
the alerts and the state of the known item decide which small move the vendor is asked for. The
table is section 7 of the public contract (docs/lifecycle); `move_for` is that table as code.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeVar, final

from connector.adapter import Adapter, DeliveryError, Duration, Reason, Scope, Settings
from connector.durations import show_duration
from connector.model import (
    Action,
    Alert,
    Condition,
    ConfigurationItem,
    Decision,
    Episode,
    Finding,
    ItemState,
    Level,
    Located,
    Note,
    NoteKind,
    Notice,
    Receipt,
    Resource,
    Severity,
    WorkItem,
)

LOCATED_AT_MOST = 10
"""How many resources of one alert are looked up in the CMDB; alerts name one or two."""


class WorkItemSettings(Settings):
    """The settings of every destination that keeps work items (contract section 5)."""

    on_resolved: Literal["resolve", "note", "ignore"] = "resolve"
    reopen_within: Duration = timedelta(hours=24)
    quiet_after_close: Duration = timedelta(hours=24)
    repeat_note_every: Duration = timedelta(hours=1)
    stateless_over_after: Duration = timedelta(days=7)


W = TypeVar("W", bound=WorkItemSettings)


class Move(StrEnum):
    """What a fired alert asks for."""

    OPEN = "open"
    COUNT = "count"
    REOPEN = "reopen"
    OPEN_LINKED = "open-linked"
    KEEP_QUIET = "keep-quiet"
    NOTHING = "nothing"


def move_for(  # noqa: PLR0911 - one return for each row of the table
    episode: Episode, item: WorkItem | None, alert: Alert, settings: WorkItemSettings, *, over: bool = False
) -> tuple[Move, str]:
    """Return the move that a fired `alert` asks for, and why.

    `item` is the work item as the vendor shows it now (`None`: none, or it vanished), `over` says
    that Azure has already ended this very alert. Times are compared by Azure's clock where Azure
    spoke, by the vendor's where a person ended the item.
    """
    if item is None:
        gone = episode.item and f"{episode.item.number} is not there any more"
        return Move.OPEN, gone or "this episode has no work item yet"
    if item.state is ItemState.OPEN:
        return Move.COUNT, f"{item.number} is open"
    ended_at = ended_time(episode, item)
    if over and ended_at is not None and alert.happened_at <= ended_at:
        return Move.NOTHING, f"{item.number} already covered this, and Azure has ended it since"
    since = alert.happened_at - ended_at if ended_at else timedelta(0)
    if episode.azure_resolved_at is None:
        return _repeat_on_ended(episode, item, alert, since, settings)
    if item.state is not ItemState.RESOLVED:
        return Move.OPEN_LINKED, f"{item.number} is {item.state} and Azure had said resolved"
    if since <= settings.reopen_within:
        return Move.REOPEN, f"fired again within {show_duration(settings.reopen_within)} of the end of {item.number}"
    return Move.OPEN_LINKED, f"{item.number} ended more than {show_duration(settings.reopen_within)} before"


def _repeat_on_ended(
    episode: Episode, item: WorkItem, alert: Alert, since: timedelta, settings: WorkItemSettings
) -> tuple[Move, str]:
    quiet = show_duration(settings.quiet_after_close)
    if episode.fired_at and alert.happened_at - episode.fired_at > settings.stateless_over_after:
        silent = show_duration(settings.stateless_over_after)
        return Move.OPEN_LINKED, f"no repeat for more than {silent}: this is a new trouble, not that of {item.number}"
    if since <= settings.quiet_after_close:
        return Move.KEEP_QUIET, f"a person ended {item.number} less than {quiet} before; Azure only repeats"
    return Move.OPEN_LINKED, f"Azure still repeats more than {quiet} after a person ended {item.number}"


def ended_time(episode: Episode, item: WorkItem) -> datetime | None:
    """Return when the item ended: by Azure's clock if we ended it, else by the vendor's or ours."""
    if episode.ended_by_us and episode.azure_resolved_at:
        return episode.azure_resolved_at
    return item.ended_at or episode.ended_at


@dataclass(slots=True)
class _Progress:
    """What has been done for one notice so far; becomes the receipt.

    `written` are the severity-bearing fields as they were after our own last write of them.
    """

    episode: Episode
    item: WorkItem | None
    written: Mapping[str, str] | None = None
    actions: list[Action] = field(default_factory=list)
    configuration_items: list[ConfigurationItem] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def did(self, action: Action, item: WorkItem, why: str) -> None:
        self.item = item
        self.actions.append(action)
        self.decisions.append(Decision("moved", action.value, why, {"work_item": item.number}))

    def wrote_severity(self, item: WorkItem) -> None:
        self.written = item.severity_fields

    def decided(self, step: str, outcome: str, why: str) -> None:
        self.decisions.append(Decision(step, outcome, why))

    def receipt(self) -> Receipt:
        item = self.item
        if item is not None and self.written is not None:  # what a person wrote since is not ours
            item = replace(item, severity_fields=self.written)
        return Receipt(
            tuple(self.actions) or (Action.NOTHING,),
            item,
            tuple(self.configuration_items),
            tuple(self.findings),
            tuple(self.decisions),
        )


class WorkItemAdapter(Adapter[W]):
    """An adapter whose vendor keeps work items: `deliver` is final, a vendor supplies the moves.

    Each move is one small act on the vendor's side. All of them raise DeliveryError only.
    """

    @abstractmethod
    def find(self, correlation: str) -> WorkItem | None:
        """Return the item that carries this correlation value; raises AMBIGUOUS on more than one.

        Used after a create whose outcome is unknown. Every row the vendor returns is verified.
        """

    @abstractmethod
    def read(self, item: WorkItem) -> WorkItem | None:
        """Return the item as it is now, by the vendor's own id; `None` when it has vanished."""

    @abstractmethod
    def locate(self, resource: Resource) -> Located:
        """Look the resource up in the CMDB. Not found or ambiguous is an answer, not an error."""

    @abstractmethod
    def open(self, notice: Notice, items: Sequence[Located], previous: WorkItem | None) -> WorkItem:
        """Open an item that carries `notice.correlation`, linked to its CIs and to `previous`.

        `previous` is `None` while `notice.item` is set when that item has vanished: there is
        nothing left to link to, only to mention.
        """

    @abstractmethod
    def note(self, item: WorkItem, note: Note) -> WorkItem:
        """Say something on the item; raise its severity to `note.raise_to` where that is set."""

    @abstractmethod
    def resolve(self, item: WorkItem, note: Note) -> WorkItem:
        """Bring the item to the vendor's resolved state, with the note."""

    @abstractmethod
    def reopen(self, item: WorkItem, note: Note) -> WorkItem:
        """Bring a resolved item back to work, with the note; raise its severity as `note` does."""

    @final
    def deliver(self, notice: Notice) -> Receipt:
        """Choose and make the moves that the notice asks for."""
        known = notice.item.severity_fields if notice.item else None
        progress = _Progress(notice.episode, notice.item, known)
        try:
            self._deliver(notice, progress)
        except DeliveryError as error:
            if progress.actions:
                error.maybe_done = True  # part of it was done
            raise
        return progress.receipt()

    def _deliver(self, notice: Notice, progress: _Progress) -> None:
        progress.item = self._current(notice, progress)
        fired = [alert for alert in notice.alerts if _opens(alert)]
        if fired:
            self._fired(notice, fired, progress)
        for alert in notice.alerts:
            if alert.condition is Condition.UPDATE and not alert.test:
                self._updated(alert, progress)
        if notice.ended and progress.item is not None:
            self._ended(notice, progress)
        elif not progress.actions:
            progress.decided("moved", Action.NOTHING, _why_nothing(notice, progress))

    def _current(self, notice: Notice, progress: _Progress) -> WorkItem | None:
        """The item as the vendor has it now: read by id, or adopted after an uncertain create."""
        adopted = self._adopted(notice, progress)
        if adopted is not None:
            return adopted
        if notice.item is None:
            return None
        current = self.read(notice.item)
        if current is None and notice.item.correlation:
            current = self.find(notice.item.correlation)
        if current is None:
            progress.decided("found", "vanished", f"{notice.item.number} is not there any more")
        return current

    def _adopted(self, notice: Notice, progress: _Progress) -> WorkItem | None:
        """The item that an earlier try of this notice made without us hearing of it."""
        may_have_opened = notice.item is None or any(_opens(alert) for alert in notice.alerts)
        if notice.uncertain_since is None or not may_have_opened:
            return None
        item = self.find(notice.correlation)
        if item is None:
            progress.decided("found", "none", "an earlier try may have opened an item; there is none")
            return None
        self._locate(_resources(notice), progress)
        progress.decided("found", "adopted", f"an earlier try had already opened {item.number}")
        progress.wrote_severity(item)
        progress.did(Action.OPENED, item, "adopted by its correlation value")
        return item

    def _fired(self, notice: Notice, fired: Sequence[Alert], progress: _Progress) -> None:
        alert, item = fired[-1], progress.item
        over = any(a.condition is Condition.RESOLVED for a in notice.alerts) and not alert.test
        if Action.OPENED in progress.actions:
            return
        move, why = move_for(progress.episode, item, alert, self.settings, over=over)
        progress.decided("lifecycle", move, why)
        if move in (Move.OPEN, Move.OPEN_LINKED):
            self._open(notice, progress, why)
        elif item is not None and move is Move.COUNT:
            self._count(notice, fired, item, progress)
        elif item is not None and move is Move.REOPEN:
            self._reopen(notice, fired, item, progress)
        elif item is not None and move is Move.KEEP_QUIET and not progress.episode.quiet_noted:
            self._note_once(notice, alert, item, progress)

    def _note_once(self, notice: Notice, alert: Alert, item: WorkItem, progress: _Progress) -> None:
        """At most one note on an item a person ended: when in doubt, none."""
        if notice.uncertain_since is not None:
            progress.did(Action.NOTED, item, "an earlier try may have written the one note on it")
            return
        note = Note(NoteKind.ENDED_BY_PERSON, alert, _repeats(notice, opened=False))
        progress.did(Action.NOTED, self.note(item, note), "a person ended it; said once")

    def _open(self, notice: Notice, progress: _Progress, why: str) -> None:
        located = self._locate(_resources(notice), progress)
        if notice.item is not None and progress.item is None:
            progress.findings.append(Finding(Level.WARNING, f"{notice.item.number} has vanished; a new one was opened"))
        item = self.open(notice, located, progress.item)
        progress.wrote_severity(item)
        progress.did(Action.OPENED, item, why)

    def _locate(self, resources: Sequence[Resource], progress: _Progress) -> list[Located]:
        located = [self._locate_one(resource) for resource in resources[:LOCATED_AT_MOST]]
        for each in located:
            found = each.item.name if each.item else "none"
            progress.decided("located", found, f"{each.resource.name}: {each.why}")
            if each.item and each.item.id not in {known.id for known in progress.configuration_items}:
                progress.configuration_items.append(each.item)
        if not progress.configuration_items:
            progress.findings.append(Finding(Level.WARNING, "no configuration item was linked"))
        return located

    def _locate_one(self, resource: Resource) -> Located:
        """A CMDB that cannot be reached is tried again later; one that refuses blocks no ticket."""
        try:
            return self.locate(resource)
        except DeliveryError as error:
            if error.scope is Scope.DESTINATION or error.reason is Reason.ADAPTER_FAULT:
                raise
            return Located(resource, None, error.message)

    def _count(self, notice: Notice, fired: Sequence[Alert], item: WorkItem, progress: _Progress) -> None:
        episode, alert = progress.episode, fired[-1]
        if notice.uncertain_since is not None and episode.ended_by_us:
            progress.did(Action.REOPENED, item, "an earlier try had already reopened it")
            return
        repeats = _repeats(notice, opened=False)
        raise_to = _raise_to(fired, item, progress)
        if raise_to is not None:
            note = Note(NoteKind.SEVERITY, alert, repeats, raise_to)
            progress.did(Action.NOTED, self.note(item, note), f"severity rose to {raise_to}")
            progress.wrote_severity(progress.item or item)
        elif episode.noted_at is None or notice.at - episode.noted_at >= self.settings.repeat_note_every:
            note = Note(NoteKind.REPEAT, alert, repeats)
            progress.did(Action.NOTED, self.note(item, note), f"repeat number {repeats}")

    def _reopen(self, notice: Notice, fired: Sequence[Alert], item: WorkItem, progress: _Progress) -> None:
        raise_to = _raise_to(fired, item, progress)
        note = Note(NoteKind.FIRED_AGAIN, fired[-1], _repeats(notice, opened=False), raise_to)
        progress.did(Action.REOPENED, self.reopen(item, note), "fired again soon after its end")
        if raise_to is not None:
            progress.wrote_severity(progress.item or item)

    def _updated(self, alert: Alert, progress: _Progress) -> None:
        if progress.item is not None:
            note = Note(NoteKind.UPDATE, alert)
            progress.did(Action.NOTED, self.note(progress.item, note), "news about a running trouble")

    def _ended(self, notice: Notice, progress: _Progress) -> None:
        item, alert = progress.item, notice.alert
        if item is None:
            return
        if item.state is not ItemState.OPEN:
            only_opened = set(progress.actions) <= {Action.OPENED}
            if notice.uncertain_since is not None and item.state is ItemState.RESOLVED and only_opened:
                progress.did(Action.RESOLVED, item, "an earlier try had already resolved it")
                return
            progress.decided("lifecycle", Action.NOTHING, f"{item.number} is already {item.state}")
            return
        kind = NoteKind.TEST_OVER if alert.test else NoteKind.RECOVERED
        note = Note(kind, alert, _repeats(notice, opened=Action.OPENED in progress.actions))
        if self.settings.on_resolved == "resolve" or alert.test:
            progress.did(Action.RESOLVED, self.resolve(item, note), "Azure ended its last series")
        elif self.settings.on_resolved == "note":
            progress.did(Action.NOTED, self.note(item, note), "on_resolved is note")
        else:
            progress.decided("lifecycle", Action.NOTHING, "on_resolved is ignore")


def _opens(alert: Alert) -> bool:
    """A portal test is shown to the tester whatever condition it carries."""
    return alert.condition is Condition.FIRED or alert.test


def _resources(notice: Notice) -> Sequence[Resource]:
    """What the ticket is about: the resources of the newest alert that opens one, if it names any."""
    opening = [alert for alert in notice.alerts if _opens(alert)]
    return next((alert.resources for alert in (*reversed(opening), notice.alert) if alert.resources), ())


def _raise_to(fired: Sequence[Alert], item: WorkItem, progress: _Progress) -> Severity | None:
    """The severity to raise to: only upwards, and only if nobody changed what we wrote."""
    worst = min((alert.priority for alert in fired if alert.priority), default=None)
    said = progress.episode.severity
    if worst is None or (said is not None and worst >= said):
        return None
    untouched = progress.written is None or progress.written == item.severity_fields
    return worst if untouched else None


def _why_nothing(notice: Notice, progress: _Progress) -> str:
    if progress.item is None:
        return "there is no work item to tell" if notice.item is None else "its work item has vanished"
    if notice.alert.condition is Condition.RESOLVED:
        return "other series of this episode are still open"
    return f"counted on {progress.item.number}; nothing new to say"


def episode_after(notice: Notice, receipt: Receipt) -> Episode:
    """Return the episode as it stands after the adapter did what the receipt says."""
    episode, item = notice.episode, receipt.item
    if item is not None and item.correlation == notice.correlation:
        episode = Episode(episode.key, notice.occurrence, item, previous=episode.item)
    elif Action.REOPENED in receipt.actions:
        episode = replace(
            episode, item=item, azure_resolved_at=None, ended_by_us=False, ended_at=None, quiet_noted=False
        )
    else:
        episode = replace(episode, item=item or episode.item)
    return _ended_after(_counted_after(episode, notice, receipt), notice, receipt)


def _repeats(notice: Notice, *, opened: bool) -> int:
    """How often it fired after the alert that opened its item, this notice included."""
    fired = sum(alert.condition is Condition.FIRED for alert in notice.alerts)
    return max(0, fired - 1) if opened else notice.episode.repeats + fired


def _counted_after(episode: Episode, notice: Notice, receipt: Receipt) -> Episode:
    fired = [alert for alert in notice.alerts if alert.condition is Condition.FIRED]
    fresh = Action.OPENED in receipt.actions
    said = [alert.priority for alert in fired if alert.priority] + ([episode.severity] if episode.severity else [])
    times = [alert.happened_at for alert in fired] + ([episode.fired_at] if episode.fired_at else [])
    noted = Action.NOTED in receipt.actions and bool(fired)
    ended_by_person = noted and _ended_item(receipt.item) and not fresh
    return replace(
        episode,
        repeats=_repeats(notice, opened=fresh),
        severity=min(said, default=None),
        fired_at=max(times, default=None),
        noted_at=notice.at if noted or fresh or Action.REOPENED in receipt.actions else episode.noted_at,
        quiet_noted=(episode.quiet_noted or ended_by_person) and _ended_item(receipt.item),
    )


def _ended_after(episode: Episode, notice: Notice, receipt: Receipt) -> Episode:
    ended = _ended_item(receipt.item)
    ended_before = ended and episode.ended_by_us and Action.RESOLVED not in receipt.actions
    if notice.ended and episode.item is not None and not ended_before:
        said = notice.alert.happened_at
        episode = replace(episode, azure_resolved_at=max(said, episode.azure_resolved_at or said))
    elif not ended and any(alert.condition is Condition.FIRED for alert in notice.alerts):
        episode = replace(episode, azure_resolved_at=None)
    return replace(
        episode,
        ended_by_us=ended and (episode.ended_by_us or Action.RESOLVED in receipt.actions),
        ended_at=(episode.ended_at or notice.at) if ended else None,
    )


def _ended_item(item: WorkItem | None) -> bool:
    return item is not None and item.state is not ItemState.OPEN


__all__ = ["Move", "WorkItemAdapter", "WorkItemSettings", "ended_time", "episode_after", "move_for"]
