"""Alerts whose action has the common alert schema switched off, each in a schema of its own.

A recogniser table, tried in order; a form is rewritten as an `Envelope` with the context the common
schema would have carried, so that the families read both alike. Accepted rather than refused,
because Azure does not send a refused alert again; each carries a warning naming the portal switch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from connector.azure.envelope import Envelope, condition_of, ids_of, rule_name, severity_of, whole_id
from connector.azure.fields import Fields, unique, without_addresses
from connector.model import Condition

SWITCH = (
    'in the action group, edit this action and set "Enable the common alert schema" to Yes '
    "(useCommonAlertSchema = true)"
)


@dataclass(frozen=True, slots=True)
class Form:
    """One schema: how people call it, how it is known, and its reading."""

    name: str
    matches: Callable[[Fields], bool]
    read: Callable[[Fields], Envelope]


def recognise(document: Fields) -> Envelope | None:
    """Return the envelope of a known form; None if it is none of them."""
    form = next((form for form in FORMS if form.matches(document)), None)
    if form is None:
        return None
    envelope = form.read(document)
    return replace(envelope, warnings=(*envelope.warnings, switch_warning(form.name)))


def switch_warning(form: str) -> str:
    """Return what to do so that the next alert comes in the common schema."""
    return f"not the common alert schema but the one for {form}: {SWITCH}"


def _has_schema(name: str) -> Callable[[Fields], bool]:
    return lambda document: document.line("schemaId").lower() == name.lower() and bool(document.fields("data"))


def _is_flat_log(document: Fields) -> bool:
    return bool(document.line("AlertRuleName")) and bool(document.line("SearchQuery"))


def _is_classic(document: Fields) -> bool:
    told = document.line("status") and document.fields("context").line("conditionType")
    return bool(told) and "data" not in document


def _is_resource(document: Fields) -> bool:
    kind = document.line("type").lower() == "microsoft.alertsmanagement/alerts"
    return kind and bool(document.fields("properties").fields("essentials"))


def _read_metric(document: Fields) -> Envelope:
    data = document.fields("data")
    context = data.fields("context")
    rewritten = {name: context.get(name) for name in ("conditionType", "condition")}
    return _metric(data, context, Fields(rewritten))


def _read_classic(document: Fields) -> Envelope:
    """The form from before 2018 has one condition where today's have a list."""
    context = document.fields("context")
    kind = context.line("conditionType")
    condition = context.fields("condition").raw
    family = (
        "WebtestLocationAvailabilityCriteria" if kind.lower() == "webtest" else "SingleResourceMultipleMetricCriteria"
    )
    rewritten = {"windowSize": condition.get("windowSize"), "allOf": [condition]}
    return _metric(document, context, Fields({"conditionType": family, "condition": rewritten}))


def _metric(told: Fields, context: Fields, rewritten: Fields) -> Envelope:
    """`context.id` is the rule: these forms have no alert id."""
    condition, warnings = condition_of(told.line("status"))
    time = context.line("timestamp", limit=64)
    return Envelope(
        context=rewritten,
        condition=condition,
        rule=rule_name(context.get("name")),
        rule_id=whole_id(context.get("id")),
        severity=severity_of(context.get("severity")),
        fired_text=time if condition is Condition.FIRED else "",
        resolved_text=time if condition is Condition.RESOLVED else "",
        description=context.text("description"),
        targets=ids_of(context.get("resourceId")),
        configuration_items=ids_of(context.get("resourceName")),
        scopes=_subscriptions(context),
        custom=unique(told.fields("properties").members()),
        warnings=warnings,
    )


def _read_log(document: Fields) -> Envelope:
    return _log(document.fields("data"))


def _log(told: Fields) -> Envelope:
    """It has no state and no time of its own: fired, at the end of the interval searched."""
    return Envelope(
        context=told,
        rule=rule_name(told.get("AlertRuleName")),
        severity=severity_of(told.get("Severity")),
        fired_text=told.line("SearchIntervalEndtimeUtc", limit=64),
        description=told.text("Description"),
        targets=ids_of(told.get("ResourceId")),
        scopes=_subscriptions(told),
    )


def _read_activity_log(document: Fields) -> Envelope:
    data = document.fields("data")
    event = data.fields("context").fields("activityLog")
    condition, warnings = condition_of(data.line("status"))
    return Envelope(
        context=event,
        condition=condition,
        fired_text=event.line("eventTimestamp", limit=64),
        description=without_addresses(event.text("description")),
        targets=ids_of(event.get("resourceId")),
        scopes=_subscriptions(event),
        custom=unique(data.fields("properties").members()),
        event_ids=ids_of(event.get("eventDataId")),
        warnings=warnings,
    )


def _read_budget(document: Fields) -> Envelope:
    """It names no resource and no time; BudgetStartDate is not when it happened."""
    data = document.fields("data")
    return Envelope(context=data, rule=rule_name(data.get("BudgetName")), scopes=_subscriptions(data))


def _read_resource(document: Fields) -> Envelope:
    """The Alerts Management REST resource, which Failure Anomalies rules send."""
    properties = document.fields("properties")
    essentials = properties.fields("essentials")
    condition, warnings = condition_of(essentials.line("monitorCondition"))
    return Envelope(
        context=properties.fields("context"),
        condition=condition,
        alert_id=whole_id(document.get("id")),
        origin_alert_id=whole_id(essentials.get("sourceCreatedId")),
        service=essentials.line("monitorService"),
        signal=essentials.line("signalType"),
        rule=rule_name(document.first("name") or essentials.line("alertRule").rpartition("/")[2]),
        rule_id=whole_id(essentials.get("alertRule")),
        severity=severity_of(essentials.get("severity")),
        fired_text=essentials.line("startDateTime", limit=64),
        resolved_text=essentials.line("monitorConditionResolvedDateTime", limit=64),
        description=essentials.text("description"),
        targets=ids_of(essentials.get("targetResource")),
        configuration_items=ids_of(essentials.get("targetResourceName")),
        warnings=warnings,
    )


def _subscriptions(told: Fields) -> tuple[str, ...]:
    return tuple(each.lower() for each in ids_of(told.get("subscriptionId")))


FORMS = (
    Form("metric alerts", _has_schema("AzureMonitorMetricAlert"), _read_metric),
    Form("activity log alerts", _has_schema("Microsoft.Insights/activityLogs"), _read_activity_log),
    Form("log alerts", _has_schema("Microsoft.Insights/LogAlert"), _read_log),
    Form("log alerts", _is_flat_log, _log),
    Form("budgets", _has_schema("AIP Budget Notification"), _read_budget),
    Form("classic metric alerts", _is_classic, _read_classic),
    Form("Failure Anomalies (Alerts Management resource)", _is_resource, _read_resource),
)
