"""A service desk for measuring: stateful, quick, as slow as it is told to be, and it counts.

Keeps items in memory. `POST /items`, `GET /items?correlation=`, `GET|PATCH /items/ID` wait for the
latency before they answer; `/told` (what was asked so far) and `/set?latency=SECONDS` (which also
forgets the counts) do not. One thread, so that it costs as little as possible of the machine.

As a process: `python -m bench.desk` prints its URL and serves until it is stopped.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

Item = dict[str, Any]


class Desk:
    """What the desk holds and was asked. `arrivals` are when calls came (monotonic seconds)."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.by_correlation: dict[str, str] = {}
        self.calls: Counter[str] = Counter()
        self.arrivals: list[float] = []
        self.latency = 0.0

    def set(self, latency: float) -> None:
        """Begin a new measurement."""
        self.latency = latency
        self.calls.clear()
        self.arrivals.clear()

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, Any]:
        """Do what is asked at once; the answer may be held back."""
        parts = urlsplit(target)
        id_ = parts.path.removeprefix("/items").strip("/")
        if method == "POST":
            return self._called("open", 201, self._add(json.loads(body)))
        if method == "PATCH":
            self.items[id_] |= json.loads(body)
            return self._called(_KINDS.get(self.items[id_]["state"], "note"), 200, self.items[id_])
        if id_:
            return self._called("read", 200, self.items[id_])
        found = self.by_correlation.get(parse_qs(parts.query)["correlation"][0])
        return self._called("find", 200, {"items": [self.items[found]] if found else []})

    def _called(self, kind: str, status: int, said: Any) -> tuple[int, Any]:
        self.calls[kind] += 1
        self.arrivals.append(time.monotonic())
        return status, said

    def _add(self, item: Item) -> Item:
        id_ = f"{len(self.items) + 1:08d}"
        self.items[id_] = item | {"id": id_, "number": f"INC{id_}", "state": "open"}
        self.by_correlation[item["correlation"]] = id_
        return self.items[id_]


_KINDS = {"resolved": "resolve", "open": "note"}


class _Connection(asyncio.Protocol):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = _length(head)
        if len(rest) >= length:
            self._received = rest[length:]
            self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        method, target, _ = head.partition(b"\r\n")[0].decode().split(" ")
        desk, path = self._desk, urlsplit(target).path
        if path == "/set":
            desk.set(float(parse_qs(urlsplit(target).query)["latency"][0]))
            self._say(200, {})
        elif path == "/told":
            self._say(200, {"calls": desk.calls, "arrivals": desk.arrivals})
        elif desk.latency:
            status, said = desk.answer(method, target, body)
            asyncio.get_running_loop().call_later(desk.latency, self._say, status, said)
        else:
            self._say(*desk.answer(method, target, body))

    def _say(self, status: int, said: Any) -> None:
        body = json.dumps(said).encode()
        head = f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _serve() -> None:
    desk = Desk()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(desk), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
