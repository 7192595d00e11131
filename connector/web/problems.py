"""Problems in the sense of RFC 9457: every answer that is not a success, in one shape.

The server below Flask answers in the same shape where a request never reaches an endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from werkzeug.exceptions import HTTPException

from connector.intake import Refused
from connector.logs import one_line

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5

_SAID_TO_STRANGERS = "The log of the gateway says why, under this request_id."
_SECRETIVE = (401, 403)


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a request, for its caller. `code` is stable, `detail` is for people."""

    status: int
    code: str
    title: str
    detail: str = ""
    retry_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    quarantine_id: str | None = None

    @property
    def status_line(self) -> str:
        """The status and the name that HTTP has for it."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"

    def body(self, request_id: str) -> bytes:
        """Return the JSON body."""
        members: dict[str, str | int] = {
            "type": f"urn:itsm-connector:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": one_line(self.detail),
            "code": self.code,
            "request_id": request_id,
        }
        if self.quarantine_id is not None:
            members["quarantine_id"] = self.quarantine_id
        return json.dumps(members).encode("ascii")

    def header_lines(self) -> list[tuple[str, str]]:
        """Return the headers that belong to the body; a 503 always says when to come again."""
        lines = [("Content-Type", CONTENT_TYPE), *self.headers.items()]
        if self.status == 401:
            lines.append(("WWW-Authenticate", "Bearer"))
        if self.status == 503:
            lines.append(("Retry-After", str(self.retry_after or RETRY_AFTER_SECONDS)))
        return lines


INTERNAL_FAULT = Problem(503, "internal-fault", "A fault of the gateway", "Send it again; the log has the trace.")
SHUTTING_DOWN = Problem(503, "shutting-down", "The gateway is shutting down", "Send it again.")


def refused(error: Refused) -> Problem:
    """Return the problem of a body that was not taken in; a stranger learns no more than its code."""
    if error.status in _SECRETIVE:
        return Problem(error.status, error.code, error.title, _SAID_TO_STRANGERS)
    return Problem(error.status, error.code, error.title, error.detail, error.retry_after, quarantine_id=error.id)


def from_http(error: HTTPException) -> Problem:
    """Return the problem of what Flask refuses by itself: an unknown path, a wrong method."""
    status = error.code if error.code is not None and 400 <= error.code < 500 else 400
    return plain(status, headers={name: value for name, value in error.get_headers() if name == "Allow"})


def plain(status: int, detail: str = "", *, headers: Mapping[str, str] | None = None) -> Problem:
    """Return a problem that has no more to say than its status: 404 is `not-found`."""
    title = HTTPStatus(status).phrase
    return Problem(status, "-".join(title.lower().split()), title, detail, headers=headers or {})


__all__ = ["CONTENT_TYPE", "INTERNAL_FAULT", "SHUTTING_DOWN", "Problem", "from_http", "plain", "refused"]
