"""Manners towards vendors: how every HTTP call of an adapter behaves, and what its failures mean.

On the path of an alert this is the last thing of ours before the network. It sits *below* the
vendor's library, as the transport of its `requests.Session`, so that no library can follow a
redirect, wait for ever, repeat a POST by itself or read without end: failures leave the transport
as `DeliveryError`, which no library catches. `json_object` and `answer_error` judge answers.
"""

from __future__ import annotations

import io
import json
import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from connector import __version__
from connector.adapter import DeliveryError, Reason, Scope
from connector.loopback import is_loopback as is_loopback  # noqa: PLC0414 - part of the public shelf by this module

USER_AGENT = f"itsm-connector/{__version__}"

LONGEST_RETRY_AFTER = timedelta(hours=1)
"""Vendors count by the hour; what asks for more is a fault or a wrong clock."""

_LONGEST_WORDS = 300
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Manners:
    """How to speak to one vendor.

    `timeout` bounds the wait for the answer to begin, each pause in it, and its body as a whole.
    `ca_bundle` and `client_certificate` (certificate, key) are paths of PEM files; there is no way
    to switch verification off. `largest_answer` is in bytes, after decompression.
    """

    timeout: timedelta = timedelta(seconds=10)
    connect_timeout: timedelta = timedelta(seconds=5)
    ca_bundle: str | None = None
    client_certificate: tuple[str, str] | None = None
    proxy: str | None = field(default=None, repr=False)
    largest_answer: int = 4 * 1024 * 1024
    connections: int = 16


def session(manners: Manners, auth: AuthBase | tuple[str, str] | None = None) -> requests.Session:
    """Return a session with manners. Calls on it raise DeliveryError and return read answers."""
    made = requests.Session()
    made.auth = auth
    tame(made, manners)
    return made


def tame(vendor_session: requests.Session, manners: Manners) -> None:
    """Teach manners to a session that a vendor's library made for itself.

    Environment proxies and netrc are not trusted: netrc would replace our credentials unseen. No
    cookie is kept: each call signs in by itself, so that a rotated secret counts at once.
    """
    vendor_session.trust_env = False
    vendor_session.max_redirects = 0
    vendor_session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for prefix in list(vendor_session.adapters):
        vendor_session.adapters.pop(prefix).close()
    for prefix in ("https://", "http://"):
        vendor_session.mount(prefix, _Transport(manners))


def vendor_url(value: str) -> str:
    """Return the base URL of a vendor without a trailing slash; raises ValueError with the reason."""
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it must be a URL like https://acme.example.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("it must not carry a user name, a query or a fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("http:// is only for this machine; use https://")
    return value.strip().rstrip("/")


class _Transport(HTTPAdapter):
    """Sends one request and reads its answer, whatever the session above asks for."""

    def __init__(self, manners: Manners) -> None:
        super().__init__(max_retries=0, pool_maxsize=manners.connections)
        self._manners = manners

    def send(self, request: requests.PreparedRequest, *_args: Any, **_options: Any) -> requests.Response:
        manners = self._manners
        host = _host(request.url)
        _refuse_clear_text(request.url, host)
        request.headers["User-Agent"] = USER_AGENT
        try:
            answer = super().send(
                request,
                stream=True,
                timeout=(manners.connect_timeout.total_seconds(), manners.timeout.total_seconds()),
                verify=manners.ca_bundle or True,
                cert=manners.client_certificate,
                proxies={"http": manners.proxy, "https": manners.proxy} if manners.proxy else {},
            )
            _read_whole(answer, host, manners)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # Not chained: the texts of these carry URLs and header values.
            raise delivery_error(error, host) from None
        if answer.is_redirect:
            raise _redirected(answer, host)
        return answer


def _refuse_clear_text(url: str | None, host: str) -> None:
    if urlsplit(url or "").scheme != "https" and not is_loopback(host):
        message = f"{host} would be spoken to without TLS; http:// is only for this machine"
        raise DeliveryError(Reason.REJECTED, message, scope=Scope.DESTINATION, maybe_done=False)


