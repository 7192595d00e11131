"""`demo`: the whole path of an alert on this machine alone, told as a story.

The real gateway and worker, a token issuer that behaves like Microsoft Entra ID, a desk in a file:
a fired and then a resolved alert go through real HTTP with a real signed token.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import click
import requests

from connector import __version__
from connector.app import Role, Stopping
from connector.cli.exits import Ended, Exit
from connector.cli.options import loaded
from connector.cli.output import say, show, show_table
from connector.cli.serve import Running, on_signals
from connector.cli.story import awaited, line, tell
from connector.model import Action
from connector.store import Store, StoredAlert
from connector.testing import samples
from connector.testing.issuer import AUDIENCE, TokenIssuer
from connector.testing.sender import ActionGroup
from connector.web.endpoints import WEBHOOK

TENANT = "7d3f0c52-9a41-4f0e-8b6e-2c1d5a90e7b4"
WAIT_SECONDS = 20.0
READY_SECONDS = 10.0
NEW_TOKEN_SECONDS = 1800.0

_FIRED, _RESOLVED = "metric-static-fired", "metric-static-resolved"

_CONFIG = """\
config_version = 1

[gateway]
listen = "127.0.0.1:0"

[auth]
tenant_id = {tenant}
audiences = [{audience}]
authority = {authority}

[store]
url = {store}

[destinations.desk]
adapter = "mock"
path = {desk}
cis = {{ {resource} = "{name} (demo CI)" }}

