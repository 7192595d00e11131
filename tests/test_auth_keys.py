"""Where signing keys come from, how long they are held, and what a flood or an outage does (connector.auth)."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from connector.auth import Authenticator, Refusal
from connector.auth.key_cache import KeyCache
from connector.auth.key_source import KeySet, fetch_key_set
from connector.config import AuthConfig
from connector.testing.issuer import AUDIENCE, Reply, SigningKey, TokenIssuer, signing_key

TENANT = "7d3e1f90-42ab-4c58-b6d1-95e0a8c7f214"
OTHER_TENANT = "e8a1b2c3-d4e5-4f60-8a7b-9c0d1e2f3a4b"
DISCOVERY = {"1.0": "/.well-known/openid-configuration", "2.0": "/v2.0/.well-known/openid-configuration"}
KEYS = {"1.0": "/discovery/keys", "2.0": "/discovery/v2.0/keys"}
HOUR = 3600.0


class Stopwatch:
    """The seconds that keys age by, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    with TokenIssuer(TENANT) as running:
        yield running


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


def authenticator(authority: str, stopwatch: Stopwatch, **options: Any) -> Authenticator:
    config = AuthConfig(tenant_id=TENANT, audiences=(AUDIENCE,), authority=authority)
    return Authenticator(config, timer=stopwatch, **options)


@pytest.fixture
def guard(issuer: TokenIssuer, stopwatch: Stopwatch) -> Authenticator:
    """An authenticator without its background thread: it fetches when it is asked."""
    return authenticator(issuer.authority, stopwatch)


@contextmanager
def started(guard: Authenticator) -> Iterator[Authenticator]:
    guard.start()
    try:
        yield guard
    finally:
        guard.close()


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what a thread is about to do; fails after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def landed(name: str) -> None:
    """Wait until no fetch of that cache is under way."""
    for thread in threading.enumerate():
        if thread.name == f"keys-{name}":
            thread.join(10)


def in_turn(fetches: list[Callable[[], KeySet]]) -> Callable[[], KeySet]:
    """A fetch that is each of them once."""

    def fetch() -> KeySet:
        return fetches.pop(0)()

    return fetch


def code_of(guard: Authenticator, authorization: str) -> str:
    """The code of the refusal, or `let in`."""
    try:
        guard.authenticate(authorization)
    except Refusal as refused:
        return refused.code
    return "let in"


# --- the life of a key


def test_keys_of_both_versions_are_fetched_at_start(issuer: TokenIssuer, stopwatch: Stopwatch) -> None:
    """No request has to wait for them, and readiness tells when they are there."""
    guard = authenticator(issuer.authority, stopwatch)
    assert not guard.keys_ready()
    with started(guard):
        eventually(lambda: issuer.fetches[KEYS["1.0"]] == issuer.fetches[KEYS["2.0"]] == 1)
        eventually(guard.keys_ready)
        assert [code_of(guard, issuer.bearer(version)) for version in KEYS] == ["let in"] * 2
    assert dict(issuer.fetches) == dict.fromkeys([*DISCOVERY.values(), *KEYS.values()], 1)


def test_one_version_is_enough_to_be_ready(issuer: TokenIssuer, guard: Authenticator) -> None:
    """An issuer without version 1 serves tokens of version 2."""
    issuer.replies[DISCOVERY["1.0"]] = Reply(404)
    assert code_of(guard, issuer.bearer("1.0")) == "keys-unavailable"
    assert not guard.keys_ready()
    assert code_of(guard, issuer.bearer("2.0")) == "let in"
    assert guard.keys_ready()


def test_held_keys_cost_no_fetch(issuer: TokenIssuer, guard: Authenticator) -> None:
    """A hundred requests are served with the keys of the first."""
    assert {code_of(guard, issuer.bearer()) for _ in range(100)} == {"let in"}
    assert issuer.fetches == {DISCOVERY["2.0"]: 1, KEYS["2.0"]: 1}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_rotated_key_is_in_use_at_once(issuer: TokenIssuer, guard: Authenticator, version: str) -> None:
    """The first token signed with it brings it in; tokens of the key before stay good."""
    before = issuer.bearer(version)
    assert code_of(guard, before) == "let in"
    issuer.rotate()
    assert code_of(guard, issuer.bearer(version)) == "let in"
    assert code_of(guard, before) == "let in"
    assert issuer.fetches[KEYS[version]] == 2


