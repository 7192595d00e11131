"""(e) What the process needs: time until it is ready, memory idle and loaded, processor while nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.accept import Sender, Side
from bench.ratios import Row, at_most, bounded, compared
from bench.stage import Stage, address_of, ask_desk

READY_SECONDS, MEGABYTES, IDLE_PERCENT = 2.0, 100.0, 1.0


def measure(stage: Stage) -> Iterator[Row]:
    """Measure starts, then one process that rests, works and rests."""
    yield from _starts(stage)
    with ExitStack() as stack:
        desk = stack.enter_context(stage.desk())
        ask_desk(desk, "/set?latency=0.02")
        product = stack.enter_context(stage.product(stage.config(stage.database("sqlite"), desk.lines[0])))
        time.sleep(2.0)
        yield _memory("resident, idle", product.resident_megabytes())
        seconds = stage.patience(30.0, 10.0)
        before = product.cpu_seconds()
        time.sleep(seconds)
        idle = (product.cpu_seconds() - before) / seconds * 100
        yield bounded(("footprint", "CPU idle, of a core"), "%", [idle], IDLE_PERCENT, at_most(1.0))
        sender = Sender(stage, stack.enter_context(stage.load()))
        sender.send(Side(product, address_of(product)), stage.patience(20.0, 5.0))
        yield _memory("resident, after a storm", product.resident_megabytes())


def _starts(stage: Stage) -> Iterator[Row]:
    """A new store, which is made, and the same store again."""
    first, again, other = [], [], []
    for _ in range(int(stage.patience(7, 3))):
        config = stage.config(stage.database("sqlite"))
        first.append(_ready_after(stage, config))
        again.append(_ready_after(stage, config))
        other.append(_ceiling_after(stage))
    yield bounded(("footprint", "ready with a new store"), "s", first, READY_SECONDS, at_most(1.0))
    yield bounded(("footprint", "ready again"), "s", again, READY_SECONDS, at_most(1.0))
    yield compared(("footprint", "ready again, against the ceiling's start"), "s", again, other)


def _ready_after(stage: Stage, config: Path) -> float:
    with stage.product(config) as process:
        return time.monotonic() - process.began


def _ceiling_after(stage: Stage) -> float:
    with stage.ceiling("sqlite") as process:
        return time.monotonic() - process.began


def _memory(what: str, megabytes: float) -> Row:
    return bounded(("footprint", what), "MB", [megabytes], MEGABYTES, at_most(1.0))
