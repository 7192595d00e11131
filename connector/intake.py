"""The way in, once: parse, authorise, find the series and the routes, accept.

The webhook, `send-test`, every replay and `explain` call it, so that none of them can see an alert
differently from the others. Nothing here knows HTTP; `Refused` carries the status that the public
contract gives to each situation. A fault of our own while reading a good body ends in quarantine
and is answered as taken in: Azure would not send the alert again.
"""

from __future__ import annotations

import hashlib
import secrets
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from connector.auth import Authenticator, Caller, Refusal
from connector.azure import NotAnAlert, Unreadable, decode, read_alert
from connector.logs import decision as log_decision
from connector.metrics import Metrics
from connector.model import Alert, Decision
from connector.routes import Routes, Routing
from connector.store import Accepting, Address, Quarantining, Store, Stored, StoreError

log = structlog.get_logger(__name__)

HEAD_BYTES = 16 * 1024
"""How much of a body that is too large is kept."""

RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the caller is told. `deliveries` are (id, destination)."""

    status: str
    id: str
    deliveries: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


class Refused(Exception):
    """The body was not taken in. `id` names the quarantined body, if it was kept."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        *,
        retry_after: int | None = None,
        id_: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail or title}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.retry_after = retry_after
        self.id = id_


@dataclass(frozen=True, slots=True)
class Considered:
    """What an alert would do: how it was read, where it is routed, and why."""

    alert: Alert
    routing: Routing
    decisions: tuple[Decision, ...]

    def accepting(self, body: bytes, before: tuple[Decision, ...] = (), *, again: bool = False) -> Accepting:
        """Return what the store is asked to write."""
        addresses = tuple(Address(each.destination, each.episode_key) for each in self.routing.destinations)
        return Accepting(self.alert, body, addresses, before + self.decisions, again=again)


def consider(body: bytes, routes: Routes, received_at: datetime) -> Considered:
    """Read and route a body without storing it; raises Unreadable, NotAnAlert."""
    nonce = secrets.token_hex(8)
    alert = read_alert(decode(body), received_at=received_at, body_digest=hashlib.sha256(body).hexdigest(), nonce=nonce)
    return consider_alert(alert, routes)


def consider_alert(alert: Alert, routes: Routes) -> Considered:
    """Route an alert that has been read before."""
    routing = routes.choose(alert)
    return Considered(alert, routing, (_read_decision(alert), *routing.decisions))


def _read_decision(alert: Alert) -> Decision:
    where = alert.resources[0].name if alert.resources else "no resource"
    why = f"{alert.family} alert {alert.condition}, rule {alert.rule or '-'}, {where}"
    data = {"family": alert.family, "series": alert.series.key, "test": str(alert.test).lower()}
    return Decision("read", alert.condition, why, data)


