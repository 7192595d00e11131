"""What the endpoints ask the process about itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

OK = "ok"


class Health(Protocol):
    """Says for each part, by name, `ok` or in words what is wrong."""

    def alive(self) -> Mapping[str, str]:
        """The threads that must run; one that has failed for good makes /healthz answer 503."""

    def ready(self) -> Mapping[str, str]:
        """What this process needs to do its job; never the state of a vendor."""


def all_ok(checks: Mapping[str, str]) -> bool:
    """Return whether nothing is wrong."""
    return all(words == OK for words in checks.values())


__all__ = ["OK", "Health", "all_ok"]
