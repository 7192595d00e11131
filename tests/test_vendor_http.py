"""Manners towards vendors, against real servers on loopback that behave well, badly and worse."""

from __future__ import annotations

import gzip
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connector import __version__
from connector.adapter import DeliveryError, Reason, Scope
from connector.vendor_http import (
    BearerAuth,
    Manners,
    Token,
    TokenSource,
    answer_error,
    delivery_error,
    json_object,
    retry_after,
    session,
    tame,
    token_of,
    vendor_url,
)

QUICK = Manners(timeout=timedelta(seconds=0.4), connect_timeout=timedelta(seconds=2), largest_answer=100_000)
PATIENT = replace(QUICK, timeout=timedelta(seconds=10))
TLS_HELLO = b"\x16\x03"
Script = Callable[[socket.socket, bytes], None]


def http_answer(status: str = "200 OK", body: bytes = b"{}", *headers: str) -> bytes:
    """A whole HTTP answer that ends its connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def saying(*args: object) -> Script:
    """A script that sends one answer."""
    return lambda connection, _request: connection.sendall(http_answer(*args))  # type: ignore[arg-type]


@dataclass
class Vendor:
    """A server that answers every request by its script, and remembers what it was sent."""

    script: Script
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with ThreadPoolExecutor(20) as threads:
            while True:
                try:
                    connection = self._listener.accept()[0]
                except OSError:
                    return
                threads.submit(self._answer, connection)

    def _answer(self, plain: socket.socket) -> None:
        with plain:
            try:
                connection = self.tls.wrap_socket(plain, server_side=True) if self.tls else plain
                with connection:
                    request = _read_request(connection)
                    self.requests.append(request)
                    self.script(connection, request)
            except OSError:
                return


def _read_request(connection: socket.socket) -> bytes:
    read = b""
    while b"\r\n\r\n" not in read:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError
        if piece.startswith(TLS_HELLO):
            connection.sendall(http_answer("400 Bad Request"))
            raise ConnectionError
        read += piece
    head, _, body = read.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


Serve = Callable[..., Vendor]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that end with the test."""
    started: list[Vendor] = []

    def start(script: Script, tls: ssl.SSLContext | None = None) -> Vendor:
        started.append(Vendor(script, tls))
        return started[-1]

    yield start
    for vendor in started:
        vendor.close()


def failure(url: str, manners: Manners = QUICK, method: str = "POST") -> DeliveryError:
    """The error of a call that must fail."""
    with session(manners) as calls, pytest.raises(DeliveryError) as caught:
        calls.request(method, url, data=b"{}")
    return caught.value


# --- calls ----------------------------------------------------------------------------------------


def test_answer_is_read_and_signed_by_our_user_agent(serve: Serve) -> None:
    """A good call brings its JSON, and names us whatever agent the library had set."""
    vendor = serve(saying("200 OK", b'{"result": 1}'))
    with session(PATIENT, ("svc", "pw")) as calls:
        answer = calls.post(vendor.url + "/x", json={"a": 1}, headers={"User-Agent": "pysnow"})
    assert json_object(answer) == {"result": 1}
    assert f"User-Agent: itsm-connector/{__version__}\r\n".encode() in vendor.requests[0]
    assert b"pysnow" not in vendor.requests[0]


def test_chunked_and_compressed_answers_are_read(serve: Serve) -> None:
    """A body in chunks, compressed, comes out whole."""
    packed = gzip.compress(b'{"result": "' + b"x" * 5000 + b'"}')
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(packed[i : i + 7]), packed[i : i + 7]) for i in range(0, len(packed), 7))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    vendor = serve(lambda connection, _: connection.sendall(head + chunks + b"0\r\n\r\n"))
    with session(PATIENT) as calls:
        assert json_object(calls.get(vendor.url)) == {"result": "x" * 5000}


