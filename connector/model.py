"""The words of the product: what every other module talks about.

This module stands before, beside and after the path of an alert: `azure` makes an `Alert`,
`dispatch` makes a `Notice` of it, an adapter answers with a `Receipt`. It is plain data, knows
nothing of HTTP, of the store or of a vendor, and imports only the standard library.
All times are timezone-aware and in UTC.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Pairs = tuple[tuple[str, str], ...]
"""Names and values in the order received; names may repeat."""

CORRELATION_PREFIX = "azm-"


_CANONICAL = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str)


def digest(*parts: object) -> str:
    """Return 40 hex digits that are the same for the same JSON-serialisable parts, for ever."""
    return hashlib.sha256(_CANONICAL.encode(parts).encode("ascii")).hexdigest()[:40]


class Condition(StrEnum):
    """What an alert says *in meaning*; Azure's own Fired is often not that (docs/alerts)."""

    FIRED = "fired"
    RESOLVED = "resolved"
    UPDATE = "update"


class Severity(StrEnum):
    """Azure's severity. It orders as text: `Sev0 < Sev1` and Sev0 is the most severe."""

    SEV0 = "Sev0"
    SEV1 = "Sev1"
    SEV2 = "Sev2"
    SEV3 = "Sev3"
    SEV4 = "Sev4"


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """An Azure resource, or a bare machine name where Azure gave no more.

    Compared without regard to case, because Azure writes one id in several spellings; shown as
    received. `type` is `provider/type[/type]` in lower case, `None` for a bare name.
    """

    id: str
    name: str
    subscription: str | None = None
    resource_group: str | None = None
    type: str | None = None

    @property
    def key(self) -> str:
        """The form to compare and to index by."""
        return self.id.lower()

    @property
    def is_arm(self) -> bool:
        """Whether this is an Azure Resource Manager id and not a bare name."""
        return self.id.startswith("/")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, slots=True)
class Series:
    """What repeats: one rule on one resource with one set of dimensions, per alert family.

    `parts` are named and already normalised (lower case where Azure ignores case).
    `trouble` are the parts that identify the *episode* where that is wider than the series.
    """

    family: str
    parts: Pairs
    trouble: Pairs | None = None

    @property
    def key(self) -> str:
        """40 hex digits; two families never share one."""
        return digest("series", self.family, self.parts)

    @property
    def episode_key(self) -> str:
        """The key of the episode that this series belongs to unless a route groups wider."""
        if self.trouble is None:
            return self.key
        return digest("trouble", self.family, self.trouble)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a ticket: `Threshold: 25 (GreaterThan)`."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Link:
    """An absolute http(s) URL and the words to show for it."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Alert:
    """What Azure said once, normalised; immutable.

    `id` is derived from what makes the event unique, so the same event read twice has the same id.
    `time_text` is the text of its own time exactly as received (part of that identity).
    `resources` are ordered by trust: the first is what a CI look-up should try first.
    `subscriptions` are all subscription ids named by its ids, in lower case.
    `priority_hint` is what the family's own rules say where Azure's severity says nothing.
    `summary` is one sentence on what was measured; `custom` the rule's custom properties.
    """

    id: str
    received_at: datetime
    family: str
    condition: Condition
    series: Series
    azure_alert_id: str | None = None
    origin_alert_id: str | None = None
    service: str | None = None
    signal: str | None = None
    rule: str | None = None
    rule_id: str | None = None
    severity: Severity | None = None
    priority_hint: Severity | None = None
    test: bool = False
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    time_text: str = ""
    summary: str = ""
    description: str = ""
    resources: tuple[Resource, ...] = ()
    dimensions: Pairs = ()
    labels: Pairs = ()
    custom: Pairs = ()
    facts: tuple[Fact, ...] = ()
    links: tuple[Link, ...] = ()
    subscriptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def happened_at(self) -> datetime:
        """When this news happened, by Azure's clock; the time of receipt where Azure is silent."""
        own = self.resolved_at if self.condition is Condition.RESOLVED else self.fired_at
        return own or self.fired_at or self.received_at

    @property
    def priority(self) -> Severity | None:
        """How severe it is in meaning: by the family's own rules, else as Azure says."""
        return self.priority_hint or self.severity

    @property
    def azure_key(self) -> str | None:
        """The alert id in the form to compare: subscription and last segment, in lower case.

        Azure writes one alert's id with and without the resource as scope (reference: Alerts
        Management REST API), and in several spellings.
        """
        if not self.azure_alert_id:
            return None
        segments = self.azure_alert_id.lower().strip("/").split("/")
        if len(segments) > 2 and segments[0] == "subscriptions":
            return f"{segments[1]}/{segments[-1]}"
        return self.azure_alert_id.lower()


