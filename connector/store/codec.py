"""Alerts, episodes and receipts as JSON text, the form in which the store keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from connector.model import Alert, Episode, Receipt, digest

_ADAPTERS: dict[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in (Alert, Episode, Receipt)}


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump(value: Alert | Episode | Receipt) -> str:
    """Return `value` as JSON text."""
    return _ADAPTERS[type(value)].dump_json(value).decode()


def load_alert(text: str) -> Alert:
    """Return the alert kept as `text`."""
    alert: Alert = _ADAPTERS[Alert].validate_json(text)
    return alert


def load_episode(text: str) -> Episode:
    """Return the episode kept as `text`."""
    episode: Episode = _ADAPTERS[Episode].validate_json(text)
    return episode


def load_receipt(text: str | None) -> Receipt | None:
    """Return the receipt kept as `text`, if any."""
    receipt: Receipt | None = _ADAPTERS[Receipt].validate_json(text) if text else None
    return receipt


def dump_data(data: Mapping[str, str]) -> str:
    """Return the details of a decision as JSON text."""
    return _COMPACT.encode(dict(data))


def load_data(text: str) -> dict[str, str]:
    """Return the details of a decision."""
    data: dict[str, str] = json.loads(text)
    return data


def azure_digest(alert: Alert) -> str | None:
    """Return the indexed form of Azure's alert id."""
    return digest("azure", alert.azure_key) if alert.azure_key else None
