"""`quarantine list|show|replay|discard`: bodies that could not become an alert."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from connector import views
from connector.app import routes_of
from connector.auth import Authenticator, Refusal
from connector.azure import NotAnAlert, Unreadable
from connector.cli.exits import Ended, Exit
from connector.cli.options import (
    confirmed,
    loaded,
    store_beside,
    the_quarantined,
    with_comment,
    with_config,
    with_dry_run,
    with_limit,
    with_output,
    with_yes,
)
from connector.cli.output import say, show, show_json, show_lines, show_table, visible
from connector.config import Config
from connector.intake import Accepted, Considered, Intake, consider
from connector.metrics import Metrics
from connector.model import Decision
from connector.store import Quarantined, Store


@click.group()
def quarantine() -> None:
    """Bodies that could not become an alert, kept until somebody looked at them."""


@quarantine.command("list")
@with_config
@click.option("--ended", is_flag=True, help="Those too that were replayed or discarded.")
@with_limit
@with_output
def list_quarantined(config_path: Path, ended: bool, limit: int, everything: bool, output: str) -> None:
    """List kept bodies, newest first."""
    with store_beside(loaded(config_path)) as store:
        found = store.list_quarantined(None if everything else limit, everything=ended)
    if output == "json":
        show_json([views.of_quarantined(each) for each in found])
        return
    headings = ("ID", "RECEIVED", "CODE", "STATE", "BYTES", "DETAIL")
    show_table(headings, [(e.id[:12], e.received_at, e.code, e.state, e.size, e.detail) for e in found])
    if not found:
        say("nothing is in quarantine")
    elif len(found) == limit and not everything:
        say(f"the newest {limit}; --all lists every one")


@quarantine.command("show")
@click.argument("id_", metavar="ID")
@with_config
@with_output
def show_quarantined(id_: str, config_path: Path, output: str) -> None:
    """Show a kept body and why it was kept."""
    with store_beside(loaded(config_path)) as store:
        kept = the_quarantined(store, id_)
    if output == "json":
        show_json(views.of_quarantined_body(kept))
        return
    for name, value in views.of_quarantined(kept).items():
        if value is not None:
            show(f"{name + ':':10} {value}")
    if kept.trace:
        show()
        show("trace:")
        show_lines(kept.trace, "  ")
    show()
    show("body:" if kept.whole else f"the first {len(kept.body)} bytes of the body:")
    click.echo(visible(kept.body.decode("utf-8", "backslashreplace")))


@quarantine.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@with_config
@with_comment
@with_dry_run
def replay(ids: tuple[str, ...], config_path: Path, comment: str, dry_run: bool) -> None:
    """Take kept bodies in again, by the code, the routes and the allow-list of today."""
    config = loaded(config_path)
    with store_beside(config) as store:
        readable = [(kept, _considered(kept, config)) for kept in (the_quarantined(store, each) for each in ids)]
        for kept, considered in readable:
            if dry_run:
                names = ", ".join(each.destination for each in considered.routing.destinations)
                show(f"{kept.id}  would become alert {considered.alert.id}  {names or 'unrouted'}")
            else:
                accepted = _taken_in(store, config, kept, comment or "replayed by an operator")
                names = ", ".join(name for _, name in accepted.deliveries)
                show(f"{kept.id}  {accepted.status} as alert {accepted.id}  {names or 'unrouted'}")


def _considered(kept: Quarantined, config: Config) -> Considered:
    """Try a body dry, so that a replay that fails leaves no second copy of it; raises Ended."""
    if kept.state != "kept":
        raise Ended(Exit.NEGATIVE, f"{kept.id} was {kept.state} before")
    if not kept.whole:
        raise Ended(Exit.NEGATIVE, f"{kept.id} cannot be replayed: only its first {len(kept.body)} bytes were kept")
    try:
        considered = consider(kept.body, routes_of(config), datetime.now(UTC))
        Authenticator(config.auth).authorise(considered.alert.subscriptions, test=considered.alert.test)
    except (Unreadable, NotAnAlert) as error:
        raise Ended(Exit.NEGATIVE, f"{kept.id} is still refused: {error.code}: {error.detail}") from error
    except Refusal as refusal:
        raise Ended(Exit.REFUSED, f"{kept.id} is still refused: {refusal.code}: {refusal.evidence}") from refusal
    except Exception as error:  # a fault in reading is why it was kept; it may not be mended yet
        raise Ended(Exit.NEGATIVE, f"{kept.id} still meets a fault: {type(error).__name__}: {error}") from error
    return considered


def _taken_in(store: Store, config: Config, kept: Quarantined, comment: str) -> Accepted:
    intake = Intake(routes_of(config), store, Metrics(store.backlog), auth=Authenticator(config.auth))
    accepted = intake.take_in(kept.body, (Decision("replayed", "from quarantine", comment, {"quarantined": kept.id}),))
    store.end_quarantine(kept.id, "replayed", comment, accepted.id)
    return accepted


@quarantine.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@with_config
@with_comment
@with_dry_run
@with_yes
def discard(ids: tuple[str, ...], config_path: Path, comment: str, dry_run: bool, yes: bool) -> None:
    """Mark kept bodies as looked at; they go with the retention of the store."""
    with store_beside(loaded(config_path)) as store:
        chosen = [the_quarantined(store, each) for each in ids]
        for kept in chosen:
            if kept.state != "kept":
                raise Ended(Exit.NEGATIVE, f"{kept.id} was {kept.state} before")
        if not dry_run:
            confirmed(f"Discard {len(chosen)} of the kept bodies?", yes=yes)
            for kept in chosen:
                store.end_quarantine(kept.id, "discarded", comment or "discarded by an operator")
    for kept in chosen:
        show(kept.id)
    say(f"{len(chosen)} {'would be ' if dry_run else ''}discarded")
