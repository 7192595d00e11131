"""Portal test notifications ("Test action group"), known by a conjunction of constants.

Never by a name: people call real rules `test-…` too, and a real subscription may be anything.
Both the id and the subscription must be the constant ones; or Azure says so itself.
"""

from __future__ import annotations

from connector.azure.arm import subscription_of
from connector.azure.envelope import Envelope

_PORTAL = "11111111-1111-1111-1111-111111111111"
_DOCUMENTATION = "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e"
_SERVICE_HEALTH_TAIL = "1234abcd5678efgh" * 4
_GROUP_OF_TESTS = f"/subscriptions/{_PORTAL}/resourcegroups/test-rg/"

TAILS: dict[str, frozenset[str]] = {
    _PORTAL: frozenset({"12345678-1234-1234-1234-1234567890ab", "test_alert", _SERVICE_HEALTH_TAIL}),
    _DOCUMENTATION: frozenset({"eeeeeeee-4444-5555-6666-ffffffffffff", "test_alert", _SERVICE_HEALTH_TAIL}),
}
"""Mock subscription -> the last segments of the alert ids the tests of that subscription carry."""

_EVENT_OF_TEST = "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb"


def is_portal_test(envelope: Envelope) -> bool:
    """Whether somebody pressed "Test" in the portal."""
    return _has_constant_ids(envelope) or _has_constant_ids_of_old_schema(envelope) or _is_synthetic(envelope)


def _has_constant_ids(envelope: Envelope) -> bool:
    tails = TAILS.get(subscription_of(envelope.alert_id) or "", frozenset())
    return envelope.alert_id.lower().rpartition("/")[2] in tails


def _has_constant_ids_of_old_schema(envelope: Envelope) -> bool:
    """Tests sent without the common schema have no alert id; all their other ids are constant."""
    if envelope.alert_id or envelope.subscriptions != {_PORTAL}:
        return False
    ids = [each.lower() for each in (envelope.rule_id, *envelope.targets) if each]
    in_group = bool(ids) and all(each.startswith(_GROUP_OF_TESTS) for each in ids)
    return in_group or _EVENT_OF_TEST in envelope.event_ids


def _is_synthetic(envelope: Envelope) -> bool:
    """Service Health marks its own tests; elsewhere `properties` are the rule owner's to fill."""
    operation = envelope.context.line("operationName").lower()
    synthetic = envelope.context.fields("properties").line("IsSynthetic").lower() == "true"
    return synthetic and operation.startswith("microsoft.servicehealth/")
