"""The common alert schema: one envelope for every kind of alert."""

from __future__ import annotations

from connector.azure.envelope import Envelope, NotAnAlert, condition_of, ids_of, rule_name, severity_of, whole_id
from connector.azure.fields import Fields, unique

SCHEMA = "azureMonitorCommonAlertSchema"


def matches(document: Fields) -> bool:
    """Whether the document says that it is in the common alert schema."""
    return document.line("schemaId").lower() == SCHEMA.lower()


def read(document: Fields) -> Envelope:
    """Return the envelope; raises NotAnAlert when it has no essentials."""
    data = document.fields("data")
    essentials = data.fields("essentials")
    if not essentials:
        raise NotAnAlert("no-essentials", "the common alert schema without data.essentials")
    rule_id = whole_id(essentials.get("alertRuleId"))
    condition, warnings = condition_of(essentials.line("monitorCondition"))
    return Envelope(
        context=data.fields("alertContext"),
        condition=condition,
        alert_id=whole_id(essentials.get("alertId")),
        origin_alert_id=whole_id(essentials.get("originAlertId")),
        service=essentials.line("monitoringService"),
        signal=essentials.line("signalType"),
        rule=rule_name(essentials.get("alertRule")) or rule_name(rule_id.rpartition("/")[2]),
        rule_id=rule_id,
        severity=severity_of(essentials.get("severity")),
        fired_text=essentials.line("firedDateTime", limit=64),
        resolved_text=essentials.line("resolvedDateTime", limit=64),
        description=essentials.text("description"),
        targets=ids_of(essentials.get("alertTargetIDs")),
        configuration_items=ids_of(essentials.get("configurationItems")),
        custom=unique(data.fields("customProperties").members()),
        warnings=warnings,
    )
