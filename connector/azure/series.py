"""The parts of a series: what makes two alerts the same thing happening again.

The rule counts by name and not by id, because most payloads lack the id. Lower case is used where
Azure ignores case: names of rules, ids and names of resources; not for values of dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.azure.arm import is_arm_id, subscription_of
from connector.azure.envelope import Envelope
from connector.azure.resources import MOST
from connector.model import Pairs, Resource, digest


def rule_on_resource(envelope: Envelope, resources: Sequence[Resource], dimensions: Pairs = ()) -> Pairs:
    """Return the parts of "this rule on these resources, split by these dimensions"."""
    if not envelope.rule and not resources:
        return ()
    keys = sorted(each.key for each in resources)
    if len(keys) > MOST:
        keys = [digest("resources", keys)]
    split = sorted((f"dimension {name}", _folded(value)) for name, value in dimensions)
    return (("rule", envelope.rule.lower()), *(("resource", key) for key in keys), *_scope(envelope, resources), *split)


def _scope(envelope: Envelope, resources: Sequence[Resource]) -> Pairs:
    """A bare name means one machine only within its workspace or subscription."""
    if resources and all(each.is_arm for each in resources):
        return ()
    named = (*envelope.targets, subscription_of(envelope.alert_id) or "", *envelope.scopes)
    return (("scope", next((each.lower().strip("/") for each in named if each), "")),)


def _folded(value: str) -> str:
    return value.lower() if is_arm_id(value) else value
