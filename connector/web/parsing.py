"""How requests are read off the wire: waitress' parser with closed ends.

Runs in the server's one loop, before any thread and any endpoint sees the request, so that nothing
here may take long, grow without bound, or end in an answer that Azure does not send again.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from waitress.buffers import OverflowableBuffer  # type: ignore[import-untyped]
from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.parser import HTTPRequestParser  # type: ignore[import-untyped]
from waitress.task import ErrorTask  # type: ignore[import-untyped]
from waitress.utilities import BadRequest, InternalServerError  # type: ignore[import-untyped]

from connector.web.problems import INTERNAL_FAULT, Problem, plain

CHUNK_LINE_AT_MOST = 4096
TRAILER_AT_MOST = 16 * 1024

_DETAILS = {
    400: "This cannot be read as a request of HTTP/1.1.",
    413: "The body is larger than the gateway reads at all; nothing of it was kept.",
    431: "The headers are larger than the gateway reads.",
}


class Limits(Adjustments):  # type: ignore[misc]
    """waitress' settings and two of ours.

    `keep` bytes of a body are kept (of a longer one its beginning); a request may take `patience`
    seconds to arrive.
    """

    def __init__(self, keep: int, patience: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.keep = keep
        self.patience = patience


class _Beginning(OverflowableBuffer):  # type: ignore[misc]
    """Keeps the beginning of a body and counts the rest, so that a large one can be answered."""

    def __init__(self, overflow: int, keep: int) -> None:
        super().__init__(overflow)
        self._keep = keep
        self.total = 0

    def append(self, data: bytes) -> None:
        self.total += len(data)
        room = self._keep - len(self)
        if room > 0:
            super().append(data[:room])


class Request(HTTPRequestParser):  # type: ignore[misc]
    """One request while it is read. `began` is when its first byte came (monotonic seconds)."""

    def __init__(self, adj: Limits) -> None:
        super().__init__(adj)
        self.began = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header, and make room for no more of the body than is kept."""
        super().parse_header(header_plus)
        if self.body_rcv is not None:
            self.body_rcv.buf = _Beginning(self.adj.inbuf_overflow, self.adj.keep)

    def received(self, data: bytes) -> int:
        """Take bytes off the wire, and return how many belonged to this request."""
        try:
            consumed: int = super().received(data)
        except OSError:  # a body overflows into a file, and the disk is full
            return self._end(InternalServerError("no room"), data)
        except ValueError:  # a target like `http://[`, a length of thousands of digits
            return self._end(BadRequest("not HTTP"), data)
        if self._endless() or getattr(self.error, "code", 0) == 501:
            return self._end(BadRequest("transfer coding"), data)
        if self.completed:
            self._complete()
        return consumed

    def _endless(self) -> bool:
        """waitress collects these without bound, at a cost that grows with the square of their length."""
        line, trailer = (getattr(self.body_rcv, name, b"") for name in ("control_line", "trailer"))
        return len(line) > CHUNK_LINE_AT_MOST or len(trailer) > TRAILER_AT_MOST

    def _end(self, error: Any, data: bytes) -> int:
        self.error, self.completed = error, True
        return len(data)

    def _complete(self) -> None:
        self.expect_continue = False  # else waitress waits for a body that is empty or refused
        if self.error is None and self.body_rcv is not None:
            self.headers["CONTENT_LENGTH"] = str(self.body_rcv.buf.total)


class ProblemTask(ErrorTask):  # type: ignore[misc]
    """Answers what never reached an endpoint, in the shape of every other problem."""

    def execute(self) -> None:
        """Write the answer, and close the connection: nobody knows where the next request begins."""
        problem = _problem(self.request.error.code)
        body = problem.body(uuid.uuid4().hex)
        self.status = problem.status_line
        self.response_headers.extend(problem.header_lines())
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


def _problem(status: int) -> Problem:
    return plain(status, _DETAILS.get(status, "")) if status < 500 else INTERNAL_FAULT


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    parser_class = Request
    error_task_class = ProblemTask

    def is_busy(self) -> bool:
        """Return whether a request is being answered."""
        return bool(self.requests or self.total_outbufs_len)

    def is_receiving(self) -> bool:
        """Return whether a request has begun to arrive."""
        return self.request is not None

    def is_dribbling(self, patience: float) -> bool:
        """Return whether a request began to arrive more than `patience` seconds ago and is not complete."""
        request = self.request
        return request is not None and time.monotonic() - request.began > patience


__all__ = ["Channel", "Limits", "ProblemTask", "Request"]
