"""The mock's desk: where its work items are kept, and nothing of what they mean.

`MockAdapter` speaks to a `Desk` as an adapter speaks to a vendor's API. A record is the JSON
object of one work item; a person may edit a desk file by hand, so nothing in it is taken for
granted. All methods raise DeliveryError only.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import requests

from connector.adapter import DeliveryError, Reason
from connector.vendor_http import Manners, json_object, session

Record = dict[str, Any]
Records = dict[str, Record]
"""All records of a desk by their id, oldest first."""


class Desk(ABC):
    """Keeps records. One instance serves many threads."""

    address: str
    """Where people look at it: a work item's URL begins with it."""

    @abstractmethod
    def get(self, item_id: str) -> Record | None:
        """Return one record."""

    @abstractmethod
    def search(self, correlation: str = "") -> list[Record]:
        """Return the records with that correlation value, or all of them."""

    @abstractmethod
    def add(self, record: Record) -> Record:
        """Keep a new record; its `id` and `number` are given here."""

    @abstractmethod
    def change(self, item_id: str, changes: Record, note: Record | None = None) -> Record | None:
        """Write fields and append a note; `None` when there is no such record."""

    @abstractmethod
    def remove(self, item_id: str) -> None:
        """Forget a record, as if a person had deleted it."""

    def close(self) -> None:  # noqa: B027 - a desk in memory holds nothing open
        """Let go of what is held open."""


class MemoryDesk(Desk):
    """A desk that ends with its process."""

    address = "mock-desk:memory"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: Records = {}

    def get(self, item_id: str) -> Record | None:
        """Return one record."""
        with self._lock:
            return _get(self._records, item_id)

    def search(self, correlation: str = "") -> list[Record]:
        """Return the records with that correlation value, or all of them."""
        with self._lock:
            return _search(self._records, correlation)

    def add(self, record: Record) -> Record:
        """Keep a new record."""
        with self._lock:
            return _add(self._records, record)

    def change(self, item_id: str, changes: Record, note: Record | None = None) -> Record | None:
        """Write fields and append a note."""
        with self._lock:
            return _change(self._records, item_id, changes, note)

    def remove(self, item_id: str) -> None:
        """Forget a record."""
        with self._lock:
            self._records.pop(item_id, None)


def _get(records: Records, item_id: str) -> Record | None:
    found = records.get(item_id)
    return None if found is None else _copy(found)


def _search(records: Records, correlation: str) -> list[Record]:
    return [_copy(each) for each in records.values() if correlation in ("", each.get("correlation"))]


def _add(records: Records, record: Record) -> Record:
    item_id = uuid4().hex
    records[item_id] = _copy({"id": item_id, "number": _next_number(records)} | record)
    return _copy(records[item_id])


def _change(records: Records, item_id: str, changes: Record, note: Record | None) -> Record | None:
    if item_id not in records:
        return None
    changed = records[item_id] | changes
    if note is not None:
        changed["notes"] = [*_notes(changed), note]
    records[item_id] = changed
    return _copy(changed)


def _copy(record: Record) -> Record:
    return record | {"notes": list(_notes(record))}


def _notes(record: Record) -> list[Any]:
    notes = record.get("notes")
    return notes if isinstance(notes, list) else []


_NUMBER = re.compile(r"MOCK(\d{1,9})")


def _next_number(records: Records) -> str:
    taken = (_NUMBER.fullmatch(str(each.get("number"))) for each in records.values())
    return f"MOCK{max((int(match[1]) for match in taken if match), default=0) + 1:04d}"