def test_a_withdrawn_key_is_out_within_the_hour(issuer: TokenIssuer, stopwatch: Stopwatch) -> None:
    """The hourly fetch replaces the set, although every request is content with the old one."""
    with started(authenticator(issuer.authority, stopwatch, pulse=0.01)) as guard:
        eventually(guard.keys_ready)
        old_key, old = issuer.key, issuer.bearer()
        assert code_of(guard, old) == "let in"
        issuer.rotate()
        issuer.withdraw(old_key.kid)
        assert code_of(guard, old) == "let in"
        fetched = issuer.fetches[KEYS["2.0"]]
        stopwatch.seconds += HOUR
        eventually(lambda: issuer.fetches[KEYS["2.0"]] > fetched)
        eventually(lambda: code_of(guard, old) == "unknown-key")
        assert code_of(guard, issuer.bearer()) == "let in"


def test_the_background_fetches_once_an_hour(issuer: TokenIssuer, stopwatch: Stopwatch) -> None:
    """Asking often whether a fetch is due does not make one due."""
    cache = KeyCache("hourly", lambda: fetch_key_set(issuer.base + DISCOVERY["2.0"], TENANT), timer=stopwatch)
    for minute in range(4 * 60):
        stopwatch.seconds = 1000 + minute * 60.0
        cache.refresh_if_due()
        landed("hourly")
    assert issuer.fetches[KEYS["2.0"]] == 5


def test_the_background_tries_again_within_a_minute_after_a_failure(issuer: TokenIssuer, stopwatch: Stopwatch) -> None:
    """It waits longer from failure to failure, but a minute at most."""
    issuer.fail(500)
    cache = KeyCache("failing", lambda: fetch_key_set(issuer.base + DISCOVERY["2.0"], TENANT), timer=stopwatch)
    begun: list[int] = []
    for second in range(200):
        stopwatch.seconds = 1000 + second * 1.0
        cache.refresh_if_due()
        landed("failing")
        begun += [second] * (issuer.fetches[DISCOVERY["2.0"]] - len(begun))
    assert begun == [0, 5, 15, 35, 75, 135, 195]


# --- outages


def test_an_issuer_that_is_down_at_start_is_waited_for(stopwatch: Stopwatch) -> None:
    """Requests are put off with 503 until it is back; nobody has to restart anything."""
    with TokenIssuer(TENANT) as reserved:
        port, header = reserved.port, reserved.bearer()
    with started(authenticator(f"http://127.0.0.1:{port}", stopwatch, pulse=0.01)) as guard:
        assert code_of(guard, header) == "keys-unavailable"
        assert not guard.keys_ready()
        with TokenIssuer(TENANT, port=port):
            stopwatch.seconds += 60
            eventually(guard.keys_ready)
            assert code_of(guard, header) == "let in"


def test_the_last_good_keys_outlive_an_outage_for_a_day(
    issuer: TokenIssuer, guard: Authenticator, stopwatch: Stopwatch
) -> None:
    """Known keys stay good while the issuer fails, an unknown one is put off, and after a day all are."""
    known = issuer.bearer()
    assert code_of(guard, known) == "let in"
    issuer.rotate()
    issuer.fail(500)
    assert code_of(guard, issuer.bearer()) == "keys-unavailable"
    stopwatch.seconds += 24 * HOUR - 1
    assert code_of(guard, known) == "let in"
    assert guard.keys_ready()
    stopwatch.seconds += 1
    assert not guard.keys_ready()
    assert code_of(guard, known) == "keys-unavailable"


def test_a_key_rotated_during_an_outage_works_when_it_is_over(issuer: TokenIssuer, guard: Authenticator) -> None:
    """Azure's next try, not a restart, brings the alert in."""
    assert code_of(guard, issuer.bearer()) == "let in"
    issuer.rotate()
    issuer.fail(503)
    assert code_of(guard, issuer.bearer()) == "keys-unavailable"
    issuer.recover()
    assert code_of(guard, issuer.bearer()) == "let in"


def test_a_slow_issuer_does_not_hold_a_request_for_long(issuer: TokenIssuer, stopwatch: Stopwatch) -> None:
    """The request is put off while the fetch goes on, and the next one has the use of it."""
    guard = authenticator(issuer.authority, stopwatch, patience=0.1)
    issuer.hold()
    assert {code_of(guard, issuer.bearer()) for _ in range(3)} == {"keys-unavailable"}
    issuer.release()
    eventually(guard.keys_ready)
    assert code_of(guard, issuer.bearer()) == "let in"
    assert issuer.fetches[DISCOVERY["2.0"]] == 1


