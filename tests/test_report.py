"""The words of a ticket: golden texts, limits, and hostile values that must stay dead text.

After an intended change of the words: `python tests/test_report.py` writes the golden files anew.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import report
from connector.model import (
    Alert,
    Condition,
    ConfigurationItem,
    Episode,
    Fact,
    ItemState,
    Link,
    Located,
    Note,
    NoteKind,
    Notice,
    Resource,
    Series,
    Severity,
    WorkItem,
)
from connector.report import Style

GOLDEN = Path(__file__).parent / "golden"
FIRED_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
VM = Resource(
    "/subscriptions/0a1b2c3d-0000-4000-8000-00000000beef/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/till-07",
    "till-07",
    "0a1b2c3d-0000-4000-8000-00000000beef",
    "shop",
    "microsoft.compute/virtualmachines",
)
PORTAL = Link("Alert in the Azure portal", "https://portal.azure.com/#blade/Alerts/id/%2Fsubscriptions%2F0a1b")
METRIC = Alert(
    id="a1",
    received_at=FIRED_AT + timedelta(seconds=2),
    family="metric",
    condition=Condition.FIRED,
    series=Series("metric", (("rule", "till cpu"),)),
    azure_alert_id="/subscriptions/0a1b/providers/Microsoft.AlertsManagement/alerts/77",
    service="Platform",
    signal="Metric",
    rule="Till CPU high",
    severity=Severity.SEV1,
    fired_at=FIRED_AT,
    summary="Percentage CPU 96.2 > 90",
    description="The tills slow down.\n\nCall the shop floor first.",
    resources=(VM,),
    dimensions=(("InstanceName", "cpu_total"),),
    custom=(("team", "tills"), ("runbook", "https://wiki.example/tills?a=1&b=2"), ("callerClaims", "{upn: jo}")),
    facts=(Fact("Threshold", "90 (GreaterThan)"), Fact("Window", "5 min")),
    links=(PORTAL, Link("Resource in the Azure portal", "https://portal.azure.com/#resource/till-07")),
    warnings=("the rule has no time aggregation",),
)
RESOLVED = replace(
    METRIC,
    condition=Condition.RESOLVED,
    resolved_at=FIRED_AT + timedelta(minutes=12, seconds=30),
    summary="Percentage CPU 41 <= 90",
)
BUDGET = replace(METRIC, family="budget", severity=None, priority_hint=Severity.SEV3, resources=(), custom=())
TEST = replace(METRIC, test=True, severity=Severity.SEV4, resources=(VM, Resource("till-08", "till-08")))
HOSTILE_TEXT = (
    "*b* _i_ -s- +u+ ^up^ ~down~ ??c?? {{m}} {code}x{code} {html}<b>{html} [x|http://evil.example] [~admin] @all "
    "!http://evil.example/p.png! |cell| https://evil.example mailto:a@evil.example C:\\{x} \\\\srv\\*x* &#42; :D (!)\n"
    "h1. big\nbq. quoted\n# one\n- two\n----\n||head||"
    "\x1b[31mred\x1b[0m \u202egnp.exe\u2066 nul\x00 [code]<script>[/code]"
)
HOSTILE = replace(
    METRIC,
    rule=HOSTILE_TEXT,
    summary=HOSTILE_TEXT,
    description=HOSTILE_TEXT,
    dimensions=((HOSTILE_TEXT, HOSTILE_TEXT),),
    custom=(("runbook", "javascript:alert(1)"), ("runbook_url", "https://portal.azure.com@evil.example/")),
    links=(Link("x|http://evil.example]", "https://ok.example/a|b]{c}!d!"), Link("bad", "ftp://evil.example")),
)
LOCATED = (
    Located(VM, ConfigurationItem("ci1", "till-07 (shop)", "object_id"), "its object id is known"),
    Located(Resource("till-08", "till-08"), None, "two records have this name"),
)
EARLIER = WorkItem("w1", "INC0042", "https://desk.example/w1", ItemState.CLOSED)


def notice_of(*alerts: Alert, item: WorkItem | None = None) -> Notice:
    """A notice about these alerts."""
    return Notice("desk", "desk", Episode("e" * 40, 1 if item else 0, item), alerts, FIRED_AT)


NOTES = {
    NoteKind.REPEAT: Note(NoteKind.REPEAT, METRIC, 12),
    NoteKind.UPDATE: Note(NoteKind.UPDATE, replace(METRIC, condition=Condition.UPDATE)),
    NoteKind.SEVERITY: Note(NoteKind.SEVERITY, METRIC, 3, Severity.SEV0),
    NoteKind.RECOVERED: Note(NoteKind.RECOVERED, RESOLVED, 1),
    NoteKind.ENDED_BY_PERSON: Note(NoteKind.ENDED_BY_PERSON, METRIC, 4),
    NoteKind.FIRED_AGAIN: Note(NoteKind.FIRED_AGAIN, METRIC, 5),
    NoteKind.TEST_OVER: Note(NoteKind.TEST_OVER, TEST),
}


def all_notes(style: Style) -> str:
    """Every kind of note, one after the other."""
    return "\n\n".join(f"== {kind}\n{report.note(each, style, 4000)}" for kind, each in NOTES.items())


GOLDEN_TEXTS = {
    "body-plain.txt": lambda: report.body(
        notice_of(METRIC, replace(METRIC, fired_at=FIRED_AT + timedelta(minutes=5)), RESOLVED, item=EARLIER),
        Style.PLAIN,
        4000,
        LOCATED,
    ),
    "body-wiki.txt": lambda: report.body(notice_of(METRIC, item=EARLIER), Style.WIKI, 4000, LOCATED),
    "body-budget-plain.txt": lambda: report.body(notice_of(BUDGET), Style.PLAIN, 4000),
    "body-test-wiki.txt": lambda: report.body(notice_of(TEST), Style.WIKI, 4000),
    "body-hostile-wiki.txt": lambda: report.body(notice_of(HOSTILE), Style.WIKI, 32000),
    "notes-plain.txt": lambda: all_notes(Style.PLAIN),
    "notes-wiki.txt": lambda: all_notes(Style.WIKI),
}


@pytest.mark.parametrize("name", GOLDEN_TEXTS)
def test_texts_are_as_agreed(name: str) -> None:
    """Each text is the golden file, to the character."""
    assert GOLDEN_TEXTS[name]() == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        (METRIC, "[Sev1] Till CPU high on till-07: Percentage CPU 96.2 > 90"),
        (BUDGET, "Till CPU high: Percentage CPU 96.2 > 90"),
        (TEST, "[TEST] [Sev4] Till CPU high on till-07 (+1): Percentage CPU 96.2 > 90"),
        (replace(METRIC, rule="CPU of TILL-07"), "[Sev1] CPU of TILL-07: Percentage CPU 96.2 > 90"),
        (replace(METRIC, rule=None, signal=None, service=None, summary=""), "[Sev1] Azure metric alert on till-07"),
        (replace(METRIC, rule="a\r\nb\x00\x1b[2J\u202ec", resources=()), "[Sev1] a bc: Percentage CPU 96.2 > 90"),
    ],
)
def test_title(alert: Alert, expected: str) -> None:
    """The title is one clean line that says how bad, what, where and how much."""
    assert report.title(alert) == expected


def test_long_rule_name_leaves_room_for_resource_and_value() -> None:
    """Of a title that is too long the rule's name is cut first."""
    told = report.title(replace(METRIC, rule="r" * 500))
    assert report.size(told) <= 160
    assert told.endswith("… on till-07: Percentage CPU 96.2 > 90")


