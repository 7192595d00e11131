"""(d) What an accept, a claim and a settlement cost in a full store, against an empty one.

Both stores are opened in this process and used in turns. Costs are processor time: ours, and on
PostgreSQL that of the server processes which answer us; a wait for the disk is not among them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, text

from bench.fill import PROBE, Models, accepting, delivered, fill, models, routes
from bench.payload import Bodies
from bench.ratios import Row, at_most, compared
from bench.stage import DESTINATION, Stage
from connector.routes import Routes
from connector.store import Claim, Store

T = TypeVar("T")

STORED, WAITING = 100_000, 20_000
AT_ONCE = 16
WORKER = "bench"


@dataclass(slots=True)
class Subject:
    """A store, and what its operations have cost: milliseconds for each delivery."""

    store: Store
    routes: Routes = field(default_factory=routes)
    bodies: Bodies = field(default_factory=Bodies)
    number: int = 0
    servers: list[int] = field(default_factory=list)
    cost: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def turn(self) -> None:
        """Accept, claim and settle as many as a worker has in flight."""
        self.servers = self.store.read(_server_processes)
        todo = [accepting(self.routes, self.bodies.body(self.number + each)) for each in range(AT_ONCE)]
        self.number += AT_ONCE
        self._weigh("accept", lambda: [self.store.accept(each) for each in todo])
        claims = self._weigh("claim", self._claim)
        if len(claims) != AT_ONCE:
            raise RuntimeError(f"{len(claims)} deliveries were claimed instead of {AT_ONCE}")
        settlements = [delivered(claim) for claim in claims]
        self._weigh("settle", lambda: self.store.work(WORKER, settlements, {}, 0, PROBE))

    def _claim(self) -> list[Claim]:
        return self.store.work(WORKER, [], {DESTINATION: DESTINATION}, AT_ONCE, PROBE)[1]

    def _weigh(self, what: str, act: Callable[[], T]) -> T:
        before = self._spent()
        done = act()
        self.cost[what].append((self._spent() - before) * 1000 / AT_ONCE)
        return done

    def _spent(self) -> float:
        return time.process_time() + sum(_cpu_seconds(pid) for pid in self.servers)


def _server_processes(connection: Connection) -> list[int]:
    if connection.dialect.name == "sqlite":
        return []
    query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    return list(connection.execute(text(query)).scalars())


def _cpu_seconds(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except FileNotFoundError:
        return 0.0


def measure(stage: Stage) -> Iterator[Row]:
    """Measure both engines."""
    made = models(stage.folder)
    for engine in stage.engines:
        full, empty = (Subject(Store.hold(stage.database(engine))) for _ in range(2))
        _fill(full.store, made, engine)
        for subject in (full, empty):
            subject.turn()
            subject.cost.clear()
        for _ in range(int(stage.patience(60, 15))):
            full.turn()
            empty.turn()
        for what, costs in full.cost.items():
            aim = at_most(1.15)
            yield compared((f"volume {engine}", f"CPU per {what}"), "ms", costs, empty.cost[what], aim)
        for subject in (full, empty):
            subject.store.close()


def _fill(store: Store, made: Models, engine: str) -> None:
    """The statistics of PostgreSQL follow a fill of this size by themselves within a minute; here at once."""
    fill(store, made.delivered, "delivered", STORED - WAITING)
    fill(store, made.waiting, "waiting", WAITING)
    if engine == "postgres":
        store.write(lambda connection: connection.execute(text("ANALYZE")))
