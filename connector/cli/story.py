"""The story of an alert as `send-test` and `demo` tell it: waiting for its end, then who did what."""

from __future__ import annotations

import time
from collections.abc import Iterator

from connector.cli.output import show
from connector.model import Receipt
from connector.store import Recorded, Store, StoredAlert, StoredDelivery

OVER = ("delivered", "dead", "held", "discarded")
POLL_SECONDS = 0.1

_LABELS = {"authenticated": "let in", "read": "read", "routed": "route", "located": "CI look-up", "lifecycle": "move"}
"""Steps whose reason says it all, and the word to put before it."""


def awaited(store: Store, alert_id: str, seconds: float) -> StoredAlert:
    """Return the alert once all of its deliveries are over, or as it stands after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        [stored] = store.find_alerts([alert_id])
        if all(each.state in OVER for each in stored.deliveries) or time.monotonic() >= deadline:
            return stored
        time.sleep(POLL_SECONDS)


def tell(stored: StoredAlert, recorded: list[Recorded]) -> None:
    """Print what was decided about an alert, in order, and how its deliveries stand."""
    for each in recorded:
        made = each.decision
        label = _LABELS.get(made.step)
        line(label or made.outcome, (made.why or made.outcome).removeprefix(f"{label} "))
    for delivery in stored.deliveries:
        tell_delivery(delivery)


def tell_delivery(delivery: StoredDelivery) -> None:
    """Print how one delivery stands: its work item, its CIs, or what is wrong."""
    tries = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
    line(delivery.destination, f"{delivery.state} after {tries}")
    if delivery.last_error is not None:
        line("", f"{delivery.last_error['reason']}: {delivery.last_error['message']}")
    for label, words in _outcome(delivery.receipt) if delivery.receipt else ():
        line(label, words)


def _outcome(receipt: Receipt) -> Iterator[tuple[str, str]]:
    if receipt.item is not None:
        yield "work item", f"{receipt.item.number} is {receipt.item.state}   {receipt.item.url}"
    for each in receipt.configuration_items:
        yield "CI", f"{each.name}, matched by {each.matched_by}"


def line(label: str, words: str) -> None:
    """Print one indented line of the story under its label."""
    show(f"   {label:15} {words}".rstrip())
