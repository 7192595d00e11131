"""The least a store can be: one table, and one thread that commits what waits together.

Below the ceilings. Opened as the product opens its own, so that it is as durable.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from contextlib import suppress

from sqlalchemy import Column, LargeBinary, MetaData, String, Table, insert

from connector.store.engine import connect

_metadata = MetaData()
_kept = Table(
    "kept", _metadata, Column("id", String(32), primary_key=True), Column("body", LargeBinary, nullable=False)
)


class OneTable:
    """Keeps rows; `keep` returns once a row is on disk."""

    def __init__(self, url: str) -> None:
        self._engine = connect(url, create=True)
        _metadata.create_all(self._engine)
        self._waiting: queue.SimpleQueue[tuple[dict[str, object], Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._write_all, daemon=True).start()

    def keep(self, id_: str, body: bytes) -> None:
        """Write one row."""
        done: Future[None] = Future()
        self._waiting.put(({"id": id_, "body": body}, done))
        done.result()

    def _write_all(self) -> None:
        writing = self._engine.execution_options(writes=True)
        while True:
            batch = [self._waiting.get()]
            with suppress(queue.Empty):
                while True:
                    batch.append(self._waiting.get_nowait())
            with writing.begin() as connection:
                connection.execute(insert(_kept), [row for row, _ in batch])
            for _, done in batch:
                done.set_result(None)
