"""Processes that are measured: started, asked by lines of JSON, weighed by /proc, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """One of our modules as a process of its own; what it logs goes to `<name>.log` in `folder`.

    `lines` of its standard output are read at start: a process says where it can be reached.
    """

    def __init__(
        self, name: str, arguments: list[str], folder: Path, *, until: str = "", env: Mapping[str, str] | None = None
    ) -> None:
        self.began = time.monotonic()
        with (folder / f"{name}.log").open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.name = name
        self._log = folder / f"{name}.log"
        self.lines = [self._line()]
        while not self.lines[-1].startswith(until):
            self.lines.append(self._line())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.communicate()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a line of JSON and return the line that answers it."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps(command) + "\n")
        self._popen.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def cpu_seconds(self) -> float:
        """Return the processor time used so far, in user and system mode, by all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_megabytes(self) -> float:
        """Return the resident memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        [kilobytes] = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
        return int(kilobytes) / 1024

    def _line(self) -> str:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended: {self._log.read_text(errors='replace')[-2000:]}")
        return line.strip()
