"""The project's own sample payloads, one for each shape Azure Monitor is known to send.

Used by the demonstration, by `send-test`, by `check` (templates are rendered over all of them), by
the tests and by the load tests. `docs/alerts.md` says what each becomes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, cast
from uuid import uuid4

_FOLDER = files("connector.testing").joinpath("samples")

Sample = dict[str, Any]
_Path = tuple[str, ...]

_ESSENTIALS: _Path = ("data", "essentials")
_FIRED: tuple[_Path, ...] = (
    (*_ESSENTIALS, "firedDateTime"),
    ("data", "context", "activityLog", "eventTimestamp"),
    ("data", "SearchIntervalEndtimeUtc"),
    ("SearchIntervalEndtimeUtc",),
    ("properties", "essentials", "startDateTime"),
)
_RESOLVED: tuple[_Path, ...] = (
    (*_ESSENTIALS, "resolvedDateTime"),
    ("properties", "essentials", "monitorConditionResolvedDateTime"),
)
_EITHER: tuple[_Path, ...] = (("data", "context", "timestamp"), ("context", "timestamp"))
_RULE: tuple[_Path, ...] = (
    (*_ESSENTIALS, "alertRule"),
    ("data", "context", "name"),
    ("context", "name"),
    ("data", "AlertRuleName"),
    ("AlertRuleName",),
    ("data", "BudgetName"),
    ("name",),
)
_RESOURCE: tuple[_Path, ...] = (
    (*_ESSENTIALS, "alertTargetIDs"),
    ("data", "context", "resourceId"),
    ("data", "context", "activityLog", "resourceId"),
    ("context", "resourceId"),
    ("ResourceId",),
    ("properties", "essentials", "targetResource"),
)
_NAME: tuple[_Path, ...] = ((*_ESSENTIALS, "configurationItems"), ("AffectedConfigurationItems",))
_ALERT_ID: tuple[_Path, ...] = ((*_ESSENTIALS, "alertId"), ("id",))


def names() -> tuple[str, ...]:
    """Return the names of all samples, sorted."""
    found = (each.name for each in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in found if name.endswith(".json")))


def raw(name: str) -> bytes:
    """Return a sample as it would be posted; raises KeyError for an unknown name."""
    if name not in names():
        raise KeyError(name)
    return _FOLDER.joinpath(f"{name}.json").read_bytes()


def load(name: str) -> Sample:
    """Return a sample as a document of one's own to change."""
    return cast(Sample, json.loads(raw(name)))


def fresh(
    name: str,
    *,
    alert_id: str | None = None,
    fired_at: datetime | None = None,
    resolved_at: datetime | None = None,
    rule: str | None = None,
    resource: str | None = None,
) -> Sample:
    """Return a new event of a sample's kind.

    `alert_id` is a whole id or its last segment; without one it is new, except in portal tests,
    whose ids are constant. The times default to now; `resolved_at` counts only in resolved samples.
    `resource` is an ARM id, which replaces the target and the names made of it, or a bare name,
    which replaces the first configuration item; both wherever they stand.
    """
    sample = load(name)
    now = datetime.now(UTC)
    fired, resolved = _time(fired_at or resolved_at or now), _time(resolved_at or now)
    _set(sample, _FIRED, fired)
    _set(sample, _RESOLVED, resolved)
    _set(sample, _EITHER, resolved if _get(sample, ("data", "status")) == "Deactivated" else fired)
    _set_alert_id(sample, alert_id or (None if name.startswith("portal-test") else str(uuid4())))
    if rule is not None:
        _set(sample, _RULE, rule)
    if resource is not None:
        sample = cast(Sample, _replaced(sample, _renamings(sample, resource)))
    return sample


def _time(moment: datetime) -> str:
    """Azure writes up to seven fractional digits and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _get(sample: Mapping[str, Any], path: _Path) -> Any:
    node: Any = sample
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _first(sample: Mapping[str, Any], paths: tuple[_Path, ...]) -> str:
    for path in paths:
        found = _get(sample, path)
        if found:
            return str(found[0] if isinstance(found, list) else found)
    return ""


def _set(sample: Sample, paths: tuple[_Path, ...], value: str) -> None:
    """Set the first of these members that the sample has."""
    for *way, last in paths:
        node = _get(sample, tuple(way))
        if isinstance(node, dict) and last in node:
            node[last] = value
            return


def _set_alert_id(sample: Sample, alert_id: str | None) -> None:
    known = _first(sample, _ALERT_ID)
    if alert_id is None or not known:
        return
    whole = alert_id if "/" in alert_id else f"{known.rpartition('/')[0]}/{alert_id}"
    _set(sample, _ALERT_ID, whole)


def _renamings(sample: Sample, resource: str) -> dict[str, str]:
    """What to write for which text (in lower case)."""
    target, name = _first(sample, _RESOURCE), _first(sample, _NAME)
    if "/" not in resource:
        return {name.lower(): resource} if name else {}
    new_name = resource.rpartition("/")[2]
    return {target.lower(): resource, target.rpartition("/")[2].lower(): new_name, name.lower(): new_name}


def _replaced(node: Any, renamings: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {name: _replaced(member, renamings) for name, member in node.items()}
    if isinstance(node, list):
        return [_replaced(member, renamings) for member in node]
    return renamings.get(node.lower(), node) if isinstance(node, str) and node else node