[[routes]]
name = "severe"
match = {{ severity = "<=Sev2" }}
destinations = ["desk"]
"""


@click.command()
@click.option("--once", is_flag=True, help="End after the story instead of serving until Ctrl-C.")
def demo(*, once: bool) -> int:
    """See it work: a fired and a resolved alert, from a signed request to a work item.

    Everything happens on this machine, in a temporary folder that is removed at the end.
    """
    stopping = Stopping()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C: the folder must go
    with tempfile.TemporaryDirectory(prefix="itsm-connector-demo-") as folder, _stage(Path(folder), stopping) as stage:
        _introduce(stage)
        _play(stage)
        if not once:
            _serve(stage, stopping)
    return Exit.OK


@dataclass(frozen=True, slots=True)
class _Stage:
    """What runs during the demonstration, and where."""

    folder: Path
    issuer: TokenIssuer
    url: str
    store: Store

    @property
    def desk(self) -> Path:
        return self.folder / "desk.json"

    @property
    def config(self) -> Path:
        return self.folder / "connector.toml"

    @property
    def webhook(self) -> str:
        return self.url + WEBHOOK


@contextmanager
def _stage(folder: Path, stopping: Stopping) -> Iterator[_Stage]:
    with TokenIssuer(TENANT) as issuer:
        config = folder / "connector.toml"
        config.write_text(_config(folder, issuer.authority), encoding="utf-8")
        running = Running(loaded(config), Role.SERVE, "127.0.0.1:0", stopping.failed)
        try:
            running.start()
            yield _Stage(folder, issuer, f"http://{running.address}", running.app.store)
        finally:
            running.stop()


def _config(folder: Path, authority: str) -> str:
    resource = samples.load(_FIRED)["data"]["essentials"]["alertTargetIDs"][0]
    return _CONFIG.format(
        tenant=json.dumps(TENANT),
        audience=json.dumps(AUDIENCE),
        authority=json.dumps(authority),
        store=json.dumps(f"sqlite:///{folder / 'store.db'}"),
        desk=json.dumps(str(folder / "desk.json")),
        resource=json.dumps(resource),
        name=resource.rpartition("/")[2],
    )


def _introduce(stage: _Stage) -> None:
    show(f"itsm-connector {__version__}: the path of one alert, on this machine alone")
    show()
    line("token issuer", f"{stage.issuer.authority}   signs tokens like Microsoft Entra ID's")
    line("gateway", f"{stage.webhook}   what Azure Monitor would call")
    line("service desk", f"{stage.desk}   the mock adapter's")
    line("configuration", str(stage.config))


def _play(stage: _Stage) -> None:
    """Send both alerts and tell what became of each; raises Ended if something did not happen."""
    _wait_until_ready(stage)
    group = ActionGroup(stage.webhook, stage.issuer.bearer, delays=(0.5, 1.0, 2.0))
    alert_id, fired_at = str(uuid4()), datetime.now(UTC) - timedelta(minutes=7)
    fired = samples.fresh(_FIRED, alert_id=alert_id, fired_at=fired_at)
    resolved = samples.fresh(_RESOLVED, alert_id=alert_id, fired_at=fired_at)
    show()
    show("1. Azure Monitor says: fired")
    _expect(_send(stage, group, fired), Action.OPENED)
    show()
    show("2. Azure Monitor says: resolved")
    _expect(_send(stage, group, resolved), Action.RESOLVED)
    show()
    show("The desk now")
    _show_desk(stage)


def _wait_until_ready(stage: _Stage) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while requests.get(f"{stage.url}/readyz", timeout=5).status_code != 200:
        if time.monotonic() >= deadline:
            raise Ended(Exit.UNREACHABLE, "the gateway did not become ready")
        time.sleep(0.05)


def _send(stage: _Stage, group: ActionGroup, payload: samples.Sample) -> StoredAlert:
    began = time.monotonic()
    response = group.post(payload)
    took = (time.monotonic() - began) * 1000
    answer = response.json()
    if response.status_code != 202:
        raise Ended(Exit.NEGATIVE, f"the gateway answered {response.status_code}: {answer.get('code')}")
    line("answered", f"202 {answer['status']} after {took:.0f} ms, alert {answer['id']} is on disk")
    stored = awaited(stage.store, answer["id"], WAIT_SECONDS)
    tell(stored, stage.store.decisions_about(stored.alert.id))
    return stored


def _expect(stored: StoredAlert, action: Action) -> None:
    done = [each for delivery in stored.deliveries if delivery.receipt for each in delivery.receipt.actions]
    if action not in done:
        raise Ended(Exit.NEGATIVE, f"the work item was not {action}")


def _show_desk(stage: _Stage) -> None:
    items = json.loads(stage.desk.read_text(encoding="utf-8"))["work_items"]
    rows = [tuple(_words(each.get(name)) for name in _COLUMNS) for each in items]
    show_table([name.upper().replace("_", " ") for name in _COLUMNS], rows)


_COLUMNS = ("number", "state", "title", "configuration_items")


def _words(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _serve(stage: _Stage, stopping: Stopping) -> None:
    """Keep serving, with a token on disk that is always good for an hour."""
    on_signals(stopping.ask)
    token, payload = stage.folder / "token", stage.folder / "alert.json"
    payload.write_text(json.dumps(samples.fresh("log-v2-fired")), encoding="utf-8")
    _write_private(token, stage.issuer.token())
    show()
    show("Still serving; Ctrl-C ends it and removes the folder. In another terminal:")
    show(f"  export ITSM_CONNECTOR_CONFIG={stage.config}")
    show("  itsm-connector send-test --resolve")
    show("  itsm-connector alerts list")
    show(f"  itsm-connector explain {stage.store.list_alerts(1)[0].alert.id[:12]}")
    show(f'  curl -i -H "Authorization: Bearer $(cat {token})" -H "Content-Type: application/json" \\')
    show(f"       --data @{payload} {stage.webhook}")
    refreshing = threading.Thread(target=_keep_token_fresh, args=(stage, token), daemon=True)
    refreshing.start()
    stopping.wait()
    say("\nstopping")
    if stopping.failure is not None:
        raise Ended(Exit.NEGATIVE, f"stopped because {stopping.failure}")


def _keep_token_fresh(stage: _Stage, path: Path) -> None:
    while True:
        time.sleep(NEW_TOKEN_SECONDS)
        if not path.exists():
            return
        _write_private(path, stage.issuer.token())


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
