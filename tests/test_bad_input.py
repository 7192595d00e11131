"""Bad input from outside, against the real process: a clear answer, nothing lost, never a 500."""

import json
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests
from gateway import AUDIENCE, TENANT, WEBHOOK, Gateway, config, wait_for

from connector.store import Store
from connector.testing import samples
from connector.testing.issuer import TokenIssuer

KIB = 1024


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with TokenIssuer(TENANT) as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def gateway(issuer: TokenIssuer, folder: Path) -> Iterator[Gateway]:
    with Gateway(config(folder, issuer, f"sqlite:///{folder}/store.db", 'path = "desk.json"')) as running:
        yield running


@pytest.fixture(scope="module")
def bearer(issuer: TokenIssuer) -> str:
    return issuer.bearer(aud=AUDIENCE)


@pytest.fixture
def store(gateway: Gateway, folder: Path) -> Iterator[Store]:
    with closing(Store.beside(f"sqlite:///{folder}/store.db")) as beside:
        yield beside


def alert_text(rule: str, **essentials: Any) -> str:
    """Return a good alert as JSON text, for the test to spoil."""
    alert = samples.fresh("metric-static-fired", alert_id=rule, rule=rule)
    alert["data"]["essentials"] |= essentials
    return json.dumps(alert)


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


UNREADABLE = {
    "empty": b"",
    "blank": b"  \n",
    "text": b"alert!",
    "form": b"a=1&b=2",
    "cut": b'{"schemaId": "azureMonitorCommonAlertSchema", "data": {"essen',
    "trailing": b"{} {}",
    "utf-16": json.dumps({"schemaId": "x"}).encode("utf-16"),
    "utf-32": json.dumps({"schemaId": "x"}).encode("utf-32"),
    "latin-1": '{"rule": "Störung"}'.encode("latin-1"),
    "half-a-character": b'{"rule": "\xe2\x82"}',
    "deep-object": nested(5_000),
    "deep-list": b"[" * 200_000,
    "deep-list-closed": b"[" * 100_000 + b"]" * 100_000,
    "control": b'{"rule": "a\x01b"}',
    "nul": b"\x00\x00\x00\x00",
}


@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_what_cannot_be_read_is_400_and_kept(gateway: Gateway, store: Store, bearer: str, name: str) -> None:
    """A problem with a code and a request id comes back; the very bytes are in quarantine."""
    before = {each.id for each in store.list_quarantined(None)}
    answer = gateway.post(UNREADABLE[name], bearer)
    problem = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert problem["status"] == 400
    assert set(problem) >= {"type", "title", "status", "detail", "code", "request_id"}
    [kept] = [each for each in store.list_quarantined(None) if each.id not in before]
    assert (kept.code, kept.body) == (problem["code"], UNREADABLE[name])


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"1", b'"text"', b"null", b'{"schemaId": "other"}', b'{"a": {"b": [1]}}']
)
def test_json_that_is_no_alert_is_422_and_kept(gateway: Gateway, store: Store, bearer: str, body: bytes) -> None:
    """The portal's test button shows red, and the body is there to look at."""
    answer = gateway.post(body, bearer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert store.list_quarantined(1)[0].body == body


def with_dimensions(rule: str, dimensions: list[dict[str, str]]) -> bytes:
    alert = json.loads(alert_text(rule))
    alert["data"]["alertContext"]["condition"]["allOf"][0]["dimensions"] = dimensions
    return json.dumps(alert).encode()


def spoilt(rule: str, kind: str) -> bytes:
    text = alert_text(rule)
    return {
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "lone-surrogate": text.replace('"description": "', '"description": "\\ud800 ').encode(),
        "escaped-nul": text.replace('"description": "', '"description": "\\u0000 ').encode(),
        "huge-integer": text.replace('"metricValue":', '"metricValue": 1' + "0" * 9_000 + ', "x":').encode(),
        "huge-float": text.replace('"metricValue":', '"metricValue": 1e999, "x":').encode(),
        "nan": text.replace('"metricValue":', '"metricValue": NaN, "x":').encode(),
        "duplicate-keys": text.replace('"alertRule"', '"alertRule": "shadow", "alertRule"').encode(),
        "long-text": alert_text(rule, description="d" * 300_000).encode(),
        "many-dimensions": with_dimensions(rule, [{"name": "n", "value": "v"}] * 5_000),
        "bidi-and-ansi": alert_text(rule, description="\u202eevil\x1b[31m\r\nX-Injected: 1").encode(),
        "wrong-types": alert_text(rule, alertTargetIDs={"a": 1}, configurationItems=7, description=["x"]).encode(),
        "nulls": alert_text(rule, alertTargetIDs=None, severity=None, description=None, originAlertId=None).encode(),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "bom",
        "lone-surrogate",
        "escaped-nul",
        "huge-integer",
        "huge-float",
        "duplicate-keys",
        "long-text",
        "many-dimensions",
        "bidi-and-ansi",
        "wrong-types",
        "nulls",
    ],
)
def test_an_odd_but_readable_alert_reaches_the_desk(gateway: Gateway, store: Store, bearer: str, kind: str) -> None:
    """Whatever is odd about it, an alert that can be read becomes a work item."""
    answer = gateway.post(spoilt(f"odd-{kind}", kind), bearer)
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "accepted"
    wait_for(lambda: store.find_alerts([answer.json()["id"]])[0].deliveries[0].state == "delivered")