any_text = st.text(st.one_of(st.characters(), st.sampled_from("\\*[]{}|\n\x1b😀-_&:/#")), max_size=300)


@given(any_text, st.integers(0, 400), st.sampled_from(Style))
def test_limits_are_kept_exactly(text: str, limit: int, style: Style) -> None:
    """Whatever the values, no text is longer than its limit, in UTF-16 units too."""
    alert = replace(METRIC, rule=text, summary=text, description=text, custom=((text, text),), links=())
    note = Note(NoteKind.UPDATE, alert)
    for told in (
        report.title(alert, limit),
        report.body(notice_of(alert), style, limit),
        report.note(note, style, limit),
    ):
        assert report.size(told) <= limit
        assert len(told) <= limit


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("limit", range(130, 700, 3))
def test_one_whole_link_survives_the_cut(limit: int, style: Style) -> None:
    """A cut text says so and still carries the link to the alert, never half a link."""
    told = report.body(notice_of(METRIC), style, limit)
    assert report.size(told) <= limit
    assert report.escape("... [cut]", style) in told
    assert told.splitlines()[-1] == (
        f"* [{PORTAL.label}|{PORTAL.url}]" if style is Style.WIKI else f"{PORTAL.label}: {PORTAL.url}"
    )
    known = {PORTAL.url, METRIC.links[1].url, "https://wiki.example/tills?a=1&b=2"}
    assert set(re.findall(r"https://[^\s|\]]+", told.split("Custom properties")[0])) <= known


