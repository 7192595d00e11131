"""`deliveries list|replay|discard`: what waits, what is dead, and what an operator does about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from connector import views
from connector.cli.exits import Ended, Exit
from connector.cli.options import (
    confirmed,
    loaded,
    store_beside,
    the_only,
    with_comment,
    with_config,
    with_dry_run,
    with_limit,
    with_output,
    with_yes,
)
from connector.cli.output import say, show, show_json, show_table
from connector.report import clean_line, in_words, utc
from connector.store import Backlog, Choice, Store, StoredDelivery
from connector.store.operate import DISCARDABLE, REPLAYABLE

STATES = ("waiting", "delivering", "delivered", "dead", "held", "discarded")


@click.group()
def deliveries() -> None:
    """What is to be told to whom: what waits, what was done, what is dead."""


@deliveries.command("list")
@with_config
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--destination", metavar="NAME", help="Only those for this destination.")
@with_limit
@with_output
def list_deliveries(
    *, config_path: Path, state: str | None, destination: str | None, limit: int, everything: bool, output: str
) -> None:
    """List deliveries, newest first; a paused destination is told on stderr."""
    with store_beside(loaded(config_path)) as store:
        found = store.list_deliveries(state, destination, None if everything else limit)
        backlog = store.backlog()
        moment = store.now()
    for each in backlog:
        if each.paused and destination in (None, each.destination):
            say(_paused(each))
    if output == "json":
        show_json([views.of_listed_delivery(each) for each in found])
        return
    headings = ("ID", "DESTINATION", "STATE", "ATTEMPTS", "AGE", "NEXT ATTEMPT", "WORK ITEM", "ACTIONS", "LAST ERROR")
    show_table(headings, [(*_who(each), in_words(moment - each.received_at), *_what(each)) for each in found])
    if not found:
        say("no such delivery")
    elif len(found) == limit and not everything:
        say(f"the newest {limit}; --all lists every one")


def _paused(backlog: Backlog) -> str:
    since = f" since {utc(backlog.paused_since)}" if backlog.paused_since else ""
    probe = f"; the next probe is at {utc(backlog.next_probe_at)}" if backlog.next_probe_at else ""
    why = clean_line(f"{backlog.pause_reason}: {backlog.pause_message}")
    return f"{backlog.destination} is paused{since} ({why}); {backlog.waiting} wait{probe}"


def _who(delivery: StoredDelivery) -> tuple[object, ...]:
    return delivery.id[:12], delivery.destination, delivery.state, delivery.attempts


def _what(delivery: StoredDelivery) -> tuple[object, ...]:
    receipt, error = delivery.receipt, delivery.last_error
    item = receipt.item.number if receipt and receipt.item else None
    actions = ", ".join(receipt.actions) if receipt else None
    return delivery.next_attempt_at, item, actions, f"{error['reason']}: {error['message']}" if error else None


@deliveries.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@with_config
@click.option("--state", type=click.Choice(REPLAYABLE), help="All in this state.")
@click.option("--destination", metavar="NAME", help="With --state: only those for this destination.")
@with_comment
@with_dry_run
@with_yes
def replay(
    *,
    ids: tuple[str, ...],
    config_path: Path,
    state: str | None,
    destination: str | None,
    comment: str,
    dry_run: bool,
    yes: bool,  # noqa: ARG001 - accepted as by `discard`; nothing is lost by trying again
) -> None:
    """Try deliveries again that are dead, held or discarded.

    What they say is restored by Azure's times: a resolved replayed after a later fired changes nothing.
    """
    choice = _choice(ids, state, destination)
    with store_beside(loaded(config_path)) as store:
        chosen = _chosen(store, choice, store.replayable, REPLAYABLE)
        if not dry_run:
            store.replay(chosen, comment)
    _show_ids(chosen, "would be tried again" if dry_run else "will be tried again")


@deliveries.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@with_config
@click.option("--state", type=click.Choice(DISCARDABLE), help="All in this state.")
@click.option("--destination", metavar="NAME", help="With --state: only those for this destination.")
@with_comment
@with_dry_run
@with_yes
def discard(
    *,
    ids: tuple[str, ...],
    config_path: Path,
    state: str | None,
    destination: str | None,
    comment: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Give up deliveries that are dead, held or waiting; `replay` takes that back."""
    choice = _choice(ids, state, destination)
    with store_beside(loaded(config_path)) as store:
        chosen = _chosen(store, choice, store.discardable, DISCARDABLE)
        if not dry_run and chosen:
            confirmed(f"Give up {_counted(chosen)}?", yes=yes)
            store.discard(chosen, comment)
    _show_ids(chosen, "would be given up" if dry_run else "given up")


def _choice(ids: tuple[str, ...], state: str | None, destination: str | None) -> Choice:
    if bool(ids) == bool(state):
        raise click.UsageError("Say which: one or more IDs, or --state.")
    if ids and destination:
        raise click.UsageError("--destination goes with --state, not with IDs.")
    return Choice(ids, state, destination)


def _chosen(store: Store, choice: Choice, able: Callable[[Choice], list[str]], states: Sequence[str]) -> list[str]:
    """The ids meant, oldest first; raises Ended if one of those named is unknown or in a wrong state."""
    if not choice.ids:
        return able(choice)
    named = [_the_delivery(store, each) for each in choice.ids]
    wrong = [each for each in named if each.state not in states]
    if wrong:
        are = ", ".join(f"{each.id[:12]} is {each.state}" for each in wrong)
        raise Ended(Exit.NEGATIVE, f"{are}; only what is {', '.join(states[:-1])} or {states[-1]} can be chosen")
    return able(Choice(tuple(each.id for each in named)))


def _the_delivery(store: Store, wanted: str) -> StoredDelivery:
    alerts = store.find_alerts([wanted])
    found = [each for alert in alerts for each in alert.deliveries if each.id.startswith(wanted.lower())]
    if not found and alerts:
        words = ", ".join(f"{each.id[:12]} ({each.destination})" for each in alerts[0].deliveries) or "none"
        raise Ended(Exit.NEGATIVE, f"{wanted} is the id of an alert; its deliveries are: {words}")
    return the_only(found, wanted, "delivery", [each.id for each in found])


def _show_ids(ids: Sequence[str], done: str) -> None:
    for each in ids:
        show(each)
    say(f"{_counted(ids)} {done}" if ids else "no delivery matches")


def _counted(ids: Sequence[str]) -> str:
    return "1 delivery" if len(ids) == 1 else f"{len(ids)} deliveries"
