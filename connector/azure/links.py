"""The links of an alert: whole or not at all, and http(s) only."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from connector.model import Link, Resource

PORTAL = "https://portal.azure.com"
LONGEST = 8192
"""Characters. A link into the logs carries its query and is often longer than one thousand."""

_ALERT_PAGE = f"{PORTAL}/#view/Microsoft_Azure_Monitoring_Alerts/AlertDetails.ReactView/alertId/"


def link(label: str, url: object) -> Link | None:
    """Return a link if `url` is an absolute http(s) URL that can be shown whole."""
    return Link(label, url) if isinstance(url, str) and _is_web(url) else None


def alert_link(alert_id: str) -> Link | None:
    """Return the page of an alert in the portal; only Alerts Management keeps such pages."""
    if "/providers/microsoft.alertsmanagement/alerts/" not in alert_id.lower():
        return None
    return link("Alert in the Azure portal", _ALERT_PAGE + quote(alert_id, safe=""))


def resource_link(resource: Resource) -> Link | None:
    """Return the page of an Azure resource in the portal."""
    if not resource.is_arm:
        return None
    return link("Resource in the Azure portal", f"{PORTAL}/#resource{quote(resource.id, safe='/-._~()')}")


def whole(*links: Link | None) -> tuple[Link, ...]:
    """Return the links there are, without doubles."""
    return tuple(dict.fromkeys(each for each in links if each))


def first_link(label: str, urls: Iterable[object]) -> Link | None:
    """Return the first of `urls` that can be linked to."""
    return next((found for url in urls if (found := link(label, url))), None)


def _is_web(url: str) -> bool:
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or any(each in url for each in ' <>"\\`'):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