def test_a_fetch_that_does_not_come_back_is_given_up(issuer: TokenIssuer, stopwatch: Stopwatch) -> None:
    """After half a minute it no longer stops the next, and what it brings then does not undo the later one."""
    url = issuer.base + DISCOVERY["2.0"]
    early, may_come_back = fetch_key_set(url, TENANT), threading.Event()

    def lost() -> KeySet:
        assert may_come_back.wait(10)
        return early

    fetches = [lost, lambda: fetch_key_set(url, TENANT)]
    cache = KeyCache("lost", in_turn(fetches), timer=stopwatch)
    for _ in range(3):
        cache.refresh_if_due()
    rotated = issuer.rotate()
    stopwatch.seconds += 31
    assert len(cache.find(rotated.kid)[1]) == 1
    may_come_back.set()
    landed("lost")
    assert len(cache.find(rotated.kid)[1]) == 1
    assert not fetches


# --- floods


def test_a_flood_of_unknown_keys_is_a_handful_of_fetches(
    issuer: TokenIssuer, guard: Authenticator, stopwatch: Stopwatch
) -> None:
    """400 made-up key ids by eight threads cost three fetches; good tokens are let in all the while."""
    good = issuer.bearer()
    assert code_of(guard, good) == "let in"
    flood = [f"Bearer {issuer.token(kid=f'made-up-{number}')}" for number in range(400)]
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda header: (code_of(guard, header), code_of(guard, good)), flood))
    assert {code for code, _ in codes} <= {"unknown-key", "key-fetch-deferred"}
    assert {code for _, code in codes} == {"let in"}
    assert issuer.fetches[KEYS["2.0"]] <= 4
    for _ in range(3):
        fetched = issuer.fetches[KEYS["2.0"]]
        stopwatch.seconds += 300
        assert [code_of(guard, header) for header in flood[:3]] == ["unknown-key", *["key-fetch-deferred"] * 2]
        assert issuer.fetches[KEYS["2.0"]] == fetched + 1


def test_a_flood_on_one_version_leaves_the_other_its_fetches(issuer: TokenIssuer, guard: Authenticator) -> None:
    """Each token version has a budget of its own."""
    for number in range(10):
        code_of(guard, f"Bearer {issuer.token('1.0', kid=f'made-up-{number}')}")
    assert code_of(guard, issuer.bearer("2.0")) == "let in"


def test_a_deferred_fetch_says_when_it_is_allowed(
    issuer: TokenIssuer, guard: Authenticator, stopwatch: Stopwatch
) -> None:
    """Retry-After counts down to the next fetch, which then brings a key rotated in the meantime."""
    for number in range(3):
        assert code_of(guard, f"Bearer {issuer.token(kid=f'made-up-{number}')}") == "unknown-key"
    issuer.rotate()
    stopwatch.seconds += 100
    with pytest.raises(Refusal) as caught:
        guard.authenticate(issuer.bearer())
    assert (caught.value.code, caught.value.status) == ("key-fetch-deferred", 503)
    assert caught.value.retry_after == 200
    stopwatch.seconds += 200
    assert code_of(guard, issuer.bearer()) == "let in"


def test_an_outage_under_flood_is_not_hammered(issuer: TokenIssuer, guard: Authenticator) -> None:
    """An issuer that fails gets no more fetches than one that answers, and nobody is told 401."""
    issuer.fail(500)
    with pytest.raises(Refusal) as caught:
        guard.authenticate(issuer.bearer())
    assert (caught.value.status, caught.value.retry_after) == (503, 5)
    codes = [code_of(guard, issuer.bearer()) for _ in range(50)]
    assert codes == ["keys-unavailable"] * 2 + ["key-fetch-deferred"] * 48
    assert issuer.fetches == {DISCOVERY["2.0"]: 3}