def test_refused_connection_has_not_been_done() -> None:
    """Where nobody listens the call is unreachable, and surely not done."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    error = failure(url)
    assert (error.reason, error.scope, error.maybe_done) == (Reason.UNREACHABLE, Scope.DESTINATION, False)
    assert "refused" in error.message.lower()


def test_name_that_does_not_resolve_has_not_been_done() -> None:
    """A host name that cannot exist is unreachable, and surely not done."""
    error = failure("https://desk.invalid/")
    assert (error.reason, error.maybe_done) == (Reason.UNREACHABLE, False)
    assert error.message == "the name desk.invalid cannot be resolved"


def test_silence_is_a_timeout_that_may_be_done(serve: Serve) -> None:
    """A vendor that takes the request and never answers may have done it."""
    vendor: Vendor = serve(lambda _connection, _request: vendor.over.wait(20) and None)
    error = failure(vendor.url)
    assert (error.reason, error.maybe_done) == (Reason.TIMEOUT, True)


def test_body_that_stops_is_a_timeout(serve: Serve) -> None:
    """A body that pauses for longer than the timeout is given up."""

    def pause(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{")
        vendor.over.wait(20)

    vendor = serve(pause)
    error = failure(vendor.url)
    assert (error.reason, error.maybe_done) == (Reason.TIMEOUT, True)


def test_dribbled_body_is_a_timeout(serve: Serve) -> None:
    """A body that comes byte by byte, without a long pause, is given up too."""

    def dribble(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n")
        while not vendor.over.wait(0.05):
            connection.sendall(b" ")

    vendor = serve(dribble)
    error = failure(vendor.url)
    assert (error.reason, error.maybe_done) == (Reason.TIMEOUT, True)
    assert "finish" in error.message


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"res',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        b"not http at all\r\n\r\n",
    ],
)
def test_broken_off_answer_may_be_done_and_is_not_sent_again(serve: Serve, sent: bytes) -> None:
    """A connection that ends early may have been heard: it is reported, never repeated by itself."""
    vendor = serve(lambda connection, _: connection.sendall(sent))
    error = failure(vendor.url)
    assert (error.reason, error.maybe_done) == (Reason.UNREACHABLE, True)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_huge_answer_is_not_read_to_its_end(serve: Serve, packed: bool) -> None:
    """A body larger than the bound is given up, also when it only grows by unpacking."""
    body = b" " * 3_000_000
    encoding = ["Content-Encoding: gzip"] if packed else []
    vendor = serve(saying("200 OK", gzip.compress(body) if packed else body, *encoding))
    error = failure(vendor.url, PATIENT)
    assert (error.reason, error.maybe_done) == (Reason.VENDOR_FAULT, True)
    assert "more than 100000 bytes" in error.message


def test_body_that_is_not_packed_as_it_says(serve: Serve) -> None:
    """A wrong Content-Encoding is the vendor's fault."""
    vendor = serve(saying("200 OK", b"{}", "Content-Encoding: gzip"))
    assert failure(vendor.url).reason is Reason.VENDOR_FAULT


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirects_are_never_followed(serve: Serve, status: str) -> None:
    """A redirect is an error that names the host it pointed to, and neither path nor query."""
    other = serve(saying())
    target = f"Location: {other.url.replace('127.0.0.1', 'localhost')}/login?token=hush"
    vendor = serve(saying(status, b"", target))
    error = failure(vendor.url, PATIENT)
    assert (error.reason, error.scope) == (Reason.VENDOR_FAULT, Scope.DESTINATION)
    assert "redirects to localhost" in error.message
    assert "hush" not in error.message
    assert other.requests == []


def test_clear_text_is_for_this_machine_only() -> None:
    """http:// to anywhere but loopback is refused before anything is sent."""
    error = failure("http://192.0.2.7/x")
    assert (error.reason, error.scope, error.maybe_done) == (Reason.REJECTED, Scope.DESTINATION, False)


