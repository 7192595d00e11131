"""`serve`, `gateway` and `worker`: the commands that run until they are told to stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from connector import __version__, logs
from connector.app import App, Role, Stopping, create_app
from connector.cli.adapters import words_of
from connector.cli.exits import Ended, Exit
from connector.cli.options import loaded, with_config
from connector.config import Config, parse_address
from connector.registry import Registry
from connector.store.engine import sqlite_path
from connector.web import create_web
from connector.web.endpoints import WEBHOOK
from connector.web.server import Server

SERVER_SECONDS = 1.5
"""How long requests in flight may take after SIGTERM: a commit takes milliseconds."""

LAST_SECONDS = 9.5
"""When a process that should be gone is ended by force; the store keeps what was in flight."""


def _address(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    try:
        return value if value is None or parse_address(value) else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


with_listen = click.option(
    "--listen", metavar="HOST:PORT", callback=_address, help="Instead of what [gateway] listen says."
)


@click.command()
@with_config
@with_listen
def serve(config_path: Path, listen: str | None) -> int:
    """Run gateway and delivery worker in one process."""
    config = loaded(config_path, read_secrets=True)
    return run(config, Role.SERVE, listen or config.gateway.listen)


@click.command()
@with_config
@with_listen
def gateway(config_path: Path, listen: str | None) -> int:
    """Run only the HTTP side (PostgreSQL), any number of them."""
    config = loaded(config_path)
    _refuse_sqlite(config, Role.GATEWAY)
    return run(config, Role.GATEWAY, listen or config.gateway.listen)


@click.command()
@with_config
@click.option(
    "--listen", metavar="HOST:PORT", callback=_address, help="For health and metrics; without it there are none."
)
def worker(config_path: Path, listen: str | None) -> int:
    """Run only the delivery side (PostgreSQL), any number of them."""
    config = loaded(config_path, read_secrets=True)
    _refuse_sqlite(config, Role.WORKER)
    return run(config, Role.WORKER, listen)


def _refuse_sqlite(config: Config, role: Role) -> None:
    if sqlite_path(config.store.url) is not None:
        words = f"`{role}` needs a store on PostgreSQL; on SQLite one process does all: use `serve`"
        raise Ended(Exit.CONFIGURATION, words)


class Running:
    """The parts of a running process: the app, and the server in front of it where one listens."""

    def __init__(self, config: Config, role: Role, listen: str | None, failed: Callable[[str], None]) -> None:
        self.app: App = create_app(config, Registry(), role, failed=failed)
        web = create_web(self.app.intake, self.app, self.app.metrics, config.gateway.max_body)
        self.server = Server(web, listen, failed) if listen is not None else None

    @property
    def address(self) -> str:
        """The HOST:PORT that it listens on; empty where it does not."""
        return self.server.address if self.server is not None else ""

    def start(self) -> None:
        """Start the threads, then let the world in; raises ListenError, StoreError."""
        try:
            self.app.start()
            if self.server is not None:
                self.server.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take nothing more in, finish what is in flight, let go of everything."""
        if self.server is not None:
            self.server.stop(SERVER_SECONDS)
        self.app.stop()


def run(config: Config, role: Role, listen: str | None) -> int:
    """Run a process until it is told to stop or a part of it fails for good."""
    began = time.monotonic()
    logs.configure()
    _handle(_leave_at_once)
    stopping = Stopping()
    running = Running(config, role, listen, stopping.failed)
    on_signals(stopping.ask)
    running.start()
    _announce(running, time.monotonic() - began)
    stopping.wait()
    _end_by_force_later(Exit.OK if stopping.failure is None else Exit.NEGATIVE)
    running.stop()
    if stopping.failure is not None:
        raise Ended(Exit.NEGATIVE, f"stopped because {stopping.failure}")
    return Exit.OK


def on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` at SIGTERM or Ctrl-C; a second one leaves at once: somebody does not want to wait."""

    def handle(*_: object) -> None:
        _handle(lambda *_: os._exit(Exit.INTERRUPTED))
        stop()

    _handle(handle)


def _handle(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _leave_at_once(*_: object) -> NoReturn:
    """Before anything runs there is nothing to finish: waiting for another holder, say."""
    raise SystemExit(Exit.OK)


def _end_by_force_later(code: Exit) -> None:
    timer = threading.Timer(LAST_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()


def _announce(running: Running, seconds: float) -> None:
    """Print what runs, for the person who started it; nobody may be reading."""
    lines = [f"itsm-connector {__version__}, {running.app.role}", *_parts(running), f"ready after {seconds:.1f} s"]
    with suppress(BrokenPipeError):
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()


def _parts(running: Running) -> list[str]:
    app = running.app
    named = [f"{name} ({settings.adapter})" for name, settings in app.config.destinations.items()]
    lines = [
        f"  adapters      {', '.join(_adapters(app)) or 'none'}",
        f"  destinations  {', '.join(named) or 'none'}",
        f"  store         {logs.one_line(app.config.store.url)}",
    ]
    if not running.address:
        return [*lines, "  listening     nowhere"]
    path = WEBHOOK if app.intake is not None else ""
    return [*lines, f"  listening     http://{running.address}{path}"]


def _adapters(app: App) -> list[str]:
    """The adapters in use, each with the distribution that it comes from."""
    registry, names = Registry(), sorted({each.adapter for each in app.config.destinations.values()})
    return [words_of(registry.describe(name)) for name in names]
