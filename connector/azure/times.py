"""Times as Azure writes them, tolerantly: a wrong time is no reason to lose an alert."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE | re.ASCII
)
_US = "%m/%d/%Y %I:%M:%S %p"
_US_24 = "%m/%d/%Y %H:%M:%S"


def parse_time(value: str) -> datetime | None:
    """Return a UTC time, to the microsecond; None if there is none to be read.

    Takes RFC 3339 with 0 to 9 fractional digits, with or without a zone (none is UTC), and the
    US form of the older log alerts (`3/22/2019 1:36:31 PM`, UTC by the name of its field).
    """
    value = value.strip()
    match = _ISO.fullmatch(value)
    try:
        return _from_iso(match) if match else _from_us(value)
    except (ValueError, OverflowError):
        return None


def _from_iso(match: re.Match[str]) -> datetime:
    zone = (match[4] or "Z").upper()
    return datetime.fromisoformat(f"{match[1]}T{match[2]}.{match[3] or '0'}{zone}").astimezone(UTC)


def _from_us(value: str) -> datetime:
    form = _US if value[-1:] in "Mm" else _US_24
    return datetime.strptime(value, form).replace(tzinfo=UTC)
