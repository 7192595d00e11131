"""The way out, second half: what became of a delivery, written together with all that follows.

The destination row is locked before the episode row, everywhere. A settlement whose claim is no
longer ours - another worker took the episode over - changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from connector.adapter import DeliveryError, Scope
from connector.failures import Fate, Standing, Verdict
from connector.model import Condition, Decision, Episode, ItemState, Receipt
from connector.store import codec
from connector.store.claim import Claim, place_in_queue
from connector.store.decisions import write_decisions
from connector.store.engine import insert, now
from connector.store.tables import deliveries, destinations, episode_series, episodes


@dataclass(frozen=True, slots=True)
class Delivered:
    """The adapter answered: what it did, and the episode as it stands afterwards."""

    claim: Claim
    receipt: Receipt
    episode: Episode


@dataclass(frozen=True, slots=True)
class Failed:
    """The adapter raised; `judge` says what follows once the standing is known."""

    claim: Claim
    error: DeliveryError
    judge: Callable[[Standing], Verdict]


Settlement = Delivered | Failed


@dataclass(frozen=True, slots=True)
class Settled:
    """What was written: `verdict` of a failure, `fenced` when the claim was no longer ours."""

    settlement: Settlement
    at: datetime
    verdict: Verdict | None = None
    fenced: bool = False


def write_settlements(
    connection: Connection, settlements: Sequence[Settlement], probe_every: timedelta
) -> list[Settled]:
    """Write what became of several deliveries, one after the other; the order of the answers is theirs."""
    moment = now(connection)
    ordered = sorted(settlements, key=lambda each: (each.claim.destination, each.claim.episode))
    rows = {name: _lock_destination(connection, name) for name in sorted({s.claim.destination for s in ordered})}
    return [_settle(connection, each, rows[each.claim.destination], moment, probe_every) for each in ordered]


def _lock_destination(connection: Connection, name: str) -> dict[str, Any]:
    connection.execute(insert(connection, destinations).values(name=name, failures=0).on_conflict_do_nothing())
    query = select(destinations).where(destinations.c.name == name).with_for_update()
    return dict(connection.execute(query).mappings().one())


def _settle(
    connection: Connection, settlement: Settlement, destination: dict[str, Any], moment: datetime, probe: timedelta
) -> Settled:
    claim = settlement.claim
    if not _still_ours(connection, claim):
        return Settled(settlement, moment, fenced=True)
    if isinstance(settlement, Delivered):
        _delivered(connection, settlement, moment)
        _destination_is_well(connection, destination, moment)
        return Settled(settlement, moment)
    verdict = settlement.judge(_standing(connection, claim, destination, moment))
    _failed(connection, settlement, verdict, moment)
    destination |= _standing_after(destination, settlement.error, verdict, moment, next_probe=moment + probe)
    _write_destination(connection, destination)
    return Settled(settlement, moment, verdict)


def _episode_row(claim: Claim) -> Any:
    return and_(episodes.c.destination == claim.destination, episodes.c.key == claim.episode)


def _still_ours(connection: Connection, claim: Claim) -> bool:
    query = select(episodes.c.owner, episodes.c.epoch).where(_episode_row(claim)).with_for_update()
    row = connection.execute(query).first()
    return row is not None and (row.owner, row.epoch) == (claim.worker, claim.epoch)


def _delivered(connection: Connection, settlement: Delivered, moment: datetime) -> None:
    claim, receipt, episode = settlement.claim, settlement.receipt, settlement.episode
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == claim.delivery_id)
        .values(
            state="delivered",
            in_doubt=False,
            attempts=deliveries.c.attempts + 1,
            next_attempt_at=None,
            done_at=moment,
            reason=None,
            last_error=None,
            receipt=codec.dump(receipt),
        )
    )
    _series_after(connection, claim)
    write_decisions(connection, claim.alert_id, receipt.decisions, moment, claim.delivery_id)
    _release(
        connection,
        claim,
        moment,
        state=codec.dump(episode),
        occurrence=episode.occurrence,
        item_open=episode.item is not None and episode.item.state is ItemState.OPEN,
        failures=0,
        uncertain_since=claim.notice.uncertain_since if _left_in_doubt(claim) else None,
    )


def _left_in_doubt(claim: Claim) -> bool:
    """News or an end told on a known item looked nothing up: a create in doubt stays in doubt."""
    opens = any(alert.test or alert.condition is Condition.FIRED for alert in claim.notice.alerts)
    return claim.notice.item is not None and not opens


def _series_after(connection: Connection, claim: Claim) -> None:
    """Open the series of a fired alert that runs, end that of one that is over."""
    alerts = claim.notice.alerts
    row = and_(
        episode_series.c.destination == claim.destination,
        episode_series.c.episode == claim.episode,
        episode_series.c.series == claim.series,
    )
    fired = [alert for alert in alerts if alert.condition is Condition.FIRED and not alert.test]
    resolved = [alert for alert in alerts if alert.condition is Condition.RESOLVED]
    if fired:
        newest = fired[-1].happened_at
        is_newer = episode_series.c.fired_at.is_(None) | (episode_series.c.fired_at < newest)
        connection.execute(update(episode_series).where(row, is_newer).values(fired_at=newest, open=not resolved))
    if resolved:
        ended = episode_series.c.fired_at <= resolved[-1].happened_at
        connection.execute(update(episode_series).where(row, ended).values(open=False))


def _release(connection: Connection, claim: Claim, due: datetime, **values: Any) -> None:
    """Let go of the episode: due again if more waits, idle otherwise."""
    values |= place_in_queue(connection, claim.destination, claim.episode, due)
    connection.execute(update(episodes).where(_episode_row(claim)).values(owner=None, **values))


def _standing(connection: Connection, claim: Claim, destination: dict[str, Any], moment: datetime) -> Standing:
    query = select(deliveries.c.attempts, deliveries.c.first_failed_at).where(deliveries.c.id == claim.delivery_id)
    row = connection.execute(query).one()
    return Standing(
        moment,
        row.attempts,
        row.first_failed_at,
        destination["failures"],
        destination["paused_since"] is not None,
        destination["last_success_at"],
        destination["well_since"],
    )


def _failed(connection: Connection, settlement: Failed, verdict: Verdict, moment: datetime) -> None:
    claim, error = settlement.claim, settlement.error
    dead = verdict.fate is Fate.DEAD
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == claim.delivery_id)
        .values(
            state="dead" if dead else "waiting",
            in_doubt=error.maybe_done or claim.notice.uncertain_since is not None,
            attempts=deliveries.c.attempts + (1 if verdict.burns_attempt else 0),
            next_attempt_at=None if dead else verdict.due,
            first_failed_at=func.coalesce(deliveries.c.first_failed_at, moment),
            done_at=moment if dead else None,
            reason=error.reason.value,
            last_error=error_text(error, moment),
        )
    )
    decision = Decision("failed", verdict.fate, f"{error.message} ({verdict.why})", {"reason": error.reason})
    write_decisions(connection, claim.alert_id, [decision], moment, claim.delivery_id)
    uncertain = claim.notice.uncertain_since or (claim.notice.at if error.maybe_done else None)
    _release(
        connection,
        claim,
        moment if dead else verdict.due,
        failures=0 if dead else episodes.c.failures + 1,
        uncertain_since=uncertain,
    )


def error_text(error: DeliveryError, at: datetime) -> str:
    """Return what a delivery keeps of its last error, as JSON."""
    return json.dumps({"reason": error.reason.value, "message": error.message, "at": at.isoformat()})


def _destination_is_well(connection: Connection, row: dict[str, Any], moment: datetime) -> None:
    recovers = row["failures"] > 0 or row["paused_since"] is not None or row["well_since"] is None
    row |= {"failures": 0, "last_success_at": moment, **_NOT_PAUSED}
    row |= {"well_since": moment} if recovers else {}
    _write_destination(connection, row)


_NOT_PAUSED = {"paused_since": None, "pause_reason": None, "pause_message": None, "next_probe_at": None}


def _standing_after(
    row: dict[str, Any], error: DeliveryError, verdict: Verdict, moment: datetime, *, next_probe: datetime
) -> dict[str, Any]:
    if verdict.fate is Fate.PAUSE:
        return {
            "failures": verdict.failures_in_a_row,
            "paused_since": row["paused_since"] or moment,
            "pause_reason": error.reason.value,
            "pause_message": error.message,
            "next_probe_at": next_probe,
        }
    if error.scope is Scope.ITEM:  # it refused this one item, so it answers
        return {"failures": 0, **_NOT_PAUSED}
    return {"failures": verdict.failures_in_a_row}


def _write_destination(connection: Connection, row: dict[str, Any]) -> None:
    values = {name: value for name, value in row.items() if name != "name"}
    connection.execute(update(destinations).where(destinations.c.name == row["name"]).values(values))
