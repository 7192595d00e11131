"""What a family of alerts is: how its context is known, and what it makes of it.

A family is a module with these three names. To add one, write the module and put it before
`generic` in `reading.FAMILIES`; nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from connector.azure.envelope import Envelope
from connector.model import Condition, Fact, Link, Pairs, Resource, Severity


@dataclass(frozen=True, slots=True)
class Reading:
    """What a family reads out of a context.

    `resources` are in order of trust. `series` are the parts of the identity of what repeats
    (docs/alerts.md has the table); empty when there are none, then each alert is a series of its
    own. `condition` overrides the state Azure wrote, where that is not what it means.
    """

    summary: str
    series: Pairs
    resources: tuple[Resource, ...] = ()
    dimensions: Pairs = ()
    labels: Pairs = ()
    custom: Pairs = ()
    facts: tuple[Fact, ...] = ()
    links: tuple[Link, ...] = ()
    condition: Condition | None = None
    priority_hint: Severity | None = None
    trouble: Pairs | None = None


class Family(Protocol):
    """A family of alerts; modules fulfil it."""

    NAME: str

    def matches(self, envelope: Envelope) -> bool:
        """Tell by the shape of the context, not by the name of the service."""

    def read(self, envelope: Envelope) -> Reading:
        """Return what the context says; must not raise, whatever it holds."""
