"""The project's own samples against the table of what a reader must make of them."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.azure import NotAnAlert, decode, read_alert
from connector.model import Alert
from connector.testing import samples

TABLE = Path(__file__).with_suffix(".csv")
ROWS = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()))
RECEIVED = datetime(2026, 3, 10, tzinfo=UTC)
NOT_ALERTS = {"custom-json"}


def read(name: str) -> Alert:
    """Read a sample as a request of its own."""
    return read_alert(decode(samples.raw(name)), received_at=RECEIVED, body_digest=f"body of {name}", nonce="once")


def as_row(alert: Alert) -> dict[str, str]:
    """Show an alert in the columns of the table."""
    return {
        "family": alert.family,
        "condition": alert.condition.value,
        "severity": alert.severity.value if alert.severity else "",
        "test": "yes" if alert.test else "no",
        "service": alert.service or "",
        "rule": alert.rule or "",
        "fired_at": alert.fired_at.isoformat() if alert.fired_at else "",
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else "",
        "resources": ";".join(each.key for each in alert.resources),
        "dimensions": ";".join(f"{name}={value}" for name, value in alert.dimensions),
        "custom": ";".join(f"{name}={value}" for name, value in alert.custom),
        "warnings": str(len(alert.warnings)),
        "summary": alert.summary,
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["sample"])
def test_a_sample_is_read_as_the_table_says(row: dict[str, str]) -> None:
    """Every column of the table holds for every sample."""
    expected = {name: value for name, value in row.items() if name not in ("sample", "series")}
    assert as_row(read(row["sample"])) == expected


def test_the_table_speaks_of_every_sample() -> None:
    """A new sample cannot be added without saying what it becomes."""
    assert {row["sample"] for row in ROWS} | NOT_ALERTS == set(samples.names())


def test_samples_share_a_series_exactly_where_the_table_says() -> None:
    """Same label, same series; different labels, different series."""
    keys: dict[str, set[str]] = {}
    for row in ROWS:
        keys.setdefault(row["series"] or row["sample"], set()).add(read(row["sample"]).series.key)
    assert all(len(found) == 1 for found in keys.values())
    assert len({key for found in keys.values() for key in found}) == len(keys)


@pytest.mark.parametrize("name", sorted(NOT_ALERTS))
def test_custom_json_is_no_alert(name: str) -> None:
    """What nothing recognises is refused with a code and the portal switch to turn."""
    with pytest.raises(NotAnAlert) as refusal:
        read(name)
    assert refusal.value.code == "unknown-schema"
    assert "useCommonAlertSchema" in refusal.value.detail


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["sample"].startswith("noncommon")], ids=lambda row: row["sample"]
)
def test_a_non_common_alert_names_the_portal_switch(row: dict[str, str]) -> None:
    """Its warning says which switch of which action to turn."""
    (warning,) = read(row["sample"]).warnings
    assert "Enable the common alert schema" in warning


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["sample"])
def test_no_sample_carries_a_person_into_the_alert(row: dict[str, str]) -> None:
    """Callers, claims, addresses and rows of results stay out of everything a ticket may show."""
    alert = read(row["sample"])
    shown = repr((alert.summary, alert.description, alert.facts, alert.labels, alert.dimensions))
    for personal in ("@shop.example", "Robin", "203.0.113.9", "claims", "authorization"):
        assert personal not in shown


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("metric-static-fired", ["Alert in the Azure portal", "Resource in the Azure portal"]),
        ("log-v2-fired", ["Alert in the Azure portal", "Query results"]),
        ("noncommon-metric-activated", ["Resource in the Azure portal"]),
    ],
)
def test_the_links_of_an_alert(name: str, labels: list[str]) -> None:
    """The alert's page, the resource's page, and one link to the results."""
    links = read(name).links
    assert [link.label for link in links] == labels
    assert all(link.url.startswith("https://portal.azure.com") for link in links)


def test_the_link_to_the_filtered_results_is_preferred_and_whole() -> None:
    """The filtered link shows only the rows of this alert; a cut link would lead nowhere."""
    criterion = samples.load("log-v2-fired")["data"]["alertContext"]["condition"]["allOf"][0]
    assert read("log-v2-fired").links[-1].url == criterion["linkToFilteredSearchResultsUI"]


def test_the_facts_of_a_metric_alert() -> None:
    """A ticket says what was measured, against which threshold, and how."""
    facts = {fact.name: fact.value for fact in read("metric-dynamic-fired").facts}
    assert facts == {
        "Measured": "Transactions",
        "Value": "4077",
        "Threshold": "outside 1280.5",
        "Aggregation": "Total over PT15M",
        "Failing periods": "3 of 4",
        "Metric namespace": "Microsoft.Storage/storageAccounts",
        "Sensitivity of the dynamic threshold": "Medium",
    }


def test_the_facts_of_an_unknown_service_are_its_context() -> None:
    """A context of any shape is shown as dotted names, without what is null."""
    facts = [(fact.name, fact.value) for fact in read("unknown-service-fired").facts]
    assert facts == [
        ("probe.region", "north"),
        ("probe.failures.1.step", "login"),
        ("probe.failures.1.code", "503"),
        ("probe.failures.2.step", "basket"),
        ("probe.failures.2.code", "504"),
        ("score", "0.31"),
        ("confirmed", "true"),
    ]
