"""What a measurement stands on: a folder, a token issuer, databases, and the processes that are measured.

The product runs as its own command in a process of its own. Its adapter for the bench's desk is
found like every other: by the entry point of a distribution, which is written into the folder.
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import insert

from bench.ceiling import PATH
from bench.processes import ROOT, Process
from connector.store import Store
from connector.store.tables import destinations
from connector.testing.issuer import AUDIENCE, TokenIssuer
from connector.testing.postgres import PostgresServer, fresh_database

ENGINES = ("sqlite", "postgres")
DESTINATION = "desk"
CONCURRENCY = 16
TENANT = "3c8e1f60-7b2d-4a95-8e14-d05c6b9f2a71"

_CONFIG = """\
config_version = 1

[auth]
tenant_id = "{tenant}"
audiences = ["{audience}"]
authority = "{authority}"

[store]
url = "{store}"

[delivery]
concurrency = {concurrency}

[destinations.{destination}]
adapter = "bench-desk"
url = "{desk}"

[[routes]]
name = "severe"
match = {{ severity = "<=Sev2" }}
destinations = ["{destination}"]
"""


@dataclass(slots=True)
class Stage:
    """The surroundings of one run. `notes` are said below the table."""

    quick: bool
    engines: tuple[str, ...]
    folder: Path
    issuer: TokenIssuer
    notes: list[str] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)
    _postgres: PostgresServer | None = None

    def patience(self, full: float, quick: float) -> float:
        """Return how long or how often something is done."""
        return quick if self.quick else full

    def database(self, engine: str) -> str:
        """Return the URL of an empty database."""
        if engine == "sqlite":
            return f"sqlite:///{self.folder}/{uuid4().hex[:8]}.db"
        if self._postgres is None:
            self._postgres = self._stack.enter_context(PostgresServer())
        return self._stack.enter_context(fresh_database(self._postgres.url))

    def config(self, store: str, desk: str = "http://127.0.0.1:9") -> Path:
        """Write a configuration with one destination."""
        path = self.folder / f"{uuid4().hex[:8]}.toml"
        words = _CONFIG.format(
            tenant=TENANT,
            audience=AUDIENCE,
            authority=self.issuer.authority,
            store=store,
            concurrency=CONCURRENCY,
            destination=DESTINATION,
            desk=desk,
        )
        path.write_text(words, encoding="utf-8")
        return path

    def product(self, config: Path, command: str = "serve") -> Process:
        """Start the product; returns once it is ready. Its last line but one says where it listens."""
        arguments = ["connector.cli", command, "--config", str(config), "--listen", "127.0.0.1:0"]
        env = {"PYTHONPATH": f"{self.folder}:{ROOT}"}
        process = Process(f"{command}-{config.stem}", arguments, self.folder, until="ready", env=env)
        wait_until_ready(address_of(process))
        return process

    def ceiling(self, engine: str) -> Process:
        """Start the ceiling of the way in."""
        keys = f"{self.issuer.base}/discovery/v2.0/keys"
        arguments = ["bench.ceiling", "--store", self.database(engine), "--keys", keys]
        process = Process(f"ceiling-{engine}", arguments, self.folder)
        wait_until_ready(process.lines[0])
        return process

    def desk(self) -> Process:
        """Start a desk."""
        return Process("desk", ["bench.desk"], self.folder)

    def load(self) -> Process:
        """Start a sender of alerts."""
        return Process("load", ["bench.load"], self.folder)


@contextmanager
def set_up(*, quick: bool, engines: tuple[str, ...]) -> Iterator[Stage]:
    """Yield the surroundings; everything is gone afterwards."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="itsm-connector-bench-")))
        _declare_adapter(folder)
        issuer = stack.enter_context(TokenIssuer(TENANT))
        yield Stage(quick, engines, folder, issuer, _stack=stack)


def _declare_adapter(folder: Path) -> None:
    about = folder / "itsm_connector_bench-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: itsm-connector-bench\nVersion: 0\n")
    (about / "entry_points.txt").write_text("[itsm_connector.adapters]\nbench-desk = bench.adapter:DeskAdapter\n")


def address_of(process: Process) -> str:
    """Return the URL that a product process listens on."""
    [line] = [line for line in process.lines if line.startswith("listening")]
    return line.split()[1].removesuffix(PATH)


def wait_until_ready(url: str) -> None:
    """Return once `/readyz` says so."""
    while True:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
        except urllib.error.HTTPError:
            time.sleep(0.01)


def pause(store_url: str) -> None:
    """Make the store, with its destination paused for a day: what is accepted waits."""
    store = Store.hold(store_url)
    now = datetime.now(UTC)
    row = {"name": DESTINATION, "failures": 0, "paused_since": now, "next_probe_at": now + timedelta(days=1)}
    row |= {"pause_reason": "unauthorized", "pause_message": "paused by the bench"}
    store.write(lambda connection: connection.execute(insert(destinations).values(row)))
    store.close()


def ask_desk(desk: Process, target: str) -> Any:
    """Ask the desk about itself."""
    with urllib.request.urlopen(desk.lines[0] + target, timeout=10) as answer:
        return json.load(answer)