class FileDesk(Desk):
    """A desk in a JSON file that people can read and edit; safe with many processes and threads.

    A write happens under a lock on a side file and replaces the desk file at once, so that a kill
    leaves either the old or the new one. What was read is kept until the file changes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.address = self.path.as_uri()
        self._guard = threading.Lock()
        self._records: Records = {}
        self._others: Record = {}
        self._texts: dict[str, tuple[Record, str]] = {}
        self._seen: int | None = None  # kept open: while it is, no new file can have its inode

    def get(self, item_id: str) -> Record | None:
        """Return one record."""
        with self._guard:
            return _get(self._read(), item_id)

    def search(self, correlation: str = "") -> list[Record]:
        """Return the records with that correlation value, or all of them."""
        with self._guard:
            return _search(self._read(), correlation)

    def add(self, record: Record) -> Record:
        """Keep a new record."""
        with self._writing() as records:
            return _add(records, record)

    def change(self, item_id: str, changes: Record, note: Record | None = None) -> Record | None:
        """Write fields and append a note."""
        with self._writing() as records:
            return _change(records, item_id, changes, note)

    def remove(self, item_id: str) -> None:
        """Forget a record."""
        with self._writing() as records:
            records.pop(item_id, None)

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            self._forget()

    @contextmanager
    def _writing(self) -> Iterator[Records]:
        """Let the caller change the records, alone in the world, and write what became of them."""
        with self._guard, self._alone():
            records = dict(self._read())
            yield records
            try:
                self._write(records)
            except OSError as error:
                raise _file_error(self.path, error) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        side = self.path.with_name(self.path.name + ".lock")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(side, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _file_error(side, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self) -> Records:
        """Return the records as they are on disk now; they are not to be changed."""
        try:
            if not self._is_current():
                self._load()
        except FileNotFoundError:
            self._forget()
        except OSError as error:
            raise _file_error(self.path, error) from error
        return self._records

    def _is_current(self) -> bool:
        now = self.path.stat()
        return self._seen is not None and _mark(os.fstat(self._seen)) == _mark(now) == self._mark

    def _load(self) -> None:
        opened = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            mark = _mark(os.fstat(opened))
            with os.fdopen(os.dup(opened), "rb") as file:
                records, others = _parsed(self.path, file.read())
        except BaseException:
            os.close(opened)
            raise
        self._keep(records, others, opened, mark)

    def _write(self, records: Records) -> None:
        new = self.path.with_name(self.path.name + ".new")
        opened = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(os.dup(opened), "wb") as file:
                file.write(self._text(records).encode("utf-8", "backslashreplace"))
            os.fsync(opened)
            new.replace(self.path)
        except BaseException:
            os.close(opened)
            raise
        self._keep(records, self._others, opened, _mark(os.fstat(opened)))

    def _keep(self, records: Records, others: Record, opened: int, mark: tuple[int, ...]) -> None:
        self._forget()
        self._records, self._others, self._seen, self._mark = records, others, opened, mark

    def _forget(self) -> None:
        if self._seen is not None:
            os.close(self._seen)
        self._records, self._others, self._seen, self._mark = {}, {}, None, ()

    _mark: tuple[int, ...] = ()

    def _text(self, records: Records) -> str:
        """The whole file; only records that changed are written out anew."""
        self._texts = {key: self._text_of(key, record) for key, record in records.items()}
        others = "".join(f"  {_json(name)}: {_json(value)},\n" for name, value in self._others.items())
        items = ",\n".join(text for _, text in self._texts.values())
        return f'{{\n{others}  "work_items": [\n{items}\n  ]\n}}\n'

    def _text_of(self, key: str, record: Record) -> tuple[Record, str]:
        known = self._texts.get(key)
        if known is not None and (known[0] is record or known[0] == record):
            return known
        return record, "    " + _json(record).replace("\n", "\n    ")


def _mark(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _parsed(path: Path, body: bytes) -> tuple[Records, Record]:
    """The records of a desk file, and what else a person put beside them."""
    try:
        document = json.loads(body)
        items = document.pop("work_items")
        records = {item["id"]: item for item in items}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise _not_a_desk(path) from None
    if len(records) != len(items) or not all(isinstance(key, str) for key in records):
        raise _not_a_desk(path)
    return records, document


def _not_a_desk(path: Path) -> DeliveryError:
    message = f'{path} is not a desk file ({{"work_items": [...]}}, each with its own "id"); mend it or move it away'
    return DeliveryError(Reason.VENDOR_FAULT, message, maybe_done=False)


def _file_error(path: Path, error: OSError) -> DeliveryError:
    message = f"the desk file {path} cannot be used: {error.strerror or type(error).__name__}"
    return DeliveryError(Reason.VENDOR_FAULT, message, maybe_done=False)


class HttpDesk(Desk):
    """A desk in another process (`adapters.mock.server`), on loopback."""

    def __init__(self, url: str, timeout: timedelta = timedelta(seconds=10)) -> None:
        self.address = f"{url}/work_items"
        self._session = session(Manners(timeout=timeout))

    def get(self, item_id: str) -> Record | None:
        """Return one record."""
        return self._one("GET", item_id)

    def search(self, correlation: str = "") -> list[Record]:
        """Return the records with that correlation value, or all of them."""
        found = json_object(self._session.get(self.address, params={"correlation": correlation})).get("work_items")
        if not isinstance(found, list):
            raise DeliveryError(Reason.VENDOR_FAULT, f"{self.address} answered without work items")
        return found

    def add(self, record: Record) -> Record:
        """Keep a new record."""
        return json_object(self._session.post(self.address, json=record))

    def change(self, item_id: str, changes: Record, note: Record | None = None) -> Record | None:
        """Write fields and append a note."""
        return self._one("PATCH", item_id, json={"changes": changes, "note": note})

    def remove(self, item_id: str) -> None:
        """Forget a record."""
        self._one("DELETE", item_id)

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()

    def _one(self, method: str, item_id: str, **more: Any) -> Record | None:
        answer = self._session.request(method, f"{self.address}/{quote(item_id, safe='')}", **more)
        return None if answer.status_code == requests.codes.not_found else json_object(answer)
