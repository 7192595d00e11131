"""Azure Resource Manager ids: their parts, the resource they name, the subscription they are in."""

from __future__ import annotations

import re

from connector.azure.fields import ID_LIMIT, NAME_LIMIT, line
from connector.model import Resource

_SUBSCRIPTION_TYPE = "microsoft.resources/subscriptions"
_GROUP_TYPE = "microsoft.resources/resourcegroups"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

CONTAINER_TYPES = frozenset(
    {
        _SUBSCRIPTION_TYPE,
        _GROUP_TYPE,
        "microsoft.operationalinsights/workspaces",
        "microsoft.insights/components",
        "microsoft.monitor/accounts",
    }
)
"""What holds the data an alert was computed from, and seldom is the sick thing itself."""


def is_arm_id(value: str) -> bool:
    """Tell a full id from a bare name; an id counts without its leading slash, too."""
    lowered = value.lstrip("/").lower()
    return lowered.startswith(("subscriptions/", "providers/")) and len(lowered.split("/")) > 1


def is_guid(value: str) -> bool:
    """Tell a GUID, which is nobody's name for a machine."""
    return _GUID.fullmatch(value) is not None


def parse_resource(value: str) -> Resource | None:
    """Return the resource an ARM id or a bare name stands for; None for an empty one."""
    value = line(value, ID_LIMIT)
    if not value.strip("/"):
        return None
    return _from_id(value) if is_arm_id(value) else Resource(value, line(value, NAME_LIMIT))


def subscription_of(value: str) -> str | None:
    """Return the subscription an id is in, in lower case and otherwise as it came."""
    segments = value.strip().lower().split("/")
    segments = [each for each in segments if each]
    if len(segments) > 1 and segments[0] == "subscriptions":
        return line(segments[1]) or None
    return None


def is_container(resource: Resource) -> bool:
    """Whether a resource only holds the data that was looked at."""
    return resource.type in CONTAINER_TYPES


def _from_id(value: str) -> Resource:
    segments = [each for each in value.split("/") if each]
    lowered = [each.lower() for each in segments]
    return Resource(
        id="/" + "/".join(segments),
        name=line(segments[-1], NAME_LIMIT),
        subscription=subscription_of(value),
        resource_group=_after(lowered, segments, "resourcegroups"),
        type=_type(lowered),
    )


def _after(lowered: list[str], segments: list[str], word: str) -> str | None:
    place = lowered.index(word) + 1 if word in lowered else len(segments)
    return line(segments[place], NAME_LIMIT) if place < len(segments) else None


def _type(lowered: list[str]) -> str | None:
    """`provider/type[/type]` after the last `providers`: an extension is what its id ends with."""
    if "providers" in lowered:
        last = len(lowered) - 1 - lowered[::-1].index("providers")
        provider, pairs = lowered[last + 1 : last + 2], lowered[last + 2 :]
        return line("/".join(provider + pairs[::2]), NAME_LIMIT) or None
    return _GROUP_TYPE if "resourcegroups" in lowered else _SUBSCRIPTION_TYPE
