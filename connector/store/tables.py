"""The tables of the store: what is kept, and why each column is there.

Times are UTC. Alerts, episodes and receipts are kept as JSON text written by `codec`; a column of
its own exists only for what a query asks by.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class Instant(TypeDecorator[datetime]):
    """A timezone-aware time: `timestamptz` on PostgreSQL, sortable UTC text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("azure_key", String(40)),  # a digest: an index entry of PostgreSQL is bounded, an id is not
    Column("series", String(40), nullable=False),
    Column("condition", String(16), nullable=False),
    Column("test", Boolean, nullable=False),
    Column("fired_at", Instant),
    Column("happened_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    _text("alert"),
    Column("body", LargeBinary),
    Index("ix_alerts_azure_key", "azure_key"),
    Index("ix_alerts_series_condition", "series", "condition"),
    Index("ix_alerts_received_at", "received_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("alert_id", String(32), nullable=False),
    _text("destination"),
    Column("episode", String(40), nullable=False),
    Column("series", String(40), nullable=False),
    Column("condition", String(16), nullable=False),
    Column("happened_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("order_in_time", Integer, nullable=False),  # fired before update before resolved of one instant
    Column("rank", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("in_doubt", Boolean, nullable=False, default=False),  # a try of it may have been done unheard
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", Instant),
    Column("first_failed_at", Instant),
    Column("done_at", Instant),
    Column("reason", String(16)),
    Column("last_error", Text),
    Column("receipt", Text),
    UniqueConstraint("alert_id", "destination"),
    Index("ix_deliveries_destination_episode_state", "destination", "episode", "state"),
    Index("ix_deliveries_state_destination", "state", "destination"),
)

episodes = Table(
    "episodes",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("key", String(40), primary_key=True),
    _text("state"),
    Column("occurrence", Integer, nullable=False, default=0),  # outlives the rest: correlation values never repeat
    Column("item_open", Boolean, nullable=False, default=False),
    Column("due", Instant),  # when its next delivery may be tried; null: nothing waits
    Column("rank", Integer, nullable=False),
    Column("waiting_since", Instant),
    Column("failures", Integer, nullable=False, default=0),
    Column("owner", String(64)),
    Column("epoch", BigInteger, nullable=False, default=0),
    Column("uncertain_since", Instant),
    Column("touched_at", Instant, nullable=False),
    Index(
        "ix_episodes_ready",
        "destination",
        "rank",
        "waiting_since",
        sqlite_where=text("due IS NOT NULL AND owner IS NULL"),
        postgresql_where=text("due IS NOT NULL AND owner IS NULL"),
    ),
    Index(
        "ix_episodes_owner",
        "owner",
        sqlite_where=text("owner IS NOT NULL"),
        postgresql_where=text("owner IS NOT NULL"),
    ),
)

episode_series = Table(
    "episode_series",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("episode", String(40), primary_key=True),
    Column("series", String(40), primary_key=True),
    Column("fired_at", Instant),  # of its latest settled fired alert
    Column("open", Boolean, nullable=False),
    Index("ix_episode_series_series", "series"),
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paused_since", Instant),
    Column("pause_reason", String(16)),
    Column("pause_message", Text),
    Column("next_probe_at", Instant),
    Column("failures", Integer, nullable=False, default=0),
    Column("last_success_at", Instant),
    Column("well_since", Instant),  # the end of its last trouble
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("beat_at", Instant, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("code", String(64), nullable=False),
    _text("detail"),
    Column("trace", Text),
    Column("received_at", Instant, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("alert_id", String(32)),
    Index("ix_quarantine_received_at", "received_at"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("subject", String(32), nullable=False),  # the id of an alert, or of a quarantined body
    Column("delivery_id", String(32)),
    Column("at", Instant, nullable=False),
    Column("step", String(32), nullable=False),
    _text("outcome"),
    _text("why"),
    _text("data"),
    Index("ix_decisions_subject", "subject"),
)
