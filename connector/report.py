"""The words of a ticket, once for every vendor: an `Alert`, `Notice` or `Note` to text.

On the path of an alert this stands between an adapter's move and its client: the adapter asks for
a title, a body or a note, and puts what it gets into the vendor's fields. Pure: no clock, no I/O.
Every value of an alert is hostile. It is cleaned of what a screen would not show, and escaped so
that none of it becomes live for the vendor. A `limit` is kept exactly; it counts UTF-16 units, as
vendors written in Java do, and is never less than the number of characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, urlsplit

from connector.model import (
    Alert,
    Condition,
    Link,
    Located,
    Note,
    NoteKind,
    Notice,
    Pairs,
    Resource,
)

TITLE_LIMIT = 160
VALUE_LIMIT = 500
"""Longest value on a line of its own; a description may be longer."""

PAIRS_AT_MOST = 40
"""Most lines for the dimensions, labels or custom properties of one alert."""

RUNBOOK_NAMES = frozenset({"runbook", "runbook_url", "runbookurl"})
"""Custom properties and labels whose http(s) URL becomes the runbook link."""


class Style(StrEnum):
    """What a vendor's field renders."""

    PLAIN = "plain"
    WIKI = "wiki"


# --- cleaning and escaping ------------------------------------------------------------------------

_ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,2048}(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BLANKS = re.compile(r"\s+")


def clean(text: str) -> str:
    """Return the text without escape sequences, control characters and invisible direction marks."""
    return _INVISIBLE.sub("", _BREAKS.sub("\n", _ANSI.sub("", text)))


def clean_line(text: str) -> str:
    """Return the text, cleaned, on one line."""
    return _BLANKS.sub(" ", clean(text)).strip()


_JOINER = "\u2060"
"""Invisible and without width: it parts what would be live if it stood together."""

# Characters that a backslash makes plain, on Data Center and on Cloud alike, unless another
# backslash stands before it (Atlassian renderer, BackslashEscapeRendererComponent; the editor's
# wiki transformer has the same list). Inside a word `-` and `_` begin nothing and stay readable.
_MARKS = r"\-#*_+?^~|%{}\[\]()!@"
_WIKI_LIVE = re.compile(
    rf"(?P<plain>(?<=[^\W_])[-_](?=[^\W_]))"
    rf"|(?P<mark>[{_MARKS}])"
    rf"|(?P<open>\\(?=[{_MARKS}\\\s]|$)|:(?=//|[DP]\b)|\b(?:mailto|file|news|nntp|irc)(?=:)|&(?=#?\w+;)"
    rf"|^[ \t]*(?:h[1-6]|bq)(?=\.))",
    re.MULTILINE | re.IGNORECASE,
)
# ServiceNow renders as HTML what stands between these tags in a journal field.
_PLAIN_LIVE = re.compile(r"(?P<open>\[)(?=/?code\b)", re.IGNORECASE)


def escape(text: str, style: Style) -> str:
    """Return the text, cleaned, so that nothing of it is live for a vendor that renders `style`."""
    live = _WIKI_LIVE if style is Style.WIKI else _PLAIN_LIVE
    return live.sub(_harmless, clean(text))


def _harmless(match: re.Match[str]) -> str:
    kind, found = match.lastgroup, match[0]
    return {"mark": "\\" + found, "open": found + _JOINER}.get(kind or "", found)


def http_url(text: str) -> str | None:
    """Return an absolute http(s) URL that is safe inside markup, or None if the text is none.

    A user name before the host is refused: it makes a foreign host look like a known one.
    """
    url = clean(text).strip()
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or user is not None or _BLANKS.search(url):
        return None
    return quote(url, safe="%/:?#@&=+$,;~*'()-._")


# --- fitting into a limit -------------------------------------------------------------------------


def size(text: str) -> int:
    """Return the length of the text in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def cut(text: str, limit: int, marker: str = "…") -> str:
    """Return the text, or as much as leaves room for the marker; no character is split."""
    if size(text) <= limit:
        return text
    return _head(text, limit - size(marker)) + marker if limit >= size(marker) else _head(text, limit)


def _head(text: str, limit: int) -> str:
    """A half of an escape sequence goes too: an escaping backslash stands before what it escapes."""
    kept = text.encode("utf-16-le")[: max(limit, 0) * 2].decode("utf-16-le", errors="ignore")
    return kept.rstrip("\\")


@dataclass(frozen=True, slots=True)
class _Line:
    """`head` is kept whole or not at all, `text` may be cut; a link is never cut."""

    head: str
    text: str = ""
    is_link: bool = False
    is_heading: bool = False

    def __str__(self) -> str:
        return self.head + self.text


@dataclass(slots=True)
class _Page:
    """Lines in a style, most important first, that can be fitted into a limit."""

    style: Style
    lines: list[_Line] = field(default_factory=list)
    _heading: str = ""

    def add(self, line: _Line) -> None:
        """Add a line, and before it the heading that it is the first under."""
        if self._heading:
            label = f"*{self._heading}*" if self.style is Style.WIKI else f"{self._heading}:"
            self.lines.append(_Line(f"\n{label}" if self.lines else label, is_heading=True))
            self._heading = ""
        self.lines.append(line)

    def say(self, sentence: str) -> None:
        self.add(_Line("", self._escape(clean_line(sentence))))

    def fact(self, name: str, value: str) -> None:
        value = cut(clean_line(value), VALUE_LIMIT)
        if value:
            self.add(_Line(self._label(name), self._escape(value)))

    def link(self, link: Link) -> None:
        url = http_url(link.url)
        if url is None:
            self.fact(link.label, link.url)
        elif self.style is Style.WIKI:
            label = cut(clean_line(re.sub(r"[\[\]{}|\\!]", " ", link.label)), 80)
            self.add(_Line(f"* [{self._escape(label)}|{url}]", is_link=True))
        else:
            self.add(_Line(self._label(link.label) + url, is_link=True))

    def heading(self, name: str) -> None:
        self._heading = name

    def block(self, name: str, text: str) -> None:
        self.heading(name)
        for line in clean(text).strip().split("\n"):
            if line or not self._heading:
                self.add(_Line("", self._escape(line.rstrip())))

    def fitted(self, limit: int) -> str:
        whole = "\n".join(str(line) for line in self.lines)
        return whole if size(whole) <= limit else self._cut(limit, whole)

    def _cut(self, limit: int, whole: str) -> str:
        """Leave out the end, but keep one link whole: the way to all that was left out."""
        marker = self._escape("... [cut]")
        room = limit - size(marker)
        if room < 0:
            return _head(whole, limit) if self.style is Style.PLAIN else ""
        link = next((each for each in self.lines if each.is_link and size(str(each)) + 1 <= room), None)
        if link is not None:
            room -= size(str(link)) + 1
        kept = _fill((each for each in self.lines if each is not link), room)
        return kept + marker + (f"\n{link}" if link else "")

    def _label(self, name: str) -> str:
        label = self._escape(cut(clean_line(name), 80))
        return f"* *{label}:* " if self.style is Style.WIKI else f"{label}: "

    def _escape(self, text: str) -> str:
        return escape(text, self.style)


def _fill(lines: Iterable[_Line], room: int) -> str:
    """Return as many lines as there is room for, with a blank for the marker; cut the last one."""
    kept = heading = ""
    for line in lines:
        start = f"{heading}\n{line.head}" if kept or heading else line.head
        if line.is_heading:
            heading = start
            continue
        room_left = room - size(kept) - 1
        if size(start + line.text) > room_left:
            cuttable = line.text and size(start) < room_left
            kept += start + _head(line.text, room_left - size(start)) if cuttable else ""
            break
        kept, heading = kept + start + line.text, ""
    return kept.rstrip() + " " if kept.strip() else ""


# --- the title ------------------------------------------------------------------------------------


def title(alert: Alert, limit: int = TITLE_LIMIT) -> str:
    """Return one line that says how bad, what, where and how much.

    A long rule name is cut first, so that the resource and the value still show.
    """
    mark = "[TEST] " if alert.test else ""
    severity = f"[{alert.severity}] " if alert.severity else ""
    what = _what(alert)
    where = _where(alert, what)
    how_much = clean_line(alert.summary)
    how_much = f": {how_much}" if how_much and how_much not in (what, clean_line(alert.description)) else ""
    room = limit - size(mark + severity)
    if size(what + where + how_much) > room:
        what, where = cut(what, room // 2), cut(where, room // 3)
    return cut(mark + severity + what + where + how_much, limit)


def _what(alert: Alert) -> str:
    return clean_line(alert.rule or alert.signal or alert.service or "") or f"Azure {alert.family} alert"


def _what_and_where(alert: Alert) -> str:
    what = _what(alert)
    return what + _where(alert, what)


def _where(alert: Alert, what: str) -> str:
    if not alert.resources:
        return ""
    name, others = clean_line(alert.resources[0].name), len(alert.resources) - 1
    more = f" (+{others})" if others else ""
    return more if not name or name.lower() in what.lower() else f" on {name}{more}"


# --- the body -------------------------------------------------------------------------------------

# Names of properties that carry what somebody signed in with or as; their values stay out.
_PRIVATE = re.compile(r"claim|password|secret|authorization|httprequest|caller|\bupn\b|e-?mail|api_?key|token", re.I)


def body(notice: Notice, style: Style, limit: int, located: Sequence[Located] = ()) -> str:
    """Return the description of a new work item: about the newest fired alert of the notice."""
    alert = _subject(notice)
    page = _Page(style)
    if alert.test:
        page.say("This is a test notification from Azure Monitor. Nothing is wrong.")
    page.say(alert.summary or _what_and_where(alert))
    _facts(page, alert)
    _history(page, notice)
    _configuration_items(page, located)
    _links(page, alert)
    _pairs(page, "Dimensions", alert.dimensions)
    _pairs(page, "Labels", alert.labels)
    _pairs(page, "Custom properties", alert.custom)
    page.block("Description", alert.description)
    page.block("Warnings", "\n".join(clean_line(each) for each in alert.warnings))
    return page.fitted(limit)


def _subject(notice: Notice) -> Alert:
    fired = [alert for alert in notice.alerts if alert.condition is Condition.FIRED]
    return fired[-1] if fired else notice.alert


def _facts(page: _Page, alert: Alert) -> None:
    page.fact("Rule", alert.rule or "")
    page.fact("Severity", _severity(alert))
    _resources(page, alert.resources)
    for fact in alert.facts:
        page.fact(fact.name, _shown(fact.name, fact.value))
    if alert.fired_at:
        page.fact("Fired", utc(alert.fired_at))
    if alert.resolved_at:
        page.fact("Resolved", utc(alert.resolved_at))
    page.fact("Service", " / ".join(each for each in (alert.service, alert.signal) if each))
    page.fact("Azure alert id", alert.azure_alert_id or "")


def _severity(alert: Alert) -> str:
    if alert.priority_hint and alert.priority_hint != alert.severity:
        said = alert.severity or "none"
        return f"{alert.priority_hint} by the kind of the alert (Azure says {said})"
    return alert.severity or ""


def _resources(page: _Page, resources: Sequence[Resource]) -> None:
    for resource in resources[:PAIRS_AT_MOST]:
        page.fact("Resource", resource.name if resource.id == resource.name else f"{resource.name}, {resource.id}")
    _more(page, len(resources), "resources")


def _history(page: _Page, notice: Notice) -> None:
    """How often it fired before a ticket could be opened, and which ticket there was before."""
    fired = [alert for alert in notice.alerts if alert.condition is Condition.FIRED]
    if len(fired) > 1:
        page.fact("Fired so far", f"{len(fired)} times since {utc(fired[0].happened_at)}")
    if notice.item:
        page.fact("Earlier work item", f"{notice.item.number} ({notice.item.state})")
    page.fact("Correlation", notice.correlation)


def _configuration_items(page: _Page, located: Sequence[Located]) -> None:
    for each in located:
        found = f"{each.item.name}, matched by {each.item.matched_by}" if each.item else "none linked"
        why = f": {each.why}" if each.why and not (each.item and each.why == each.item.matched_by) else ""
        page.fact(f"Configuration item for {each.resource.name}", found + why)


def _links(page: _Page, alert: Alert) -> None:
    page.heading("Links")
    for link in dict.fromkeys((*alert.links, *_runbooks(alert))):
        page.link(link)


def _runbooks(alert: Alert) -> list[Link]:
    pairs = (*alert.custom, *alert.labels)
    return [Link("Runbook", value) for name, value in pairs if name.lower() in RUNBOOK_NAMES and http_url(value)]


def _pairs(page: _Page, name: str, pairs: Pairs) -> None:
    page.heading(name)
    for key, value in pairs[:PAIRS_AT_MOST]:
        page.fact(key, _shown(key, value))
    _more(page, len(pairs), name.lower())


def _shown(name: str, value: str) -> str:
    return "(withheld)" if value and _PRIVATE.search(name) else value


def _more(page: _Page, count: int, what: str) -> None:
    if count > PAIRS_AT_MOST:
        page.say(f"and {count - PAIRS_AT_MOST} more {what}")


# --- notes ----------------------------------------------------------------------------------------


def note(note: Note, style: Style, limit: int) -> str:
    """Return what is to be said on an existing work item, whatever the kind of the note."""
    page = _Page(style)
    page.say(_opening(note))
    alert = note.alert
    if note.kind in (NoteKind.RECOVERED, NoteKind.TEST_OVER):
        _recovery(page, note)
    else:
        _news(page, note)
    for link in alert.links[:1]:
        page.link(link)
    if note.kind is NoteKind.UPDATE:
        page.block("Description", alert.description)
    return page.fitted(limit)


_OPENINGS = {
    NoteKind.REPEAT: "Azure Monitor fired this alert again: {times} since this work item was opened.",
    NoteKind.UPDATE: "News about this trouble from Azure Monitor: {what}",
    NoteKind.SEVERITY: "The severity rose to {severity}.",
    NoteKind.RECOVERED: "Azure Monitor reports that this has recovered. This was noted automatically.",
    NoteKind.ENDED_BY_PERSON: "Azure Monitor still fires this alert although this work item was ended by a person. "
    "It is left as it is, and no further note follows for now.",
    NoteKind.FIRED_AGAIN: "Azure Monitor fired this alert again soon after its end; this work item is open again.",
    NoteKind.TEST_OVER: "[TEST] The test notification arrived. Nothing was wrong, and this is over.",
}


def _opening(note: Note) -> str:
    severity = note.raise_to or note.alert.severity or "unknown"
    return _OPENINGS[note.kind].format(times=_times(note.repeats), what=_what_and_where(note.alert), severity=severity)


def _recovery(page: _Page, note: Note) -> None:
    """A Resolved carries the recovered value, not the one that fired (reference: common schema)."""
    alert = note.alert
    page.fact("Value at recovery" if alert.condition is Condition.RESOLVED else "Value", alert.summary)
    if alert.fired_at:
        page.fact("Fired", utc(alert.fired_at))
    if alert.resolved_at:
        page.fact("Resolved", utc(alert.resolved_at))
    if alert.fired_at and alert.resolved_at and alert.resolved_at >= alert.fired_at:
        page.fact("Duration", in_words(alert.resolved_at - alert.fired_at))
    if note.repeats:
        page.fact("Fired again meanwhile", _times(note.repeats))


def _news(page: _Page, note: Note) -> None:
    alert = note.alert
    page.fact("Value" if note.kind is not NoteKind.UPDATE else "News", alert.summary)
    if note.kind in (NoteKind.UPDATE, NoteKind.SEVERITY):
        for fact in alert.facts[:PAIRS_AT_MOST]:
            page.fact(fact.name, _shown(fact.name, fact.value))
    page.fact("At", utc(alert.happened_at))
    if note.repeats and note.kind is not NoteKind.REPEAT:
        page.fact("Fired again so far", _times(note.repeats))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def utc(moment: datetime) -> str:
    """Return a time in UTC as RFC 3339, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_words(span: timedelta) -> str:
    """Return a length of time with its two largest units: `2 d 5 h`, `12 min 30 s`."""
    seconds = int(span.total_seconds())
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    told = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(told[:2]) or "0 s"