def test_environment_is_not_trusted(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy nor a netrc of the environment takes part."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login thief password hush\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    vendor = serve(saying())
    with session(PATIENT) as calls:
        assert json_object(calls.get(vendor.url)) == {}
    assert b"authorization" not in vendor.requests[0].lower()


def test_configured_proxy_is_used_and_hidden(serve: Serve) -> None:
    """A proxy from the settings gets the request; its address is no part of what is printed."""
    proxy = serve(saying("200 OK", b'{"via": "proxy"}'))
    manners = replace(PATIENT, proxy=proxy.url.replace("//", "//user:hush@"))
    with session(manners) as calls:
        assert json_object(calls.get("http://127.0.0.1:9/deep")) == {"via": "proxy"}
    assert proxy.requests[0].startswith(b"GET http://127.0.0.1:9/deep ")
    assert "hush" not in repr(manners)


def test_proxy_that_is_down_has_not_been_done() -> None:
    """A proxy that refuses is unreachable, not done, and its secret stays out of the words."""
    error = failure("https://desk.example/", replace(QUICK, proxy="http://user:hush@127.0.0.1:1"))
    assert (error.reason, error.maybe_done) == (Reason.UNREACHABLE, False)
    assert "proxy" in error.message
    assert "hush" not in error.message


def test_cookies_are_not_kept(serve: Serve) -> None:
    """Each call signs in by itself: a cookie of one answer is not sent with the next."""
    vendor = serve(saying("200 OK", b"{}", "Set-Cookie: JSESSIONID=1; Path=/"))
    with session(PATIENT) as calls:
        calls.get(vendor.url)
        calls.get(vendor.url)
    assert b"JSESSIONID" not in vendor.requests[1]


def test_session_of_a_library_is_tamed(serve: Serve) -> None:
    """A session made elsewhere, with its own habits, gets ours: no redirects, no patience of its own."""
    vendor = serve(saying("302 Found", b"", "Location: https://login.example/"))
    with requests.Session() as calls:
        tame(calls, QUICK)
        with pytest.raises(DeliveryError, match=r"login\.example"):
            calls.get(vendor.url, timeout=None, allow_redirects=True, verify=False)


def test_secret_that_is_no_header_is_not_told(serve: Serve) -> None:
    """A token with a line break fails without its text in the error."""
    vendor = serve(saying())
    calls = session(PATIENT, BearerAuth(TokenSource(lambda: Token("hush\nX: y", timedelta(hours=1)))))
    with calls, pytest.raises(DeliveryError) as caught:
        calls.get(vendor.url)
    assert (caught.value.scope, caught.value.maybe_done) == (Scope.DESTINATION, False)
    assert "hush" not in caught.value.message
    assert caught.value.__cause__ is None


# --- TLS ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Identity:
    """A self-signed certificate and its key, as PEM files."""

    certificate: str
    key: str


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """One for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "desk of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Identity(str(folder / "cert.pem"), str(folder / "key.pem"))


def server_tls(identity: Identity) -> ssl.SSLContext:
    """What a server with that certificate needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    return context


def test_unknown_certificate_is_refused(serve: Serve, identity: Identity) -> None:
    """A self-signed certificate is not trusted; nothing was sent."""
    vendor = serve(saying(), server_tls(identity))
    error = failure(vendor.url, PATIENT)
    assert (error.reason, error.maybe_done) == (Reason.UNREACHABLE, False)
    assert "not trusted: self" in error.message
    assert vendor.requests == []


def test_certificate_of_the_bundle_is_trusted(serve: Serve, identity: Identity) -> None:
    """With a CA bundle that holds it the same certificate is good."""
    vendor = serve(saying(), server_tls(identity))
    with session(replace(PATIENT, ca_bundle=identity.certificate)) as calls:
        assert json_object(calls.get(vendor.url)) == {}


def test_certificate_for_another_name_is_refused(serve: Serve, identity: Identity) -> None:
    """A trusted certificate for another host is refused."""
    vendor = serve(saying(), server_tls(identity))
    error = failure(vendor.url.replace("127.0.0.1", "localhost"), replace(PATIENT, ca_bundle=identity.certificate))
    assert (error.reason, error.maybe_done) == (Reason.UNREACHABLE, False)
    assert "not trusted" in error.message


def test_client_certificate_is_shown(serve: Serve, identity: Identity) -> None:
    """A vendor that demands a client certificate gets it."""
    context = server_tls(identity)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(identity.certificate)
    vendor = serve(saying(), context)
    manners = replace(PATIENT, ca_bundle=identity.certificate)
    assert failure(vendor.url, manners).reason is Reason.UNREACHABLE
    with session(replace(manners, client_certificate=(identity.certificate, identity.key))) as calls:
        assert json_object(calls.get(vendor.url)) == {}


def test_clear_text_server_behind_https(serve: Serve) -> None:
    """A server that speaks no TLS is unreachable."""
    vendor = serve(saying())
    error = failure(vendor.url.replace("http:", "https:"), PATIENT)
    assert error.reason is Reason.UNREACHABLE
    assert "TLS" in error.message


def test_missing_bundle_says_what_to_look_at() -> None:
    """A CA bundle that is not there concerns the destination, not the item."""
    error = failure("https://127.0.0.1:1/", replace(QUICK, ca_bundle="/nowhere/ca.pem"))
    assert (error.scope, error.maybe_done) == (Scope.DESTINATION, False)
    assert "files" in error.message


# --- answers --------------------------------------------------------------------------------------


def answered(serve: Serve, status: str, body: bytes = b"", *headers: str) -> requests.Response:
    """A real answer with that status."""
    vendor = serve(saying(status, body, *headers))
    with session(PATIENT) as calls:
        return calls.post(vendor.url, data=b"{}")


@pytest.mark.parametrize(
    ("status", "headers", "reason", "scope", "maybe_done"),
    [
        ("400 Bad", [], Reason.REJECTED, Scope.ITEM, False),
        ("401 Unauthorized", [], Reason.UNAUTHORIZED, Scope.DESTINATION, False),
        ("403 Forbidden", [], Reason.REJECTED, Scope.ITEM, False),
        ("404 Not Found", [], Reason.REJECTED, Scope.ITEM, False),
        ("405 Not Allowed", [], Reason.REJECTED, Scope.ITEM, False),
        ("408 Timeout", [], Reason.VENDOR_FAULT, Scope.DESTINATION, True),
        ("409 Conflict", [], Reason.REJECTED, Scope.ITEM, False),
        ("413 Too Large", [], Reason.REJECTED, Scope.ITEM, False),
        ("422 Unprocessable", [], Reason.REJECTED, Scope.ITEM, False),
        ("429 Too Many", [], Reason.RATE_LIMITED, Scope.DESTINATION, False),
        ("429 Too Many", ["Retry-After: 5"], Reason.RATE_LIMITED, Scope.DESTINATION, False),
        ("500 Oops", [], Reason.VENDOR_FAULT, Scope.DESTINATION, True),
        ("503 Busy", [], Reason.VENDOR_FAULT, Scope.DESTINATION, True),
        ("503 Busy", ["Retry-After: 5"], Reason.RATE_LIMITED, Scope.DESTINATION, True),
        ("504 Gateway", [], Reason.VENDOR_FAULT, Scope.DESTINATION, True),
    ],
)
def test_what_a_status_means(  # noqa: PLR0917 - the columns of the table
    serve: Serve, status: str, headers: list[str], reason: Reason, scope: Scope, maybe_done: bool
) -> None:
    """The table of statuses, and `json_object` raises by it."""
    answer = answered(serve, status, b"", *headers)
    error = answer_error(answer)
    assert (error.reason, error.scope, error.maybe_done) == (reason, scope, maybe_done)
    assert status[:3] in error.message
    with pytest.raises(DeliveryError) as caught:
        json_object(answer)
    assert caught.value.reason is reason


DATE = "Date: Wed, 04 Mar 2026 05:06:07 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Retry-After: 30"], timedelta(seconds=30)),
        (["Retry-After: 1.5"], timedelta(seconds=1.5)),
        ([DATE, "Retry-After: Wed, 04 Mar 2026 05:07:07 GMT"], timedelta(minutes=1)),
        ([DATE, "Retry-After: Wed, 04 Mar 2026 05:00:07 GMT"], None),
        (["Retry-After: 999999999"], timedelta(hours=1)),
        (["Retry-After: 0"], None),
        (["Retry-After: -5"], None),
        (["Retry-After: soon"], None),
        (["Retry-After: 1e9"], None),
        (["Retry-After: \u0661"], None),
        (["Retry-After: Wed, 99 Mar 99999 05:00:07 GMT"], None),
        ([], None),
    ],
)
def test_retry_after(serve: Serve, headers: list[str], expected: timedelta | None) -> None:
    """Seconds and dates are understood and bounded; nonsense and zero leave the wait to us."""
    assert retry_after(answered(serve, "429 Too Many", b"", *headers)) == expected


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"error": {"message": "User Not Authenticated", "detail": "Required to provide Auth"}, "status": "failure"},
            "(User Not Authenticated; Required to provide Auth)",
        ),
        ({"errorMessages": [], "errors": {"priority": "is not valid"}}, "(priority: is not valid)"),
        ({"errorMessages": ["no such\nproject"]}, "(no such project)"),
        ({"error": "x", "assignee": "jo@acme.example", "result": {"caller": "Jo"}}, "(x)"),
        ({"message": "jo@acme.example may not, token " + "a" * 60}, "((address) may not, token (…))"),
        ([1, 2], ""),
    ],
)
def test_words_of_the_vendor_are_told_with_care(serve: Serve, body: object, words: str) -> None:
    """Error texts are passed on; addresses, long tokens and other members are not."""
    error = answer_error(answered(serve, "400 Bad", json.dumps(body).encode()))
    assert error.message == f"127.0.0.1 answered 400 {words}".rstrip()


