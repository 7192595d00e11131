"""What is forgotten, and when: raw bodies early, ended things late, open things never.

Raw bodies hold e-mail addresses and claims, so they go after `keep_raw`. An alert goes after
`retention` once its deliveries are done and its work item has ended: Azure may send Resolved
after any time, and a Resolved must find its fired alert.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, delete, exists, select, update

from connector.store.engine import now
from connector.store.tables import alerts, decisions, deliveries, episode_series, episodes, quarantine

AT_ONCE = 500
"""Rows forgotten in one commit, so that nobody else waits long."""


def forget_bodies(connection: Connection, keep_raw: timedelta) -> int:
    """Drop the raw bodies older than `keep_raw`; return how many."""
    old = (
        select(alerts.c.id)
        .where(alerts.c.received_at < now(connection) - keep_raw, alerts.c.body.is_not(None))
        .limit(AT_ONCE)
    )
    dropped = connection.execute(update(alerts).where(alerts.c.id.in_(old)).values(body=None)).rowcount
    return dropped + _forget_quarantined_bodies(connection, keep_raw)


def _forget_quarantined_bodies(connection: Connection, keep_raw: timedelta) -> int:
    """Those a person has dealt with; the others are still needed to be replayed."""
    row = quarantine.c
    handled = row.received_at < now(connection) - keep_raw, row.state != "kept", row.body != b""
    ids = select(row.id).where(*handled).limit(AT_ONCE)
    return connection.execute(update(quarantine).where(row.id.in_(ids)).values(body=b"")).rowcount


def forget_ended(connection: Connection, retention: timedelta) -> int:
    """Remove alerts, and quarantined bodies, that ended more than `retention` ago; return how many."""
    cutoff = now(connection) - retention
    unended = exists().where(
        deliveries.c.alert_id == alerts.c.id,
        deliveries.c.state.not_in(("delivered", "discarded")),
    )
    in_open_episode = (
        exists()
        .where(deliveries.c.alert_id == alerts.c.id)
        .where(episodes.c.destination == deliveries.c.destination, episodes.c.key == deliveries.c.episode)
        .where(episodes.c.item_open.is_(True))
    )
    query = select(alerts.c.id).where(alerts.c.received_at < cutoff, ~unended, ~in_open_episode).limit(AT_ONCE)
    ids = list(connection.execute(query).scalars())
    taken_in = (quarantine.c.code == "fault") & (quarantine.c.state == "kept")  # answered 202: never lost
    old_bodies = select(quarantine.c.id).where(quarantine.c.received_at < cutoff, ~taken_in).limit(AT_ONCE)
    bodies = list(connection.execute(old_bodies).scalars())
    connection.execute(delete(decisions).where(decisions.c.subject.in_(ids + bodies)))
    connection.execute(delete(deliveries).where(deliveries.c.alert_id.in_(ids)))
    connection.execute(delete(alerts).where(alerts.c.id.in_(ids)))
    connection.execute(delete(quarantine).where(quarantine.c.id.in_(bodies)))
    return len(ids) + len(bodies)


def forget_episodes(connection: Connection, retention: timedelta) -> int:
    """Empty episodes that ended more than `retention` ago and have no delivery left; return how many.

    Of one that had work items its count stays: the correlation value of the next item must not be
    that of an old one, or a look-up would adopt what ended long ago.
    """
    has_delivery = exists().where(
        deliveries.c.destination == episodes.c.destination, deliveries.c.episode == episodes.c.key
    )
    ended = (
        (episodes.c.touched_at < now(connection) - retention)
        & episodes.c.item_open.is_(False)
        & episodes.c.owner.is_(None)
        & episodes.c.due.is_(None)
    )
    column = episodes.c
    full = column.state != _EMPTIED
    query = select(column.destination, column.key, column.occurrence).where(ended, full, ~has_delivery).limit(AT_ONCE)
    rows = connection.execute(query.with_for_update(skip_locked=True)).all()
    for row in rows:
        series, here = episode_series.c, (column.destination == row.destination) & (column.key == row.key)
        connection.execute(
            delete(episode_series).where(series.destination == row.destination, series.episode == row.key)
        )
        if row.occurrence:
            connection.execute(update(episodes).where(here).values(state=_EMPTIED))
        else:
            connection.execute(delete(episodes).where(here))
    return len(rows)


_EMPTIED = "forgotten"
