"""The endpoints (connector.web), asked over real sockets; behind them an intake that is told what to answer."""

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests

from connector import logs
from connector.intake import HEAD_BYTES, Accepted, Refused
from connector.metrics import Metrics
from connector.web import Server, create_web

MAX_BODY = 64 * 1024
TOKEN = {"Authorization": "Bearer let-me-in"}
ACCEPTED = Accepted("accepted", "a-1", (("d-1", "desk"), ("d-2", "pager")))


@dataclass
class TellableIntake:
    """Lets one token in, answers what it is told, and remembers what came."""

    answer: Accepted | Exception = ACCEPTED
    bodies: list[bytes] = field(default_factory=list)
    heads: list[tuple[bytes, int | None]] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)

    def receive(self, body: bytes, authorization: str | None, *, request_id: str) -> Accepted:
        self._authenticate(authorization)
        self.bodies.append(body)
        self.request_ids.append(request_id)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def too_large(self, head: bytes, authorization: str | None, *, request_id: str, size: int | None) -> Refused:
        try:
            self._authenticate(authorization)
        except Refused as refused:
            return refused
        self.heads.append((head, size))
        return Refused(413, "too-large", "The body is too large", "only its beginning was kept", id_="q-1")

    def _authenticate(self, authorization: str | None) -> None:
        if authorization != TOKEN["Authorization"]:
            raise Refused(401, "token-missing", "The caller could not be authenticated", "expected this, got that")


@dataclass
class TellableHealth:
    """Says of the process what it is told to say."""

    parts: dict[str, str] = field(default_factory=lambda: {"dispatcher": "ok"})
    checks: dict[str, str] = field(default_factory=lambda: {"store": "ok"})

    def alive(self) -> dict[str, str]:
        return self.parts

    def ready(self) -> dict[str, str]:
        return self.checks


@dataclass
class Site:
    """A running gateway."""

    intake: TellableIntake = field(default_factory=TellableIntake)
    health: TellableHealth = field(default_factory=TellableHealth)
    metrics: Metrics = field(default_factory=Metrics)
    url: str = ""

    def __post_init__(self) -> None:
        self.web = create_web(self.intake, self.health, self.metrics, MAX_BODY)  # type: ignore[arg-type]
        self.server = Server(self.web, "127.0.0.1:0")

    def post(self, data: object = b"{}", **headers: str) -> requests.Response:
        url = f"{self.url}/webhooks/azure-monitor"
        return requests.post(url, data=data, headers=TOKEN | headers, timeout=30)  # type: ignore[arg-type]

    def ask(self, method: str, path: str) -> requests.Response:
        return requests.request(method, self.url + path, timeout=30, allow_redirects=False)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged while the test runs."""
    out = io.StringIO()
    logs.configure("info", stream=out)
    yield out
    logs.configure("critical", stream=io.StringIO())


@pytest.fixture
def site(log: io.StringIO) -> Iterator[Site]:
    running = Site()
    running.server.start()
    running.url = f"http://{running.server.address}"
    yield running
    running.server.stop(5)


@pytest.mark.parametrize("status", ["accepted", "duplicate", "unrouted", "quarantined"])
def test_what_is_taken_in_is_answered_202(site: Site, status: str) -> None:
    """Each kind of having been taken in is a 202 with its word, its id and its deliveries."""
    deliveries = (("d-1", "desk"), ("d-2", "pager")) if status in ("accepted", "duplicate") else ()
    site.intake.answer = Accepted(status, "a-1", deliveries)
    answer = site.post(b'{"some": "alert"}')
    expected = [{"id": id_, "destination": name} for id_, name in deliveries]
    assert (answer.status_code, answer.headers["Content-Type"]) == (202, "application/json")
    assert answer.json() == {"status": status, "id": "a-1", "deliveries": expected}
    assert site.intake.bodies == [b'{"some": "alert"}']


def test_warnings_are_told_where_there_are_any(site: Site) -> None:
    """A sender who forgot the portal switch reads it in the answer."""
    site.intake.answer = Accepted("accepted", "a-1", (), ("switch on the common alert schema",))
    assert site.post().json()["warnings"] == ["switch on the common alert schema"]


@pytest.mark.parametrize("status", [400, 401, 403, 413, 422, 503])
def test_what_is_refused_is_a_problem(site: Site, status: int) -> None:
    """Every refusal has the six members of a problem and exactly the headers its status asks for."""
    site.intake.answer = Refused(status, "some-code", "Some title", "the reason", retry_after=7, id_="q-9")
    answer = site.post()
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem)
    assert (problem["type"], problem["code"]) == ("urn:itsm-connector:problem:some-code", "some-code")
    assert answer.headers.get("WWW-Authenticate") == ("Bearer" if status == 401 else None)
    assert answer.headers.get("Retry-After") == ("7" if status == 503 else None)


@pytest.mark.parametrize(("status", "told"), [(400, True), (413, True), (422, True), (401, False), (403, False)])
def test_a_stranger_is_told_only_the_code(site: Site, status: int, told: bool) -> None:
    """Reason and quarantine id are for callers that were let in; the log has them for the operator."""
    site.intake.answer = Refused(status, "some-code", "Some title", "expected this, got that", id_="q-9")
    body = site.post().text
    assert ("got that" in body) is told
    assert ("q-9" in body) is told


def test_a_503_without_a_time_still_says_when_to_come_again(site: Site) -> None:
    """Retry-After is on every 503, also where the intake names no time."""
    site.intake.answer = Refused(503, "store-unavailable", "The alert could not be stored")
    assert int(site.post().headers["Retry-After"]) > 0


def test_a_fault_of_ours_is_a_503_and_its_trace_is_logged(site: Site, log: io.StringIO) -> None:
    """Azure never sends again after a 500, so an exception nobody expected asks it to come again."""
    site.intake.answer = ZeroDivisionError("a bug")
    answer = site.post()
    assert (answer.status_code, answer.json()["code"]) == (503, "internal-fault")
    assert int(answer.headers["Retry-After"]) > 0
    assert "a bug" not in answer.text
    (fault,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] == "error"]
    assert "ZeroDivisionError: a bug" in fault["exception"]
    assert fault["request_id"] == answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert 'webhook_requests_total{outcome="internal-fault",status="503"} 1.0' in site.ask("GET", "/metrics").text


def test_each_request_has_an_id_of_our_own(site: Site, log: io.StringIO) -> None:
    """Ids that callers bring are ignored; ours is in the answer, at the intake and in the log."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answers = [site.post(b"{}", traceparent=parent, **{"X-Request-Id": "mine"}) for _ in range(2)]
    ids = [answer.headers["X-Request-Id"] for answer in answers]
    assert ids == site.intake.request_ids
    assert len(set(ids)) == 2
    logged = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["request_id"] for line in logged if line["event"] == "answered"] == ids
    assert "0af7651916cd43dd8448eb211c80319c" not in log.getvalue()
    assert "mine" not in log.getvalue()


