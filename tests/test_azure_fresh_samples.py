"""New events made of the samples."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.azure import read_alert
from connector.model import Alert
from connector.testing import samples

FIRED, RESOLVED = datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 1, 13, tzinfo=UTC)
VM = "/subscriptions/9c3e/resourceGroups/stage/providers/Microsoft.Compute/virtualMachines/Web-77"
ALERTS = [name for name in samples.names() if name != "custom-json"]


def read(document: object) -> Alert:
    """Read a document whose body differs whenever the document does."""
    return read_alert(document, received_at=datetime.now(UTC), body_digest=repr(document), nonce=repr(document))


@pytest.mark.parametrize("name", [name for name in ALERTS if name != "noncommon-budget"])
def test_two_fresh_samples_are_two_events(name: str) -> None:
    """Ids or times differ; budgets carry neither."""
    assert read(samples.fresh(name, fired_at=FIRED)).id != read(samples.fresh(name, fired_at=RESOLVED)).id


@pytest.mark.parametrize("name", ["metric-static", "log-v2"])
def test_a_pair_is_made_by_one_alert_id(name: str) -> None:
    """The resolved has the id of its fired, and both times."""
    fired = read(samples.fresh(f"{name}-fired", alert_id="pair", fired_at=FIRED))
    resolved = read(samples.fresh(f"{name}-resolved", alert_id="pair", fired_at=FIRED, resolved_at=RESOLVED))
    assert fired.azure_key == resolved.azure_key
    assert (fired.fired_at, resolved.fired_at, resolved.resolved_at) == (FIRED, FIRED, RESOLVED)
    assert fired.series.key == resolved.series.key


def test_a_noncommon_pair_has_its_times_where_they_belong() -> None:
    """One member holds either the start or the end there."""
    fired = read(samples.fresh("noncommon-metric-activated", fired_at=FIRED))
    resolved = read(samples.fresh("noncommon-metric-deactivated", fired_at=FIRED, resolved_at=RESOLVED))
    assert (fired.fired_at, resolved.resolved_at) == (FIRED, RESOLVED)


@pytest.mark.parametrize("name", [name for name in ALERTS if "activity-log" not in name or "noncommon" not in name])
def test_a_rule_can_be_renamed(name: str) -> None:
    """In every form that names its rule."""
    assert read(samples.fresh(name, rule="Another rule")).rule == "Another rule"


@pytest.mark.parametrize(
    "name",
    ["metric-static-fired", "metric-multi-resource-fired", "noncommon-metric-activated", "noncommon-activity-log"],
)
def test_a_resource_is_replaced_wherever_it_stands(name: str) -> None:
    """Target, configuration item and dimensions name the new one only."""
    alert = read(samples.fresh(name, resource=VM))
    assert [each.id for each in alert.resources] == [VM]


def test_a_bare_name_replaces_the_machine() -> None:
    """In the configuration items and in the dimension."""
    alert = read(samples.fresh("log-v2-fired", resource="app-99"))
    assert alert.resources[0].id == "app-99"
    assert alert.dimensions == (("Computer", "app-99"),)


def test_portal_tests_keep_their_constant_ids() -> None:
    """Or they would not be known as tests."""
    assert read(samples.fresh("portal-test-metric")).test


def test_unknown_names_are_refused() -> None:
    """A misspelt sample is no empty one, and no path out of the folder."""
    for name in ("metric", "../samples/metric-static-fired"):
        with pytest.raises(KeyError):
            samples.load(name)
