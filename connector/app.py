"""The composition root: puts the parts together for the role a process plays.

`serve` is gateway and worker in one process, `gateway` only the way in, `worker` only the way out.
Nothing else creates an adapter, opens the store to run it, or starts a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connector.adapter import Adapter
from connector.auth import Authenticator
from connector.config import Config
from connector.dispatch import Dispatcher, Housekeeper, Target
from connector.failures import Patience
from connector.intake import Intake
from connector.metrics import Metrics
from connector.registry import Registry
from connector.routes import Routes
from connector.store import Store, StoreError, worker_id

STOP_SECONDS = 6.0
"""How long what is in flight may take after SIGTERM; the process is gone within ten seconds."""


class Role(StrEnum):
    """What a process does."""

    SERVE = "serve"
    GATEWAY = "gateway"
    WORKER = "worker"


@dataclass(slots=True)
class App:
    """The parts of one running process. `failed` is called when one of its threads has failed for good."""

    role: Role
    config: Config
    store: Store
    metrics: Metrics
    adapters: Mapping[str, Adapter[Any]]
    auth: Authenticator | None = None
    intake: Intake | None = None
    dispatcher: Dispatcher | None = None
    housekeeper: Housekeeper | None = None

    def start(self) -> None:
        """Start the threads."""
        if self.auth is not None:
            self.auth.start()
        if self.housekeeper is not None:
            self.housekeeper.start()
        if self.dispatcher is not None:
            self.dispatcher.start()

    def stop(self) -> None:
        """Finish what is in flight, as far as the time allows, and let go of everything."""
        deadline = time.monotonic() + STOP_SECONDS
        if self.auth is not None:
            self.auth.close()
        if self.dispatcher is not None:
            self.dispatcher.stop(max(1.0, deadline - time.monotonic()))
        if self.housekeeper is not None:
            self.housekeeper.stop(1.0)
        for adapter in self.adapters.values():
            adapter.close()
        self.store.close()

    def alive(self) -> dict[str, str]:
        """Say for each thread that must run whether it does: `ok`, or what is wrong."""
        parts = {"dispatcher": self.dispatcher, "housekeeper": self.housekeeper}
        return {name: part.state() for name, part in parts.items() if part is not None}

    def ready(self) -> dict[str, str]:
        """Say whether this process can do its job; a sick vendor is none of it."""
        checks = {"store": self._store_state()}
        if self.auth is not None:
            checks["signing_keys"] = "ok" if self.auth.keys_ready() else "no signing keys yet"
        return checks

    def _store_state(self) -> str:
        try:
            self.store.ready()
        except StoreError as error:
            return str(error)
        return "ok"


def create_app(
    config: Config, registry: Registry, role: Role, *, failed: Callable[[str], None] = lambda _: None
) -> App:
    """Put a process together; raises StoreError, RegistryError."""
    adapters = create_adapters(config, registry) if role is not Role.GATEWAY else {}
    store = (
        Store.beside(config.store.url)
        if role is Role.GATEWAY
        else Store.hold(config.store.url, settling=config.delivery.timeout)
    )
    metrics = Metrics(store.backlog)
    app = App(role, config, store, metrics, adapters)
    if role is not Role.GATEWAY:
        _add_worker(app, failed)
    if role is not Role.WORKER:
        _add_gateway(app)
    return app


def create_adapters(config: Config, registry: Registry) -> dict[str, Adapter[Any]]:
    """Return an adapter for each destination."""
    return {
        name: registry.adapter_class(settings.adapter)(settings, destination=name, timeout=config.delivery.timeout)
        for name, settings in config.destinations.items()
    }


def patience_of(config: Config) -> Patience:
    """Return the [delivery] settings in the form the worker uses."""
    delivery = config.delivery
    return Patience(delivery.first_backoff, delivery.max_backoff, delivery.give_up_after, delivery.timeout)


def _add_worker(app: App, failed: Callable[[str], None]) -> None:
    config, worker = app.config, worker_id()
    targets = {
        name: Target(adapter, config.destinations[name].namespace or name) for name, adapter in app.adapters.items()
    }
    app.dispatcher = Dispatcher(
        app.store, targets, patience_of(config), app.metrics, worker, config.delivery.concurrency, failed
    )
    keep = (config.store.retention, config.store.keep_raw)
    app.housekeeper = Housekeeper(app.store, app.dispatcher, worker, keep, failed)


def _add_gateway(app: App) -> None:
    wake = app.dispatcher.wake if app.dispatcher is not None else lambda: None
    app.auth = Authenticator(app.config.auth)
    app.intake = Intake(routes_of(app.config), app.store, app.metrics, auth=app.auth, accepted=wake)


def routes_of(config: Config) -> Routes:
    """Return the routes of the configuration."""
    return Routes(config.routes, config.destinations)


class Stopping:
    """Waits until somebody asks the process to end: a signal, or a thread that failed for good."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.failure: str | None = None

    def ask(self) -> None:
        """Ask the process to end."""
        self._asked.set()

    def failed(self, words: str) -> None:
        """Ask the process to end because a part of it has failed for good."""
        self.failure = self.failure or words
        self._asked.set()

    def wait(self) -> None:
        """Return once the process is to end."""
        while not self._asked.wait(3600):  # a bounded wait lets signals in on every platform
            continue
