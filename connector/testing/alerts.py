"""Hand-made alerts and notices: one trouble as Azure and the worker would tell of it, without either.

For tests of adapters and of the lifecycle. A `Trouble` is an episode that the test moves on: each
call of `fires`, `resolves` or `updates` makes the next notice of it, `delivered` takes the receipt.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.adapter import Adapter
from connector.lifecycle import episode_after
from connector.model import (
    Alert,
    Condition,
    Episode,
    Fact,
    Link,
    Notice,
    Receipt,
    Resource,
    Series,
    Severity,
    digest,
)

SUBSCRIPTION = "0f4d6c1e-58a2-4b0f-9d17-6c2b1f0a7e35"
AZURE_ALERT = "7d0f2c4b-3a61-4c8e-b1d5-90e7f6a2c813"
BEGIN = datetime(2026, 2, 3, 9, 0, tzinfo=UTC)
"""When hand-made troubles begin, by Azure's clock and by the store's."""


def virtual_machine(name: str = "web-01") -> Resource:
    """Return a virtual machine of the sample subscription."""
    id_ = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/prod-web/providers/Microsoft.Compute/virtualMachines/{name}"
    return Resource(id_, name, SUBSCRIPTION, "prod-web", "microsoft.compute/virtualmachines")


def an_alert(condition: Condition = Condition.FIRED, at: datetime = BEGIN, **changes: Any) -> Alert:
    """Return an alert that happened at a moment; `changes` replace any of its fields."""
    alert = Alert(
        id=digest("hand-made", condition, at.isoformat())[:32],
        received_at=at,
        family="metric",
        condition=condition,
        series=Series("metric", (("rule", "cpu-high"), ("resource", "web-01"))),
        azure_alert_id=f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/{AZURE_ALERT}",
        service="Platform",
        signal="Metric",
        rule="CPU above 80 percent",
        severity=Severity.SEV2,
        fired_at=at,
        resolved_at=at if condition is Condition.RESOLVED else None,
        time_text=at.isoformat(),
        summary="Percentage CPU is 91, above 80",
        description="The web servers are short of CPU.",
        resources=(virtual_machine(),),
        dimensions=(("pool", "blue"),),
        facts=(Fact("Threshold", "80 (GreaterThan)"),),
        links=(Link("Azure alert", "https://portal.azure.com/#view/alert"),),
        subscriptions=(SUBSCRIPTION,),
    )
    return replace(alert, **changes)


@dataclass(slots=True)
class Trouble:
    """An episode at one destination, moved on by hand.

    `clock` is how long after `begin` it is now, for Azure and for the store; a test sets it.
    """

    destination: str = "desk"
    namespace: str = "desk"
    key: str = digest("hand-made trouble")
    begin: datetime = BEGIN
    clock: timedelta = timedelta(0)
    episode: Episode = field(init=False)

    def __post_init__(self) -> None:
        self.episode = Episode(self.key)

    @property
    def now(self) -> datetime:
        """What `clock` means by the calendar."""
        return self.begin + self.clock

    def notice(self, *alerts: Alert, ended: bool = False, uncertain: bool = False) -> Notice:
        """Return the notice of these alerts as things stand."""
        since = self.now - timedelta(seconds=30) if uncertain else None
        return Notice(self.destination, self.namespace, self.episode, alerts, self.now, ended, since)

    def fires(self, *, uncertain: bool = False, **changes: Any) -> Notice:
        """Return the notice of an alert that fires now."""
        return self.notice(self.alert(Condition.FIRED, **changes), uncertain=uncertain)

    def resolves(self, *, ended: bool = True, uncertain: bool = False, **changes: Any) -> Notice:
        """Return the notice of a resolved of now; `ended` as if no other series were open."""
        return self.notice(self.alert(Condition.RESOLVED, **changes), ended=ended, uncertain=uncertain)

    def updates(self, **changes: Any) -> Notice:
        """Return the notice of news about the running trouble."""
        return self.notice(self.alert(Condition.UPDATE, **changes))

    def tests(self, **changes: Any) -> Notice:
        """Return the notice of a portal test notification."""
        return self.notice(self.alert(Condition.FIRED, test=True, **changes), ended=True)

    def alert(self, condition: Condition, **changes: Any) -> Alert:
        """Return an alert of now; a resolved is that of an alert which fired at the begin."""
        fired = {"fired_at": self.begin} if condition is Condition.RESOLVED else {}
        return an_alert(condition, self.now, **(fired | changes))

    def tell(self, adapter: Adapter[Any], notice: Notice) -> Receipt:
        """Deliver the notice and move the episode on as the worker would; raises DeliveryError."""
        receipt = adapter.deliver(notice)
        self.episode = episode_after(notice, receipt)
        return receipt
