"""`explain ID|FILE|-`: why an alert did what it did, or what a body would do."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from connector import views
from connector.adapter import DeliveryError, SecretError
from connector.app import create_adapters, routes_of
from connector.auth import Authenticator, Refusal
from connector.azure import NotAnAlert, Unreadable
from connector.cli.exits import Ended, Exit
from connector.cli.options import loaded, store_beside, the_only, with_config
from connector.cli.output import show, show_json, show_lines
from connector.config import Config
from connector.intake import Considered, consider
from connector.model import Alert, Condition, Decision, Episode, Notice, Preview
from connector.registry import Registry
from connector.report import utc
from connector.store import Quarantined, Recorded, Store, StoredAlert, StoredDelivery
from connector.templates import TemplateError


@click.command()
@click.argument("subject", metavar="ID|FILE|-")
@with_config
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(subject: str, config_path: Path, output: str) -> int:
    """Tell why an alert did what it did, or what a body would do.

    ID is that of an alert, of a delivery or of a body in quarantine. FILE (or - for standard input)
    is the body of a webhook: it is read and routed by the same code, nothing is stored or sent.
    """
    config = loaded(config_path)
    if _names_no_file(subject):
        raise Ended(Exit.NEGATIVE, f"there is no file {subject}")
    if subject == "-" or Path(subject).is_file():
        body = sys.stdin.buffer.read() if subject == "-" else _read(Path(subject))
        return _tell_dry(_dry_run(body, config), output)
    with store_beside(config) as store:
        story = _story(store, subject)
    _tell(story, output)
    return Exit.OK


def _names_no_file(subject: str) -> bool:
    """Whether this can only be a path, and leads nowhere: ids are hex digits."""
    looks_like_path = "/" in subject or "." in subject
    return looks_like_path and not Path(subject).is_file()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Ended(Exit.NEGATIVE, f"{path} cannot be read: {error.strerror}") from error


# what was


@dataclass(frozen=True, slots=True)
class _Story:
    """The recorded decisions about one thing, and what the store has of it."""

    recorded: list[Recorded]
    alert: StoredAlert | None = None
    kept: Quarantined | None = None
    delivery: StoredDelivery | None = None

    @property
    def deliveries(self) -> tuple[StoredDelivery, ...]:
        return self.alert.deliveries if self.alert else ()


def _story(store: Store, wanted: str) -> _Story:
    alerts, bodies = store.find_alerts([wanted]), store.find_quarantined(wanted)
    ids = [each.alert.id for each in alerts] + [each.id for each in bodies]
    both: list[StoredAlert | Quarantined] = [*alerts, *bodies]
    found = the_only(both, wanted, "alert, delivery, body in quarantine or file", ids)
    if isinstance(found, Quarantined):
        return _Story(store.decisions_about(found.id), kept=found)
    recorded = store.decisions_about(found.alert.id)
    if found.alert.id.startswith(wanted.lower()):
        return _Story(recorded, alert=found)
    named = [each for each in found.deliveries if each.id.startswith(wanted.lower())]
    delivery = the_only(named, wanted, "delivery", [each.id for each in named])
    own = [each for each in recorded if each.delivery_id in (None, delivery.id)]
    return _Story(own, alert=found, delivery=delivery)


def _tell(story: _Story, output: str) -> None:
    if output == "json":
        show_json(_document(story))
        return
    if story.alert is not None:
        show(_headline(story.alert))
    if story.kept is not None:
        show(f"body {story.kept.id} in quarantine: {story.kept.code}, {story.kept.state}")
    for each in story.recorded:
        _show_step(utc(each.at), each.decision, _destination(story, each))
    for delivery in story.deliveries if story.delivery is None else (story.delivery,):
        item = delivery.receipt.item if delivery.receipt else None
        now = f"{item.number} is {item.state}, {item.url}" if item else "no work item"
        show(f"now: {delivery.destination} {delivery.state}; {now}")
    if story.kept is not None and story.kept.alert_id:
        show(f"it became alert {story.kept.alert_id}")


def _headline(stored: StoredAlert) -> str:
    alert = stored.alert
    where = f" on {alert.resources[0].name}" if alert.resources else ""
    return f"alert {alert.id}: {alert.family} {alert.condition}, {alert.rule or 'no rule'}{where}"


def _destination(story: _Story, recorded: Recorded) -> str | None:
    return next((each.destination for each in story.deliveries if each.id == recorded.delivery_id), None)


def _show_step(at: str, decision: Decision, destination: str | None) -> None:
    where = f"{destination}: " if destination else ""
    show(f"{at:20}  {decision.step:14} {where}{decision.outcome} - {decision.why}".rstrip(" -"))


def _document(story: _Story) -> views.Document:
    return {
        "alert": views.of_stored_alert(story.alert) if story.alert else None,
        "quarantined": views.of_quarantined(story.kept) if story.kept else None,
        "decisions": [views.of_recorded(each, story.deliveries) for each in story.recorded],
    }


# what would be


@dataclass(frozen=True, slots=True)
class _DryRun:
    """What the webhook would answer to a body and what would be sent where."""

    status: int
    code: str
    detail: str = ""
    considered: Considered | None = None
    previews: dict[str, Preview] = field(default_factory=dict)


def _dry_run(body: bytes, config: Config) -> _DryRun:
    """Refuse what the webhook would refuse; else route the alert and ask the adapters for a preview."""
    if len(body) > config.gateway.max_body:
        return _DryRun(413, "too-large", f"{len(body)} bytes; max_body allows {config.gateway.max_body}")
    try:
        considered = consider(body, routes_of(config), datetime.now(UTC))
        Authenticator(config.auth).authorise(considered.alert.subscriptions, test=considered.alert.test)
    except Unreadable as error:
        return _DryRun(400, error.code, error.detail)
    except NotAnAlert as error:
        return _DryRun(422, error.code, error.detail)
    except Refusal as refusal:
        return _DryRun(refusal.status, refusal.code, refusal.evidence)
    status = "accepted" if considered.routing.destinations else "unrouted"
    return _DryRun(202, status, considered=considered, previews=_previews(considered, config))


def _previews(considered: Considered, config: Config) -> dict[str, Preview]:
    alert = considered.alert
    if alert.condition is not Condition.FIRED and not alert.test:
        return {
            each.destination: Preview({}, (_OPENS_NOTHING[alert.condition],))
            for each in considered.routing.destinations
        }
    adapters = create_adapters(config, Registry())
    previews = {}
    for each in considered.routing.destinations:
        notice = first_notice(config, each.destination, considered.alert, each.episode_key)
        try:
            previews[each.destination] = adapters[each.destination].preview(notice)
        except (DeliveryError, SecretError, TemplateError) as error:
            previews[each.destination] = Preview({}, (f"there is no preview: {error}",))
    return previews


_OPENS_NOTHING = {
    Condition.RESOLVED: "it opens nothing: it ends the trouble that its fired alert began, wherever that was delivered",
    Condition.UPDATE: "it opens nothing: it is a note on the work item of a running trouble",
}


def first_notice(config: Config, destination: str, alert: Alert, episode_key: str) -> Notice:
    """Return what a destination's adapter would be handed if this alert began an episode."""
    namespace = config.destinations[destination].namespace or destination
    return Notice(destination, namespace, Episode(episode_key), (alert,), alert.received_at)


