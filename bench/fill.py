"""Fills a store in bulk with what the product itself would have written.

One alert is taken in, and another is taken in and delivered, in a small store beside; the rows this
leaves are read back and written as often as wanted under other ids, somewhat earlier each time. So
every row is as real as its model, and a new column needs no change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from bench.payload import Bodies
from bench.stage import DESTINATION
from connector.config import MatchConfig, RouteConfig
from connector.intake import consider
from connector.lifecycle import episode_after
from connector.model import Action, Decision, ItemState, Notice, Receipt, WorkItem, digest
from connector.routes import Routes
from connector.store import Accepting, Claim, Delivered, Store
from connector.store.tables import alerts, decisions, deliveries, episode_series, episodes

PORTION = 2000
APART = timedelta(milliseconds=200)
PROBE = timedelta(minutes=5)

_TABLES = (alerts, deliveries, episodes, episode_series, decisions)
_LET_IN = Decision("authenticated", "let in", f"application {'0' * 36} with roles none, token version 2.0")


@dataclass(frozen=True, slots=True)
class Model:
    """The rows that one alert left, by table, and the texts in them that are its own."""

    rows: Mapping[Table, Sequence[Mapping[str, Any]]]
    own: tuple[str, ...]

    def copy(self, name: str, number: int) -> Iterator[tuple[Table, dict[str, Any]]]:
        """Return the rows of another alert; `name` and `number` together must be new."""
        renamed = {text: digest(name, number, text)[: len(text)] for text in self.own}
        earlier = number * APART
        for table, rows in self.rows.items():
            for row in rows:
                yield table, {column: _changed(value, renamed, earlier) for column, value in row.items()}


def _changed(value: Any, renamed: Mapping[str, str], earlier: timedelta) -> Any:
    if isinstance(value, datetime):
        return value - earlier
    if isinstance(value, str):
        for old, new in renamed.items():
            value = value.replace(old, new)
    return value


@dataclass(frozen=True, slots=True)
class Models:
    """What waits, and what was delivered."""

    waiting: Model
    delivered: Model


def accepting(routes: Routes, body: bytes) -> Accepting:
    """Return what the intake would ask the store to write."""
    return consider(body, routes, datetime.now(UTC)).accepting(body, (_LET_IN,))


def routes() -> Routes:
    """Return the routes of the bench's configuration."""
    return Routes([RouteConfig(name="severe", match=MatchConfig(severity="<=Sev2"), destinations=(DESTINATION,))])


def delivered(claim: Claim) -> Delivered:
    """Return what the worker would settle after the desk opened an item."""
    notice = claim.notice
    receipt = _receipt(notice)
    return Delivered(claim, receipt, episode_after(notice, receipt))


def _receipt(notice: Notice) -> Receipt:
    item = WorkItem("00000001", "INC00000001", "http://desk.example/00000001", ItemState.OPEN, notice.correlation)
    why = "this episode has no work item yet"
    made = (
        Decision("lifecycle", "open", why),
        Decision("located", "none", "web-01: the bench desk has no CMDB"),
        Decision("moved", "opened", why, {"work_item": item.number}),
    )
    return Receipt((Action.OPENED,), item, decisions=made)


def models(folder: Path) -> Models:
    """Make the models in a store of their own."""
    store, bodies = Store.hold(f"sqlite:///{folder}/models.db"), Bodies()
    done = store.accept(accepting(routes(), bodies.body(0))).alert_id
    [claim] = store.work("bench", [], {DESTINATION: DESTINATION}, 1, PROBE)[1]
    store.work("bench", [delivered(claim)], {}, 0, PROBE)
    waits = store.accept(accepting(routes(), bodies.body(1))).alert_id
    made = Models(store.read(lambda c: _model(c, waits)), store.read(lambda c: _model(c, done)))
    store.close()
    return made


def _model(connection: Connection, alert_id: str) -> Model:
    def rows(table: Table, *conditions: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in connection.execute(select(table).where(*conditions)).mappings()]

    [alert] = rows(alerts, alerts.c.id == alert_id)
    [delivery] = rows(deliveries, deliveries.c.alert_id == alert_id)
    found = {
        alerts: [alert],
        deliveries: [delivery],
        episodes: rows(episodes, episodes.c.key == delivery["episode"]),
        episode_series: rows(episode_series, episode_series.c.episode == delivery["episode"]),
        decisions: [
            {name: value for name, value in row.items() if name != "id"}
            for row in rows(decisions, decisions.c.subject == alert_id)
        ],
    }
    return Model(found, (alert_id, delivery["id"], alert["azure_key"], alert["series"]))


def fill(store: Store, model: Model, name: str, count: int, portion: int = PORTION) -> None:
    """Write `count` copies; `name` must not have been used with this store before."""
    numbers = iter(range(count))
    while some := list(islice(numbers, portion)):
        store.write(partial(_write, model=model, name=name, numbers=some))


def _write(connection: Connection, model: Model, name: str, numbers: Sequence[int]) -> None:
    rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in _TABLES}
    for number in numbers:
        for table, row in model.copy(name, number):
            rows[table].append(row)
    for table, some in rows.items():
        connection.execute(insert(table), some)
