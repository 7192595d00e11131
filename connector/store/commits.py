"""Write transactions, one after the other, shared by whoever waits.

Every write of this process goes through one fair lock. Requests that arrive while a commit is on
its way to the disk are written together by the next one: forty waiting requests cost one commit.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from connector.store.engine import BUSY_SECONDS, is_deadlock, store_errors
from connector.store.errors import StoreBusyError, StoreError
from connector.store.fair_lock import FairLock, seconds_left

T = TypeVar("T")
Item = TypeVar("Item")
Answer = TypeVar("Answer")

DEADLOCK_TRIES = 5
BATCH = 64
"""Requests in one commit; more would make the first of them wait for the last."""


class Commits:
    """Runs write transactions of one process against one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(writes=True)
        self.turn = FairLock()

    def run(self, write: Callable[[Connection], T], *, timeout: float = 60.0) -> T:
        """Run `write` in a transaction of its own turn; raises StoreError."""
        with self.turn.held(timeout) as had:
            if not had:
                raise StoreBusyError("the store is too busy to commit in time")
            return self.transact(write)

    def transact(self, write: Callable[[Connection], T]) -> T:
        """Run `write` in a transaction, again after a deadlock; the caller holds the turn."""
        for _ in range(DEADLOCK_TRIES):
            try:
                return self._once(write)
            except DBAPIError as error:
                if not is_deadlock(error):
                    raise
        raise StoreBusyError("the database ended one deadlock after the other")

    def _once(self, write: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return write(connection)
        except DBAPIError as error:
            if is_deadlock(error):
                raise
            with store_errors():
                raise


@dataclass(slots=True)
class _Request(Generic[Item, Answer]):
    item: Item
    answer: Future[Answer] = field(default_factory=Future)


class SharedCommits(Generic[Item, Answer]):
    """Lets many threads' items be written by one transaction, whoever's turn comes first."""

    def __init__(self, commits: Commits, write: Callable[[Connection, Sequence[Item]], list[Answer]]) -> None:
        self._commits = commits
        self._write = write
        self._queue: deque[_Request[Item, Answer]] = deque()

    def submit(self, item: Item, timeout: float) -> Answer:
        """Return the answer for `item` once its commit is on disk; raises StoreBusyError after `timeout`."""
        request: _Request[Item, Answer] = _Request(item)
        self._queue.append(request)
        deadline = time.monotonic() + timeout
        with self._commits.turn.held(max(0.1, timeout - BUSY_SECONDS)) as had:  # a statement may wait that long
            if had:
                while not request.answer.done():
                    self._write_batch()
        if not request.answer.done() and not self._withdraw(request):
            return self._answer_by(request, deadline)
        if not request.answer.done():
            raise StoreBusyError("the store is too busy to commit in time")
        return request.answer.result()

    def _answer_by(self, request: _Request[Item, Answer], deadline: float) -> Answer:
        """Somebody is writing it at this moment: its answer may still come in time."""
        try:
            return request.answer.result(seconds_left(deadline) + 0.5)
        except TimeoutError as error:
            raise StoreBusyError("the store did not commit in time") from error

    def _withdraw(self, request: _Request[Item, Answer]) -> bool:
        try:
            self._queue.remove(request)
        except ValueError:
            return False
        return True

    def _write_batch(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        try:
            answers = self._commits.transact(lambda connection: self._write(connection, [r.item for r in batch]))
        except Exception as error:  # noqa: BLE001 - it is handed on to the thread of each request
            self._failed(batch, error)
            return
        for request, answer in zip(batch, answers, strict=True):
            request.answer.set_result(answer)

    def _failed(self, batch: list[_Request[Item, Answer]], error: Exception) -> None:
        """One item that cannot be written must not take the others of its batch along."""
        hopeless = isinstance(error, StoreError) or len(batch) == 1
        for request in batch:
            if hopeless:
                request.answer.set_exception(error)
            else:
                self._write_alone(request)

    def _write_alone(self, request: _Request[Item, Answer]) -> None:
        try:
            [answer] = self._commits.transact(lambda connection: self._write(connection, [request.item]))
        except Exception as error:  # noqa: BLE001 - it is handed on to the thread of the request
            request.answer.set_exception(error)
        else:
            request.answer.set_result(answer)