def _read_whole(answer: requests.Response, host: str, manners: Manners) -> None:
    """Read the body here, where its size and its time are bounded, and let the connection go."""
    body = io.BytesIO()
    over_at = time.monotonic() + manners.timeout.total_seconds()
    try:
        while piece := answer.raw.read1(_PIECE, decode_content=True):
            if body.tell() + len(piece) > manners.largest_answer:
                raise DeliveryError(Reason.VENDOR_FAULT, f"{host} sent more than {manners.largest_answer} bytes")
            if time.monotonic() > over_at:
                raise DeliveryError(Reason.TIMEOUT, f"{host} did not finish its answer in time")
            body.write(piece)
    except BaseException:
        answer.raw.close()
        raise
    answer.raw.release_conn()
    body.seek(0)
    answer.raw = body


def _redirected(answer: requests.Response, host: str) -> DeliveryError:
    """A redirect is a login page, a sleeping instance or a wrong address: never followed."""
    target = _host(answer.headers.get("Location"))
    where = f"to {target}" if target else "elsewhere"
    return DeliveryError(
        Reason.VENDOR_FAULT, f"{host} redirects {where}, which is not followed; check the address and the sign-in"
    )


def _host(url: str | None) -> str:
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:
        return ""
    return re.sub(r"[^\w.:-]", "", host)[:253]


# --- exceptions -> DeliveryError ------------------------------------------------------------------

_Kind = tuple[type[BaseException], Reason, str, bool]

_NOT_SENT: tuple[_Kind, ...] = (
    (requests.ConnectTimeout, Reason.TIMEOUT, "{host} did not accept a connection in time", False),
    (requests.exceptions.ProxyError, Reason.UNREACHABLE, "the proxy in front of {host} cannot be used", False),
    (ssl.SSLCertVerificationError, Reason.UNREACHABLE, "the certificate of {host} is not trusted: {detail}", False),
    (socket.gaierror, Reason.UNREACHABLE, "the name {host} cannot be resolved", False),
    (urllib3.exceptions.NewConnectionError, Reason.UNREACHABLE, "{host} cannot be connected to: {detail}", False),
)
_MAYBE_SENT: tuple[_Kind, ...] = (
    (requests.Timeout, Reason.TIMEOUT, "{host} did not answer in time", True),
    (urllib3.exceptions.TimeoutError, Reason.TIMEOUT, "{host} did not finish its answer in time", True),
    (TimeoutError, Reason.TIMEOUT, "{host} did not answer in time", True),
    (requests.exceptions.SSLError, Reason.UNREACHABLE, "TLS with {host} failed", True),
    (urllib3.exceptions.SSLError, Reason.UNREACHABLE, "TLS with {host} failed", True),
    (urllib3.exceptions.DecodeError, Reason.VENDOR_FAULT, "the answer of {host} cannot be decoded", True),
    (requests.ConnectionError, Reason.UNREACHABLE, "{host} broke off the connection", True),
    (urllib3.exceptions.ProtocolError, Reason.UNREACHABLE, "{host} broke off its answer", True),
    (requests.exceptions.ChunkedEncodingError, Reason.UNREACHABLE, "{host} broke off its answer", True),
    (requests.exceptions.ContentDecodingError, Reason.VENDOR_FAULT, "the answer of {host} cannot be decoded", True),
)