def _tell_dry(dry: _DryRun, output: str) -> int:
    if output == "json":
        show_json(_dry_document(dry))
    else:
        _show_dry(dry)
    return Exit.OK if dry.considered else Exit.NEGATIVE


def _dry_document(dry: _DryRun) -> views.Document:
    considered = dry.considered
    return {
        "http_status": dry.status,
        "code": dry.code,
        "detail": dry.detail,
        "alert": views.of_alert(considered.alert) if considered else None,
        "decisions": [views.of_decision(each) for each in considered.decisions] if considered else [],
        "deliveries": [
            {"destination": each.destination, "episode": each.episode_key} for each in considered.routing.destinations
        ]
        if considered
        else [],
        "previews": [views.of_preview(name, preview) for name, preview in dry.previews.items()],
    }


def _show_dry(dry: _DryRun) -> None:
    show(f"the webhook would answer {dry.status} {dry.code}{': ' + dry.detail if dry.detail else ''}")
    if dry.considered is None:
        return
    for each in dry.considered.decisions:
        _show_step("would be", each, None)
    for warning in dry.considered.alert.warnings:
        show(f"warning: {warning}")
    for name, preview in dry.previews.items():
        show()
        show(f"to open a work item at {name}:" if preview.fields else f"at {name}:")
        for key, value in preview.fields.items():
            show(f"  {key}:")
            show_lines(value, "    ")
        for note in preview.notes:
            show(f"  ({note})")
