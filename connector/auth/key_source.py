"""Reads what the issuer publishes: its discovery document and its signing keys.

Called in the background by the cache of keys, never for each request. A document is read within
bounds of size and time, without redirects, and from https or loopback only.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests

from connector import __version__
from connector.auth.refusals import shown
from connector.loopback import is_loopback, is_secure

MAX_DOCUMENT = 256 * 1024
CONNECT_TIMEOUT, READ_TIMEOUT, DOCUMENT_TIMEOUT = 3.0, 5.0, 8.0
RSA_BITS = range(2048, 8192 + 1)

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# An empty address beats a proxy of the environment: an issuer on loopback is not behind one.
_DIRECT = {"http": "", "https": "", "all": ""}


class KeyFetchError(Exception):
    """The issuer's documents cannot be had or cannot be used; says which and why."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The issuer of one token version and its usable keys by key id."""

    issuer: str
    keys: Mapping[str, tuple[jwt.PyJWK, ...]]


def fetch_key_set(discovery_url: str, tenant_id: str) -> KeySet:
    """Read the discovery document and the keys it points to; raises KeyFetchError."""
    deadline = time.monotonic() + DOCUMENT_TIMEOUT
    with requests.Session() as session:
        session.headers["User-Agent"] = f"itsm-connector/{__version__}"
        session.auth = lambda request: request  # or requests would look for a password in ~/.netrc
        discovery = _document(session, discovery_url, deadline)
        issuer = _address(discovery, "issuer").replace("{tenantid}", tenant_id)
        published = _document(session, _address(discovery, "jwks_uri"), deadline)
    return KeySet(issuer, usable_keys(published, tenant_id))


def _document(session: requests.Session, url: str, deadline: float) -> dict[str, Any]:
    proxies = _DIRECT if is_loopback(urlsplit(url).hostname) else None
    timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
    try:
        with session.get(url, timeout=timeout, allow_redirects=False, stream=True, proxies=proxies) as answer:
            document = json.loads(_body(answer, url, deadline))
    except requests.RequestException as error:
        raise KeyFetchError(f"{url} cannot be read: {type(error).__name__}") from error
    except (ValueError, RecursionError) as error:
        raise KeyFetchError(f"{url} is not JSON") from error
    if not isinstance(document, dict):
        raise KeyFetchError(f"{url} is JSON, but not an object")
    return document


def _body(answer: requests.Response, url: str, deadline: float) -> bytes:
    if answer.status_code != 200:
        raise KeyFetchError(f"{url} answered {answer.status_code}")
    body = b""
    for chunk in answer.iter_content(1024):
        body += chunk
        if len(body) > MAX_DOCUMENT:
            raise KeyFetchError(f"{url} is larger than {MAX_DOCUMENT} bytes")
        if time.monotonic() > deadline:
            raise KeyFetchError(f"{url} takes longer than {DOCUMENT_TIMEOUT:g} s")
    return body


def _address(discovery: Mapping[str, Any], name: str) -> str:
    url = discovery.get(name)
    if not isinstance(url, str) or not is_secure(url):
        raise KeyFetchError(f"the discovery document's {name} is not an https address: {shown(url)}")
    return url


def usable_keys(published: Mapping[str, Any], tenant_id: str) -> dict[str, tuple[jwt.PyJWK, ...]]:
    entries = published.get("keys")
    keys: dict[str, tuple[jwt.PyJWK, ...]] = {}
    for jwk in entries if isinstance(entries, list) else []:
        key = _usable_key(jwk, tenant_id)
        if key is not None:
            # RFC 7517 section 4.5 lets keys share an id; each of them is tried.
            keys[jwk["kid"]] = (*keys.get(jwk["kid"], ()), key)
    if not keys:
        raise KeyFetchError("the issuer publishes no key that can be used")
    return keys


def _usable_key(jwk: Any, tenant_id: str) -> jwt.PyJWK | None:
    """Return the RSA signing key of that entry, or `None` where it is another kind of key."""
    if not isinstance(jwk, dict) or not _is_for_signing(jwk) or not _is_for_tenant(jwk, tenant_id):
        return None
    if not all(isinstance(jwk.get(name), str) and jwk[name] for name in ("kid", "n", "e")):
        return None
    try:
        # Built from the public numbers alone, so that nothing else in the entry has a say.
        key = jwt.PyJWK({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]}, algorithm="RS256")
    except (jwt.PyJWTError, ValueError):
        return None
    return key if key.key.key_size in RSA_BITS else None


def _is_for_signing(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("kty") == "RSA"
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", "RS256") == "RS256"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _is_for_tenant(jwk: Mapping[str, Any], tenant_id: str) -> bool:
    """Whether the key is not reserved to another tenant (Entra: access tokens, signing key issuer)."""
    named = [guid.lower() for guid in GUID.findall(str(jwk.get("issuer", "")))]
    return not named or tenant_id in named