class Intake:
    """Takes bodies in. Safe to use from many threads."""

    def __init__(
        self,
        routes: Routes,
        store: Store,
        metrics: Metrics,
        *,
        auth: Authenticator | None = None,
        accepted: Callable[[], None] = lambda: None,
    ) -> None:
        self._routes = routes
        self._store = store
        self._metrics = metrics
        self._auth = auth
        self._accepted = accepted

    def receive(self, body: bytes, authorization: str | None, *, request_id: str) -> Accepted:
        """Take in what a caller posted; raises Refused."""
        caller = self._authenticate(authorization, request_id)
        return self.take_in(body, (_let_in(caller),), request_id=request_id)

    def too_large(self, head: bytes, authorization: str | None, *, request_id: str, size: int | None) -> Refused:
        """Keep the beginning of a body that is too large, and return the refusal."""
        try:
            self._authenticate(authorization, request_id)
            kept = self._quarantine(
                "too-large", "the body is larger than max_body allows", head[:HEAD_BYTES], size=size
            )
        except Refused as refused:
            return refused
        return Refused(413, "too-large", "The body is too large", "only the beginning of it was kept", id_=kept)

    def take_in(self, body: bytes, before: tuple[Decision, ...] = (), *, request_id: str = "-") -> Accepted:
        """Take in a body whose caller is known; raises Refused."""
        try:
            return self._take_in(body, before)
        except Unreadable as error:
            raise self._kept(400, error.code, "The body cannot be read", error.detail, body) from error
        except NotAnAlert as error:
            raise self._kept(422, error.code, "The body is not an Azure Monitor alert", error.detail, body) from error
        except Refused:
            raise
        except StoreError as error:
            log.error("store unavailable", request_id=request_id, error=str(error))
            raise _unavailable() from error
        except Exception as error:
            log.error("fault while reading a body", request_id=request_id, exc_info=error)
            detail = f"a fault of the gateway: {type(error).__name__}"
            trace = traceback.format_exc(limit=-20)
            return Accepted("quarantined", self._quarantine("fault", detail, body, trace=trace))

    def again(self, alert: Alert, decision: Decision) -> Stored:
        """Route a stored alert once more; raises StoreError."""
        considered = consider_alert(alert, self._routes)
        return self._store.accept(considered.accepting(b"", (decision,), again=True))

    def _take_in(self, body: bytes, before: tuple[Decision, ...]) -> Accepted:
        considered = consider(body, self._routes, datetime.now(UTC))
        self._authorise(considered.alert, body)
        stored = self._store.accept(considered.accepting(body, before))
        self._accepted()
        for each in considered.decisions if not stored.duplicate else ():
            log_decision(log, each, alert=stored.alert_id)
        return Accepted(_status(stored), stored.alert_id, stored.deliveries, considered.alert.warnings)

    def _authenticate(self, authorization: str | None, request_id: str) -> Caller:
        if self._auth is None:
            raise Refused(503, "no-authentication", "This process lets nobody in", retry_after=RETRY_AFTER_SECONDS)
        try:
            return self._auth.authenticate(authorization)
        except Refusal as refusal:
            self._metrics.auth_refused(refusal.code)
            log.warning("refused", code=refusal.code, evidence=refusal.evidence, request_id=request_id)
            raise Refused(
                refusal.status, refusal.code, _TITLES.get(refusal.status, "Refused"), retry_after=refusal.retry_after
            ) from refusal

    def _authorise(self, alert: Alert, body: bytes) -> None:
        if self._auth is None:
            return
        try:
            self._auth.authorise(alert.subscriptions, test=alert.test)
        except Refusal as refusal:
            self._metrics.auth_refused(refusal.code)
            log.warning("refused", code=refusal.code, evidence=refusal.evidence)
            raise self._kept(refusal.status, refusal.code, _TITLES[403], refusal.evidence, body) from refusal

    def _kept(self, status: int, code: str, title: str, detail: str, body: bytes) -> Refused:
        kept = self._quarantine(code, detail, body)
        return Refused(status, code, title, detail if status not in (401, 403) else "", id_=kept)

    def _quarantine(
        self, code: str, detail: str, body: bytes, *, size: int | None = None, trace: str | None = None
    ) -> str:
        id_ = secrets.token_hex(16)
        try:
            self._store.quarantine(Quarantining(id_, code, detail, body, max(size or 0, len(body)), trace))
        except StoreError as error:
            log.error("store unavailable", error=str(error))
            raise _unavailable() from error
        self._metrics.quarantined(code)
        log.warning("quarantined", code=code, detail=detail, id=id_)
        return id_


_TITLES = {401: "The caller could not be authenticated", 403: "The caller is not let in", 503: "Not possible just now"}


def _let_in(caller: Caller) -> Decision:
    roles = ", ".join(caller.roles) or "none"
    why = f"application {caller.application_id} with roles {roles}, token version {caller.token_version}"
    return Decision("authenticated", "let in", why)


def _unavailable() -> Refused:
    return Refused(
        503, "store-unavailable", "The alert could not be stored", "send it again", retry_after=RETRY_AFTER_SECONDS
    )


def _status(stored: Stored) -> str:
    if stored.duplicate:
        return "duplicate"
    return "accepted" if stored.deliveries else "unrouted"
