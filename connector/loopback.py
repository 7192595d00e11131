"""Which addresses can only mean this machine, and which are safe to speak to.

TLS is never switched off; plain http is only for a token issuer, a desk or a vendor's stand-in on
the machine itself. Said once here for `config`, `auth` and `vendor_http`.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address can only mean this machine."""
    try:
        return host is not None and (host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


def is_secure(url: str) -> bool:
    """Whether nobody on the way can change what is read there, and the URL carries no credentials."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
