"""Metric alerts: static and dynamic thresholds, web tests, rules on many resources."""

from __future__ import annotations

from connector.azure.criteria import Criterion, criterion, custom_of, dimensions_of, listed, summary_of, without_values
from connector.azure.envelope import Envelope
from connector.azure.family import Reading
from connector.azure.fields import VALUE_LIMIT, Fields, text
from connector.azure.resources import Candidates
from connector.azure.series import rule_on_resource
from connector.model import Fact

NAME = "metric"
_KINDS = frozenset(
    {
        "singleresourcemultiplemetriccriteria",
        "multipleresourcemultiplemetriccriteria",
        "dynamicthresholdcriteria",
        "webtestlocationavailabilitycriteria",
    }
)
_MOST_FACTS = 100


def matches(envelope: Envelope) -> bool:
    """A metric criterion or kind; an emptied condition (Resolved) goes by service and signal."""
    context = envelope.context
    condition = context.fields("condition")
    if context.line("conditionType").lower() in _KINDS:
        return True
    if any(each.line("metricName") for each in condition.objects("allOf")):
        return True
    is_platform = envelope.service.lower() == "platform"
    if not context:
        return is_platform
    return "condition" in context and (is_platform or envelope.signal.lower() == "metric")


def read(envelope: Envelope) -> Reading:
    """Return what was measured on the target."""
    context = envelope.context
    condition = context.fields("condition")
    dimensions = dimensions_of(condition)
    resources = Candidates.of(envelope.targets, envelope.configuration_items, dimensions).target_first()
    measured = _criteria(condition)
    return Reading(
        summary=text(summary_of(measured, envelope.condition) or without_values(envelope), VALUE_LIMIT),
        series=rule_on_resource(envelope, resources[:1], dimensions),
        resources=resources,
        dimensions=dimensions,
        custom=custom_of(context),
        facts=tuple(_facts(measured, envelope))[:_MOST_FACTS],
    )


def _criteria(condition: Fields) -> list[Criterion]:
    window = condition.line("windowSize")
    return [criterion(told, _subject(told), window) for told in condition.objects("allOf")]


def _subject(told: Fields) -> str:
    name, test = told.line("metricName") or "metric", told.line("webTestName")
    return f"{name} of web test {test}" if test else name


def _facts(measured: list[Criterion], envelope: Envelope) -> list[Fact]:
    facts: list[Fact] = []
    for each in measured:
        facts += each.facts(envelope.condition)
        facts += listed(
            ("Metric namespace", each.told.line("metricNamespace")),
            ("Sensitivity of the dynamic threshold", each.told.line("alertSensitivity")),
        )
    return facts
