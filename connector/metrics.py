"""The metrics of one process, in the words of the product: what /metrics shows.

Stands beside the path of an alert: intake, endpoints and worker say what happened, nobody reads
back. What waits is not counted here but asked of the store at each scrape, so that it is right
whichever process did the work. docs/metrics.md explains each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from connector import __version__

log = structlog.get_logger(__name__)

PREFIX = "itsm_connector"
CONTENT_TYPE = CONTENT_TYPE_LATEST

OTHER = "other"
WORDS_AT_MOST = 100
"""How many values one label may take; a further one is counted as `other`."""

_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LATENCY_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600)


class Backlog(Protocol):
    """What waits for one destination, as the store tells it."""

    @property
    def destination(self) -> str: ...
    @property
    def waiting(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def oldest_waiting_seconds(self) -> float: ...
    @property
    def paused(self) -> bool: ...


class _Words:
    """The values seen of one label: a process must not grow with what strangers send."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self._seen:
            if len(self._seen) >= WORDS_AT_MOST:
                return OTHER
            self._seen.add(value)
        return value


class Metrics:
    """Counts what one process does. Safe to use from many threads.

    `backlog` is asked at each scrape; if it fails, everything else is shown all the same.
    """

    def __init__(self, backlog: Callable[[], Sequence[Backlog]] = lambda: ()) -> None:
        self.registry = CollectorRegistry()
        self._word, self._destination = _Words(), _Words()
        self._count_the_way_in()
        self._count_the_way_out()
        build = Gauge("build_info", "The version that runs.", ["version"], namespace=PREFIX, registry=self.registry)
        build.labels(__version__).set(1)
        self.registry.register(_BacklogCollector(backlog))
        ProcessCollector(registry=self.registry)

    def _count_the_way_in(self) -> None:
        self._requests = self._counter("webhook_requests", "Posts to the webhook, by answer.", "status", "outcome")
        self._seconds = self._histogram("webhook_duration_seconds", "Time to answer a post.", _REQUEST_SECONDS)
        self._refusals = self._counter("auth_refusals", "Callers and alerts that were not let in, by code.", "code")
        self._quarantined = self._counter("quarantined", "Bodies put into quarantine, by code.", "code")

    def _count_the_way_out(self) -> None:
        self._deliveries = self._counter(
            "deliveries", "What was done at a destination, and deliveries given up.", "destination", "action", "outcome"
        )
        self._attempts = self._counter(
            "delivery_attempts", "Attempts to deliver, by how they ended.", "destination", "reason"
        )
        self._latency = self._histogram(
            "delivery_latency_seconds", "From receipt of an alert to its delivery.", _LATENCY_SECONDS, "destination"
        )

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(name, words, labels, namespace=PREFIX, registry=self.registry)

    def _histogram(self, name: str, words: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, words, labels, namespace=PREFIX, registry=self.registry, buckets=buckets)

    def webhook_answered(self, status: int, outcome: str, seconds: float) -> None:
        """Count an answered post; `outcome` is its status word or the code of its problem."""
        self._requests.labels(str(status), self._word(outcome)).inc()
        self._seconds.observe(seconds)

    def auth_refused(self, code: str) -> None:
        """Count a caller, or an alert, that was not let in."""
        self._refusals.labels(self._word(code)).inc()

    def quarantined(self, code: str) -> None:
        """Count a body that was put into quarantine."""
        self._quarantined.labels(self._word(code)).inc()

    def delivered(self, destination: str, actions: Iterable[str], latency: float) -> None:
        """Count a delivery that is done; `latency` is seconds from receipt to done."""
        name = self._destination(destination)
        for action in actions:
            self._deliveries.labels(name, self._word(action), "delivered").inc()
        self._attempts.labels(name, "ok").inc()
        self._latency.labels(name).observe(max(0.0, latency))

    def attempt_failed(self, destination: str, reason: str) -> None:
        """Count an attempt that failed."""
        self._attempts.labels(self._destination(destination), self._word(reason)).inc()

    def delivery_dead(self, destination: str) -> None:
        """Count a delivery that was given up."""
        self._deliveries.labels(self._destination(destination), "none", "dead").inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format, of `CONTENT_TYPE`."""
        return generate_latest(self.registry)


_BACKLOG_GAUGES: Sequence[tuple[str, str, Callable[[Backlog], float]]] = [
    ("deliveries_waiting", "Deliveries that wait or are under way.", lambda each: each.waiting),
    ("deliveries_dead", "Deliveries that were given up and wait for a person.", lambda each: each.dead),
    ("oldest_waiting_seconds", "Age of the oldest that waits.", lambda each: each.oldest_waiting_seconds),
    ("breaker_open", "1 while deliveries to the destination are paused.", lambda each: float(each.paused)),
]


class _BacklogCollector(Collector):
    """Asks the store what waits when somebody scrapes."""

    def __init__(self, backlog: Callable[[], Sequence[Backlog]]) -> None:
        self._backlog = backlog

    def collect(self) -> Iterator[GaugeMetricFamily]:
        rows, readable = self._rows()
        for name, words, value in _BACKLOG_GAUGES:
            gauge = GaugeMetricFamily(f"{PREFIX}_{name}", words, labels=["destination"])
            for row in rows:
                gauge.add_metric([row.destination], value(row))
            yield gauge
        yield GaugeMetricFamily(
            f"{PREFIX}_backlog_readable", "0: the store could not be asked what waits.", float(readable)
        )

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the gauges without asking the store; the registry wants it when it is put together."""
        for name, words, _ in _BACKLOG_GAUGES:
            yield GaugeMetricFamily(f"{PREFIX}_{name}", words)

    def _rows(self) -> tuple[Sequence[Backlog], bool]:
        try:
            return self._backlog(), True
        except Exception as error:  # noqa: BLE001 - a scrape ends here; its other numbers are wanted most just now
            log.warning("backlog cannot be read", error=f"{type(error).__name__}: {error}".splitlines()[0])
            return (), False


__all__ = ["CONTENT_TYPE", "PREFIX", "Backlog", "Metrics"]
