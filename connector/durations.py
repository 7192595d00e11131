"""Durations and sizes as people write them in the configuration: `"5m"`, `"512KiB"`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_UNIT_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+)(B|KiB|MiB)")


def parse_duration(value: object) -> timedelta:
    """Return the duration of `"250ms"`, `"5m"`, `"24h"`; raises ValueError."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration is a number with a unit (ms, s, m, h, d), like "5m"')
    try:
        return timedelta(seconds=float(match[1]) * _UNIT_SECONDS[match[2]])
    except OverflowError as error:
        raise ValueError("that duration is longer than can be counted") from error


def parse_size(value: object) -> int:
    """Return the number of bytes of `"512KiB"`; raises ValueError."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a size is a whole number with a unit (B, KiB, MiB), like "512KiB"')
    return int(match[1]) * _UNIT_BYTES[match[2]]


def show_duration(value: timedelta) -> str:
    """Return `value` the way people write it, in the largest unit that keeps it whole."""
    seconds = value.total_seconds()
    for unit in ("d", "h", "m", "s"):
        if seconds >= _UNIT_SECONDS[unit] and seconds % _UNIT_SECONDS[unit] == 0:
            return f"{int(seconds // _UNIT_SECONDS[unit])}{unit}"
    return f"{seconds:g}s"
