"""Looking whether the database answers, without waiting for one that does not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from connector.store.errors import StoreUnavailableError


class Look:
    """Runs a look at the database in a thread of its own; while one hangs no second is begun."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._running: Future[None] | None = None

    def within(self, seconds: float) -> None:
        """Raise what the look raises, or StoreUnavailableError when it has no end in time."""
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                threading.Thread(target=self._run, args=(self._running,), name="store-look", daemon=True).start()
            running = self._running
        try:
            running.result(seconds)
        except TimeoutError as error:
            raise StoreUnavailableError("the database does not answer") from error

    def _run(self, running: Future[None]) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - it is handed on to the thread that asks
            running.set_exception(error)
        else:
            running.set_result(None)
