"""A bearer token before it is trusted: taken apart within bounds, then verified by a key.

The first step of authentication. Nothing a token says is believed before its signature is
verified; the version it claims only chooses whose keys are asked.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
from jwt.algorithms import RSAAlgorithm

from connector.auth.refusals import Refusal, differs, shown

MAX_TOKEN = 16 * 1024
"""Characters of a token that are looked at; Entra's stay below 4,000 unless a user's groups are in them."""


_RS256 = RSAAlgorithm(RSAAlgorithm.SHA256)


@dataclass(frozen=True, slots=True)
class TokenVersion:
    """What differs between the two kinds of access tokens (Entra: access token claims reference)."""

    ver: str
    discovery: str
    caller_claim: str


VERSIONS: Mapping[str, TokenVersion] = {
    "1.0": TokenVersion("1.0", "/.well-known/openid-configuration", "appid"),
    "2.0": TokenVersion("2.0", "/v2.0/.well-known/openid-configuration", "azp"),
}

_COMPACT = re.compile(r"(([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+))\.([A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart; nothing in it is trusted yet. Prints nothing of itself."""

    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    key_id: str = field(repr=False)
    version: TokenVersion
    claims: Mapping[str, Any] = field(repr=False)


def bearer_token(authorization: str | None) -> str:
    if authorization is None or not authorization.strip():
        raise Refusal("token-missing")
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        # The value is not shown: it may be a password, or the token without its scheme.
        raise Refusal("scheme-not-bearer", "expected the scheme 'Bearer'; got another")
    if len(token) > MAX_TOKEN:
        raise Refusal("token-too-large", f"expected at most {MAX_TOKEN} characters; got {len(token)}")
    return token.strip()


def take_apart(text: str) -> Token:
    match = _COMPACT.fullmatch(text)
    if match is None:
        raise Refusal("token-malformed", "expected three parts in base64url; got something else")
    key_id = _key_id(_object(match[2], "header"))
    claims = _object(match[3], "payload")
    return Token(match[1].encode("ascii"), _bytes(match[4], "signature"), key_id, _version(claims), claims)


def _bytes(segment: str, part: str) -> bytes:
    """The one spelling that RFC 7515 section 2 gives to these bytes; another is refused."""
    padded = (segment + "=" * (-len(segment) % 4)).encode("ascii")
    try:
        raw = base64.urlsafe_b64decode(padded)
    except ValueError as error:
        raise Refusal("token-malformed", f"the {part} is not base64url") from error
    if base64.urlsafe_b64encode(raw) != padded:
        raise Refusal("token-malformed", f"the {part} is not base64url")
    return raw


def _object(segment: str, part: str) -> dict[str, Any]:
    raw = _bytes(segment, part)
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        # The parser's own words quote the input, so they are not passed on.
        raise Refusal("token-malformed", f"the {part} is not the JSON of one object") from error
    if not isinstance(value, dict):
        raise Refusal("token-malformed", f"the {part} is JSON, but not an object")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is given twice")
    return value


def _key_id(header: Mapping[str, Any]) -> str:
    """Return `kid`; whatever else points to a key (`jku`, `x5u`, `jwk`, `x5c`) is not looked at."""
    if header.get("alg") != "RS256":
        raise Refusal("algorithm-not-allowed", differs("RS256", header.get("alg")))
    if "crit" in header:
        raise Refusal("critical-header", f"expected no crit; got {shown(header['crit'])}")
    if header.get("b64", True) is False:  # RFC 7797 section 6: never without crit
        raise Refusal("token-malformed", "expected a payload in base64url; the header says otherwise")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise Refusal("key-id-missing", f"expected a text as kid; got {shown(kid)}")
    return kid


def _version(claims: Mapping[str, Any]) -> TokenVersion:
    ver = claims.get("ver")
    version = VERSIONS.get(ver) if isinstance(ver, str) else None
    if version is None:
        raise Refusal("version-unknown", f"expected '1.0' or '2.0'; got {shown(ver)}")
    return version


def verify(token: Token, keys: Sequence[jwt.PyJWK]) -> None:
    """Verify the signature with one of the keys of that id; raises Refusal.

    The keys are RSA keys for RS256 (`key_source`), and the token is taken apart already: PyJWT's
    `decode` would do it again, at three times the cost of the signature.
    """
    if not any(_RS256.verify(token.signed, key.key, token.signature) for key in keys):
        raise Refusal("signature-invalid", f"the signature is not by key {shown(token.key_id)}")
