"""Decides who may bring alerts: the claims of a verified token, and the subscriptions of an alert.

Stands behind the web endpoint; intake asks it before a body is read, and again once the alert is.
Checks that end in 401 come before those that end in 403.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from connector.auth.key_cache import FETCH_PATIENCE, KeyCache
from connector.auth.key_source import GUID, KeySet, fetch_key_set
from connector.auth.refusals import Refusal, differs, shown
from connector.auth.token import VERSIONS, Token, TokenVersion, bearer_token, take_apart, verify

if TYPE_CHECKING:
    from connector.config import AuthConfig

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where a cloud's tokens come from, and its action-group service (`None`: not published)."""

    authority: str
    caller: str | None


# Hosts: Entra "national clouds". Callers: Azure Monitor "action groups", secure webhook script (public);
# ServiceNow's guide to Azure events (usgov). For China no document names one.
CLOUDS: Mapping[str, Cloud] = {
    "public": Cloud("https://login.microsoftonline.com", "461e8683-5575-4561-ac7f-899cc907d62a"),
    "usgov": Cloud("https://login.microsoftonline.us", "f1f34126-d4ef-40e1-ad4b-bf5d47b4860d"),
    "china": Cloud("https://login.partner.microsoftonline.cn", None),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was let in."""

    application_id: str
    tenant_id: str
    roles: tuple[str, ...]
    token_version: str


class Authenticator:
    """Decides who may bring alerts. Safe to use from many threads.

    `clock` gives the time of day (seconds since 1970) that tokens are judged by, `timer` the
    seconds that keys age by; `patience` is how long a request waits for keys, `pulse` how often
    the background thread looks whether a fetch is due (both in seconds).
    """

    def __init__(
        self,
        config: AuthConfig,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        patience: float = FETCH_PATIENCE,
        pulse: float = 5.0,
    ) -> None:
        self._tenant_id = config.tenant_id.lower()
        self._audiences = frozenset(_audience_key(each) for each in config.audiences)
        self._callers = _callers(config)
        self._required_role = config.required_role
        self._subscriptions = frozenset(each.lower() for each in config.subscriptions)
        self._leeway = config.leeway.total_seconds()
        self._clock = clock
        self._caches = _caches(config, timer, patience)
        self._pulse = pulse
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_fresh, name="signing-keys", daemon=True)

    def start(self) -> None:
        """Fetch the keys in the background, now and every hour."""
        self._thread.start()

    def close(self) -> None:
        """Stop fetching."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def keys_ready(self) -> bool:
        """Whether the signing keys of at least one token version are held."""
        return any(cache.ready() for cache in self._caches.values())

    def authenticate(self, authorization: str | None) -> Caller:
        """Return who sent this Authorization header; raises Refusal."""
        token = take_apart(bearer_token(authorization))
        issuer, keys = self._caches[token.version.ver].find(token.key_id)
        verify(token, keys)
        self._check_origin(token.claims, issuer)
        self._check_times(token.claims)
        _check_no_user(token.claims)
        return self._let_in(token)

    def authorise(self, subscriptions: Sequence[str], *, test: bool) -> None:
        """Check that every subscription an alert names is in the allow-list; raises Refusal.

        A recognised test notification names a subscription of Microsoft's and is exempt.
        """
        if test or not self._subscriptions:
            return
        strangers = sorted({each.lower() for each in subscriptions} - self._subscriptions)
        if strangers or not subscriptions:
            expected = f"expected only subscriptions of the {len(self._subscriptions)} allowed"
            raise Refusal("subscription-not-allowed", f"{expected}; got {shown(strangers) if strangers else 'none'}")

    def _keep_fresh(self) -> None:
        while True:
            try:
                for cache in self._caches.values():
                    cache.refresh_if_due()
            except Exception as error:  # this thread must outlive whatever happens in one round
                log.error("fault", thread="signing-keys", exc_info=error)
            if self._stopping.wait(self._pulse):
                return

    def _check_origin(self, claims: Mapping[str, Any], issuer: str) -> None:
        if claims.get("iss") != issuer:
            raise Refusal("issuer-wrong", differs(issuer, claims.get("iss")))
        tenant = claims.get("tid")
        if not isinstance(tenant, str) or tenant.lower() != self._tenant_id:
            raise Refusal("tenant-wrong", differs(self._tenant_id, tenant))
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not any(isinstance(each, str) and _audience_key(each) in self._audiences for each in named):
            raise Refusal("audience-wrong", differs(sorted(self._audiences), audience))

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        if claims.get("exp") is None:
            raise Refusal("expiry-missing", "expected exp; got none")
        for name in ("exp", "nbf", "iat"):
            if name in claims and not _is_number(claims[name]):
                raise Refusal("time-malformed", f"expected {name} as a number; got {shown(claims[name])}")
        now = self._clock()
        earliest, latest = now - self._leeway, now + self._leeway
        if claims["exp"] <= earliest:
            raise Refusal("token-expired", f"expected exp after {earliest:.0f}; got {shown(claims['exp'])}")
        for name, code in (("nbf", "token-not-yet-valid"), ("iat", "issued-in-future")):
            if claims.get(name, 0) > latest:
                raise Refusal(code, f"expected {name} until {latest:.0f}; got {shown(claims[name])}")

    def _let_in(self, token: Token) -> Caller:
        claim = token.version.caller_claim
        application = token.claims.get(claim)
        if not isinstance(application, str) or not application:
            raise Refusal("caller-missing", f"expected {claim} as a text; got {shown(application)}")
        if application.lower() not in self._callers:
            raise Refusal("caller-not-allowed", differs(sorted(self._callers), application))
        roles = _roles(token.claims)
        if self._required_role and self._required_role not in roles:
            raise Refusal("role-missing", differs(self._required_role, roles))
        return Caller(application.lower(), self._tenant_id, roles, token.version.ver)


def _callers(config: AuthConfig) -> frozenset[str]:
    default = CLOUDS[config.cloud].caller
    callers = config.callers or ((default,) if default else ())
    return frozenset(each.lower() for each in callers)


def _caches(config: AuthConfig, timer: Callable[[], float], patience: float) -> dict[str, KeyCache]:
    authority = (config.authority or CLOUDS[config.cloud].authority).rstrip("/")
    tenant_id = config.tenant_id.lower()
    base = f"{authority}/{tenant_id}"

    def fetching(version: TokenVersion) -> Callable[[], KeySet]:
        return lambda: fetch_key_set(base + version.discovery, tenant_id)

    return {each.ver: KeyCache(each.ver, fetching(each), timer=timer, patience=patience) for each in VERSIONS.values()}


def _audience_key(audience: str) -> str:
    """Return the form to compare: a client id has no case, an Application ID URI is taken as written."""
    return audience.lower() if GUID.fullmatch(audience) else audience


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _check_no_user(claims: Mapping[str, Any]) -> None:
    """Refuse a token that speaks for a user (Entra: scenario protected web API, app permissions)."""
    if "scp" in claims:
        raise Refusal("delegated-token", "expected no scp; got one")
    if claims.get("idtyp", "app") != "app":
        raise Refusal("delegated-token", differs("idtyp app", claims["idtyp"]))


def _roles(claims: Mapping[str, Any]) -> tuple[str, ...]:
    roles = claims.get("roles")
    return tuple(each for each in roles if isinstance(each, str)) if isinstance(roles, list) else ()
