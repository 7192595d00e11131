"""A gateway as it runs in production, for tests: the real command in a real process.

Around it a token issuer with real keys and a desk file; whoever wants can kill it at any moment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from connector.testing.issuer import TokenIssuer

TENANT = "5a0f3c9e-1b77-4c36-9d3f-0c6b1f2a7e10"
AUDIENCE = "api://itsm-connector-tests"
WEBHOOK = "/webhooks/azure-monitor"


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return once `condition` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def config(folder: Path, issuer: TokenIssuer, store_url: str, desk: str, extra: str = "") -> Path:
    """Write a configuration with one mock desk; `desk` is TOML of its table, `extra` goes below."""
    path = folder / "connector.toml"
    path.write_text(
        f"""config_version = 1
[auth]
tenant_id = "{TENANT}"
audiences = ["{AUDIENCE}"]
authority = "{issuer.authority}"
[store]
url = "{store_url}"
[delivery]
first_backoff = "20ms"
max_backoff = "200ms"
timeout = "1s"
[destinations.desk]
adapter = "mock"
{desk}
[[routes]]
name = "everything"
destinations = ["desk"]
{extra}
"""
    )
    return path


class Gateway:
    """One process of the product; `command` is serve, gateway or worker."""

    def __init__(self, config: Path, command: str = "serve", env: Mapping[str, str] | None = None) -> None:
        self._arguments = [command, "--config", str(config), "--listen", "127.0.0.1:0"]
        self._folder = config.parent
        self._env = {**os.environ, **(env or {})}
        self.process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread()
        self.url = ""
        self.log: list[str] = []

    def start(self) -> Gateway:
        """Start the process and return once it says that it is ready."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "connector.cli", *self._arguments],
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready, output = threading.Event(), self.process.stdout
        assert output is not None

        def read() -> None:
            with output:
                for line in output:
                    self.log.append(line)
                    if "listening" in line and "http://" in line:
                        self.url = "http://" + line.split("http://")[1].split("/")[0].strip()
                    if line.startswith("ready"):
                        ready.set()
            ready.set()

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        assert ready.wait(30), "the process said nothing"
        assert self.url, "".join(self.log)
        wait_for(self.is_ready)
        return self

    def is_ready(self) -> bool:
        """Return whether /readyz says so."""
        return requests.get(self.url + "/readyz", timeout=10).status_code == 200

    def kill(self) -> None:
        """End the process as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)

    def stop(self) -> int:
        """End the process as an operator would; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(15)
        self._reader.join(10)
        return code

    def __enter__(self) -> Gateway:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def post(self, body: bytes | object, authorization: str | None, timeout: float = 30.0) -> requests.Response:
        """Post to the webhook as an action group does."""
        headers = {"Authorization": authorization} if authorization else {}
        arguments: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        return requests.post(self.url + WEBHOOK, headers=headers, timeout=timeout, **arguments)
