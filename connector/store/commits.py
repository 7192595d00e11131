"""Write transactions, one after the other, shared by whoever waits.

Every write of this process goes through one fair lock. Requests that arrive while a commit is on
its way to the disk are written together by the next one: forty waiting requests cost one commit.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from connector.store.engine import is_deadlock, store_errors
from connector.store.errors import StoreBusyError, StoreError
from connector.store.fair_lock import FairLock

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
        self._turn = FairLock()

    def run(self, write: Callable[[Connection], T], *, timeout: float = 60.0) -> T:
        """Run `write` in a transaction of its own turn; raises StoreError."""
        with self._turn.held(timeout) as had:
            if not had:
                raise StoreBusyError("the store is too busy to commit in time")
            return self._transact(write)

    def _transact(self, write: Callable[[Connection], T]) -> T:
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
    """Writes many threads' items, as many as wait by one transaction, in a thread of its own.

    So whoever submits waits for an answer and not for the database: one that has frozen keeps the
    writer, and everybody else is told in time.
    """

    def __init__(self, commits: Commits, write: Callable[[Connection, Sequence[Item]], list[Answer]]) -> None:
        self._commits = commits
        self._write = write
        self._queue: queue.SimpleQueue[_Request[Item, Answer] | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="store-writer", daemon=True)
        self._starting = threading.Lock()

    def submit(self, item: Item, timeout: float) -> Answer:
        """Return the answer for `item` once its commit is on disk; raises StoreBusyError after `timeout`.

        An item whose commit is under way by then may be stored all the same: sent again, it is a
        duplicate.
        """
        request: _Request[Item, Answer] = _Request(item)
        self._start()
        self._queue.put(request)
        try:
            return request.answer.result(timeout)
        except TimeoutError as error:
            request.answer.cancel()
            raise StoreBusyError("the store did not commit in time") from error

    def close(self) -> None:
        """End the writer once what is submitted is written."""
        if self._writer.is_alive():
            self._queue.put(None)
            self._writer.join(5.0)

    def _start(self) -> None:
        with self._starting:
            if self._writer.ident is None:
                self._writer.start()

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            waiting = [first, *self._others()]
            batch = [request for request in waiting if request.answer.set_running_or_notify_cancel()]
            if batch:
                self._write_batch(batch)

    def _others(self) -> list[_Request[Item, Answer]]:
        """Those that wait too; nobody who came later is waited for."""
        found: list[_Request[Item, Answer]] = []
        with suppress(queue.Empty):
            while len(found) < BATCH - 1:
                request = self._queue.get_nowait()
                if request is None:
                    self._queue.put(None)
                    break
                found.append(request)
        return found

    def _write_batch(self, batch: Sequence[_Request[Item, Answer]]) -> None:
        """One item that cannot be written must not take the others of its batch along."""
        try:
            answers = self._commits.run(lambda connection: self._write(connection, [r.item for r in batch]))
        except Exception as error:  # noqa: BLE001 - it is handed on to the thread of each request
            hopeless = isinstance(error, StoreError) or len(batch) == 1
            for request in batch:
                if hopeless:
                    request.answer.set_exception(error)
                else:
                    self._write_batch([request])
            return
        for request, answer in zip(batch, answers, strict=True):
            request.answer.set_result(answer)
