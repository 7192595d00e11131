"""The server (connector.web.server): slow, broken and hostile connections, and how it ends."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import BinaryIO

import pytest
import requests

from connector.intake import Accepted, Refused
from connector.metrics import Metrics
from connector.web import Server, create_web
from connector.web.server import THREADS, ListenError

MAX_BODY = 512 * 1024
PATIENT = 30.0
"""Seconds after which a test gives up; none of them measures a time."""

POST = b"POST /webhooks/azure-monitor HTTP/1.1\r\nHost: gateway\r\n"


class GatedIntake:
    """Takes everything in, and waits at a gate before it answers."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Semaphore(0)
        self.bodies: list[bytes] = []

    def receive(self, body: bytes, authorization: str | None, *, request_id: str) -> Accepted:
        self.bodies.append(body)
        self.inside.release()
        assert self.gate.wait(PATIENT)
        return Accepted("accepted", f"a-{len(self.bodies)}")

    def too_large(self, head: bytes, authorization: str | None, *, request_id: str, size: int | None) -> Refused:
        return Refused(413, "too-large", "The body is too large")


class Fine:
    """A process that is well."""

    def alive(self) -> dict[str, str]:
        return {}

    def ready(self) -> dict[str, str]:
        return {}


def serving(intake: GatedIntake, listen: str = "127.0.0.1:0", patience: float = 60.0) -> Server:
    server = Server(create_web(intake, Fine(), Metrics(), MAX_BODY), listen, patience=patience)  # type: ignore[arg-type]
    server.start()
    return server


@pytest.fixture
def intake() -> GatedIntake:
    return GatedIntake()


@pytest.fixture
def server(intake: GatedIntake) -> Iterator[Server]:
    running = serving(intake)
    yield running
    intake.gate.set()
    running.stop(5)


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENT)


@dataclass(frozen=True)
class Answer:
    """An answer as it came off the wire."""

    status: int
    headers: Message
    body: bytes


def answers_on(connection: socket.socket, count: int) -> list[Answer]:
    """Read so many answers; http.client's own reader would take bytes of the next along with the first."""
    with connection.makefile("rb") as wire:
        return [_read_answer(wire) for _ in range(count)]


def _read_answer(wire: BinaryIO) -> Answer:
    status = int(wire.readline().split()[1])
    headers = http.client.parse_headers(wire)
    return Answer(status, headers, wire.read(int(headers["Content-Length"])))


def answer_on(connection: socket.socket) -> Answer:
    return answers_on(connection, 1)[0]