class ItemState(StrEnum):
    """Where a work item is in its life, in words every vendor's states map to."""

    OPEN = "open"
    RESOLVED = "resolved"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """The vendor's incident or issue, as last seen.

    `id` is the vendor's own key, `number` what people say, `correlation` the value we wrote.
    `ended_at` is when the vendor says it ended (`None`: open, or the vendor does not say).
    `severity_fields` are the fields that carry the severity, as the vendor held them after our
    last write: a person's change of them is seen by comparison.
    """

    id: str
    number: str
    url: str
    state: ItemState = ItemState.OPEN
    correlation: str = ""
    ended_at: datetime | None = None
    severity_fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConfigurationItem:
    """The vendor's CMDB record; `matched_by` names the step of the ladder that found it."""

    id: str
    name: str
    matched_by: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """What a CI look-up found for one resource: an item, or why there is none."""

    resource: Resource
    item: ConfigurationItem | None
    why: str


@dataclass(frozen=True, slots=True)
class Episode:
    """One trouble at one destination, one work item at a time.

    `occurrence` counts the work items it has had; `item` is the latest, `previous` the one before.
    `severity` is the most severe said since the item was opened; `repeats` counts fired alerts
    after the one that opened it; `fired_at` is when the latest of them fired.
    `azure_resolved_at` is Azure's Resolved since then, by Azure's clock. `ended_by_us` tells our
    resolve from a person's. `noted_at` is our last repeat note; `quiet_noted` says that the single
    note on an item a person ended has been written.
    """

    key: str
    occurrence: int = 0
    item: WorkItem | None = None
    previous: WorkItem | None = None
    severity: Severity | None = None
    repeats: int = 0
    fired_at: datetime | None = None
    azure_resolved_at: datetime | None = None
    ended_by_us: bool = False
    ended_at: datetime | None = None
    noted_at: datetime | None = None
    quiet_noted: bool = False


def correlation_value(namespace: str, episode: str, occurrence: int) -> str:
    """Return the value written on a work item: `azm-` and 40 hex digits, safe in any query."""
    return CORRELATION_PREFIX + digest("correlation", namespace, episode, occurrence)


@dataclass(frozen=True, slots=True)
class Notice:
    """What an adapter is handed.

    `alerts` are oldest first by Azure's times. `ended` says that after them no series of the
    episode is open any more. `uncertain_since` is set when an earlier try may have reached the
    vendor without us hearing of it. `at` is the store's clock.
    """

    destination: str
    namespace: str
    episode: Episode
    alerts: tuple[Alert, ...]
    at: datetime
    ended: bool = False
    uncertain_since: datetime | None = None

    @property
    def occurrence(self) -> int:
        """The number of the work item that this notice may open."""
        return self.episode.occurrence + 1

    @property
    def correlation(self) -> str:
        """The correlation value of the work item that this notice may open."""
        return correlation_value(self.namespace, self.episode.key, self.occurrence)

    @property
    def item(self) -> WorkItem | None:
        """The work item known so far."""
        return self.episode.item

    @property
    def alert(self) -> Alert:
        """The newest of its alerts."""
        return self.alerts[-1]


class Action(StrEnum):
    """What was done to a work item."""

    OPENED = "opened"
    NOTED = "noted"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    NOTHING = "nothing"


class Level(StrEnum):
    """How a finding ought to be taken."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something learnt about a destination, and what to do about it (`fix`, may be empty)."""

    level: Level
    text: str
    fix: str = ""


Findings = tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """One step of the way of an alert and its reason: what `explain` shows.

    `step` is one word (docs/explain.md lists them); `outcome` what was chosen; `why` a sentence
    for a person. No secret and no personal data belongs in any of them.
    """

    step: str
    outcome: str
    why: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an adapter did. `item` is the work item afterwards (`None`: there is none)."""

    actions: tuple[Action, ...]
    item: WorkItem | None = None
    configuration_items: tuple[ConfigurationItem, ...] = ()
    findings: Findings = ()
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What an adapter would send to open a work item: its fields in the vendor's own words."""

    fields: Mapping[str, str]
    notes: tuple[str, ...] = ()


class NoteKind(StrEnum):
    """Why something is said on an existing work item."""

    REPEAT = "repeat"
    UPDATE = "update"
    SEVERITY = "severity"
    RECOVERED = "recovered"
    ENDED_BY_PERSON = "ended-by-person"
    FIRED_AGAIN = "fired-again"
    TEST_OVER = "test-over"


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be said on an existing work item; `report.note` finds the words.

    `repeats` counts fired alerts since the item was opened. `raise_to` asks to raise the
    severity-bearing fields along with the note (`None`: leave them).
    """

    kind: NoteKind
    alert: Alert
    repeats: int = 0
    raise_to: Severity | None = None
