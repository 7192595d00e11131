"""Where an alert goes, and why it goes nowhere else.

Stands between intake, which has read the alert, and the store, which writes a delivery for each
destination chosen here. Pure: the same alert and routes give the same answer and the same words, so
that `explain` and a replay can ask again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from connector.model import Alert, Decision, Pairs, Severity, digest

if TYPE_CHECKING:
    from connector.adapter import Settings
    from connector.config import MatchConfig, RouteConfig

_COMPARE: Mapping[str, Callable[[Severity, Severity], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}

_VALUES: Mapping[str, Callable[[Alert], Iterable[str | None]]] = {
    "subscription": lambda alert: (*alert.subscriptions, *(each.subscription for each in alert.resources)),
    "resource_group": lambda alert: (each.resource_group for each in alert.resources),
    "resource": lambda alert: (text for each in alert.resources for text in (each.id, each.name)),
    "resource_type": lambda alert: (each.type for each in alert.resources),
    "service": lambda alert: (alert.service,),
    "family": lambda alert: (alert.family,),
    "rule": lambda alert: (alert.rule,),
}
"""The texts of an alert that a condition looks at; one that fits is enough."""

_NAMED: Mapping[str, Callable[[Alert], Pairs]] = {
    "custom": lambda alert: alert.custom,
    "dimensions": lambda alert: alert.dimensions,
    "labels": lambda alert: alert.labels,
}

_SHOWN_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Chosen:
    """A destination that shall hear of an alert, in which episode, and the route that said so."""

    destination: str
    episode_key: str
    route: str


@dataclass(frozen=True, slots=True)
class Routing:
    """Where an alert goes; `decisions` has a step for each route that was asked."""

    destinations: tuple[Chosen, ...]
    decisions: tuple[Decision, ...]


class Routes:
    """The routes of a configuration, in order; `destinations` are the settings of those they name."""

    def __init__(self, routes: Iterable[RouteConfig], destinations: Mapping[str, Settings] | None = None) -> None:
        self._routes = tuple(routes)
        settings = destinations or {}
        self._without_tests = frozenset(name for name, each in settings.items() if each.on_test == "store")

    def choose(self, alert: Alert) -> Routing:
        """Return the destinations of an alert: the first route that matches wins, unless it continues."""
        chosen: dict[str, Chosen] = {}
        decisions: list[Decision] = []
        for route in self._routes:
            failing = first_failing(route.match, alert)
            if failing is not None:
                decisions.append(_decision("skipped", route, failing))
                continue
            decisions += self._follow(route, alert, chosen)
            if not route.continue_:
                break
        if not chosen:
            decisions.append(Decision("routed", "unrouted", "no route takes it to a destination"))
        return Routing(tuple(chosen.values()), tuple(decisions))

    def _follow(self, route: RouteConfig, alert: Alert, chosen: dict[str, Chosen]) -> Iterator[Decision]:
        yield _decision("matched", route, _why_matched(route))
        for name in dict.fromkeys(route.destinations):
            if alert.test and name in self._without_tests:
                yield _decision("stored", route, f"{name} is not told of test notifications (on_test is store)")
            elif name in chosen:
                yield _decision("skipped", route, f"{name} hears of it already, by route {chosen[name].route}")
            else:
                chosen[name] = Chosen(name, episode_key(alert, route.group_by), route.name)


def _decision(outcome: str, route: RouteConfig, why: str) -> Decision:
    return Decision("routed", outcome, f"route {route.name}: {why}", {"route": route.name})


def _why_matched(route: RouteConfig) -> str:
    conditions = ", ".join(_conditions(route.match)) or "it takes every alert"
    after = "the routes after it are asked too" if route.continue_ else "no route after it is asked"
    return f"to {', '.join(route.destinations)} ({conditions}; {after})"


def _conditions(match: MatchConfig) -> Iterator[str]:
    if match.severity is not None:
        yield f"severity {_severity_words(match.severity)}"
    for name in _VALUES:
        if getattr(match, name) is not None:
            yield f"{name} {getattr(match, name)}"
    for kind in _NAMED:
        for name, pattern in getattr(match, kind).items():
            yield f"{kind}.{name} {pattern}"


def first_failing(match: MatchConfig, alert: Alert) -> str | None:
    """Return the first condition of a route that an alert does not meet, in words; `None`: it meets all."""
    return next(_failing(match, alert), None)


def _failing(match: MatchConfig, alert: Alert) -> Iterator[str]:
    if match.severity is not None and not _severe(match.severity, alert.severity):
        yield f"severity {alert.severity or 'absent'} is not {_severity_words(match.severity)}"
    for name, values in _VALUES.items():
        pattern = getattr(match, name)
        texts = [text for text in values(alert) if text]
        if pattern is not None and not _any_fits(pattern, texts):
            yield f"{name} {_shown(texts)} is not {pattern}"
    for kind, pairs in _NAMED.items():
        for name, pattern in getattr(match, kind).items():
            texts = _named(pairs(alert), name)
            if not _any_fits(pattern, texts):  # the value stays untold: people put anything there
                yield f"{kind}.{name} is not {pattern}" if texts else f"{kind}.{name} is absent"


def _severe(condition: str, severity: Severity | None) -> bool:
    compare, bound = _COMPARE[condition[:-4]], Severity(condition[-4:])
    return severity is not None and compare(severity, bound)


def _severity_words(condition: str) -> str:
    return condition.removeprefix("=")


def _any_fits(pattern: str, texts: Iterable[str]) -> bool:
    return any(wildcard_fits(pattern, text) for text in texts)


def wildcard_fits(pattern: str, text: str) -> bool:
    """Whether `text` fits; `*` and `?` are wildcards, every other character stands for itself."""
    return fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


def _named(pairs: Pairs, name: str) -> list[str]:
    return [value for key, value in pairs if key.lower() == name.lower()]


def _shown(texts: list[str]) -> str:
    """The first of the texts, harmless for a log line, and how many more there are."""
    if not texts:
        return "absent"
    first = "".join(c if c.isprintable() else "?" for c in texts[0][:_SHOWN_LENGTH])
    cut = "…" if len(texts[0]) > _SHOWN_LENGTH else ""
    distinct = len({text.lower() for text in texts})
    return f"{first}{cut}" + (f" (and {distinct - 1} more)" if distinct > 1 else "")


def episode_key(alert: Alert, group_by: Iterable[str]) -> str:
    """Return the key of the episode an alert belongs to: that of its series, or wider by `group_by`.

    A test notification is an episode of its own. Neither the name of the route nor the order of
    `group_by` is part of the key, so that renaming and reordering split nothing. An alert that has
    none of the fields is not thrown together with all others that have none: its series decides.
    """
    if alert.test:
        return digest("test", alert.id)
    fields = sorted({field.lower() for field in group_by})
    values = [(field, _group_values(alert, field)) for field in fields]
    if not any(found for _, found in values):
        return alert.series.episode_key
    return digest("group", values)


def _group_values(alert: Alert, field: str) -> list[str]:
    kind, dot, name = field.partition(".")
    if dot:
        return sorted(set(_named(_NAMED[kind](alert), name)))
    if field == "resource":
        return sorted({each.key for each in alert.resources})
    return sorted({text.lower() for text in _VALUES[field](alert) if text})
