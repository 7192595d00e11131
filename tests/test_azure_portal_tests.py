"""Portal test notifications, and real alerts that look like some."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connector.azure import read_alert
from connector.model import Alert
from connector.testing import samples

PORTAL = "11111111-1111-1111-1111-111111111111"
DOCUMENTATION = "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e"
PORTAL_GROUP = f"/subscriptions/{PORTAL}/resourceGroups/test-RG/providers/"
REAL_GROUP = "/subscriptions/6f1d2a40-93b7-4c1e-8a55-0c9e4d7f1b23/resourceGroups/test-RG/providers/"
TESTS = [name for name in samples.names() if name.startswith("portal-test")]


def read(document: dict[str, Any], nonce: str = "once") -> Alert:
    """Read one document; the nonce is the request's."""
    return read_alert(document, received_at=datetime(2026, 3, 10, tzinfo=UTC), body_digest="body", nonce=nonce)


def with_alert_id(name: str, alert_id: str) -> Alert:
    """Read a sample under another alert id."""
    sample = samples.load(name)
    sample["data"]["essentials"]["alertId"] = alert_id
    return read(sample)


@pytest.mark.parametrize("name", TESTS)
def test_two_tests_are_two_events_of_one_series(name: str) -> None:
    """Their ids are constant, yet a second press of the button must be seen again."""
    first, second = read(samples.load(name), "one"), read(samples.load(name), "two")
    assert first.test
    assert second.test
    assert first.id != second.id
    assert first.series.key == second.series.key


def test_a_real_alert_does_not_depend_on_the_nonce() -> None:
    """Or no delivery of it would ever be a duplicate."""
    sample = samples.load("metric-static-fired")
    assert read(sample, "one").id == read(sample, "two").id


@pytest.mark.parametrize(
    ("subscription", "tail"),
    [
        (PORTAL, "providers/Microsoft.AlertsManagement/alerts/12345678-1234-1234-1234-1234567890ab"),
        (PORTAL, "resourceGroups/test-RG/providers/microsoft.insights/activityLogAlerts/Test_Alert"),
        (PORTAL, "providers/Microsoft.CostManagement/alerts/Test_Alert"),
        (PORTAL, "providers/Microsoft.AlertsManagement/alerts/" + "1234abcd5678efgh" * 4),
        (DOCUMENTATION, "providers/Microsoft.AlertsManagement/alerts/eeeeeeee-4444-5555-6666-ffffffffffff"),
        (DOCUMENTATION, "providers/Microsoft.CostManagement/alerts/Test_Alert"),
    ],
)
def test_constant_id_and_mock_subscription_together_are_a_test(subscription: str, tail: str) -> None:
    """Whatever the rule is called."""
    assert with_alert_id("metric-static-fired", f"/subscriptions/{subscription}/{tail}").test


@pytest.mark.parametrize(
    "alert_id",
    [
        f"/subscriptions/{PORTAL}/providers/Microsoft.AlertsManagement/alerts/prom-1",
        f"/subscriptions/{PORTAL}/providers/Microsoft.AlertsManagement/alerts/eeeeeeee-4444-5555-6666-ffffffffffff",
        "/subscriptions/a/providers/Microsoft.AlertsManagement/alerts/12345678-1234-1234-1234-1234567890ab",
        f"/subscriptions/a/providers/Microsoft.AlertsManagement/alerts/{DOCUMENTATION}",
        "Test_Alert",
    ],
)
def test_one_of_the_two_alone_is_no_test(alert_id: str) -> None:
    """Not even with a rule, a group and a target that are called test."""
    assert not with_alert_id("portal-test-metric", alert_id).test


def test_service_health_marks_its_own_tests() -> None:
    """IsSynthetic is Azure's word there ..."""
    assert with_alert_id("portal-test-service-health", "/subscriptions/a/providers/p/alerts/b").test


def test_a_custom_property_cannot_make_a_test_of_a_real_alert() -> None:
    """... and the rule owner's to fill everywhere else, where it would open the allow-list."""
    sample = samples.load("metric-static-fired")
    sample["data"]["alertContext"]["properties"] = {"IsSynthetic": "True"}
    sample["data"]["customProperties"] = {"IsSynthetic": "True"}
    assert not read(sample).test


@pytest.mark.parametrize(
    ("rule", "target", "test"),
    [
        (PORTAL_GROUP + "microsoft.insights/metricAlerts/x", PORTAL_GROUP + "microsoft.web/sites/x", True),
        (PORTAL_GROUP + "microsoft.insights/metricAlerts/x", REAL_GROUP + "microsoft.web/sites/x", False),
        (REAL_GROUP + "microsoft.insights/metricAlerts/x", PORTAL_GROUP + "microsoft.web/sites/x", False),
        (PORTAL_GROUP.replace("test-RG", "prod"), PORTAL_GROUP.replace("test-RG", "prod"), False),
        (PORTAL_GROUP, PORTAL_GROUP.replace("test-RG", "prod"), False),
    ],
    ids=["all constant", "a real target", "a real rule", "another group", "a target in another group"],
)
def test_tests_without_the_common_schema_are_known_by_all_their_ids(rule: str, target: str, test: bool) -> None:
    """They have no alert id: rule and target must both lie in the mock group of the mock subscription."""
    sample = samples.load("noncommon-metric-activated")
    sample["data"]["context"].update(id=rule, resourceId=target, subscriptionId=PORTAL)
    assert read(sample).test is test
    assert (read(sample, "one").id != read(sample, "two").id) is test


def test_an_activity_log_test_without_the_common_schema_is_known_by_event_and_subscription() -> None:
    """Both again: the constant event under a real subscription is none."""
    sample = samples.load("noncommon-activity-log")
    event = sample["data"]["context"]["activityLog"]
    event["eventDataId"] = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"
    assert not read(sample).test
    event.update(subscriptionId=PORTAL, resourceId=f"/subscriptions/{PORTAL}")
    assert read(sample).test
