"""An adapter for the desk of this bench: the product's manners and its life of a work item, one call per move."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import requests

from connector import report
from connector.lifecycle import WorkItemAdapter, WorkItemSettings
from connector.model import Findings, ItemState, Located, Note, Notice, Preview, Resource, WorkItem
from connector.vendor_http import Manners, json_object, session

_TEXT_LIMIT = 8000


class DeskSettings(WorkItemSettings):
    """Where the desk is."""

    url: str


class DeskAdapter(WorkItemAdapter[DeskSettings]):
    """Keeps work items on a desk of this bench; a session for each thread, as the vendors' libraries want it."""

    settings_type = DeskSettings

    def __init__(self, settings: DeskSettings, *, destination: str, timeout: timedelta = timedelta(seconds=10)) -> None:
        super().__init__(settings, destination=destination, timeout=timeout)
        self._of_thread = threading.local()

    def find(self, correlation: str) -> WorkItem | None:
        """Return the item with that correlation value."""
        found = self._call("GET", "", params={"correlation": correlation})["items"]
        return _item(found[0]) if found else None

    def read(self, item: WorkItem) -> WorkItem | None:
        """Return the item as it is now."""
        return _item(self._call("GET", f"/{item.id}"))

    def locate(self, resource: Resource) -> Located:
        """The desk has no CMDB."""
        return Located(resource, None, "the bench desk has no CMDB")

    def open(self, notice: Notice, items: Sequence[Located], previous: WorkItem | None) -> WorkItem:  # noqa: ARG002
        """Open an item."""
        return _item(self._call("POST", "", json=_fields(notice, items)))

    def note(self, item: WorkItem, note: Note) -> WorkItem:
        """Say something on it."""
        return self._say(item, note)

    def resolve(self, item: WorkItem, note: Note) -> WorkItem:
        """Resolve it."""
        return self._say(item, note, state="resolved")

    def reopen(self, item: WorkItem, note: Note) -> WorkItem:
        """Open it again."""
        return self._say(item, note, state="open")

    def preview(self, notice: Notice) -> Preview:
        """Return the fields of a new item."""
        return Preview(_fields(notice, ()))

    def check(self) -> Findings:
        """Nothing about this desk can be wrong."""
        return ()

    def _say(self, item: WorkItem, note: Note, **changes: str) -> WorkItem:
        text = report.note(note, report.Style.PLAIN, _TEXT_LIMIT)
        return _item(self._call("PATCH", f"/{item.id}", json={"note": text, **changes}))

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return json_object(self._session().request(method, f"{self.settings.url}/items{path}", **options))

    def _session(self) -> requests.Session:
        if not hasattr(self._of_thread, "session"):
            self._of_thread.session = session(Manners(timeout=self.timeout))
        found: requests.Session = self._of_thread.session
        return found


def _fields(notice: Notice, items: Sequence[Located]) -> dict[str, str]:
    return {
        "title": report.title(notice.alert),
        "description": report.body(notice, report.Style.PLAIN, _TEXT_LIMIT, items),
        "severity": str(notice.alert.severity or ""),
        "correlation": notice.correlation,
    }


def _item(record: dict[str, Any]) -> WorkItem:
    return WorkItem(
        record["id"],
        record["number"],
        f"http://desk.example/{record['id']}",
        ItemState(record["state"]),
        record["correlation"],
        severity_fields={"severity": record["severity"]},
    )
