"""The worker: claims due deliveries, hands each to its adapter, settles what became of it.

On the path of an alert this is everything behind the 202. One thread (`Dispatcher`) talks to the
store: it settles what is done and takes what is due in one commit. Daemon threads make the calls,
so a vendor that hangs keeps one of them and nobody else. `Housekeeper` keeps the heartbeat and
forgets what is old enough. A thread that keeps failing ends the process: silence would be worse.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from connector.adapter import Adapter, DeliveryError, Reason, Scope, SecretError
from connector.failures import Fate, Patience
from connector.lifecycle import episode_after
from connector.logs import decision as log_decision
from connector.metrics import Metrics
from connector.store import Claim, Delivered, Failed, Settled, Settlement, Store, StoreError

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
"""How long a due delivery may go unnoticed when nobody wakes the worker: another process wrote it."""

FAULTS_BEFORE_EXIT = 5
"""Faults in a row after which a thread has failed for good."""

BEAT_SECONDS = 5.0
LATE_BEAT_SECONDS = 20.0
"""A worker whose heartbeat is later than this takes nothing: others may soon think it dead."""

FORGET_EVERY_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Target:
    """A destination as the worker knows it: its adapter and the namespace of its correlation values."""

    adapter: Adapter[Any]
    namespace: str


class Supervised:
    """A thread that is started again after a fault, and gives up after too many in a row."""

    def __init__(self, name: str, step: Callable[[], None], failed: Callable[[str], None]) -> None:
        self.name = name
        self._step = step
        self._failed = failed
        self._faults = 0
        self._words = "ok"
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ask the thread to end and wait for it."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def state(self) -> str:
        """Return `ok`, or what is wrong."""
        if self._words == "ok" and not self._thread.is_alive() and not self.stopping.is_set():
            return "has not been started or has ended"
        return self._words

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._step()
                self._faults = 0
            except StoreError as error:  # the store comes back or the operator is told by readyz
                log.error("store unavailable", thread=self.name, error=str(error))
                self.stopping.wait(1.0)
            except Exception as error:  # noqa: BLE001 - the outermost loop of this thread
                self._fault(error)
                if self._faults >= FAULTS_BEFORE_EXIT:
                    return

    def _fault(self, error: Exception) -> None:
        self._faults += 1
        log.error("fault", thread=self.name, faults=self._faults, exc_info=error)
        if self._faults >= FAULTS_BEFORE_EXIT:
            self._words = f"failed {self._faults} times in a row, last by {type(error).__name__}"
            self._failed(f"{self.name} {self._words}")
        else:
            self.stopping.wait(0.2 * 2**self._faults)


class Dispatcher:
    """Delivers what waits for the destinations of this process."""

    def __init__(  # noqa: PLR0917 - the composition root names each
        self,
        store: Store,
        targets: Mapping[str, Target],
        patience: Patience,
        metrics: Metrics,
        worker: str,
        concurrency: int,
        failed: Callable[[str], None],
    ) -> None:
        self._store = store
        self._targets = targets
        self._namespaces = {name: target.namespace for name, target in targets.items()}
        self._patience = patience
        self._metrics = metrics
        self._worker = worker
        self._concurrency = concurrency
        self._to_do: queue.SimpleQueue[Claim | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Settlement] = queue.SimpleQueue()
        self._unsettled: list[Settlement] = []
        self._in_flight: dict[str, Claim] = {}  # by delivery
        self._in_doubt = False
        self._more = False
        self._draining = False
        self._awake = threading.Event()
        self._thread = Supervised("dispatcher", self._step, failed)
        self.last_beat = time.monotonic()

    def start(self) -> None:
        """Start the threads."""
        for number in range(self._concurrency):
            threading.Thread(target=self._call_adapters, name=f"delivery-{number}", daemon=True).start()
        self._thread.start()

    def wake(self) -> None:
        """Say that something may be due."""
        self._awake.set()

    def state(self) -> str:
        """Return `ok`, or what is wrong with the dispatching thread."""
        return self._thread.state()

    def stop(self, timeout: float) -> None:
        """Take nothing more, finish what is in flight within `timeout` seconds, settle it."""
        deadline = time.monotonic() + timeout
        self._draining = True
        self.wake()
        while (self._in_flight or self._unsettled) and time.monotonic() < deadline:
            time.sleep(0.02)
        self._thread.stop(max(0.1, deadline - time.monotonic()))
        for _ in range(self._concurrency):
            self._to_do.put(None)

    def _step(self) -> None:
        """Wait for something to do, then settle and claim in one commit."""
        if not self._more:
            self._awake.wait(POLL_SECONDS)
        self._awake.clear()
        with suppress(queue.Empty):
            while True:
                self._unsettled.append(self._done.get_nowait())
        room = 0 if self._draining or self._beat_is_late() else self._concurrency - len(self._in_flight)
        room += len(self._unsettled)
        if self._unsettled or room > 0:
            self._settle_and_claim(room if not self._draining else 0)

    def _beat_is_late(self) -> bool:
        return time.monotonic() - self.last_beat > LATE_BEAT_SECONDS

    def _settle_and_claim(self, room: int) -> None:
        if self._in_doubt:
            self._store.free_others(
                self._worker, [(c.destination, c.episode, c.epoch) for c in self._in_flight.values()]
            )
            self._in_doubt = False
        settled, claims = self._work(room)
        for done in self._unsettled:
            self._in_flight.pop(done.claim.delivery_id, None)
        self._unsettled.clear()
        self._in_flight |= {claim.delivery_id: claim for claim in claims}
        self._more = bool(claims) and len(claims) == room
        for claim in claims:
            self._to_do.put(claim)
        for each in settled:
            self._tell(each)

    def _work(self, room: int) -> tuple[list[Settled], list[Claim]]:
        probe_every = self._patience.max_backoff
        try:
            return self._store.work(self._worker, self._unsettled, self._namespaces, room, probe_every)
        except StoreError:
            self._in_doubt = True  # a commit may have taken episodes that we never heard of
            raise
        except Exception as error:
            if not self._unsettled:
                raise
            log.error("fault", thread="dispatcher", exc_info=error)
            return self._settle_one_by_one(), []

    def _settle_one_by_one(self) -> list[Settled]:
        """A receipt that cannot be stored must not hold up the others: it counts as a fault."""
        settled: list[Settled] = []
        for each in self._unsettled:
            try:
                settled += self._store.work(self._worker, [each], {}, 0, self._patience.max_backoff)[0]
            except StoreError:
                raise
            except Exception as error:
                log.error("receipt cannot be stored", destination=each.claim.destination, exc_info=error)
                fault = DeliveryError(Reason.ADAPTER_FAULT, "its receipt could not be stored")
                failed = self._failure(each.claim, fault)
                settled += self._store.work(self._worker, [failed], {}, 0, self._patience.max_backoff)[0]
        return settled

    def _call_adapters(self) -> None:
        while (claim := self._to_do.get()) is not None:
            self._done.put(self._deliver(claim))
            self._awake.set()

    def _deliver(self, claim: Claim) -> Settlement:
        adapter = self._targets[claim.destination].adapter
        try:
            receipt = adapter.deliver(claim.notice)
            return Delivered(claim, receipt, episode_after(claim.notice, receipt))
        except DeliveryError as error:
            return self._failure(claim, error)
        except SecretError as error:
            unauthorized = DeliveryError(Reason.UNAUTHORIZED, str(error), scope=Scope.DESTINATION)
            return self._failure(claim, unauthorized)
        except Exception as error:
            log.error("adapter fault", destination=claim.destination, delivery=claim.delivery_id, exc_info=error)
            words = f"the adapter failed with {type(error).__name__}; the log has the trace"
            return self._failure(claim, DeliveryError(Reason.ADAPTER_FAULT, words))

    def _failure(self, claim: Claim, error: DeliveryError) -> Failed:
        return Failed(claim, error, lambda standing: self._patience.verdict(error, standing))

    def _tell(self, settled: Settled) -> None:
        """Say in the log and the metrics what was written."""
        settlement, claim = settled.settlement, settled.settlement.claim
        ids = {"alert": claim.alert_id, "delivery": claim.delivery_id, "destination": claim.destination}
        if settled.fenced:
            log.warning("settlement came too late: another worker has the episode", **ids)
        elif isinstance(settlement, Delivered):
            for each in settlement.receipt.decisions:
                log_decision(log, each, **ids)
            latency = (settled.at - claim.received_at).total_seconds()
            self._metrics.delivered(claim.destination, [str(a) for a in settlement.receipt.actions], latency)
        else:
            self._tell_failure(settlement, settled, ids)

    def _tell_failure(self, settlement: Failed, settled: Settled, ids: dict[str, str]) -> None:
        error, verdict = settlement.error, settled.verdict
        fate = verdict.fate if verdict else Fate.RETRY
        log.warning("delivery failed", reason=str(error.reason), message=error.message, fate=str(fate), **ids)
        self._metrics.attempt_failed(ids["destination"], str(error.reason))
        if fate is Fate.DEAD:
            self._metrics.delivery_dead(ids["destination"])


class Housekeeper:
    """Keeps the heartbeat of this worker, and forgets what is old enough."""

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        worker: str,
        keep: tuple[timedelta, timedelta],
        failed: Callable[[str], None],
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._worker = worker
        self._retention, self._keep_raw = keep
        self._forget_at = time.monotonic() + 30.0
        self._thread = Supervised("housekeeper", self._step, failed)

    def start(self) -> None:
        """Beat once, so that nobody takes this worker for dead, then start the thread."""
        self._store.beat(self._worker)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End the thread and free what the worker still owns."""
        self._thread.stop(timeout)
        with suppress(StoreError):
            self._store.leave(self._worker)

    def state(self) -> str:
        """Return `ok`, or what is wrong."""
        return self._thread.state()

    def _step(self) -> None:
        self._store.beat(self._worker)
        self._dispatcher.last_beat = time.monotonic()
        if time.monotonic() >= self._forget_at:
            if self._store.forget(self._retention, self._keep_raw):
                self._thread.stopping.wait(0.1)  # others write, and the next beat comes, between two portions
                return
            self._forget_at = time.monotonic() + FORGET_EVERY_SECONDS
        self._thread.stopping.wait(BEAT_SECONDS)
