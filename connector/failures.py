"""What follows from a failed delivery: the table Reason -> retry, pause the destination, or dead.

Pure. The worker asks it inside the commit that settles a delivery, when the standing of the
delivery and of its destination are known for certain (docs/failures.md is this table for people).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from connector.adapter import DeliveryError, Reason, Scope

FAILURES_BEFORE_PAUSE = 5
"""Failures in a row that look like the vendor being down before the destination is paused."""


class Fate(StrEnum):
    """What becomes of a delivery that failed."""

    RETRY = "retry"
    PAUSE = "pause"
    DEAD = "dead"


FATES: dict[Reason, Fate] = {
    Reason.UNREACHABLE: Fate.RETRY,
    Reason.TIMEOUT: Fate.RETRY,
    Reason.RATE_LIMITED: Fate.RETRY,
    Reason.VENDOR_FAULT: Fate.RETRY,
    Reason.UNAUTHORIZED: Fate.PAUSE,
    Reason.REJECTED: Fate.DEAD,
    Reason.AMBIGUOUS: Fate.DEAD,
    Reason.ADAPTER_FAULT: Fate.DEAD,
}

LOOKS_DOWN = frozenset({Reason.UNREACHABLE, Reason.TIMEOUT, Reason.VENDOR_FAULT})


@dataclass(frozen=True, slots=True)
class Standing:
    """How a delivery and its destination stand at the moment of a failure, by the store's clock."""

    at: datetime
    attempts: int
    first_failed_at: datetime | None
    failures_in_a_row: int
    paused: bool
    last_success_at: datetime | None
    well_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do now. `due` is when the episode may be tried again; `why` is a sentence."""

    fate: Fate
    due: datetime
    failures_in_a_row: int
    why: str

    @property
    def burns_attempt(self) -> bool:
        """A delivery that only waits for its destination has not been tried in vain."""
        return self.fate is not Fate.PAUSE


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: the [delivery] settings, and the dice for the jitter.

    `settling` is what a call that we no longer wait for gets to come to its end at the vendor: a
    look-up before that could miss what is about to be made.
    """

    first_backoff: timedelta
    max_backoff: timedelta
    give_up_after: timedelta
    settling: timedelta = timedelta(0)
    dice: Callable[[], float] = random.random

    def backoff(self, attempts: int) -> timedelta:
        """Return a wait of full jitter: anything up to `first_backoff` doubled per attempt."""
        doubled = self.first_backoff * float(2 ** min(attempts, 20))
        return min(doubled, self.max_backoff) * self.dice()

    def verdict(self, error: DeliveryError, standing: Standing) -> Verdict:
        """Return what follows from `error`, given how things stand."""
        looks_down = error.reason in LOOKS_DOWN and error.scope is Scope.DESTINATION
        failures = standing.failures_in_a_row + 1 if looks_down else 0
        fate = FATES[error.reason]
        if fate is not Fate.RETRY:
            return self._final(error, standing, failures)
        if looks_down and (standing.paused or failures >= FAILURES_BEFORE_PAUSE):
            why = f"{failures} failures in a row look like the vendor being down"
            return Verdict(Fate.PAUSE, self._settled(error, standing.at), failures, why)
        if self._gives_up(standing):
            return Verdict(Fate.DEAD, standing.at, failures, "given up: its destination is otherwise well")
        wait = self.backoff(standing.attempts) if error.retry_after is None else error.retry_after
        due = max(standing.at + wait, self._settled(error, standing.at))
        return Verdict(Fate.RETRY, due, failures, f"tried again after {error.reason}")

    def _settled(self, error: DeliveryError, at: datetime) -> datetime:
        """When the outcome stands: a vendor that answered has come to its end, one that did not may still work."""
        may_still_work = error.maybe_done and error.reason in (Reason.TIMEOUT, Reason.UNREACHABLE)
        return at + self.settling if may_still_work else at

    def _final(self, error: DeliveryError, standing: Standing, failures: int) -> Verdict:
        if error.scope is Scope.DESTINATION:
            why = f"{error.reason}: nothing sent to this destination would succeed"
            return Verdict(Fate.PAUSE, standing.at, failures, why)
        return Verdict(Fate.DEAD, standing.at, failures, f"{error.reason}: trying again would not help")

    def _gives_up(self, standing: Standing) -> bool:
        began, success = standing.first_failed_at, standing.last_success_at
        if began is None or success is None or success <= began:
            return False
        in_good_times = max(began, standing.well_since or began)  # an outage of the destination is nobody's fault
        return standing.at - in_good_times >= self.give_up_after