def test_the_log_says_how_each_post_ended(site: Site, log: io.StringIO) -> None:
    """One line per post leads from a request id to the alert or to the quarantined body."""
    site.post()
    site.intake.answer = Refused(422, "not-an-alert", "Not an alert", id_="q-9")
    site.post()
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    shown = [(x["status"], x["outcome"], x.get("alert"), x.get("quarantined")) for x in lines]
    assert shown == [(202, "accepted", "a-1", None), (422, "not-an-alert", None, "q-9")]


def test_no_token_no_intake(site: Site) -> None:
    """A post without a token is 401; its body is not taken in."""
    assert site.post(Authorization="Bearer other").status_code == 401
    assert site.intake.bodies == []


def test_a_body_of_exactly_max_body_passes_whole(site: Site) -> None:
    """The limit itself is allowed, and not a byte is lost below it."""
    body = bytes(range(256)) * (MAX_BODY // 256)
    assert site.post(body).status_code == 202
    assert site.intake.bodies == [body]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [MAX_BODY + 1, 600 * 1024, 3 * 1024 * 1024])
def test_too_large_a_body_is_kept_in_part(site: Site, size: int, chunked: bool) -> None:
    """With or without a length, 413 after the token was looked at, and the first 16 KiB are kept."""
    body = bytes(range(1, 251)) * (size // 250 + 1)
    body = body[:size]
    answer = site.post(iter([body[:1000], body[1000:]]) if chunked else body)
    assert (answer.status_code, answer.json()["quarantine_id"]) == (413, "q-1")
    assert site.intake.heads == [(body[:HEAD_BYTES], size)]
    assert site.intake.bodies == []


def test_too_large_a_body_of_a_stranger_is_not_kept(site: Site) -> None:
    """Who is not let in fills nobody's quarantine."""
    answer = site.post(b"x" * (MAX_BODY + 1), Authorization="Bearer other")
    assert answer.status_code == 401
    assert site.intake.heads == []


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}]
)
def test_the_type_of_the_body_does_not_matter(site: Site, headers: dict[str, str]) -> None:
    """A form type must not make the framework eat the body; Azure's own type has changed before."""
    assert site.post(b'{"a": 1}', **headers).status_code == 202
    assert site.intake.bodies == [b'{"a": 1}']


