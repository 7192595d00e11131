"""Which resource is sick: the candidates an alert names, in order of trust.

The target of a rule is often only where the data lies (a workspace), so that the machine named by a
dimension or a configuration item comes before it (reference: alerts-common-schema, the priority
list of configurationItems).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice

from connector.azure.arm import is_arm_id, is_container, is_guid, parse_resource
from connector.model import Pairs, Resource

MOST = 20
"""Resources kept of one alert."""

_LOOKED_AT = 1000

RESOURCE_DIMENSIONS = ("_resourceid", "resourceid", "resource", "computer")
"""Dimensions that name a resource, the surest first."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What an alert names, by where it is named; a bare name stands for the id that ends with it."""

    targets: tuple[Resource, ...]
    split_by: tuple[Resource, ...]
    items: tuple[Resource, ...]
    split_names: tuple[Resource, ...]

    @classmethod
    def of(cls, targets: Iterable[str], items: Iterable[str], dimensions: Pairs = ()) -> Candidates:
        """Collect the candidates of ids and names as received."""
        parsed_targets, parsed_items = _parse(targets), _parse(items)
        split_by = _parse(value for _, value in dimensions if is_arm_id(value))
        known = {each.name.lower(): each for each in (*parsed_items, *split_by, *parsed_targets) if each.is_arm}
        return cls(
            parsed_targets,
            split_by,
            tuple(known.get(each.key, each) for each in parsed_items),
            tuple(known.get(each.key, each) for each in _parse(_named_by(dimensions))),
        )

    def target_first(self) -> tuple[Resource, ...]:
        """The order of metric alerts, whose target is the thing measured."""
        return _first_of(self._direct(), self.split_by, self.items, self.split_names, self.targets)

    def split_first(self) -> tuple[Resource, ...]:
        """The order of log alerts: what the query was split by is surer than where it ran."""
        full = (each for each in self.items if each.is_arm)
        return _first_of(self.split_by, full, self._direct(), self.items, self.split_names, self.targets)

    def affected(self) -> tuple[Resource, ...]:
        """What a log alert says is sick: its resource dimension, else its configuration items."""
        found = self.split_by or self.items or self.split_names
        return found or self.split_first()[:1]

    def _direct(self) -> tuple[Resource, ...]:
        return tuple(each for each in self.targets if not is_container(each))


def _named_by(dimensions: Pairs) -> list[str]:
    by_rank = {name.lower(): value for name, value in dimensions if value and not is_arm_id(value)}
    return [by_rank[name] for name in RESOURCE_DIMENSIONS if name in by_rank]


def _parse(values: Iterable[str]) -> tuple[Resource, ...]:
    """A GUID alone (a subscription, a computer's key) is nobody's name in a CMDB."""
    parsed = (parse_resource(value) for value in islice(values, _LOOKED_AT) if not is_guid(value))
    return tuple(dict.fromkeys(each for each in parsed if each))


def _first_of(*groups: Iterable[Resource]) -> tuple[Resource, ...]:
    return tuple(islice(dict.fromkeys(chain.from_iterable(groups)), MOST))
