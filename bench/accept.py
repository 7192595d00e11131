"""(a) The way in: as fast as it goes without deliveries, then at fixed rates with deliveries running."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.ceiling import PATH
from bench.processes import Process
from bench.ratios import Aim, Row, at_least, at_most, compared
from bench.stage import Stage, address_of, ask_desk, pause

CONNECTIONS = 16
RATES = (25, 100)
DESK_SECONDS = 0.02
"""How long the desk takes while alerts come at a fixed rate."""


@dataclass(frozen=True, slots=True)
class Side:
    """A process that takes alerts in, and where."""

    process: Process
    url: str


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice of time showed. `cpu_ms` is the server's own, for each accepted alert."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    sender_share: float


class Sender:
    """Sends alerts from its own process."""

    def __init__(self, stage: Stage, process: Process) -> None:
        self._process = process
        self._token = stage.issuer.token()

    def send(self, side: Side, seconds: float, rate: float | None = None) -> Slice:
        """Send for so long; every alert must have been accepted."""
        connections = CONNECTIONS if rate is None else 4 * CONNECTIONS
        before = side.process.cpu_seconds()
        told = self._process.ask(
            url=side.url + PATH, token=self._token, connections=connections, seconds=seconds, rate=rate
        )
        cpu = side.process.cpu_seconds() - before
        return _slice(side.process.name, told, cpu)


def _slice(name: str, told: dict[str, Any], cpu: float) -> Slice:
    if told["refused"] or not told["answered"]:
        raise RuntimeError(f"{name} did not accept everything: {told}")
    answered, seconds = told["answered"], told["seconds"]
    return Slice(
        answered / seconds, told["p50"] * 1000, told["p99"] * 1000, cpu * 1000 / answered, told["own_cpu"] / seconds
    )


def measure(stage: Stage) -> Iterator[Row]:
    """Measure both engines."""
    for engine in stage.engines:
        yield from _as_fast_as_it_goes(stage, engine)
    for engine in stage.engines:
        yield from _at_fixed_rates(stage, engine)


def _as_fast_as_it_goes(stage: Stage, engine: str) -> Iterator[Row]:
    """SQLite has one process for both ways, so its destination is paused; PostgreSQL has the gateway alone."""
    url = stage.database(engine)
    with ExitStack() as stack:
        pause(url)
        command = "serve" if engine == "sqlite" else "gateway"
        product = stack.enter_context(stage.product(stage.config(url), command))
        other = stack.enter_context(stage.ceiling(engine))
        sender = Sender(stage, stack.enter_context(stage.load()))
        sides = Side(product, address_of(product)), Side(other, other.lines[0])
        for side in sides:
            sender.send(side, 2.0)
        pairs = [
            [sender.send(side, stage.patience(3.0, 1.5)) for side in sides] for _ in range(int(stage.patience(10, 4)))
        ]
        ours, theirs = zip(*pairs, strict=True)
    stage.notes.append(
        f"accept, {engine}: the sender used {median(s.sender_share for s in ours):.2f} of a core against ours, "
        f"{median(s.sender_share for s in theirs):.2f} against the ceiling"
    )
    yield from _rows(f"accept {engine}", _AS_FAST, ours, theirs)


_Column = tuple[str, str, Callable[[Slice], float], Aim | None]
_AS_FAST: Sequence[_Column] = (
    ("rate", "/s", lambda slice_: slice_.rate, at_least(0.70)),
    ("p50", "ms", lambda slice_: slice_.p50_ms, None),
    ("p99", "ms", lambda slice_: slice_.p99_ms, at_most(2.0)),
    ("CPU per alert", "ms", lambda slice_: slice_.cpu_ms, at_most(1.4)),
)
_AT_RATE: Sequence[_Column] = (
    ("p50, delivering", "ms", lambda slice_: slice_.p50_ms, None),
    ("p99, delivering", "ms", lambda slice_: slice_.p99_ms, at_most(2.0)),
    ("CPU per alert, delivered", "ms", lambda slice_: slice_.cpu_ms, None),
)


def _rows(part: str, columns: Sequence[_Column], ours: Sequence[Slice], theirs: Sequence[Slice]) -> Iterator[Row]:
    for what, unit, value, aim in columns:
        yield compared((part, what), unit, [value(each) for each in ours], [value(each) for each in theirs], aim)


def _at_fixed_rates(stage: Stage, engine: str) -> Iterator[Row]:
    with ExitStack() as stack:
        desk = stack.enter_context(stage.desk())
        ask_desk(desk, f"/set?latency={DESK_SECONDS}")
        product = stack.enter_context(stage.product(stage.config(stage.database(engine), desk.lines[0])))
        other = stack.enter_context(stage.ceiling(engine))
        sender = Sender(stage, stack.enter_context(stage.load()))
        sides = Side(product, address_of(product)), Side(other, other.lines[0])
        for rate in RATES:
            yield from _at_rate(stage, f"{engine} {rate}/s", sender, sides, rate)


def _at_rate(stage: Stage, part: str, sender: Sender, sides: tuple[Side, Side], rate: float) -> Iterator[Row]:
    """A minute for each, in turns of ten seconds."""
    for side in sides:
        sender.send(side, 1.0, rate)
    turns = int(stage.patience(6, 2))
    pairs = [[sender.send(side, stage.patience(10.0, 5.0), rate) for side in sides] for _ in range(turns)]
    ours, theirs = zip(*pairs, strict=True)
    yield from _rows(part, _AT_RATE, ours, theirs)