def test_words_of_the_vendor_are_bounded(serve: Serve) -> None:
    """A long error text does not fill our log, and HTML is not passed on at all."""
    assert len(answer_error(answered(serve, "400 Bad", json.dumps({"error": "no " * 9999}).encode())).message) < 400
    assert "script" not in answer_error(answered(serve, "400 Bad", b"<html><script>")).message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!DOCTYPE html><title>Instance Hibernating page</title>", "an HTML page"),
        (b"", "nothing"),
        (b"[1]", "something"),
        (b'{"a": 1} trailing', "something"),
        (b'{"result": [{"a"', "something"),
        (b"\xff\xfe{", "something"),
        (b"[" * 90_000, "something"),
    ],
)
def test_success_without_a_json_object_is_the_vendors_fault(serve: Serve, body: bytes, words: str) -> None:
    """A 200 counts only with a JSON object: login pages and cut answers do not."""
    answer = answered(serve, "200 OK", body)
    with pytest.raises(DeliveryError, match=f"with {words}") as caught:
        json_object(answer)
    assert (caught.value.reason, caught.value.maybe_done) == (Reason.VENDOR_FAULT, True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://acme.example.com/", "https://acme.example.com"),
        ("https://acme.example.com/jira", "https://acme.example.com/jira"),
        ("http://localhost:8402", "http://localhost:8402"),
        ("http://[::1]:1/", "http://[::1]:1"),
    ],
)
def test_vendor_urls(value: str, expected: str) -> None:
    """A base URL is kept without its trailing slash."""
    assert vendor_url(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "acme.example.com",
        "http://acme.example.com",
        "http://127.0.0.1.evil.example",
        "https://u:p@acme.example.com",
        "https://acme.example.com?x=1",
        "ftp://acme.example.com",
        "https://[::1",
        "https://",
    ],
)
def test_what_is_no_vendor_url(value: str) -> None:
    """What would leak or mislead is refused."""
    with pytest.raises(ValueError, match=r"."):
        vendor_url(value)


