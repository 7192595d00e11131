"""Log alerts: today's (`LogQueryCriteria`) and the flat context of the first generation (V1).

Rows of results are left out: they are bulk, and hold whatever the query selected about people.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector.azure.criteria import criterion, custom_of, dimensions_of, limit, listed, summary_of, without_values
from connector.azure.envelope import Envelope, ids_of
from connector.azure.family import Reading
from connector.azure.fields import VALUE_LIMIT, Fields, text, unique
from connector.azure.links import first_link, whole
from connector.azure.resources import Candidates
from connector.azure.series import rule_on_resource
from connector.model import Fact, Link, Pairs

NAME = "log"
_SERVICES = frozenset({"log alerts v2", "log analytics", "application insights"})
_MOST_FACTS = 100


def matches(envelope: Envelope) -> bool:
    """A query; an emptied or missing context goes by the service."""
    context = envelope.context
    condition = context.fields("condition")
    if _is_first_generation(context) or context.line("conditionType").lower() == "logquerycriteria":
        return True
    criteria = list(condition.objects("allOf"))
    if criteria:
        return any(each.line("searchQuery") for each in criteria)
    return envelope.service.lower() in _SERVICES and ("condition" in context or not context)


def read(envelope: Envelope) -> Reading:
    """Return what the query found, and on what."""
    read_one = _read_first_generation if _is_first_generation(envelope.context) else _read_criteria
    return read_one(envelope)


def _is_first_generation(context: Fields) -> bool:
    return bool(context.line("SearchQuery"))


def _read_criteria(envelope: Envelope) -> Reading:
    context = envelope.context
    condition = context.fields("condition")
    window = condition.line("windowSize")
    measured = [criterion(told, _subject(told), window) for told in condition.objects("allOf")]
    facts = [fact for each in measured for fact in (*each.facts(envelope.condition), *_query(each.told))]
    summary = summary_of(measured, envelope.condition)
    return _reading(envelope, dimensions_of(condition), summary, facts, envelope.configuration_items)


def _read_first_generation(envelope: Envelope) -> Reading:
    context = envelope.context
    items = (*envelope.configuration_items, *ids_of(context.get("AffectedConfigurationItems")))
    threshold = limit(
        context.line("Operator", "AlertThresholdOperator"), context.line("Threshold", "AlertThresholdValue")
    )
    results, kind, window = context.line("ResultCount"), context.line("AlertType"), _window(context)
    facts = listed(
        ("Results", results), ("Threshold", threshold), ("Kind of log alert", kind), ("Window", window)
    ) + _query(context)
    details = ", ".join(filter(None, (kind, threshold and f"threshold {threshold}", window and f"over {window}")))
    found = f"Query results {results}".strip()
    summary = f"{found} ({details})" if details else found
    return _reading(envelope, unique(context.pairs("Dimensions")), summary, facts, items)


def _reading(envelope: Envelope, dimensions: Pairs, summary: str, facts: list[Fact], items: tuple[str, ...]) -> Reading:
    candidates = Candidates.of(envelope.targets, items, dimensions)
    return Reading(
        summary=text(summary or without_values(envelope), VALUE_LIMIT),
        series=rule_on_resource(envelope, candidates.affected(), dimensions),
        resources=candidates.split_first(),
        dimensions=dimensions,
        custom=custom_of(envelope.context),
        facts=tuple(facts)[:_MOST_FACTS],
        links=_links(envelope.context),
    )


def _subject(told: Fields) -> str:
    """The column that was aggregated; without one, results were counted."""
    return told.line("metricMeasureColumn") or "Query results"


def _query(told: Fields) -> list[Fact]:
    return listed(("Query", told.text("searchQuery")))


def _window(context: Fields) -> str:
    minutes = context.line("SearchIntervalInMinutes", "SearchIntervalDurationMin")
    seconds = context.line("SearchIntervalInSeconds")
    return f"{minutes} min" if minutes else (f"{seconds} s" if seconds else "")


def _links(context: Fields) -> tuple[Link, ...]:
    return whole(first_link("Query results", _result_urls(context)))


def _result_urls(context: Fields) -> Iterator[object]:
    """One link, to the filtered results if there are such."""
    places = [context, *context.fields("condition").objects("allOf")]
    for name in ("linkToFilteredSearchResultsUI", "linkToSearchResultsUI", "linkToSearchResults"):
        for place in places:
            yield place.get(name)