def delivery_error(error: BaseException, host: str = "") -> DeliveryError:
    """Return what an exception of `requests` or `urllib3` means for a delivery.

    `maybe_done` is False only where this very call cannot have reached the vendor; a move of
    several calls has to think of its earlier ones. The exception's own text is never passed on.
    """
    if isinstance(error, DeliveryError):
        return error
    host = host or _host(getattr(getattr(error, "request", None), "url", None)) or "the vendor"
    causes = list(_causes(error))
    for kind, reason, words, maybe_done in (*_NOT_SENT, *_MAYBE_SENT):
        if any(isinstance(cause, kind) for cause in causes):
            message = words.format(host=host, detail=_detail(causes))
            return DeliveryError(reason, message, maybe_done=maybe_done)
    message = f"the request to {host} could not be made ({type(error).__name__}); check its address, secret and files"
    return DeliveryError(Reason.ADAPTER_FAULT, message, scope=Scope.DESTINATION, maybe_done=False)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`requests` wraps what `urllib3` wraps: by argument, by `reason`, by `__cause__`."""
    yield error
    inner = (*error.args, getattr(error, "reason", None), error.__cause__)
    for cause in inner:
        if isinstance(cause, BaseException):
            yield from _causes(cause)


def _detail(causes: list[BaseException]) -> str:
    """The words of OpenSSL or of the operating system, which know nothing of us."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return str(cause.verify_message)
    return next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), "no connection")


# --- answers -> DeliveryError ---------------------------------------------------------------------


def json_object(answer: requests.Response) -> dict[str, Any]:
    """Return the JSON object of a successful answer; raises DeliveryError for anything else."""
    if not 200 <= answer.status_code < 300:
        raise answer_error(answer)
    found = _json(answer)
    if not isinstance(found, dict):
        message = f"{_host(answer.url)} answered {answer.status_code} with {_looks_like(answer)} instead of JSON"
        raise DeliveryError(Reason.VENDOR_FAULT, f"{message}; check its address and the sign-in")
    return found


def answer_error(answer: requests.Response) -> DeliveryError:
    """Return what an answer that is no success means for a delivery; 403 is left to the vendor."""
    status = answer.status_code
    wait = retry_after(answer) if status in (429, 503) else None
    message = f"{_host(answer.url)} answered {status} {_words(answer)}".rstrip()
    if status == 429:
        return DeliveryError(Reason.RATE_LIMITED, message, retry_after=wait)
    if status == 503 and wait is not None:
        return DeliveryError(Reason.RATE_LIMITED, message, retry_after=wait, maybe_done=True)
    if status == 401:
        return DeliveryError(Reason.UNAUTHORIZED, message)
    if 400 <= status < 500 and status != 408:
        return DeliveryError(Reason.REJECTED, message)
    return DeliveryError(Reason.VENDOR_FAULT, message)


def retry_after(answer: requests.Response) -> timedelta | None:
    """Return how long the vendor asks to wait, at most an hour; None for nothing or nonsense."""
    value = answer.headers.get("Retry-After", "").strip()
    seconds = _seconds(value) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value) else _seconds_until(value, answer)
    return min(timedelta(seconds=seconds), LONGEST_RETRY_AFTER) if seconds > 0 else None


def _seconds(value: str) -> float:
    return float(value)


def _seconds_until(value: str, answer: requests.Response) -> float:
    """Compare with the vendor's own clock where it tells the time."""
    then, now = _date(value), _date(answer.headers.get("Date", "")) or datetime.now(UTC)
    return (then - now).total_seconds() if then else 0.0


