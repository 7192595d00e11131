"""Every alert that no other family knows: accepted, and its context shown as it came.

Azure's set of services is open; a new one must reach people on its first day. What may hold
personal data or rows in bulk is left out, by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from connector.azure.envelope import Envelope
from connector.azure.family import Reading
from connector.azure.fields import MANY, NAME_LIMIT, VALUE_LIMIT, line, text, without_addresses
from connector.azure.resources import Candidates
from connector.azure.series import rule_on_resource
from connector.model import Fact

NAME = "generic"

LEFT_OUT = frozenset(
    {
        "claims", "caller", "authorization", "httprequest", "clientipaddress", "callerip", "ipaddress",
        "identity", "initiatedby", "createdby", "modifiedby", "actor", "principalname", "userprincipalname",
        "upn", "username", "user", "lastmodifiedusername", "budgetcreator", "accounts",
        "requestbody", "responsebody", "searchresult", "searchresults", "tables", "rows", "event", "egressconfig",
    }
)  # fmt: skip
"""Members left out, in lower case: who did it, from where, and rows in bulk."""

_LEFT_OUT_PARTS = ("email", "mailto", "accountsused")
_DEEPEST = 8
_HEADLINES = (
    ("detectionsummary",),
    ("properties", "title"),
    ("title",),
    ("annotations", "summary"),
    ("operationname",),
)


def matches(envelope: Envelope) -> bool:  # noqa: ARG001 - the family that is asked last
    """Everything."""
    return True


def read(envelope: Envelope) -> Reading:
    """Return the context as facts."""
    resources = Candidates.of(envelope.targets, envelope.configuration_items).target_first()
    return Reading(
        summary=_summary(envelope),
        # Without a rule two alerts on one resource may be about quite different things.
        series=rule_on_resource(envelope, resources[:1]) if envelope.rule else (),
        resources=resources,
        facts=tuple(Fact(name, value) for name, value in islice(_flat(envelope.context.raw), MANY)),
    )


def _summary(envelope: Envelope) -> str:
    for *path, name in _HEADLINES:
        place = envelope.context
        for step in path:
            place = place.fields(step)
        if headline := without_addresses(place.line(name, limit=VALUE_LIMIT)):
            return headline
    about = " ".join(filter(None, (envelope.service or "Azure Monitor", "alert", envelope.rule)))
    return line(f"{about} {envelope.condition}", VALUE_LIMIT)


def _flat(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the scalars of a tree with their dotted names."""
    if len(path) > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, member in value.items():
            if not _is_left_out(name):
                yield from _flat(member, (*path, line(name)))
    elif isinstance(value, list):
        for number, member in enumerate(value, 1):
            yield from _flat(member, (*path, str(number)))
    elif path and (shown := without_addresses(text(value))):
        yield line(".".join(path), NAME_LIMIT), shown


def _is_left_out(name: str) -> bool:
    plain = name.lower().replace("_", "").replace("-", "").replace(" ", "")
    return plain in LEFT_OUT or any(each in plain for each in _LEFT_OUT_PARTS)