def test_nan_is_answered_and_kept(gateway: Gateway, bearer: str) -> None:
    """NaN is no JSON, but Azure's serialiser might write it: one of the two documented answers."""
    assert gateway.post(spoilt("odd-nan", "nan"), bearer).status_code in (202, 400)


def test_a_body_that_is_too_large_is_413_and_its_head_is_kept(gateway: Gateway, store: Store, bearer: str) -> None:
    """The first 16 KiB are in quarantine, and marked as a part."""
    body = json.dumps({"pad": "x" * 600 * KIB}).encode()
    answer = gateway.post(body, bearer)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    kept = store.list_quarantined(1)[0]
    assert (kept.body, kept.whole) == (body[: 16 * KIB], False)


def test_a_body_without_a_length_is_bounded_too(gateway: Gateway, bearer: str) -> None:
    """Chunked bodies are cut off at the same size."""
    chunks = (b"x" * 64 * KIB for _ in range(16))
    answer = requests.post(gateway.url + WEBHOOK, data=chunks, headers={"Authorization": bearer}, timeout=30)
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b"alert!", b"{}", b"x" * 600 * KIB, nested(5_000)])
def test_strangers_learn_and_leave_nothing(gateway: Gateway, store: Store, body: bytes) -> None:
    """Without a token every body is 401, and none is kept."""
    before = len(store.list_quarantined(None))
    answer = gateway.post(body, None)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert len(store.list_quarantined(None)) == before


def test_five_hundred_half_open_connections_stop_nobody(gateway: Gateway, bearer: str) -> None:
    """While 500 sockets have sent half a request each, health and signed posts are answered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard) if soft < 4096 else soft, hard))
    host, port = gateway.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        for _ in range(500):
            half_open = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
            half_open.sendall(f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n".encode())
        assert requests.get(gateway.url + "/healthz", timeout=10).status_code == 200
        for number in range(5):
            assert gateway.post(alert_text(f"half-open-{number}").encode(), bearer, timeout=10).status_code == 202


def test_a_full_disk_is_503_and_it_recovers(tmp_path: Path, issuer: TokenIssuer, bearer: str) -> None:
    """While the file may not grow nothing is accepted; with room again the process goes on by itself."""
    path = config(tmp_path, issuer, f"sqlite:///{tmp_path}/store.db", 'path = "desk.json"')
    with Gateway(path) as gateway:
        assert gateway.process is not None
        assert gateway.post(alert_text("before").encode(), bearer).status_code == 202
        # The kernel refuses to let any file of the process grow, as a full disk does.
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (4 * KIB, resource.RLIM_INFINITY))
        full = gateway.post(alert_text("while-full").encode(), bearer)
        assert (full.status_code, full.json()["code"]) == (503, "store-unavailable")
        assert int(full.headers["Retry-After"]) > 0
        assert requests.get(gateway.url + "/healthz", timeout=10).status_code == 200
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        again = gateway.post(alert_text("while-full").encode(), bearer)
        assert (again.status_code, again.json()["status"]) == (202, "accepted")
        with closing(Store.beside(f"sqlite:///{tmp_path}/store.db")) as store:
            wait_for(lambda: len(store.list_deliveries(state="delivered")) == 2)
        assert gateway.stop() == 0


def test_a_locked_store_is_503_and_it_recovers(gateway: Gateway, folder: Path, bearer: str) -> None:
    """Another program's long write lock is answered 503 in time; afterwards all is as before."""
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        answer = gateway.post(alert_text("locked").encode(), bearer)
        foreign.execute("ROLLBACK")
    assert (answer.status_code, answer.json()["code"]) == (503, "store-unavailable")
    assert answer.elapsed.total_seconds() < 10
    assert gateway.post(alert_text("locked").encode(), bearer).status_code == 202


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_a_damaged_store_stops_the_start_with_words(tmp_path: Path, issuer: TokenIssuer, content: bytes) -> None:
    """Exit code 5 and one sentence that names the file's state; the file stays as it was."""
    (tmp_path / "store.db").write_bytes(content)
    path = config(tmp_path, issuer, f"sqlite:///{tmp_path}/store.db", 'path = "desk.json"')
    command = [sys.executable, "-m", "connector.cli", "serve", "--config", str(path), "--listen", "127.0.0.1:0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert ended.returncode == 5
    assert "damaged" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "store.db").read_bytes() == content


def test_no_secret_and_no_person_in_the_log(gateway: Gateway, bearer: str) -> None:
    """Of all the above, no token and no address of a person stands in the log."""
    gateway.post(alert_text("person", description="ask jane.doe@contoso.example").encode(), bearer)
    gateway.post(b"{", bearer + "x")
    text = "".join(gateway.log)
    assert bearer.split()[1][:40] not in text
    assert "jane.doe@contoso.example" not in text


def test_the_process_is_still_the_same(gateway: Gateway) -> None:
    """After all of this it has not been restarted, and it ends as asked."""
    assert gateway.process is not None
    assert gateway.process.poll() is None
    assert not any("Traceback" in line for line in gateway.log)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(15) == 0
