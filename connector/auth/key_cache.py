"""Holds the signing keys of one token version: fetched seldom, shared by all threads.

Asked once for each request. The rules are Entra's for signing key rollover: keys are kept for a
day, renewed every hour, and an unknown key id is asked for at once but not more often than every
five minutes, so that a flood of made-up ids does not become a flood of fetches.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import jwt
import structlog

from connector.auth.key_source import KeyFetchError, KeySet
from connector.auth.refusals import Refusal, shown

log = structlog.get_logger(__name__)

KEEP_KEYS = 24 * 3600.0
"""Seconds that keys are trusted after the last successful fetch (Entra: signing key rollover)."""

REFRESH_EVERY = 55 * 60.0
"""Seconds between two background fetches: below the hour, so that a withdrawn key is out within it."""

FETCH_BURST, FETCH_EVERY = 3, 300.0
"""Fetches for unknown key ids: this many at once, then one in so many seconds per token version."""

RETRY_BACKGROUND_FIRST, RETRY_BACKGROUND_MAX = 5.0, 60.0
"""Seconds until the next background fetch after a failed one: the first, doubling up to the last."""

RETRY_SOON = 5
"""Seconds named in Retry-After where nothing better is known."""

FETCH_PATIENCE = 5.0
"""Seconds a request waits for keys: Azure gives up after ten, and the commit needs some of them."""

FETCH_ABANDONED = 30.0
"""Seconds after which a fetch that has not come back no longer stands in the way of the next."""


class _Budget:
    """A token bucket, counted in seconds; the caller holds the lock."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._saved = FETCH_BURST * FETCH_EVERY
        self._counted_at = timer()

    def take(self) -> float:
        """Pay for one fetch and return 0, or return the seconds until one can be paid for."""
        now = self._timer()
        self._saved = min(FETCH_BURST * FETCH_EVERY, self._saved + now - self._counted_at)
        self._counted_at = now
        if self._saved < FETCH_EVERY:
            return FETCH_EVERY - self._saved
        self._saved -= FETCH_EVERY
        return 0.0


@dataclass(slots=True)
class _Flight:
    """One fetch under way; whoever needs it waits for `landed`."""

    number: int
    began: float
    landed: threading.Event = field(default_factory=threading.Event)
    failure: str | None = None


class KeyCache:
    """The signing keys of one token version, shared by all threads.

    PyJWT's own client is not used: its cool-down refuses a key that was published a moment ago.
    Here an unknown key id is asked for at once, as often as the budget allows; a fetch under way
    is shared; a set that was fetched replaces the one before, and a fetch that fails leaves it.
    """

    def __init__(
        self, version: str, fetch: Callable[[], KeySet], *, timer: Callable[[], float], patience: float = FETCH_PATIENCE
    ) -> None:
        self._version = version
        self._fetch = fetch
        self._timer = timer
        self._patience = patience
        self._lock = threading.Lock()
        self._budget = _Budget(timer)
        self._set: KeySet | None = None
        self._fetched_at = self._due = timer()
        self._flight: _Flight | None = None
        self._begun = self._newest_landed = self._failures = 0
        self._failure: str | None = None

    def ready(self) -> bool:
        """Whether there are keys that may be trusted now."""
        with self._lock:
            return self._held() is not None

    def find(self, key_id: str) -> tuple[str, tuple[jwt.PyJWK, ...]]:
        """Return the issuer and the keys of that id, fetching them if need be; raises Refusal."""
        with self._lock:
            begun = self._begun
            found = self._look_up(key_id)
        deadline = time.monotonic() + self._patience
        while found is None:
            flight = self._join()
            self._wait_for(flight, deadline)
            with self._lock:
                found = self._look_up(key_id)
            # Only a fetch that began after the question proves that there is no such key.
            if found is None and flight.number > begun:
                raise Refusal("unknown-key", f"the issuer publishes no key {shown(key_id)}")
        return found

    def refresh_if_due(self) -> None:
        """Begin a fetch if the keys are old enough; does not wait for it."""
        with self._lock:
            if self._under_way() is None and self._timer() >= self._due:
                self._begin()

    def _held(self) -> KeySet | None:
        expired = self._timer() - self._fetched_at >= KEEP_KEYS
        return None if expired else self._set

    def _look_up(self, key_id: str) -> tuple[str, tuple[jwt.PyJWK, ...]] | None:
        held = self._held()
        if held is None or key_id not in held.keys:
            return None
        return held.issuer, held.keys[key_id]

    def _under_way(self) -> _Flight | None:
        flight = self._flight
        if flight is not None and self._timer() - flight.began > FETCH_ABANDONED:
            return None
        return flight

    def _join(self) -> _Flight:
        with self._lock:
            flight = self._under_way()
            if flight is not None:
                return flight
            wait = self._budget.take()
            if wait:
                evidence = f"key unknown, next fetch in {wait:.0f} s; last failure: {self._failure or 'none'}"
                raise Refusal("key-fetch-deferred", evidence, retry_after=math.ceil(wait))
            return self._begin()

    def _begin(self) -> _Flight:
        flight = _Flight(self._begun + 1, self._timer())
        thread = threading.Thread(target=self._fly, args=(flight,), name=f"keys-{self._version}", daemon=True)
        thread.start()
        self._begun, self._flight = flight.number, flight
        return flight

    def _wait_for(self, flight: _Flight, deadline: float) -> None:
        landed = flight.landed.wait(max(0.0, deadline - time.monotonic()))
        if not landed:
            evidence = f"the issuer has not answered within {self._patience:g} s"
            raise Refusal("keys-unavailable", evidence, retry_after=RETRY_SOON)
        if flight.failure is not None:
            raise Refusal("keys-unavailable", flight.failure, retry_after=RETRY_SOON)

    def _fly(self, flight: _Flight) -> None:
        fetched = None
        try:
            fetched = self._fetch()
        except KeyFetchError as error:
            flight.failure = str(error)
        except Exception as error:  # the thread ends here, and somebody waits for its word
            log.error("fault while fetching signing keys", token_version=self._version, exc_info=error)
            flight.failure = f"a fault of our own: {type(error).__name__}"
        with self._lock:
            self._land(flight, fetched)
        flight.landed.set()

    def _land(self, flight: _Flight, fetched: KeySet | None) -> None:
        if self._flight is flight:
            self._flight = None
        if flight.number < self._newest_landed:
            return  # it was given up, and a later one has come back since
        self._newest_landed = flight.number
        if fetched is None:
            self._not_fetched(flight.failure or "unknown")
        else:
            self._fetched(fetched)

    def _fetched(self, fetched: KeySet) -> None:
        if self._failure is not None or self._set is None or self._set.keys.keys() != fetched.keys.keys():
            log.info("signing keys fetched", token_version=self._version, keys=sorted(fetched.keys))
        self._set, self._fetched_at = fetched, self._timer()
        self._failure, self._failures = None, 0
        self._due = self._fetched_at + REFRESH_EVERY

    def _not_fetched(self, failure: str) -> None:
        if failure != self._failure:
            log.warning("signing keys cannot be fetched", token_version=self._version, why=failure)
        wait = min(RETRY_BACKGROUND_MAX, RETRY_BACKGROUND_FIRST * 2 ** min(self._failures, 10))
        self._failure, self._failures = failure, self._failures + 1
        self._due = self._timer() + wait