def _date(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _json(answer: requests.Response) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None


def _looks_like(answer: requests.Response) -> str:
    if not answer.content.strip():
        return "nothing"
    if answer.content.lstrip()[:1] == b"<":
        return "an HTML page (a login or a sleeping instance)"
    return "something"


_TEXT_MEMBERS = ("error", "message", "detail", "errorMessages", "errorMessage", "errors", "error_description")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_LONG_WORD = re.compile(r"[\w+/=.~-]{40,}")


def _words(answer: requests.Response) -> str:
    """The vendor's own error text, if it is JSON: bounded, without addresses and what may be a token."""
    text = "; ".join(dict.fromkeys(_texts(_json(answer), 4)))[: _LONGEST_WORDS * 4]
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    text = _LONG_WORD.sub("(…)", _ADDRESS.sub("(address)", text))
    return f"({text[:_LONGEST_WORDS]})" if text else ""


def _texts(value: Any, depth: int, name: str = "") -> Iterator[str]:
    """Names are kept where they are a field's: `priority: is not a valid choice`."""
    if isinstance(value, str) and value.strip():
        yield f"{name}: {value}" if name and name not in _TEXT_MEMBERS else value
    elif depth and isinstance(value, list):
        for each in value[:10]:
            yield from _texts(each, depth - 1)
    elif depth and isinstance(value, dict):
        for member, each in list(value.items())[:20]:
            if name or member in _TEXT_MEMBERS:
                yield from _texts(each, depth - 1, member)


# --- tokens ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how long it is good for from now."""

    value: str = field(repr=False)
    lifetime: timedelta


def token_of(answer: requests.Response) -> Token:
    """Return the token of an OAuth token endpoint's answer; a refusal concerns the destination."""
    if answer.status_code in (400, 401, 403):
        message = f"{_host(answer.url)} refuses to give a token: {answer.status_code} {_words(answer)}".rstrip()
        raise DeliveryError(Reason.UNAUTHORIZED, message)
    found = json_object(answer)
    value, seconds = found.get("access_token"), _lifetime(found.get("expires_in"))
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise DeliveryError(Reason.VENDOR_FAULT, f"{_host(answer.url)} answered without an access token")
    return Token(value, timedelta(seconds=seconds))


def _lifetime(value: Any) -> float:
    """Some send a number, some send it as text; ten minutes where nothing sensible is said."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    return seconds if 0 < seconds <= 10**7 else 600.0


class TokenSource:
    """One token shared by all threads of a destination: renewed early, fetched one at a time."""

    def __init__(self, fetch: Callable[[], Token], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._value = ""
        self._good_until = -math.inf
        self._fetches = 0
        self._failure: DeliveryError | None = None

    def token(self) -> str:
        """Return a token that is good for a while yet; raises DeliveryError."""
        seen = self._fetches
        with self._lock:
            if self._clock() < self._good_until:
                return self._value
            if self._failure is not None and self._fetches != seen:
                # It failed while we waited for it: sixteen threads need not fail one by one.
                raise _not_sent(self._failure)
            return self._renew()

    def invalidate(self, used: str) -> None:
        """Forget the token if it still is the one that the vendor refused."""
        with self._lock:
            if used == self._value:
                self._good_until = -math.inf

    def _renew(self) -> str:
        self._failure = None
        try:
            token = self._fetch()
        except DeliveryError as error:
            self._failure = error
            raise _not_sent(error) from error
        finally:
            self._fetches += 1
        lifetime = token.lifetime.total_seconds()
        self._value, self._good_until = token.value, self._clock() + lifetime - min(60.0, lifetime / 5)
        return self._value


def _not_sent(error: DeliveryError) -> DeliveryError:
    """Without a token nothing was asked of the vendor."""
    return DeliveryError(
        error.reason, error.message, scope=error.scope, retry_after=error.retry_after, maybe_done=False
    )


class BearerAuth(AuthBase):
    """Signs requests with a token; on a 401 it renews the token and tries that request once more."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._sign(request)
        request.register_hook("response", self._again_on_401)  # type: ignore[no-untyped-call]
        return request

    def _sign(self, request: requests.PreparedRequest) -> None:
        request.headers["Authorization"] = f"Bearer {self._source.token()}"

    def _again_on_401(self, answer: requests.Response, **options: Any) -> requests.Response:
        if answer.status_code != 401:
            return answer
        request = answer.request.copy()
        self._source.invalidate(str(request.headers["Authorization"]).removeprefix("Bearer "))
        self._sign(request)
        again: requests.Response = answer.connection.send(request, **options)
        again.history.append(answer)
        return again
