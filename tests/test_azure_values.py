"""Resource ids and times as Azure writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.azure.arm import is_container, parse_resource, subscription_of
from connector.azure.times import parse_time

VM = "/subscriptions/S1/resourceGroups/Web/providers/Microsoft.Compute/virtualMachines/Web-01"


@pytest.mark.parametrize(
    ("value", "name", "subscription", "group", "kind"),
    [
        (VM, "Web-01", "s1", "Web", "microsoft.compute/virtualmachines"),
        (VM.lower(), "web-01", "s1", "web", "microsoft.compute/virtualmachines"),
        (VM.lstrip("/"), "Web-01", "s1", "Web", "microsoft.compute/virtualmachines"),
        (VM + "/", "Web-01", "s1", "Web", "microsoft.compute/virtualmachines"),
        ("/" + VM, "Web-01", "s1", "Web", "microsoft.compute/virtualmachines"),
        (VM + "/extensions/Agent", "Agent", "s1", "Web", "microsoft.compute/virtualmachines/extensions"),
        (VM + "/providers/Microsoft.Insights/x/y", "y", "s1", "Web", "microsoft.insights/x"),
        ("/subscriptions/S1", "S1", "s1", None, "microsoft.resources/subscriptions"),
        ("/subscriptions/S1/resourceGroups/Web", "Web", "s1", "Web", "microsoft.resources/resourcegroups"),
        ("/subscriptions/<your id>/resourceGroups/g/providers/p/t/n", "n", "<your id>", "g", "p/t"),
        (
            "/providers/Microsoft.Management/managementGroups/m",
            "m",
            None,
            None,
            "microsoft.management/managementgroups",
        ),
        ("web-01.shop.example", "web-01.shop.example", None, None, None),
        ("C:/data", "C:/data", None, None, None),
    ],
)
def test_a_resource_id_is_taken_apart(
    value: str, name: str, subscription: str | None, group: str | None, kind: str | None
) -> None:
    """Whatever the spelling; a bare name stays one."""
    resource = parse_resource(value)
    assert resource is not None
    found = (resource.name, resource.subscription, resource.resource_group, resource.type)
    assert found == (name, subscription, group, kind)
    assert resource.is_arm == (kind is not None)


@pytest.mark.parametrize("value", ["", " ", "/", "///"])
def test_nothing_is_no_resource(value: str) -> None:
    """An empty text names nothing."""
    assert parse_resource(value) is None


def test_spellings_of_one_id_are_one_resource() -> None:
    """Slashes at the ends and case do not matter."""
    assert {parse_resource(VM), parse_resource(VM.upper() + "/"), parse_resource(VM.lstrip("/"))} == {
        parse_resource(VM)
    }


@pytest.mark.parametrize(
    ("value", "holds_data"),
    [
        (VM, False),
        ("/subscriptions/s", True),
        ("/subscriptions/s/resourceGroups/g", True),
        ("/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w", True),
        ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/components/c", True),
        ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Monitor/accounts/a", True),
        ("/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/webtests/c", False),
        ("web-01", False),
    ],
)
def test_what_only_holds_data(value: str, holds_data: bool) -> None:
    """It is seldom the sick thing."""
    resource = parse_resource(value)
    assert resource is not None
    assert is_container(resource) is holds_data


@pytest.mark.parametrize(
    ("value", "found"), [(VM, "s1"), (VM.upper(), "s1"), ("web-01", None), ("/subscriptions", None), ("", None)]
)
def test_the_subscription_of_an_id(value: str, found: str | None) -> None:
    """In lower case, as the allow-list compares it."""
    assert subscription_of(value) == found


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-09T08:14:27Z", datetime(2026, 3, 9, 8, 14, 27, tzinfo=UTC)),
        ("2026-03-09T08:14:27.04Z", datetime(2026, 3, 9, 8, 14, 27, 40_000, tzinfo=UTC)),
        ("2026-03-09T08:14:27.55031Z", datetime(2026, 3, 9, 8, 14, 27, 550_310, tzinfo=UTC)),
        ("2026-03-09T08:14:27.3518209Z", datetime(2026, 3, 9, 8, 14, 27, 351_820, tzinfo=UTC)),
        ("2026-03-09T08:14:27.3518204+00:00", datetime(2026, 3, 9, 8, 14, 27, 351_820, tzinfo=UTC)),
        ("2026-03-09T10:14:27+02:00", datetime(2026, 3, 9, 8, 14, 27, tzinfo=UTC)),
        ("2026-03-09 08:14:27", datetime(2026, 3, 9, 8, 14, 27, tzinfo=UTC)),
        (" 2026-03-09t08:14:27z ", datetime(2026, 3, 9, 8, 14, 27, tzinfo=UTC)),
        ("3/9/2026 8:14:27 AM", datetime(2026, 3, 9, 8, 14, 27, tzinfo=UTC)),
        ("3/9/2026 1:14:27 PM", datetime(2026, 3, 9, 13, 14, 27, tzinfo=UTC)),
        ("06/25/2026 19:59:39", datetime(2026, 6, 25, 19, 59, 39, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-03-09T25:00:00Z", None),
        ("2026-03-09T08:14:27+99:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("٢٠٢٦-03-09T08:14:27Z", None),
        ("1700000000", None),
    ],
)
def test_a_time_is_read_or_it_is_none(text: str, time: datetime | None) -> None:
    """To the microsecond, in UTC."""
    assert parse_time(text) == time


@given(st.integers(0, 7_000_000_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_a_time_survives_its_zone(microseconds: int, minutes: int) -> None:
    """Any offset gives the same instant."""
    moment = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    sign, (hours, rest) = ("-" if minutes < 0 else "+"), divmod(abs(minutes), 60)
    text = f"{moment:%Y-%m-%dT%H:%M:%S.%f}{sign}{hours:02}:{rest:02}"
    assert parse_time(text) == moment - timedelta(minutes=minutes)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    """It never raises."""
    parse_time(text)