def closed(connection: socket.socket) -> bool:
    """Read to the end; True once the other side has closed, however it did."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_600_connections_that_dribble_do_not_keep_others_out(server: Server, intake: GatedIntake) -> None:
    """With 600 half-open requests that send a byte now and then, probes and posts are answered.

    Both ends are in this process, so that descriptors go beyond what `select` can watch.
    """
    halves = [
        b"",
        b"POST /webh",
        POST,
        POST + b"Content-Length: 9\r\n\r\n{",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5",
    ]
    url = f"http://{server.address}"
    with ExitStack() as stack, requests.Session() as session:
        dribbling = [stack.enter_context(connect(server)) for _ in range(600)]
        for number, connection in enumerate(dribbling):
            connection.sendall(halves[number % len(halves)])
        for connection in dribbling[:50]:
            assert session.get(f"{url}/healthz", timeout=PATIENT).status_code == 200
            assert session.post(f"{url}/webhooks/azure-monitor", b"{}", timeout=PATIENT).status_code == 202
            connection.sendall(b"0")
    assert len(intake.bodies) == 50


def test_posts_that_hang_do_not_keep_the_probes_out(server: Server, intake: GatedIntake) -> None:
    """While every thread waits for a store that hangs, the process still says that it lives."""
    intake.gate.clear()
    url = f"http://{server.address}"
    with ThreadPoolExecutor(THREADS + 2) as pool:
        posts = [pool.submit(requests.post, f"{url}/webhooks/azure-monitor", b"{}") for _ in range(THREADS + 2)]
        for _ in range(THREADS):
            assert intake.inside.acquire(timeout=PATIENT)
        assert requests.get(f"{url}/healthz", timeout=PATIENT).status_code == 200
        assert "webhook" in requests.get(f"{url}/metrics", timeout=PATIENT).text
        assert not any(post.done() for post in posts)
        intake.gate.set()
        assert [post.result(PATIENT).status_code for post in posts] == [202] * (THREADS + 2)


def test_a_request_in_pieces_is_put_together(server: Server, intake: GatedIntake) -> None:
    """Header and body may come byte by byte."""
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in POST + b'Content-Length: 8\r\n\r\n{"a": 1}':
            connection.sendall(bytes([byte]))
        answer = answer_on(connection)
    assert answer.status == 202
    assert intake.bodies == [b'{"a": 1}']


def test_pipelined_requests_are_answered_in_order(server: Server, intake: GatedIntake) -> None:
    """Three requests sent in one go get three answers, each its own."""
    one, two = (POST + b"Content-Length: 2\r\n\r\n" + body for body in (b"{}", b"[]"))
    with connect(server) as connection:
        connection.sendall(one + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + two)
        bodies = [json.loads(answer.body) for answer in answers_on(connection, 3)]
    assert [body.get("id") or body.get("alive") for body in bodies] == ["a-1", True, "a-2"]
    assert intake.bodies == [b"{}", b"[]"]


@pytest.mark.parametrize("length", [8, 200 * 1024])
def test_a_sender_that_asks_first_is_told_to_go_on(server: Server, intake: GatedIntake, length: int) -> None:
    """`Expect: 100-continue` gets its 100, and the body is then taken in."""
    with connect(server) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"x" * length)
        assert answer_on(connection).status == 202
    assert [len(body) for body in intake.bodies] == [length]


def test_a_sender_that_asks_first_with_nothing_to_send_is_answered(server: Server) -> None:
    """An empty body after `Expect: 100-continue` is not waited for."""
    with connect(server) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n")
        assert answer_on(connection).status == 202


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\x00\x00\x00\r\n\r\n", 400),
        (b"post /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: x\nInjected: y\r\n\r\n", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 1, 2\r\n\r\n", 400),
        (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (POST + b"Content-Length: 999999999\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (POST + b"Expect: 100-continue\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (POST + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n", 400),
        (CHUNKED + b"zz\r\n", 400),
        (CHUNKED + b"-5\r\nhello\r\n", 400),
        (CHUNKED + b"2\r\n{}garbage\r\n", 400),
        (CHUNKED + b"5" * 6000, 400),
        (CHUNKED + b"0\r\n" + b"t" * 20_000, 400),
        (b"GET /healthz HTTP/1.1\r\nCookie: " + b"c" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_not_http_is_refused_as_a_problem(
    server: Server, intake: GatedIntake, sent: bytes, status: int
) -> None:
    """Garbage gets a problem of the 4xx kind, the connection is closed, and the server goes on."""
    with connect(server) as connection:
        connection.sendall(sent)
        answer = answer_on(connection)
        assert closed(connection)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    problem = json.loads(answer.body)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem)
    assert intake.bodies == []
    assert requests.get(f"http://{server.address}/healthz", timeout=PATIENT).status_code == 200


def test_a_sender_that_goes_away_is_forgotten(server: Server, intake: GatedIntake) -> None:
    """A body that ends before its length was announced is never taken in."""
    with connect(server) as connection:
        connection.sendall(POST + b'Content-Length: 100\r\n\r\n{"half":')
    assert requests.get(f"http://{server.address}/healthz", timeout=PATIENT).status_code == 200
    assert intake.bodies == []


def test_a_request_that_never_ends_is_given_up(intake: GatedIntake) -> None:
    """However steadily it dribbles, a request has to arrive whole within its time."""
    server = serving(intake, patience=0.2)
    try:
        with connect(server) as connection:
            connection.settimeout(0.05)
            connection.sendall(POST + b"Content-Length: 100000\r\n\r\n")
            with pytest.raises(ConnectionError):
                _dribble(connection)
    finally:
        server.stop(5)


def _dribble(connection: socket.socket) -> None:
    for _ in range(int(PATIENT / 0.05)):
        connection.sendall(b"x")
        try:
            if connection.recv(1) == b"":
                raise ConnectionError("closed")
        except TimeoutError:
            continue


def test_no_answer_names_a_version(server: Server) -> None:
    """Neither our version nor that of the server is told to strangers."""
    for path in ("/healthz", "/nothing"):
        headers = requests.get(f"http://{server.address}{path}", timeout=PATIENT).headers
        assert headers["Server"] == "itsm-connector"
        assert "Via" not in headers


def test_what_is_in_flight_is_finished_at_the_end(server: Server, intake: GatedIntake) -> None:
    """After `stop` nobody gets in, a post that is being answered gets its 202, then all is closed."""
    intake.gate.clear()
    idle = connect(server)
    with closing(idle), ThreadPoolExecutor(2) as pool:
        post = pool.submit(requests.post, f"http://{server.address}/webhooks/azure-monitor", b"{}")
        assert intake.inside.acquire(timeout=PATIENT)
        stopping = pool.submit(server.stop, PATIENT)
        assert closed(idle)
        with pytest.raises(OSError, match="refused"):
            connect(server)
        assert not stopping.done()
        assert not post.done()
        intake.gate.set()
        assert post.result(PATIENT).status_code == 202
        stopping.result(PATIENT)


def test_half_a_request_does_not_hold_up_the_end(server: Server) -> None:
    """What dribbles at shutdown is closed without an answer, long before the time is up."""
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: 10\r\n\r\n{")
        requests.get(f"http://{server.address}/healthz", timeout=PATIENT)
        server.stop(PATIENT * 10)
        assert closed(connection)


def test_a_post_that_hangs_does_not_hold_up_the_end_for_ever(server: Server, intake: GatedIntake) -> None:
    """When the time is up, what is still in flight is cut off: no answer is not a 202."""
    intake.gate.clear()
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: 2\r\n\r\n{}")
        assert intake.inside.acquire(timeout=PATIENT)
        server.stop(0.3)
        assert connection.recv(65536) == b""


def test_a_name_is_listened_on(intake: GatedIntake) -> None:
    """`localhost` works, also where it names an IPv6 address that the machine does not have."""
    server = serving(intake, "localhost:0")
    try:
        assert requests.get(f"http://localhost:{server.port}/healthz", timeout=PATIENT).status_code == 200
    finally:
        server.stop(5)


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_an_ipv6_address_is_listened_on(intake: GatedIntake) -> None:
    """It is shown in its brackets; on a machine without IPv6 it is refused in words."""
    if not has_ipv6():
        with pytest.raises(ListenError, match="cannot listen on"):
            serving(intake, "[::1]:0")
        return
    server = serving(intake, "[::1]:0")
    try:
        assert server.address == f"[::1]:{server.port}"
        assert requests.get(f"http://{server.address}/healthz", timeout=PATIENT).status_code == 200
    finally:
        server.stop(5)


@pytest.mark.parametrize(
    "listen", ["", "8080", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "no.such.host.invalid:1"]
)
def test_an_address_that_is_none_is_said_so(intake: GatedIntake, listen: str) -> None:
    """A mistyped `--listen` is one sentence that repeats it."""
    with pytest.raises(ListenError, match="cannot listen on " + listen):
        serving(intake, listen)


def test_a_port_in_use_is_said_so(server: Server, intake: GatedIntake) -> None:
    """A second server on the same port says why it does not start."""
    with pytest.raises(ListenError, match="Address already in use"):
        serving(intake, server.address)


PROGRAM = """
import resource, signal, sys, threading, time
from connector.intake import Accepted
from connector.metrics import Metrics
from connector.web import Server, create_web

