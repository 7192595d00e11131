"""Sends alerts to a webhook from a process of its own, cheaply: one thread, kept connections, one token.

Two ways: as fast as the answers come (`connections` at a time), or at a fixed rate whatever the
answers do; then a latency counts from when the alert was due to be sent.

As a process: `python -m bench.load` reads a command per line and answers each with a line.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.payload import Bodies

WAIT_SECONDS = 15.0
"""How long an answer is waited for at the end."""


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    due: float = 0.0
    received: bytes = b""


@dataclass(slots=True)
class _Tally:
    latencies: list[float] = field(default_factory=list)
    refused: int = 0


class Sender:
    """Posts the alerts of one run to one webhook."""

    def __init__(self, url: str, token: str, connections: int, bodies: Bodies, first: int) -> None:
        self._parts = urlsplit(url)
        self._selector = selectors.DefaultSelector()
        self._idle = deque(self._connect() for _ in range(connections))
        self._all = list(self._idle)
        self._bodies = bodies
        self._number = first
        self._head = (
            f"POST {self._parts.path} HTTP/1.1\r\nHost: {self._parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(bodies.body(0))}\r\n\r\n"
        ).encode()
        self._tally = _Tally()

    def _connect(self) -> _Connection:
        made = _Connection(socket.create_connection((self._parts.hostname or "", self._parts.port or 80)))
        made.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(made.socket, selectors.EVENT_READ, made)
        return made

    def close(self) -> None:
        """Close the connections."""
        for each in self._all:
            each.socket.close()
        self._selector.close()

    def as_fast_as_answered(self, seconds: float) -> _Tally:
        """Keep every connection busy for so long."""
        over = time.monotonic() + seconds
        while (now := time.monotonic()) < over:
            while self._idle:
                self._send(self._idle.popleft(), now)
            self._answers(over - now)
        return self._rest()

    def at_rate(self, rate: float, seconds: float) -> _Tally:
        """Send at times that are fixed beforehand."""
        began = time.monotonic()
        due = deque(began + number / rate for number in range(int(rate * seconds)))
        while due:
            now = time.monotonic()
            while due and due[0] <= now and self._idle:
                self._send(self._idle.popleft(), due.popleft())
            late = bool(due) and due[0] <= now
            self._answers(1.0 if late or not due else due[0] - now)
        return self._rest()

    def _rest(self) -> _Tally:
        over = time.monotonic() + WAIT_SECONDS
        while len(self._idle) < len(self._all) and time.monotonic() < over:
            self._answers(0.1)
        self._tally.refused += len(self._all) - len(self._idle)
        return self._tally

    def _send(self, connection: _Connection, due: float) -> None:
        connection.due = due
        connection.socket.sendall(self._head + self._bodies.body(self._number))
        self._number += 1

    def _answers(self, timeout: float) -> None:
        for key, _ in self._selector.select(max(0.0, timeout)):
            connection: _Connection = key.data
            connection.received += connection.socket.recv(65536)
            status = _status(connection.received)
            if status is not None:
                self._tally.latencies.append(time.monotonic() - connection.due)
                self._tally.refused += status != 202
                connection.received = b""
                self._idle.append(connection)

    @property
    def next_number(self) -> int:
        """The number of the next alert."""
        return self._number


def _status(received: bytes) -> int | None:
    """The status of an answer that has come whole."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return None
    length = head.lower().partition(b"content-length:")[2].split(None, 1)[0]
    return int(head[9:12]) if len(body) >= int(length) else None


def _told(tally: _Tally, seconds: float, cpu: float) -> dict[str, Any]:
    ordered = sorted(tally.latencies) or [0.0]
    return {
        "answered": len(tally.latencies),
        "refused": tally.refused,
        "seconds": seconds,
        "p50": ordered[len(ordered) // 2],
        "p99": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "own_cpu": cpu,
    }


def _run(command: dict[str, Any], bodies: Bodies, first: int) -> tuple[dict[str, Any], int]:
    sender = Sender(command["url"], command["token"], command["connections"], bodies, first)
    began, cpu = time.monotonic(), time.process_time()
    rate = command.get("rate")
    tally = sender.at_rate(rate, command["seconds"]) if rate else sender.as_fast_as_answered(command["seconds"])
    told = _told(tally, time.monotonic() - began, time.process_time() - cpu)
    sender.close()
    return told, sender.next_number


def _commands() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    """Answer commands until there are none."""
    bodies, number = Bodies(), 0
    print("ready", flush=True)
    for command in _commands():
        told, number = _run(command, bodies, number)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
