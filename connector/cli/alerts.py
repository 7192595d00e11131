"""`alerts list|show|replay`: what Azure said, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from connector import views
from connector.app import routes_of
from connector.cli.options import (
    loaded,
    store_beside,
    the_alert,
    with_comment,
    with_config,
    with_dry_run,
    with_limit,
    with_output,
)
from connector.cli.output import say, show, show_json, show_table
from connector.config import Config
from connector.intake import Intake, consider_alert
from connector.metrics import Metrics
from connector.model import Alert, Decision
from connector.report import utc
from connector.store import Store, StoredAlert, StoredDelivery


@click.group()
def alerts() -> None:
    """What Azure said, and what became of it."""


@alerts.command("list")
@with_config
@with_limit
@with_output
def list_alerts(config_path: Path, limit: int, everything: bool, output: str) -> None:
    """List alerts, newest first."""
    with store_beside(loaded(config_path)) as store:
        found = store.list_alerts(None if everything else limit)
    if output == "json":
        show_json([views.of_stored_alert(each) for each in found])
        return
    headings = ("ID", "RECEIVED", "CONDITION", "SEVERITY", "RULE", "RESOURCE", "DELIVERIES")
    show_table(headings, [_row(each) for each in found])
    if not found:
        say("no alerts yet")
    elif len(found) == limit and not everything:
        say(f"the newest {limit}; --all lists every one")


def _row(stored: StoredAlert) -> tuple[object, ...]:
    alert = stored.alert
    condition = f"{alert.condition} (test)" if alert.test else alert.condition
    where = alert.resources[0].name if alert.resources else None
    return alert.id[:12], alert.received_at, condition, alert.severity, alert.rule, where, _became(stored)


def _became(stored: StoredAlert) -> str:
    return ", ".join(f"{each.destination}: {_said(each)}" for each in stored.deliveries) or "unrouted"


def _said(delivery: StoredDelivery) -> str:
    item = delivery.receipt.item if delivery.receipt else None
    return f"{delivery.state} {item.number}" if item else delivery.state


@alerts.command("show")
@click.argument("id_", metavar="ID")
@with_config
@with_output
def show_alert(id_: str, config_path: Path, output: str) -> None:
    """Show one alert and its deliveries; ID may be cut to 6 digits, or be a delivery's."""
    with store_beside(loaded(config_path)) as store:
        stored = the_alert(store, id_)
    if output == "json":
        show_json(views.of_stored_alert(stored))
        return
    for name, value in views.of_alert(stored.alert).items():
        for each in value if isinstance(value, list) else [value]:
            if each not in (None, ""):
                show(f"{name.replace('_', ' ') + ':':16} {each}")
    for delivery in stored.deliveries:
        _show_delivery(delivery)
    if not stored.deliveries:
        show("no route wanted it")


def _show_delivery(delivery: StoredDelivery) -> None:
    show()
    show(f"to {delivery.destination}: {delivery.state} after {delivery.attempts} attempts   (delivery {delivery.id})")
    if delivery.next_attempt_at:
        show(f"  next attempt      {utc(delivery.next_attempt_at)}")
    if delivery.last_error:
        show(f"  last error        {delivery.last_error['reason']}: {delivery.last_error['message']}")
    if delivery.receipt:
        show(f"  actions           {', '.join(delivery.receipt.actions)}")
    if delivery.receipt and delivery.receipt.item:
        item = delivery.receipt.item
        show(f"  work item         {item.number} ({item.state})  {item.url}")
    for each in delivery.receipt.configuration_items if delivery.receipt else ():
        show(f"  configuration item {each.name} (by {each.matched_by})")


@alerts.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@with_config
@with_comment
@with_dry_run
@with_output
def replay(*, ids: tuple[str, ...], config_path: Path, comment: str, dry_run: bool, output: str) -> None:
    """Route alerts again by the routes of today: an unrouted one, say.

    A destination that has heard of an alert is not told again; see `deliveries replay`.
    """
    config = loaded(config_path)
    decision = Decision("replayed", "routed again", comment or "routed again by an operator")
    with store_beside(config) as store:
        chosen = {found.alert.id: found for found in (the_alert(store, each) for each in ids)}
        again = _would_route(config) if dry_run else _routing(config, store, decision)
        routed = {id_: _news(stored, again(stored.alert)) for id_, stored in chosen.items()}
    if output == "json":
        show_json([{"id": id_, "destinations": names} for id_, names in routed.items()])
        return
    for id_, names in routed.items():
        show(f"{id_}  {', '.join(names) or 'no further destination'}")


def _would_route(config: Config) -> Callable[[Alert], list[str]]:
    routes = routes_of(config)
    return lambda alert: [each.destination for each in consider_alert(alert, routes).routing.destinations]


def _routing(config: Config, store: Store, decision: Decision) -> Callable[[Alert], list[str]]:
    intake = Intake(routes_of(config), store, Metrics(store.backlog))
    return lambda alert: [name for _, name in intake.again(alert, decision).deliveries]


def _news(before: StoredAlert, destinations: list[str]) -> list[str]:
    known = {each.destination for each in before.deliveries}
    return [name for name in destinations if name not in known]
