"""Driving the store and an adapter by hand, one step at a time and without threads.

For tests that choose every order and every crash point themselves: a `HandWorker` claims, delivers
and settles exactly when told, and may be dropped at any moment as a killed process would be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.adapter import Adapter, DeliveryError
from connector.failures import Patience
from connector.lifecycle import episode_after
from connector.model import Alert, Condition, Resource, Series, Severity, digest
from connector.store import Accepting, Address, Claim, Delivered, Failed, Settled, Settlement, Store, Stored

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""The moment at which hand-made troubles begin."""

AT_ONCE = Patience(timedelta(0), timedelta(0), timedelta(days=3))
"""No waiting between tries."""


def make_alert(
    condition: str = "fired",
    *,
    azure_id: str | None = "a1",
    minute: float = 0,
    fired_minute: float | None = None,
    series: str = "cpu-web-01",
    severity: str | None = "Sev2",
    **more: Any,
) -> Alert:
    """Return an alert that happened `minute` minutes after `NOON`; a resolved fired at `fired_minute`."""
    happened = NOON + timedelta(minutes=minute)
    resolved = condition == Condition.RESOLVED
    fired = happened if fired_minute is None and not resolved else NOON + timedelta(minutes=fired_minute or 0)
    fields: dict[str, Any] = {
        "id": digest("hand", condition, azure_id, minute, series, severity)[:32],
        "received_at": datetime.now(UTC),
        "family": "metric",
        "condition": Condition(condition),
        "series": Series("metric", (("rule", series),)),
        "azure_alert_id": f"/subscriptions/s/providers/Microsoft.AlertsManagement/alerts/{azure_id}"
        if azure_id
        else None,
        "rule": series,
        "severity": Severity(severity) if severity else None,
        "fired_at": fired,
        "resolved_at": happened if resolved else None,
        "time_text": happened.isoformat(),
        "summary": f"{series} is {condition}",
        "resources": (Resource("web-01", "web-01"),),
    }
    return Alert(**(fields | more))


def accept(store: Store, alert: Alert, *destinations: str, episode: str | None = None) -> Stored:
    """Store an alert for the destinations (default `desk`) as intake would."""
    key = episode or (digest("test", alert.id) if alert.test else alert.series.episode_key)
    addresses = tuple(Address(name, key) for name in destinations or ("desk",))
    return store.accept(Accepting(alert, b"{}", addresses))


class HandWorker:
    """One worker of one store; `name` is its owner mark."""

    def __init__(
        self, store: Store, adapters: Mapping[str, Adapter[Any]], *, name: str = "hand", patience: Patience = AT_ONCE
    ) -> None:
        self.store = store
        self.adapters = adapters
        self.name = name
        self.patience = patience
        self._namespaces = {each: each for each in adapters}

    def claim(self, limit: int = 100) -> list[Claim]:
        """Take what is due."""
        return self.store.work(self.name, [], self._namespaces, limit, self.patience.max_backoff)[1]

    def deliver(self, claim: Claim) -> Settlement:
        """Hand one claim to its adapter; the outcome is not written yet."""
        try:
            receipt = self.adapters[claim.destination].deliver(claim.notice)
        except DeliveryError as error:
            cause = error
            return Failed(claim, cause, lambda standing: self.patience.verdict(cause, standing))
        return Delivered(claim, receipt, episode_after(claim.notice, receipt))

    def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Write outcomes."""
        return self.store.work(self.name, settlements, self._namespaces, 0, self.patience.max_backoff)[0]

    def step(self, limit: int = 100) -> list[Settled]:
        """Claim, deliver and settle once."""
        claims = self.claim(limit)
        return self.settle([self.deliver(claim) for claim in claims]) if claims else []

    def run(self, steps: int = 200) -> None:
        """Work until nothing is due; fails after `steps`, which means that something never ends."""
        for _ in range(steps):
            if not self.step():
                return
        raise AssertionError(f"work was still due after {steps} steps")
