"""The codes a caller can be refused with: one table of status and sentence.

Raised all along the way in, from the header to the subscriptions of an alert; the web endpoint
turns a refusal into a problem. docs/authentication.md is this table for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RefusalKind:
    """The status and the sentence of one code."""

    status: int
    sentence: str


REFUSALS: Mapping[str, RefusalKind] = {
    "token-missing": RefusalKind(401, "There is no Authorization header."),
    "scheme-not-bearer": RefusalKind(401, "The Authorization header is not `Bearer` and a token."),
    "token-too-large": RefusalKind(401, "The token is larger than 16 KiB."),
    "token-malformed": RefusalKind(401, "The token is not a signed JSON Web Token."),
    "algorithm-not-allowed": RefusalKind(401, "The token is not signed with RS256."),
    "critical-header": RefusalKind(401, "The token's header demands extensions (`crit`)."),
    "key-id-missing": RefusalKind(401, "The token's header names no key (`kid`)."),
    "version-unknown": RefusalKind(401, "The token is neither version 1.0 nor 2.0 (`ver`)."),
    "unknown-key": RefusalKind(401, "The tenant's issuer does not publish the key the token names."),
    "signature-invalid": RefusalKind(401, "The signature does not belong to the token and the key it names."),
    "issuer-wrong": RefusalKind(401, "The token is from another issuer (`iss`)."),
    "tenant-wrong": RefusalKind(401, "The token is from another tenant (`tid`)."),
    "audience-wrong": RefusalKind(401, "The token is meant for another application (`aud`)."),
    "expiry-missing": RefusalKind(401, "The token has no time of expiry (`exp`)."),
    "time-malformed": RefusalKind(401, "One of the token's times is not a number (`exp`, `nbf`, `iat`)."),
    "token-expired": RefusalKind(401, "The token has expired (`exp`)."),
    "token-not-yet-valid": RefusalKind(401, "The token is not valid yet (`nbf`)."),
    "issued-in-future": RefusalKind(401, "The token was issued in the future (`iat`)."),
    "delegated-token": RefusalKind(401, "The token speaks for a user, not for an application (`scp`, `idtyp`)."),
    "caller-missing": RefusalKind(403, "The token names no calling application (`appid` or `azp`)."),
    "caller-not-allowed": RefusalKind(403, "The calling application is not among `callers`."),
    "role-missing": RefusalKind(403, "The token does not carry `required_role` (`roles`)."),
    "subscription-not-allowed": RefusalKind(403, "The alert names a subscription that is not among `subscriptions`."),
    "keys-unavailable": RefusalKind(503, "The signing keys cannot be fetched from the issuer."),
    "key-fetch-deferred": RefusalKind(503, "The token names an unknown key, and the keys were fetched just now."),
}


class Refusal(Exception):
    """The caller is not let in, or not now.

    `code` and `status` are a row of `REFUSALS`; `retry_after` is in seconds. `evidence` says what
    was expected and what came, for the log only; it never holds a token or personal data.
    """

    def __init__(self, code: str, evidence: str = "", *, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.evidence = evidence
        self.retry_after = retry_after

    @property
    def status(self) -> int:
        """The HTTP status that the public contract gives to it."""
        return REFUSALS[self.code].status

    @property
    def sentence(self) -> str:
        """What the code means, for a person."""
        return REFUSALS[self.code].sentence


def shown(value: object) -> str:
    """Return a hostile value for the log: one short line of ASCII."""
    text = ascii(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def differs(expected: object, got: object) -> str:
    return f"expected {shown(expected)}; got {shown(got)}"
