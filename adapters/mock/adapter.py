"""The mock's moves: what a vendor's adapter does over an API, done on a `Desk`.

On the path of an alert this is the last stop: `connector.lifecycle` chooses a move, this writes it
on a record. How it fails is decided in `Faults`, which a test may also change while it runs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.mock.desk import Desk, FileDesk, HttpDesk, MemoryDesk, Record
from adapters.mock.settings import MockSettings
from connector import report
from connector.adapter import DeliveryError, Reason, Scope
from connector.lifecycle import WorkItemAdapter
from connector.model import (
    Alert,
    Condition,
    ConfigurationItem,
    Finding,
    Findings,
    ItemState,
    Level,
    Located,
    Note,
    Notice,
    Preview,
    Resource,
    WorkItem,
    digest,
)

TEXT_LIMIT = 8000
ALWAYS = -1


class Faults:
    """How the mock fails, counted over all threads.

    `lookups` is the reason why the CMDB cannot be asked, `None` while it can.
    """

    def __init__(self, settings: MockSettings) -> None:
        self._lock = threading.Lock()
        self._reason = settings.fail or None
        self._fail_times = ALWAYS if settings.fail_times is None else settings.fail_times
        self._lose_answers = settings.lose_answers
        self.lookups: Reason | None = None

    def fail_next(self, reason: Reason, times: int = 1) -> None:
        """Let the next calls that write fail before they write."""
        with self._lock:
            self._reason, self._fail_times = reason, times

    def lose_answers(self, times: int = 1) -> None:
        """Let the next calls that write do so and lose their answer."""
        with self._lock:
            self._lose_answers = times

    def before_write(self) -> None:
        """Raise the failure that is due, if one is."""
        with self._lock:
            reason = self._reason if self._fail_times else None
            if reason is not None and self._fail_times != ALWAYS:
                self._fail_times -= 1
        if reason is not None:
            raise DeliveryError(reason, f"the mock desk was told to fail: {reason}")

    def after_write(self) -> None:
        """Lose the answer, if one is due to be lost."""
        with self._lock:
            lost = self._lose_answers > 0
            self._lose_answers -= lost
        if lost:
            raise DeliveryError(Reason.TIMEOUT, "the mock desk was told to lose this answer")


class MockAdapter(WorkItemAdapter[MockSettings]):
    """Keeps work items on a mock desk."""

    settings_type = MockSettings

    def __init__(self, settings: MockSettings, *, destination: str, timeout: timedelta = timedelta(seconds=10)) -> None:
        super().__init__(settings, destination=destination, timeout=timeout)
        self.desk = _desk(settings, timeout)
        self.faults = Faults(settings)
        self._cis = {key.lower().rstrip("/"): name for key, name in settings.cis.items()}

    def find(self, correlation: str) -> WorkItem | None:
        """Return the item with this correlation value."""
        self._wait()
        found = [each for each in self.desk.search(correlation) if each.get("correlation") == correlation]
        if len(found) > 1:
            numbers = ", ".join(str(each.get("number")) for each in found[:5])
            raise DeliveryError(Reason.AMBIGUOUS, f"{len(found)} work items carry {correlation}: {numbers}")
        return self._item(found[0]) if found else None

    def read(self, item: WorkItem) -> WorkItem | None:
        """Return the item as it is now."""
        self._wait()
        found = self.desk.get(item.id)
        return self._item(found) if found else None

    def locate(self, resource: Resource) -> Located:
        """Look the resource up among `cis`, by its id and then by its bare name."""
        self._wait()
        if self.faults.lookups is not None:
            raise DeliveryError(self.faults.lookups, "the mock CMDB was told to fail", maybe_done=False)
        for key, matched_by in ((resource.key, "object_id"), (resource.name.lower(), "name")):
            name = self._cis.get(key.rstrip("/"))
            if name is not None:
                step = matched_by if resource.is_arm else "name"
                return Located(resource, ConfigurationItem(digest("ci", name), name, step), step)
        return Located(resource, None, "not among the CIs of the mock desk")

    def open(self, notice: Notice, items: Sequence[Located], previous: WorkItem | None) -> WorkItem:
        """Open an item."""
        self._before_write()
        record = _opened(notice, items) | {"previous": previous.number if previous else None}
        if previous is None and notice.item is not None:
            text = f"The earlier work item {notice.item.number} is not there any more."
            record["notes"] = [{"at": _now(), "kind": "vanished", "text": text}]
        return self._written(self.desk.add(record))

    def note(self, item: WorkItem, note: Note) -> WorkItem:
        """Say something on the item."""
        return self._change(item, note, {})

    def resolve(self, item: WorkItem, note: Note) -> WorkItem:
        """Bring the item to `resolved`."""
        return self._change(item, note, {"state": ItemState.RESOLVED.value, "ended_at": _now()})

    def reopen(self, item: WorkItem, note: Note) -> WorkItem:
        """Bring the item back to `open`."""
        return self._change(item, note, {"state": ItemState.OPEN.value, "ended_at": None})

    def preview(self, notice: Notice) -> Preview:
        """Return the fields of the item that would be opened."""
        fields = {name: str(value) for name, value in _opened(notice, ()).items() if value and name not in _ON_OPENING}
        return Preview(fields)

    def check(self) -> Findings:
        """Say whether the desk can be read and written."""
        if self.settings.fail and self.settings.fail_times is None:
            raise DeliveryError(Reason(self.settings.fail), f"the mock desk was told to fail: {self.settings.fail}")
        try:
            count = len(self.desk.search())
        except DeliveryError as error:
            if error.reason in (Reason.UNREACHABLE, Reason.TIMEOUT):
                raise
            return (Finding(Level.FAILURE, error.message),)
        findings = [Finding(Level.OK, f"the mock desk at {self.desk.address} holds {count} work items")]
        if isinstance(self.desk, FileDesk) and (blocked := _not_writable(self.desk.path)):
            fix = "give the user of the gateway the right to write there"
            findings.append(Finding(Level.FAILURE, f"{blocked} cannot be written", fix))
        if self.settings.fail or self.settings.lose_answers:
            findings.append(Finding(Level.WARNING, "this desk is told to fail", "remove `fail` and `lose_answers`"))
        return tuple(findings)

    def close(self) -> None:
        """Let go of the desk."""
        self.desk.close()

    def _change(self, item: WorkItem, note: Note, changes: Record) -> WorkItem:
        self._before_write()
        raised = {"severity": note.raise_to.value} if note.raise_to else {}
        counted = {"repeats": note.repeats} if note.repeats else {}
        said = {"at": _now(), "kind": note.kind.value, "text": report.note(note, report.Style.PLAIN, TEXT_LIMIT)}
        changed = self.desk.change(item.id, {**changes, **raised, **counted}, said)
        if changed is None:  # deleted between our read and our write; the next try reads again
            message = f"{item.number} vanished while it was written to"
            raise DeliveryError(Reason.VENDOR_FAULT, message, scope=Scope.ITEM, maybe_done=False)
        return self._written(changed)

    def _before_write(self) -> None:
        self._wait()
        self.faults.before_write()

    def _written(self, record: Record) -> WorkItem:
        self.faults.after_write()
        return self._item(record)

    def _wait(self) -> None:
        latency = self.settings.latency
        time.sleep(min(latency, self.timeout).total_seconds())
        if latency > self.timeout:
            raise DeliveryError(Reason.TIMEOUT, f"the mock desk takes {latency.total_seconds():g} s to answer")

    def _item(self, record: Record) -> WorkItem:
        state = _state(record)
        number = str(record.get("number") or record["id"])
        return WorkItem(
            id=str(record["id"]),
            number=number,
            url=f"{self.desk.address}#{number}",
            state=state,
            correlation=str(record.get("correlation") or ""),
            ended_at=None if state is ItemState.OPEN else _moment(record.get("ended_at")),
            severity_fields={"severity": str(record.get("severity") or "")},
        )


def _desk(settings: MockSettings, timeout: timedelta) -> Desk:
    if settings.url is not None:
        return HttpDesk(settings.url, timeout)
    return MemoryDesk() if settings.path is None else FileDesk(Path(settings.path))


_ON_OPENING = frozenset({"opened_at", "state"})


def _opened(notice: Notice, items: Sequence[Located]) -> Record:
    """The fields of a new item; its subject is the newest alert that fired."""
    alert = _subject(notice)
    names = dict.fromkeys(each.item.name for each in items if each.item)
    return {
        "state": ItemState.OPEN.value,
        "title": report.title(alert),
        "severity": _severity(alert),
        "configuration_items": list(names),
        "test": alert.test,
        "repeats": 0,
        "opened_at": _now(),
        "ended_at": None,
        "previous": None,
        "correlation": notice.correlation,
        "description": report.body(notice, report.Style.PLAIN, TEXT_LIMIT, items),
        "notes": [],
    }


def _subject(notice: Notice) -> Alert:
    fired = [alert for alert in notice.alerts if alert.condition is Condition.FIRED]
    return fired[-1] if fired else notice.alert


def _severity(alert: Alert) -> str:
    severity = alert.priority_hint or alert.severity
    return severity.value if severity else ""


_STATES: Mapping[str, ItemState] = {state.value: state for state in ItemState} | {
    "canceled": ItemState.CANCELLED,
    "done": ItemState.RESOLVED,
    "solved": ItemState.RESOLVED,
}


def _state(record: Record) -> ItemState:
    """A word that a person wrote and we do not know means that somebody works on it."""
    return _STATES.get(str(record.get("state")).strip().lower(), ItemState.OPEN)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _not_writable(path: Path) -> Path | None:
    """What stands in the way of writing a desk file, without writing it."""
    folder = next(parent for parent in path.parents if parent.exists())
    for each in (folder, path):
        if each.exists() and not os.access(each, os.W_OK):
            return each
    return None
