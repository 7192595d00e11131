"""(b) The way out: to a real HTTP desk, against the ideal and against a bare loop of `requests` calls.

The product runs; a batch of deliveries is put into its store, and when each call came is asked of
the desk afterwards. The first and the last calls of a batch are left out: then not all threads had
something to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from bench.fill import Model, fill, models
from bench.processes import Process
from bench.ratios import Row, at_least, bounded, compared
from bench.stage import CONCURRENCY, Stage, ask_desk
from connector.store import Store

LATENCIES = (0.0, 0.02, 0.2)
_BATCH = {0.0: 800, 0.02: 1200, 0.2: 480}


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch showed. `cpu_ms` is the delivering process's own, for each delivery."""

    rate: float
    cpu_ms: float


class Product:
    """Ours: puts deliveries into the store of a running worker."""

    def __init__(self, process: Process, store: Store, model: Model) -> None:
        self.process = process
        self._store = store
        self._model = model
        self._batches = 0

    def deliver(self, count: int) -> None:
        """Have so many deliveries made; returns once the last is settled."""
        self._batches += 1
        fill(self._store, self._model, f"batch {self._batches}", count, portion=count)
        while any(each.waiting for each in self._store.backlog()):
            time.sleep(0.1)


def measure(stage: Stage) -> Iterator[Row]:
    """Measure both engines at each latency."""
    model = models(stage.folder).waiting
    for engine in stage.engines:
        with ExitStack() as stack:
            desk = stack.enter_context(stage.desk())
            store_url = stage.database(engine)
            process = stack.enter_context(stage.product(stage.config(store_url, desk.lines[0])))
            store = Store.beside(store_url)
            stack.callback(store.close)
            product = Product(process, store, model)
            bare = stack.enter_context(_bare_loop(stage, engine, desk))
            for latency in LATENCIES:
                yield from _at_latency(
                    stage, f"delivery {engine}, {latency * 1000:.0f} ms", (desk, product, bare), latency
                )


def _bare_loop(stage: Stage, engine: str, desk: Process) -> Process:
    arguments = ["bench.bare_loop", "--store", stage.database(engine), "--desk", desk.lines[0]]
    return Process(f"bare-loop-{engine}", arguments, stage.folder)


def _at_latency(stage: Stage, part: str, sides: tuple[Process, Product, Process], latency: float) -> Iterator[Row]:
    desk, product, bare = sides
    count = int(stage.patience(_BATCH[latency], _BATCH[latency] / 2))

    def ours() -> Batch:
        return _batch(desk, latency, product.process, count, lambda: product.deliver(count))

    def theirs() -> Batch:
        return _batch(desk, latency, bare, count, lambda: bare.ask(count=count))

    pairs = [(ours(), theirs()) for _ in range(int(stage.patience(7, 3)))]
    mine, others = zip(*pairs, strict=True)
    rates = [each.rate for each in mine]
    if latency:
        ideal, aim = CONCURRENCY / latency, at_least(0.95) if latency == 0.2 else None
        yield bounded((part, "rate, against the ideal"), "/s", rates, ideal, aim)
    aim = at_least(0.80) if latency == 0.02 else None
    yield compared((part, "rate, against a bare loop"), "/s", rates, [each.rate for each in others], aim)
    yield compared((part, "CPU per delivery"), "ms", [each.cpu_ms for each in mine], [each.cpu_ms for each in others])


def _batch(desk: Process, latency: float, process: Process, count: int, deliver: Callable[[], object]) -> Batch:
    ask_desk(desk, f"/set?latency={latency}")
    before = process.cpu_seconds()
    deliver()
    cpu = process.cpu_seconds() - before
    told = ask_desk(desk, "/told")
    if told["calls"] != {"open": count}:
        raise RuntimeError(f"{count} calls were expected, the desk counted {told['calls']}")
    return Batch(_rate(told["arrivals"]), cpu * 1000 / count)


def _rate(arrivals: list[float]) -> float:
    """Calls arrive in waves of as many as are in flight; whole waves are counted."""
    some = arrivals[CONCURRENCY : len(arrivals) - CONCURRENCY + 1]
    return (len(some) - 1) / (some[-1] - some[0])