def test_requests_that_need_the_same_key_share_one_fetch(issuer: TokenIssuer, guard: Authenticator) -> None:
    """32 threads come with the rotated key while its fetch is under way; all are let in by it."""
    assert code_of(guard, issuer.bearer()) == "let in"
    issuer.rotate()
    issuer.hold()
    header, barrier = issuer.bearer(), threading.Barrier(33)

    def call(_: int) -> str:
        barrier.wait()
        return code_of(guard, header)

    with ThreadPoolExecutor(32) as threads:
        calls = threads.map(call, range(32))
        barrier.wait()
        eventually(lambda: issuer.fetches[DISCOVERY["2.0"]] == 2)
        issuer.release()
        assert set(calls) == {"let in"}
    assert issuer.fetches[DISCOVERY["2.0"]] == 2


def test_threads_with_unknown_keys_are_all_answered(issuer: TokenIssuer, guard: Authenticator) -> None:
    """Known, rotated and made-up keys at once, from 24 threads: each gets the answer that is its own."""
    known = issuer.bearer()
    assert code_of(guard, known) == "let in"
    issuer.rotate()
    rotated, unknown = issuer.bearer(), f"Bearer {issuer.token(kid='made-up')}"
    barrier = threading.Barrier(24)

    def call(header: str) -> tuple[str, str]:
        barrier.wait()
        return header, code_of(guard, header)

    with ThreadPoolExecutor(24) as threads:
        answers = set(threads.map(call, [known, rotated, unknown] * 8))
    assert {answer for header, answer in answers if header != unknown} == {"let in"}
    assert {answer for header, answer in answers if header == unknown} <= {"unknown-key", "key-fetch-deferred"}
    assert issuer.fetches[KEYS["2.0"]] <= 4


def test_a_fetch_that_began_too_early_proves_nothing(issuer: TokenIssuer, stopwatch: Stopwatch) -> None:
    """A key published after the fetch under way has begun is found by another fetch, not refused."""
    url = issuer.base + DISCOVERY["2.0"]
    early, began, may_go_on = fetch_key_set(url, TENANT), threading.Event(), threading.Event()

    def held_back() -> KeySet:
        began.set()
        assert may_go_on.wait(10)
        return early

    fetches = [held_back, lambda: fetch_key_set(url, TENANT)]
    cache = KeyCache("early", in_turn(fetches), timer=stopwatch, patience=10)
    cache.refresh_if_due()
    assert began.wait(10)
    late = issuer.rotate()
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(cache.find, late.kid)
        time.sleep(0.05)
        may_go_on.set()
        assert len(found.result()[1]) == 1
    assert not fetches


def test_a_fault_in_a_fetch_ends_neither_the_request_nor_the_thread(stopwatch: Stopwatch) -> None:
    """Whatever a fetch raises is an answer of 503, and the next fetch is made."""
    faults: list[int] = []

    def broken() -> KeySet:
        faults.append(1)
        raise RuntimeError("a fault of ours")

    cache = KeyCache("2.0", broken, timer=stopwatch, patience=10)
    for number in (1, 2):
        with pytest.raises(Refusal, match="keys-unavailable"):
            cache.find("any")
        assert len(faults) == number


# --- documents that cannot be used

GOOD_ENTRY = signing_key(0).published()
NOT_KEYS: list[tuple[str, Reply]] = [
    ("an error", Reply(500, b"{}")),
    ("not found", Reply(404, b"{}")),
    ("no content", Reply(204)),
    ("an answer at second hand", Reply(203, json.dumps({"keys": [GOOD_ENTRY]}).encode())),
    ("a sign-in page", Reply(200, b"<html><body>Sign in</body></html>", {"Content-Type": "text/html"})),
    ("nothing", Reply(200)),
    ("half a document", Reply(200, json.dumps({"keys": [GOOD_ENTRY]}).encode()[:-9])),
    ("a list", Reply.json([GOOD_ENTRY])),
    ("an object without keys", Reply.json({"error": "temporarily_unavailable"})),
    ("no keys at all", Reply.json({"keys": []})),
    ("keys as a text", Reply.json({"keys": "none"})),
    ("keys that are no objects", Reply.json({"keys": [None, 1, "x", []]})),
    ("not UTF-8", Reply(200, b'{"keys": "\xff\xfe\xfa"}')),
    ("nested too deep", Reply(200, b'{"keys":' + b"[" * 50_000 + b"]" * 50_000 + b"}")),
    ("half a megabyte", Reply.json({"keys": [GOOD_ENTRY], "padding": "x" * 500_000})),
    ("packed", Reply(200, b"\x1f\x8b\x08\x00rubbish", {"Content-Encoding": "gzip"})),
]


