"""What several commands have in common: their options, the configuration and the store."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from connector.cli.exits import Ended, Exit
from connector.cli.output import say
from connector.config import Config, load
from connector.registry import Registry
from connector.store import Quarantined, Store, StoredAlert

F = TypeVar("F", bound=Callable[..., Any])

SHORTEST_ID = 6
"""An id may be cut to this many of its first digits."""

with_config = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ITSM_CONNECTOR_CONFIG",
    default=Path("conf/connector.toml"),
    show_default="ITSM_CONNECTOR_CONFIG, else conf/connector.toml",
    help="The configuration file.",
)
with_output = click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True, help="How to print."
)
with_comment = click.option("--comment", default="", metavar="TEXT", help="Why; it stands in the decisions.")
with_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
with_yes = click.option("--yes", is_flag=True, help="Do not ask.")


def with_limit(command: F) -> F:
    """Give a list its --limit and --all, which arrive as `limit` and `everything`."""
    all_ = click.option("--all", "everything", is_flag=True, help="All, however many.")
    limit = click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
    return limit(all_(command))


def loaded(config_path: Path, *, read_secrets: bool = False) -> Config:
    """Return the configuration, its warnings said on stderr; raises ConfigError.

    A command that speaks to no vendor need not be able to read the secrets.
    """
    config = load(config_path, Registry(), read_secrets=read_secrets)
    for warning in config.warnings:
        say(f"warning: {warning}")
    return config


@contextmanager
def store_beside(config: Config) -> Iterator[Store]:
    """Open the store that `serve` runs; what is done to it is said on stderr only if it fails."""
    store = Store.beside(config.store.url)
    try:
        yield store
    finally:
        store.close()


def the_alert(store: Store, wanted: str) -> StoredAlert:
    """Return the alert with this id, or of the delivery with this id; raises Ended."""
    found = store.find_alerts([wanted])
    exact = [each for each in found if each.alert.id == wanted.lower()]
    return the_only(exact or found, wanted, "alert or delivery", [each.alert.id for each in found])


def the_quarantined(store: Store, wanted: str) -> Quarantined:
    """Return the kept body with this id; raises Ended."""
    found = store.find_quarantined(wanted)
    return the_only(found, wanted, "body in quarantine", [each.id for each in found])


T = TypeVar("T")


def the_only(found: list[T], wanted: str, what: str, ids: list[str]) -> T:
    """Return the one thing found; raises Ended for none and for several, naming up to five."""
    if len(found) == 1:
        return found[0]
    if not found:
        raise Ended(Exit.NEGATIVE, f"there is no {what} with the id {wanted}{_too_short(wanted)}")
    raise Ended(Exit.NEGATIVE, f"the id {wanted} is ambiguous: {', '.join(ids[:5])}{' …' if len(ids) > 5 else ''}")


def _too_short(wanted: str) -> str:
    return f"; at least {SHORTEST_ID} of its first digits are needed" if len(wanted) < SHORTEST_ID else ""


def confirmed(question: str, *, yes: bool) -> None:
    """Let a person confirm what cannot be undone; raises Ended where nobody can be asked."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Ended(Exit.USAGE, f"{question} There is no terminal to ask at: say --yes.")
    if not click.confirm(question, err=True):
        raise Ended(Exit.NEGATIVE, "nothing was done")