def test_link_that_does_not_fit_is_left_out_whole() -> None:
    """A link longer than the limit is not cut but left out."""
    alert = replace(METRIC, links=(Link("Alert", "https://portal.azure.com/" + "x" * 500),), custom=())
    assert "https://" not in report.body(notice_of(alert), Style.PLAIN, 300)


def live_marks(text: str) -> list[str]:
    """What a wiki renderer would act upon: marks without a backslash that stands alone before them."""
    outside_words = re.sub(r"(?<=[^\W_])[-_](?=[^\W_])", "", text)
    return re.findall(r"(?<!\\)[-#*_+?^~|%{}\[\]()!@]|\\\\|://|mailto:|&#|^\s*(?:h\d|bq)\.", outside_words, re.M)


@given(any_text)
def test_no_wiki_markup_of_a_value_is_live(text: str) -> None:
    """Every mark of any value is escaped by exactly one backslash, and no URL stands together."""
    assert live_marks(report.escape(text, Style.WIKI)) == []


def test_hostile_text_is_dead_and_still_readable() -> None:
    """The known tricks are all defused; without our joiners and backslashes the words are as sent."""
    told = report.escape(HOSTILE_TEXT, Style.WIKI)
    assert live_marks(told) == []
    plain = re.sub(r"\\([-#*_+?^~|%{}\[\]()!@])", r"\1", told).replace("\u2060", "")
    assert plain == report.clean(HOSTILE_TEXT)


@pytest.mark.parametrize("limit", range(200, 900, 7))
def test_cut_wiki_text_ends_no_escape_in_the_middle(limit: int) -> None:
    """A cut never leaves a lone backslash that would swallow or free what follows."""
    alert = replace(METRIC, links=(), custom=(), description="\\{*}" * 400)
    told = report.body(notice_of(alert), Style.WIKI, limit)
    before_marker = told.removesuffix(report.escape("... [cut]", Style.WIKI))
    assert before_marker != told
    assert not before_marker.rstrip().endswith("\\")


def test_hostile_links_are_not_links() -> None:
    """Only http(s) URLs without a user name become links, percent-encoded where markup would begin."""
    told = report.body(notice_of(HOSTILE), Style.WIKI, 32000)
    assert re.findall(r"\[([^\[\]]+)\|([^\]]+)\]", re.sub(r"\\.", "", told)) == [
        ("x http://evil.example".replace("://", ":\u2060//"), "https://ok.example/a%7Cb%5D%7Bc%7D%21d%21")
    ]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://x.example",
        "https://",
        "//x.example",
        "https://portal.azure.com@evil.example",
        "https://a b.example",
        "https://[::1",
        "",
    ],
)
def test_what_is_no_link(url: str) -> None:
    """Anything but an absolute http(s) URL is refused."""
    assert report.http_url(url) is None


def test_plain_text_keeps_html_as_text_but_no_escape_sequences() -> None:
    """HTML stays readable text, and a journal's code tag, terminal escapes and bidi marks do not work."""
    told = report.body(notice_of(HOSTILE), Style.PLAIN, 32000)
    assert "<b>" in told
    assert "[code]" not in told
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", told)
    assert "[31m" not in told


def test_values_that_may_be_personal_are_withheld() -> None:
    """A property named like claims shows that it was there, not what it held."""
    told = report.body(notice_of(METRIC), Style.PLAIN, 4000)
    assert "callerClaims: (withheld)" in told
    assert "upn: jo" not in told


def test_one_endless_property_leaves_room_for_the_rest() -> None:
    """A single value and a long list are bounded, so that the description still shows."""
    alert = replace(METRIC, custom=tuple((f"p{n}", "v" * 3000) for n in range(60)))
    told = report.body(notice_of(alert), Style.PLAIN, 32000)
    assert "and 20 more custom properties" in told
    assert "Call the shop floor first." in told


if __name__ == "__main__":
    for file, text in GOLDEN_TEXTS.items():
        (GOLDEN / file).write_text(text(), encoding="utf-8")