def test_errors_of_ours_pass_unchanged() -> None:
    """A DeliveryError that went through a library is still itself."""
    error = DeliveryError(Reason.AMBIGUOUS, "two of them")
    assert delivery_error(error) is error


# --- tokens ---------------------------------------------------------------------------------------


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def counting(lifetime: timedelta) -> tuple[list[str], Callable[[], Token]]:
    """A fetch that gives t1, t2, …, and what it gave."""
    given: list[str] = []

    def fetch() -> Token:
        given.append(f"t{len(given) + 1}")
        return Token(given[-1], lifetime)

    return given, fetch


def test_token_is_kept_and_renewed_early() -> None:
    """One token serves until shortly before its end."""
    clock = Clock()
    _, fetch = counting(timedelta(minutes=30))
    source = TokenSource(fetch, clock)
    assert [source.token(), source.token()] == ["t1", "t1"]
    clock.now = 29 * 60 - 1
    assert source.token() == "t1"
    clock.now = 29 * 60 + 1
    assert source.token() == "t2"


def test_short_token_is_still_used() -> None:
    """A token that lives shorter than our margin is not fetched for every call."""
    _, fetch = counting(timedelta(seconds=10))
    source = TokenSource(fetch, Clock())
    assert [source.token(), source.token()] == ["t1", "t1"]


def test_only_the_refused_token_is_forgotten() -> None:
    """A thread that learns late that an old token is bad does not throw away the new one."""
    _, fetch = counting(timedelta(hours=1))
    source = TokenSource(fetch, Clock())
    source.token()
    source.invalidate("t1")
    assert source.token() == "t2"
    source.invalidate("t1")
    assert source.token() == "t2"


