"""`send-test`: an alert of the project's own, through the same intake, to where it would go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import click

from connector.app import routes_of
from connector.cli.exits import Ended, Exit
from connector.cli.options import loaded, store_beside, with_config
from connector.cli.output import say, show
from connector.cli.story import awaited, tell_delivery
from connector.config import Config, RouteConfig
from connector.intake import Accepted, Intake
from connector.metrics import Metrics
from connector.model import Decision
from connector.routes import Routes
from connector.store import Store, StoredDelivery
from connector.testing import samples

DEFAULT_SAMPLE = "metric-static-fired"

SENT = Decision("authenticated", "let in", "send-test, by an operator on this machine")


@click.command("send-test")
@with_config
@click.option("--destination", metavar="NAME", help="Only there, whatever the routes say.")
@click.option("--sample", "name", default=DEFAULT_SAMPLE, metavar="NAME", show_default=True, help="Which alert.")
@click.option("--resolve", is_flag=True, help="Send its resolved afterwards.")
@click.option("--wait", type=click.FloatRange(min=0), default=20.0, show_default=True, help="Seconds for the worker.")
def send_test(*, config_path: Path, destination: str | None, name: str, resolve: bool, wait: float) -> int:
    """Send a test alert and say what became of it.

    It is stored like one of Azure's, without a token, and delivered by the `serve` or `worker` that
    runs. Its rule begins with `TEST:`, so that nobody takes it for trouble.
    """
    config = loaded(config_path)
    event = _Event.of(name)
    with store_beside(config) as store:
        intake = Intake(_routes(config, destination), store, Metrics(store.backlog))
        code = _send(intake, store, event.fired(), wait)
        if resolve and code is Exit.OK:
            show()
            code = _send(intake, store, event.resolved(), wait)
    return code


def _routes(config: Config, destination: str | None) -> Routes:
    if destination is None:
        return routes_of(config)
    if destination not in config.destinations:
        names = ", ".join(config.destinations) or "none"
        raise click.UsageError(f"There is no destination {destination!r}; the configuration has {names}.")
    return Routes((RouteConfig(name="send-test", destinations=(destination,)),), config.destinations)


@dataclass(frozen=True, slots=True)
class _Event:
    """One trouble made of a sample: its fired and its resolved share what Azure keeps equal."""

    name: str
    alert_id: str | None
    rule: str
    at: datetime

    @classmethod
    def of(cls, name: str) -> _Event:
        if name not in samples.names():
            raise click.UsageError(f"There is no sample {name!r}; there are {', '.join(samples.names())}.")
        now = datetime.now(UTC)
        own_id = None if name.startswith("portal-test") else str(uuid4())
        return cls(name, own_id, f"TEST: {name} {now:%Y-%m-%dT%H:%M:%SZ}", now)

    def fired(self) -> samples.Sample:
        return samples.fresh(self.name, alert_id=self.alert_id, fired_at=self.at, rule=self.rule)

    def resolved(self) -> samples.Sample:
        document = self.fired()
        essentials = document.get("data", {}).get("essentials")
        if not isinstance(essentials, dict) or essentials.get("monitorCondition") != "Fired":
            raise Ended(Exit.NEGATIVE, f"the sample {self.name} has no resolved")
        over = max(datetime.now(UTC), self.at + timedelta(seconds=1))
        essentials["monitorCondition"] = "Resolved"
        essentials["resolvedDateTime"] = over.isoformat().replace("+00:00", "Z")
        return document


def _send(intake: Intake, store: Store, document: samples.Sample, wait: float) -> Exit:
    accepted = intake.take_in(json.dumps(document).encode(), (SENT,))
    show(f"{accepted.status}  alert {accepted.id}")
    for warning in accepted.warnings:
        say(f"warning: {warning}")
    if accepted.status == "quarantined":
        raise Ended(Exit.NEGATIVE, f"a fault of our own: see `quarantine show {accepted.id}`")
    if not accepted.deliveries:
        raise Ended(Exit.NEGATIVE, f"no route wants it; see `explain {accepted.id}`, or name a --destination")
    return _outcome(store, accepted, wait)


def _outcome(store: Store, accepted: Accepted, wait: float) -> Exit:
    stored = awaited(store, accepted.id, wait)
    for delivery in stored.deliveries:
        tell_delivery(delivery)
    codes = [_code(store, each) for each in stored.deliveries]
    say(f"more: itsm-connector explain {stored.alert.id[:12]}")
    return max(codes)


def _code(store: Store, delivery: StoredDelivery) -> Exit:
    """The code that one delivery asks for; says what is to be said about it."""
    if delivery.state == "delivered":
        return Exit.OK
    reason = delivery.last_error["reason"] if delivery.last_error else None
    if reason == "unauthorized":
        return Exit.REFUSED
    if delivery.state in ("dead", "held", "discarded"):
        return Exit.NEGATIVE
    if reason is not None:
        return Exit.UNREACHABLE
    return _waits_for(store, delivery)


def _waits_for(store: Store, delivery: StoredDelivery) -> Exit:
    paused = next((each for each in store.backlog() if each.destination == delivery.destination and each.paused), None)
    if paused is not None:
        say(f"{delivery.destination} is paused ({paused.pause_reason}: {paused.pause_message})")
        return Exit.REFUSED if paused.pause_reason == "unauthorized" else Exit.UNREACHABLE
    say(f"{delivery.destination} has not been tried: no `serve` or `worker` seems to run on this store")
    return Exit.NEGATIVE
