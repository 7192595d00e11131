"""A lock that is handed on in the order it was asked for.

`threading.Lock` lets a busy thread take it again and again while another starves; the way in and
the way out of the store must not starve each other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class FairLock:
    """First come, first served."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._held = False

    def acquire(self, timeout: float) -> bool:
        """Take the lock within `timeout` seconds; return whether that worked."""
        with self._guard:
            if not self._held:
                self._held = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(timeout):
            return True
        return self._give_up(turn)

    def _give_up(self, turn: threading.Event) -> bool:
        with self._guard:
            if turn.is_set():  # handed to us between the time-out and here
                return True
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        """Hand the lock to whoever has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False

    @contextmanager
    def held(self, timeout: float) -> Iterator[bool]:
        """Hold the lock for a block; yields whether it was had in time."""
        had = self.acquire(timeout)
        try:
            yield had
        finally:
            if had:
                self.release()
