"""The alerts that are sent: the project's own metric sample, 1.5 KB, each with an id and a machine of its own."""

from __future__ import annotations

import json
import re
import secrets
from datetime import UTC, datetime
from uuid import uuid4

from connector.testing import samples

_FIRED, _RESOLVED = "metric-static-fired", "metric-static-resolved"
_MACHINE = "web-01"


class Bodies:
    """Makes bodies of one length, as cheaply as a join: who sends them must not be the bottleneck."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._alert_id = str(uuid4())
        text = json.dumps(samples.fresh(_FIRED, alert_id=self._alert_id), separators=(",", ":"))
        self._pieces = [piece.encode() for piece in re.split(f"({self._alert_id}|{_MACHINE})", text)]

    def body(self, number: int) -> bytes:
        """Return the body of that number; no other has its alert id, and none its machine."""
        values = {
            self._alert_id.encode(): f"{self._run}-0000-4000-8000-{number:012x}".encode(),
            _MACHINE.encode(): f"m{self._run}{number:08x}".encode(),
        }
        return b"".join(values.get(piece, piece) for piece in self._pieces)


def resolved_of(body: bytes) -> bytes:
    """Return the resolved that belongs to a fired body."""
    said = json.loads(body)["data"]["essentials"]
    document = samples.fresh(
        _RESOLVED,
        alert_id=said["alertId"],
        fired_at=datetime.fromisoformat(said["firedDateTime"]),
        resolved_at=datetime.now(UTC),
        resource=said["alertTargetIDs"][0],
    )
    return json.dumps(document, separators=(",", ":")).encode()