class Intake:
    def receive(self, body, authorization, *, request_id):
        if body == b"slow":
            print("inside", flush=True)
            time.sleep(0.5)
        return Accepted("accepted", "a-1")

class Fine:
    def alive(self): return {}
    ready = alive

server = Server(create_web(Intake(), Fine(), Metrics(), 512 * 1024), "127.0.0.1:0")
server.start()
asked = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked.set())
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))
print(server.port, flush=True)
asked.wait()
server.stop(8)
"""


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own that may write no file larger than 64 KiB."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=environment, cwd=Path.cwd()
    ) as running:
        assert running.stdout is not None
        yield running, f"http://127.0.0.1:{running.stdout.readline().strip()}"
        running.kill()


def test_without_room_for_a_large_body_the_answer_is_503(process: tuple[subprocess.Popen[str], str]) -> None:
    """A body goes to a file above 128 KiB; when the file cannot grow, Azure is asked to come again."""
    _, url = process
    answer = requests.post(f"{url}/webhooks/azure-monitor", b"x" * 300_000, timeout=PATIENT)
    assert (answer.status_code, answer.json()["code"]) == (503, "internal-fault")
    assert int(answer.headers["Retry-After"]) > 0
    assert requests.post(f"{url}/webhooks/azure-monitor", b"{}", timeout=PATIENT).status_code == 202


def test_sigterm_finishes_what_is_in_flight(process: tuple[subprocess.Popen[str], str]) -> None:
    """A real process that is told to end answers the post it has begun, and exits with 0."""
    running, url = process
    with ThreadPoolExecutor(1) as pool:
        post = pool.submit(requests.post, f"{url}/webhooks/azure-monitor", b"slow", timeout=PATIENT)
        assert running.stdout is not None
        assert running.stdout.readline() == "inside\n"
        running.send_signal(signal.SIGTERM)
        assert post.result(PATIENT).status_code == 202
    assert running.wait(PATIENT) == 0
