"""A mock desk as a process of its own, on loopback, so that it outlives a killed gateway.

`python -m adapters.mock.server [--port N]` prints its URL as the first line and serves until it is
stopped; a destination reaches it with `adapter = "mock"` and `url`. It keeps everything in memory
and lets in everybody on this machine: it is for demos and tests only.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from adapters.mock.desk import Desk, MemoryDesk

LARGEST_BODY = 4 * 1024 * 1024


class DeskServer(ThreadingHTTPServer):
    """Serves one desk on 127.0.0.1; `port` 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0, desk: Desk | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.desk = desk or MemoryDesk()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="mock-desk", daemon=True)

    @property
    def url(self) -> str:
        """The value of the setting `url`."""
        return f"http://127.0.0.1:{self.server_port}"

    def start(self) -> Self:
        """Serve in the background."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End serving and free the port."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: DeskServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment: two of them wait for each other's acknowledgement
    timeout = 60

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path == "/work_items":
            wanted = parse_qs(path.query).get("correlation", [""])[0]
            self._answer(200, {"work_items": self.server.desk.search(wanted)})
        else:
            self._answer_one(self.server.desk.get(self._item_id()))

    def do_POST(self) -> None:
        body = self._body()
        if body is not None:
            self._answer(201, self.server.desk.add(body))

    def do_PATCH(self) -> None:
        body = self._body()
        if body is not None:
            changed = self.server.desk.change(self._item_id(), body.get("changes") or {}, body.get("note"))
            self._answer_one(changed)

    def do_DELETE(self) -> None:
        self.server.desk.remove(self._item_id())
        self._answer(200, {})

    def _item_id(self) -> str:
        return unquote(urlsplit(self.path).path.removeprefix("/work_items/"))

    def _body(self) -> dict[str, Any] | None:
        """The JSON object of a request; answers 400 itself where there is none."""
        length = self.headers.get("Content-Length", "")
        sent = self.rfile.read(min(int(length), LARGEST_BODY)) if length.isdecimal() else b""
        try:
            body = json.loads(sent)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            self._answer(400, {"error": "a work item is a JSON object"})
            return None
        return body

    def _answer_one(self, record: dict[str, Any] | None) -> None:
        self._answer(404 if record is None else 200, record or {"error": "there is no such work item"})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stay silent: what a desk is asked is the test's own business."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m adapters.mock.server", description="a mock desk on loopback")
    parser.add_argument("--port", type=int, default=0)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = DeskServer(parser.parse_args(arguments).port).start()
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    stopping.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