@pytest.mark.parametrize("document", ["discovery", "keys"])
@pytest.mark.parametrize("reply", [case[1] for case in NOT_KEYS], ids=[case[0] for case in NOT_KEYS])
def test_a_document_that_is_none_leaves_the_keys_as_they_were(
    issuer: TokenIssuer, guard: Authenticator, document: str, reply: Reply
) -> None:
    """It counts as an outage: known keys stay, unknown ones are put off, never refused for good."""
    known = issuer.bearer()
    assert code_of(guard, known) == "let in"
    issuer.rotate()
    issuer.replies[(DISCOVERY if document == "discovery" else KEYS)["2.0"]] = reply
    assert code_of(guard, issuer.bearer()) == "keys-unavailable"
    assert code_of(guard, known) == "let in"
    issuer.recover()
    assert code_of(guard, issuer.bearer()) == "let in"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("document", ["discovery", "keys"])
def test_a_redirect_is_not_followed(issuer: TokenIssuer, guard: Authenticator, document: str, status: int) -> None:
    """Where it points to gets no request, and its keys are not believed."""
    with TokenIssuer(TENANT, key=signing_key(71)) as elsewhere:
        path = (DISCOVERY if document == "discovery" else KEYS)["2.0"]
        issuer.replies[path] = Reply(status, b"", {"Location": elsewhere.base + path})
        assert code_of(guard, issuer.bearer()) == "keys-unavailable"
        assert not elsewhere.fetches


UNTRUSTWORTHY = [
    None,
    7,
    "",
    ["https://login.example"],
    "http://login.example/keys",
    "http://127.0.0.1.login.example/keys",
    "http://127.0.0.1@login.example/keys",
    "https://user:word@login.example/keys",
    "file:///etc/hostname",
    "ftp://127.0.0.1/keys",
    "//127.0.0.1/keys",
    "https://",
    "http://[::1",
]


@pytest.mark.parametrize("name", ["issuer", "jwks_uri"])
@pytest.mark.parametrize("value", UNTRUSTWORTHY)
def test_an_address_that_is_neither_https_nor_loopback_is_not_believed(
    issuer: TokenIssuer, guard: Authenticator, name: str, value: object
) -> None:
    """A discovery document that points there counts as an outage."""
    issuer.replies[DISCOVERY["2.0"]] = Reply.json(issuer.discovery("2.0") | {name: value})
    assert code_of(guard, issuer.bearer()) == "keys-unavailable"


def test_the_tenant_is_filled_into_an_issuer_that_is_a_template(issuer: TokenIssuer, guard: Authenticator) -> None:
    """Entra's documents for several tenants say `{tenantid}` in the issuer."""
    template = {"issuer": f"{issuer.authority}/{{tenantid}}/v2.0"}
    issuer.replies[DISCOVERY["2.0"]] = Reply.json(issuer.discovery("2.0") | template)
    assert code_of(guard, issuer.bearer()) == "let in"