def test_a_coded_body_is_handed_on_as_it_came(site: Site) -> None:
    """Nothing is unpacked: the intake answers that it is not JSON and keeps it."""
    packed = gzip.compress(b"{}")
    site.post(packed, **{"Content-Encoding": "gzip"})
    assert site.intake.bodies == [packed]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nothing-here?secret=1", 404),
        ("POST", "/webhooks/azure-monitor/", 404),
        ("POST", "/webhooks//azure-monitor", 404),
        ("POST", "/webhooks/azure-monitor/%2e%2e/healthz", 404),
        ("GET", "/static/x", 404),
        ("GET", "/webhooks/azure-monitor", 405),
        ("PUT", "/webhooks/azure-monitor", 405),
        ("TRACE", "/healthz", 405),
        ("BREW", "/metrics", 405),
    ],
)
def test_what_is_not_offered_is_a_problem(site: Site, method: str, path: str, status: int) -> None:
    """Unknown paths and methods answer as problems that repeat nothing of the request, and never redirect."""
    answer = site.ask(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert ("Allow" in answer.headers) is (status == 405)
    assert answer.json()["code"] == {404: "not-found", 405: "method-not-allowed"}[status]
    assert "secret" not in answer.text
    assert "nothing-here" not in answer.text


def test_head_and_options_are_answered(site: Site) -> None:
    """HEAD is GET without a body; OPTIONS names the methods; neither posts an alert."""
    head = site.ask("HEAD", "/healthz")
    assert (head.status_code, head.content) == (200, b"")
    assert site.ask("HEAD", "/webhooks/azure-monitor").status_code == 405
    options = site.ask("OPTIONS", "/webhooks/azure-monitor")
    assert (options.status_code, set(options.headers["Allow"].split(", "))) == (200, {"OPTIONS", "POST"})
    assert site.intake.bodies == []


@pytest.mark.parametrize("host", ["[", "a b", "x:y:z", "ex\xe4mple", "a" * 300, "user@host"])
def test_a_host_that_is_none_is_no_fault_of_ours(site: Site, host: str) -> None:
    """A Host header that Flask cannot read ends in an answer of the 2xx or 4xx kind."""
    answer = site.post(Host=host)
    assert answer.status_code in (202, 400)


def test_healthz_and_readyz(site: Site) -> None:
    """Each says 200 while all is well, 503 and what is wrong otherwise, and neither speaks for the other."""
    assert (site.ask("GET", "/healthz").json()) == {"alive": True, "checks": {"dispatcher": "ok"}}
    assert (site.ask("GET", "/readyz").json()) == {"ready": True, "checks": {"store": "ok"}}
    site.health.checks = {"store": "the disk is full", "signing_keys": "ok"}
    answer = site.ask("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "checks": {"store": "the disk is full", "signing_keys": "ok"}}
    assert site.ask("GET", "/healthz").status_code == 200
    site.health.parts = {"dispatcher": "failed 5 times in a row"}
    assert site.ask("GET", "/healthz").status_code == 503


def test_checks_tell_no_secret(site: Site) -> None:
    """Probes are open to anybody: a store's message must not carry the password of its URL."""
    site.health.checks = {"store": "cannot reach postgresql://connector:hunter2@db.internal/alerts"}
    assert "hunter2" not in site.ask("GET", "/readyz").text


def test_while_draining_nothing_is_taken_in(site: Site) -> None:
    """A process that shuts down asks Azure to come again, and load balancers to look elsewhere."""
    site.web.draining.set()
    answer = site.post()
    assert (answer.status_code, answer.json()["code"]) == (503, "shutting-down")
    assert int(answer.headers["Retry-After"]) > 0
    assert site.intake.bodies == []
    assert site.ask("GET", "/readyz").json()["ready"] is False
    assert site.ask("GET", "/healthz").status_code == 200


def test_metrics_count_answers(site: Site) -> None:
    """What was answered is seen at the next scrape, in Prometheus' text format."""
    site.post()
    site.post(Authorization="Bearer other")
    answer = site.ask("GET", "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert 'itsm_connector_webhook_requests_total{outcome="accepted",status="202"} 1.0' in answer.text
    assert 'itsm_connector_webhook_requests_total{outcome="token-missing",status="401"} 1.0' in answer.text
    assert "itsm_connector_webhook_duration_seconds_count 2.0" in answer.text


def test_a_worker_has_no_webhook() -> None:
    """Without an intake the webhook is not there, while the probes are."""
    web = create_web(None, TellableHealth(), Metrics(), MAX_BODY)
    server = Server(web, "127.0.0.1:0")
    server.start()
    try:
        base = f"http://{server.address}"
        assert requests.post(f"{base}/webhooks/azure-monitor", timeout=30).status_code == 404
        assert requests.get(f"{base}/healthz", timeout=30).status_code == 200
    finally:
        server.stop(5)