def test_threads_share_one_fetch() -> None:
    """Many threads that need a token at once cause one fetch."""
    started, go_on = threading.Event(), threading.Event()
    given, fetch = counting(timedelta(hours=1))

    def slow() -> Token:
        started.set()
        go_on.wait(10)
        return fetch()

    source = TokenSource(slow, Clock())
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(source.token) for _ in range(8)]
        started.wait(10)
        go_on.set()
        assert {each.result() for each in waiting} == {"t1"}
    assert given == ["t1"]


def test_threads_share_one_failure() -> None:
    """Threads that waited for a fetch that failed do not each wait for one of their own."""
    here, everybody = threading.Semaphore(7), threading.Event()
    fetches: list[int] = []

    def fail() -> Token:
        fetches.append(1)
        everybody.wait(10)
        raise DeliveryError(Reason.TIMEOUT, "slow")

    source = TokenSource(fail, Clock())

    def ask(_number: int) -> Reason:
        if not here.acquire(blocking=False):
            everybody.set()
        with pytest.raises(DeliveryError) as caught:
            source.token()
        return caught.value.reason

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {Reason.TIMEOUT}
    assert len(fetches) < 8


def test_failed_fetch_means_not_done_and_is_tried_again_later() -> None:
    """A token that cannot be had leaves the delivery undone; the next call tries anew."""
    answers: list[DeliveryError | Token] = [
        DeliveryError(Reason.TIMEOUT, "slow"),
        Token("good", timedelta(hours=1)),
    ]

    def fetch() -> Token:
        answer = answers.pop(0)
        if isinstance(answer, DeliveryError):
            raise answer
        return answer

    source = TokenSource(fetch, Clock())
    with pytest.raises(DeliveryError) as caught:
        source.token()
    assert (caught.value.reason, caught.value.maybe_done) == (Reason.TIMEOUT, False)
    assert source.token() == "good"


@pytest.mark.parametrize(("good", "sent", "status"), [("t2", 2, 200), ("none", 2, 401), ("t1", 1, 200)])
def test_refused_token_is_renewed_once(serve: Serve, good: str, sent: int, status: int) -> None:
    """A 401 costs one new token and one more try, body and all; a second 401 is the answer."""

    def check(connection: socket.socket, request: bytes) -> None:
        known = f"Authorization: Bearer {good}\r\n".encode() in request and request.endswith(b'{"a": 1}')
        connection.sendall(http_answer("200 OK" if known else "401 Unauthorized"))

    vendor = serve(check)
    _, fetch = counting(timedelta(hours=1))
    with session(PATIENT, BearerAuth(TokenSource(fetch))) as calls:
        answer = calls.post(vendor.url, data=b'{"a": 1}')
    assert (answer.status_code, len(vendor.requests)) == (status, sent)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        ("401 Unauthorized", b'{"error": "invalid_client"}', Reason.UNAUTHORIZED),
        ("400 Bad", b'{"error": "invalid_grant"}', Reason.UNAUTHORIZED),
        ("200 OK", b"<html>", Reason.VENDOR_FAULT),
        ("200 OK", b'{"access_token": ""}', Reason.VENDOR_FAULT),
        ("200 OK", b'{"access_token": "a\\nb"}', Reason.VENDOR_FAULT),
        ("500 Oops", b"", Reason.VENDOR_FAULT),
    ],
)
def test_token_endpoint_that_gives_none(serve: Serve, status: str, body: bytes, reason: Reason) -> None:
    """Refusals concern the whole destination; odd answers are the vendor's fault."""
    answer = answered(serve, status, body)
    with pytest.raises(DeliveryError) as caught:
        token_of(answer)
    assert (caught.value.reason, caught.value.scope) == (reason, Scope.DESTINATION)


@pytest.mark.parametrize(
    ("expires_in", "seconds"), [("1799", 1799), ('"3600"', 3600), ("null", 600), ("-1", 600), ("NaN", 600)]
)
def test_token_and_its_lifetime(serve: Serve, expires_in: str, seconds: int) -> None:
    """The lifetime is read from a number or a text, and guessed low; a token does not print itself."""
    token = token_of(answered(serve, "200 OK", f'{{"access_token": "hush", "expires_in": {expires_in}}}'.encode()))
    assert (token.value, token.lifetime) == ("hush", timedelta(seconds=seconds))
    assert "hush" not in repr(token)
