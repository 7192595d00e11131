"""The server: waitress, which reads slow requests outside its threads, and a loop that can be stopped.

Everything of an alert's way that is TCP. One loop thread reads and writes all connections; threads
see only whole requests. Probes have threads of their own, so that a store which hangs all others
cannot make the process look dead.
"""

from __future__ import annotations

import errno
import resource
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import structlog
from waitress import wasyncore  # type: ignore[import-untyped]
from waitress.server import TcpWSGIServer  # type: ignore[import-untyped]
from waitress.task import ThreadedTaskDispatcher  # type: ignore[import-untyped]

from connector.web.endpoints import PROBES, Web
from connector.web.parsing import Channel, Limits

log = structlog.get_logger(__name__)

THREADS = 16
"""Posts wait for the disk, not for the processor, and those that wait together share one commit."""
PROBE_THREADS = 3

CONNECTIONS_AT_MOST = 2000
OTHER_FILES = 256
"""Open files that are not connections: the store, the vendors' connections, libraries."""

IDLE_SECONDS = 30
REQUEST_SECONDS = 60.0
HALF_RECEIVED_SECONDS = 1.0
"""How long a request that is just arriving is waited for at shutdown."""

BODY_IN_MEMORY = 128 * 1024
HEADERS_AT_MOST = 64 * 1024
READ_AT_MOST = 16 * 1024 * 1024
"""A body beyond `max_body` is read up to here, to be answered in full and kept in part."""


class ListenError(Exception):
    """The address cannot be listened on; the message says which and why."""


class _Listener(TcpWSGIServer):  # type: ignore[misc]
    """One listening socket."""

    channel_class = Channel
    probes: ThreadedTaskDispatcher

    def add_task(self, task: Channel) -> None:
        """Hand a whole request to the threads that answer its kind."""
        threads = self.probes if getattr(task.requests[0], "path", "") in PROBES else self.task_dispatcher
        threads.add_task(task)

    def maintenance(self, now: float) -> None:
        """Let go of connections that are idle, and of those that dribble."""
        super().maintenance(now)
        for channel in self.active_channels.values():
            if not channel.requests and channel.is_dribbling(self.adj.patience):
                channel.will_close = True

    def stop_accepting(self) -> None:
        """Close the listening socket alone: what is in flight still needs the rest."""
        wasyncore.dispatcher.close(self)


class Server:
    """Serves the application on `HOST:PORT` (`[::1]:8080` for IPv6; port 0 takes a free one).

    `failed` is called with words when the server has failed for good. A request that has not
    arrived whole after `patience` seconds is given up, however steadily it dribbles.
    """

    def __init__(
        self,
        web: Web,
        listen: str,
        failed: Callable[[str], None] = lambda _: None,
        *,
        patience: float = REQUEST_SECONDS,
    ) -> None:
        self._web = web
        self._listen = listen
        self._patience = patience
        self._failed = failed
        self._sockets: dict[int, Any] = {}  # what the loop looks after, by file descriptor
        self._listeners: list[_Listener] = []
        self._threads = ThreadedTaskDispatcher()
        self._probes = ThreadedTaskDispatcher()
        self._words = "not started"
        self._stop_at: float | None = None
        self._loop = threading.Thread(target=self._serve, name="http", daemon=True)

    def start(self) -> None:
        """Listen and serve; raises ListenError."""
        self._bind()
        self._threads.set_thread_count(THREADS)
        self._probes.set_thread_count(PROBE_THREADS)
        self._words = "ok"
        self._loop.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listeners[0].effective_port)

    @property
    def address(self) -> str:
        """The `HOST:PORT` that it listens on."""
        host = str(self._listeners[0].effective_host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def state(self) -> str:
        """Return `ok`, or what is wrong."""
        return self._words

    def stop(self, timeout: float) -> None:
        """Accept nothing more, finish what is in flight within `timeout` seconds, close."""
        self._web.draining.set()
        self._stop_at = time.monotonic() + timeout
        if self._loop.is_alive():
            self._listeners[0].pull_trigger()
            self._loop.join(timeout + 1)
        for threads in (self._threads, self._probes):
            threads.shutdown(timeout=max(0.1, self._stop_at - time.monotonic()))
        wasyncore.close_all(self._sockets, ignore_all=True)

    def _bind(self) -> None:
        limits = _limits(self._listen, self._web.max_body, self._patience)
        addresses = limits.listen[:1] if _port(self._listen) == 0 else limits.listen
        for number, address in enumerate(addresses, 1):
            try:
                self._listeners.append(self._listener(limits, address))
            except OSError as error:
                # `localhost` may name an IPv6 address on a machine without IPv6
                missing = error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
                if not missing or (number == len(addresses) and not self._listeners):
                    wasyncore.close_all(self._sockets, ignore_all=True)
                    raise ListenError(f"cannot listen on {self._listen}: {error.strerror}") from error

    def _listener(self, limits: Limits, address: Any) -> _Listener:
        listener = _Listener(self._web, map=self._sockets, dispatcher=self._threads, adj=limits, sockinfo=address)
        listener.probes = self._probes
        return listener

    def _serve(self) -> None:
        try:
            while self._stop_at is None:
                self._turn(1.0)
                if not all(listener.accepting for listener in self._listeners):
                    raise ListenError("a listening socket was closed")
            self._drain(time.monotonic(), self._stop_at)
        except Exception as error:  # the end of this thread
            log.error("fault", thread="http", exc_info=error)
            self._words = f"failed by {type(error).__name__}"
            self._failed(f"http {self._words}")

    def _turn(self, seconds: float) -> None:
        # poll, for select() cannot watch a file descriptor above 1023
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._sockets, count=1)

    def _drain(self, began: float, deadline: float) -> None:
        for listener in self._listeners:
            listener.stop_accepting()
        while time.monotonic() < deadline and self._let_go(time.monotonic() - began < HALF_RECEIVED_SECONDS):
            self._turn(0.05)

    def _let_go(self, of_idle_only: bool) -> bool:
        """Close what has nothing in flight; return whether anything is left."""
        channels = [channel for listener in self._listeners for channel in listener.active_channels.values()]
        for channel in channels:
            if not channel.is_busy() and not (of_idle_only and channel.is_receiving()):
                channel.will_close = True
        return bool(channels)


def _limits(listen: str, max_body: int, patience: float) -> Limits:
    try:
        return Limits(
            max_body + 1,
            patience,
            listen=_listen_words(listen),
            connection_limit=_connections(),
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=1,
            max_request_header_size=HEADERS_AT_MOST,
            max_request_body_size=max(READ_AT_MOST, 4 * max_body),
            inbuf_overflow=BODY_IN_MEMORY,
            ident="itsm-connector",
            log_socket_errors=False,
        )
    except ValueError as error:
        raise ListenError(f"cannot listen on {listen}: no such address") from error


def _listen_words(listen: str) -> str:
    host, port = urlsplit(f"//{listen}").hostname, _port(listen)
    if host is None or port is None:
        raise ListenError(f"cannot listen on {listen}: an address is HOST:PORT, or [::1]:PORT")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _port(listen: str) -> int | None:
    try:
        return urlsplit(f"//{listen}").port
    except ValueError:
        return None


def _connections() -> int:
    """Raise the limit of open files as far as is wanted and allowed; return how many connections fit.

    Each may hold a socket, and a file for a large body.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS_AT_MOST + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
    return CONNECTIONS_AT_MOST if soft < 0 else max(50, min(CONNECTIONS_AT_MOST, soft - OTHER_FILES))


__all__ = ["ListenError", "Server"]