def test_an_issuer_on_loopback_is_not_asked_through_a_proxy(
    issuer: TokenIssuer, guard: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment could not reach it."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert code_of(guard, issuer.bearer()) == "let in"


def test_the_issuer_is_told_who_asks_but_no_password(
    issuer: TokenIssuer, guard: Authenticator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The password that somebody keeps for that host in a netrc file is not for it."""
    (tmp_path / "netrc").write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert code_of(guard, issuer.bearer()) == "let in"
    for path in (DISCOVERY["2.0"], KEYS["2.0"]):
        assert issuer.headers[path]["User-Agent"].startswith("itsm-connector/")
        assert "Authorization" not in issuer.headers[path]


# --- keys that cannot be used


def without(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}


ENTRY = signing_key(72).published()
UNUSABLE: list[tuple[str, dict[str, Any]]] = [
    ("for encryption", ENTRY | {"use": "enc"}),
    ("for a use of null", ENTRY | {"use": None}),
    ("for another algorithm", ENTRY | {"alg": "RS512"}),
    ("for shared secrets", ENTRY | {"alg": "HS256"}),
    ("for signing only", ENTRY | {"key_ops": ["sign"]}),
    ("operations as a text", ENTRY | {"key_ops": "verify"}),
    ("of another tenant", ENTRY | {"issuer": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"}),
    ("a shared secret", ENTRY | {"kty": "oct", "k": "c2VjcmV0"}),
    ("an elliptic curve", ENTRY | {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}),
    ("kind in small letters", ENTRY | {"kty": "rsa"}),
    ("no kind", without(ENTRY, "kty")),
    ("no modulus", without(ENTRY, "n")),
    ("no exponent", without(ENTRY, "e")),
    ("an even exponent", ENTRY | {"e": "BA"}),
    ("an exponent of one", ENTRY | {"e": "AQ"}),
    ("an exponent larger than the modulus", ENTRY | {"e": ENTRY["n"] + "AA"}),
    ("a modulus of zero", ENTRY | {"n": "AA"}),
    ("a modulus of 1,000 bits", ENTRY | {"n": base64.urlsafe_b64encode(b"\xff" * 125).decode()}),
    ("a modulus of 20,000 bits", ENTRY | {"n": base64.urlsafe_b64encode(b"\xff" * 2500).decode()}),
    ("a modulus as a number", ENTRY | {"n": 2**2048 + 1}),
    ("a modulus outside ASCII", ENTRY | {"n": "é" * 300}),
]


@pytest.mark.parametrize("entry", [case[1] for case in UNUSABLE], ids=[case[0] for case in UNUSABLE])
def test_a_key_that_is_not_for_our_signatures_is_not_used(
    issuer: TokenIssuer, guard: Authenticator, entry: dict[str, Any]
) -> None:
    """It is as if it were not published, and does no harm to the keys beside it."""
    issuer.replies[KEYS["2.0"]] = Reply.json({"keys": [entry, GOOD_ENTRY]})
    assert code_of(guard, f"Bearer {issuer.token(key=signing_key(72))}") == "unknown-key"
    assert code_of(guard, issuer.bearer()) == "let in"


@pytest.mark.parametrize(
    "entry",
    [
        without(ENTRY, "use"),
        ENTRY | {"alg": "RS256"},
        ENTRY | {"key_ops": ["verify"]},
        ENTRY | {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
        ENTRY | {"issuer": f"https://login.microsoftonline.com/{TENANT.upper()}/v2.0"},
        ENTRY | {"x5t": ENTRY["kid"], "x5c": ["not a certificate"], "cloud_instance_name": "microsoftonline.com"},
        ENTRY | {"d": "AQAB", "p": "AQAB"},
    ],
)
def test_a_key_may_say_more_than_it_must(issuer: TokenIssuer, guard: Authenticator, entry: dict[str, Any]) -> None:
    """What Entra writes beside a key does not matter, nor what it leaves out."""
    issuer.replies[KEYS["2.0"]] = Reply.json({"keys": [entry]})
    assert code_of(guard, f"Bearer {issuer.token(key=signing_key(72))}") == "let in"


def test_a_key_that_is_too_short_verifies_nothing(issuer: TokenIssuer, guard: Authenticator) -> None:
    """A real signature of a real key of 1,024 bits is refused."""
    short = signing_key(0, 1024)
    issuer.replies[KEYS["2.0"]] = Reply.json({"keys": [short.published(), GOOD_ENTRY]})
    assert code_of(guard, f"Bearer {signed_by_hand(issuer, short)}") == "unknown-key"
    assert code_of(guard, f"Bearer {signed_by_hand(issuer, issuer.key)}") == "let in"


def signed_by_hand(issuer: TokenIssuer, key: SigningKey) -> str:
    """A token like any other, without the library that warns of short keys."""
    parts = [{"alg": "RS256", "kid": key.kid}, issuer.claims()]
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    signature = key.private.sign(".".join(coded).encode(), PKCS1v15(), SHA256())
    return ".".join([*coded, base64.urlsafe_b64encode(signature).decode().rstrip("=")])


def test_keys_that_share_an_id_are_each_tried(issuer: TokenIssuer, guard: Authenticator) -> None:
    """RFC 7517 allows it: a token by either is let in, a token by a third is not."""
    first, second, third = (signing_key(number) for number in (72, 73, 74))
    entries = [first.published() | {"kid": "same"}, second.published() | {"kid": "same"}]
    issuer.replies[KEYS["2.0"]] = Reply.json({"keys": entries})
    codes = [code_of(guard, f"Bearer {issuer.token(key=key, kid='same')}") for key in (first, second, third)]
    assert codes == ["let in", "let in", "signature-invalid"]
