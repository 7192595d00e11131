"""The commands that look at a store and mend it, run against a real one beside nobody."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.adapter import DeliveryError, Reason
from connector.cli import main
from connector.failures import Patience
from connector.lifecycle import episode_after
from connector.model import Action, ConfigurationItem, Decision, Receipt, WorkItem
from connector.store import Accepting, Delivered, Failed, Quarantining, Store
from connector.testing import samples
from connector.testing.by_hand import AT_ONCE, accept, make_alert

CONFIG = """\
config_version = 1
[auth]
tenant_id = "4b0f6a0e-7c1d-4f7e-9a53-0d8a7e9c1b22"
audiences = ["api://cli-tests"]
subscriptions = [{subscriptions}]
[store]
url = "sqlite:///{folder}/store.db"
[destinations.desk]
adapter = "mock"
[destinations.other]
adapter = "mock"
[[routes]]
name = "severe ones"
match = {{ severity = "<=Sev1" }}
destinations = ["other"]
[[routes]]
name = "metrics"
match = {{ family = "metric" }}
destinations = ["desk"]
"""


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


@dataclass(frozen=True)
class Site:
    """A configuration and a store, and the command line in front of them."""

    folder: Path
    config: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> Ran:
        self.capsys.readouterr()
        code = main([*arguments, "--config", str(self.config)])
        captured = self.capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    def write_config(self, text: str = CONFIG, *, subscriptions: str = "") -> None:
        self.config.write_text(text.format(folder=self.folder, subscriptions=subscriptions))

    def store(self) -> Store:
        return Store.hold(f"sqlite:///{self.folder}/store.db")


@pytest.fixture(autouse=True)
def _own_log_only() -> Iterator[None]:
    before = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = before


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Site:
    made = Site(tmp_path, tmp_path / "connector.toml", capsys)
    made.write_config()
    return made


@pytest.fixture
def store(site: Site) -> Iterator[Store]:
    opened = site.store()
    yield opened
    opened.close()


def fail(store: Store, reason: Reason = Reason.REJECTED, patience: Patience = AT_ONCE) -> None:
    """Let everything that is due fail once, as a worker would."""
    claims = store.work("hand", [], {"desk": "desk", "other": "other"}, 100, patience.max_backoff)[1]
    error = DeliveryError(reason, "the desk\x1b[2J said \u202eno")
    settlements = [Failed(claim, error, lambda standing: patience.verdict(error, standing)) for claim in claims]
    store.work("hand", settlements, {}, 0, patience.max_backoff)


def deliver(store: Store) -> None:
    """Let everything that is due open a work item with a CI, as a worker would."""
    claims = store.work("hand", [], {"desk": "desk", "other": "other"}, 100, timedelta(0))[1]
    for claim in claims:
        item = WorkItem("sys-1", "TST0001", "https://desk.example/TST0001", correlation=claim.notice.correlation)
        found = ConfigurationItem("ci-1", "web-01", "object_id")
        receipt = Receipt((Action.OPENED,), item, (found,), (), (Decision("moved", "opened", "it is new"),))
        store.work("hand", [Delivered(claim, receipt, episode_after(claim.notice, receipt))], {}, 0, timedelta(0))


def dead_delivery(store: Store, **more: object) -> str:
    """Store an alert whose delivery is refused for good; return the delivery's id."""
    stored = accept(store, make_alert(**more))  # type: ignore[arg-type]
    fail(store)
    return stored.deliveries[0][0]


def state_of(store: Store, delivery_id: str) -> str:
    """Return the state of a delivery."""
    return next(each.state for each in store.list_deliveries() if each.id == delivery_id)


def quarantine(store: Store, id_: str, body: bytes, **more: object) -> None:
    """Keep a body."""
    store.quarantine(Quarantining(id_, "not-an-alert", "no alert in it", body, more.pop("size", len(body))))  # type: ignore[arg-type]


# alerts


def test_the_json_of_an_alert_has_the_public_shape(site: Site, store: Store) -> None:
    """Every key of the contract is there, with RFC 3339 times that end in Z."""
    alert = make_alert(severity="Sev1", service="Platform")
    accept(store, alert)
    deliver(store)
    [document] = site.run("alerts", "list", "-o", "json").json  # type: ignore[misc]
    [delivery] = document.pop("deliveries")
    assert (
        document.items()
        >= {
            "id": alert.id,
            "azure_alert_id": alert.azure_alert_id,
            "rule": "cpu-web-01",
            "family": "metric",
            "service": "Platform",
            "severity": "Sev1",
            "condition": "fired",
            "test": False,
            "fired_at": "2026-03-02T12:00:00Z",
            "resolved_at": None,
            "resources": ["web-01"],
            "series": alert.series.key,
            "warnings": [],
        }.items()
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", document["received_at"])
    assert (
        delivery.items()
        >= {
            "destination": "desk",
            "episode": alert.series.key,
            "state": "delivered",
            "attempts": 1,
            "next_attempt_at": None,
            "actions": ["opened"],
            "last_error": None,
            "work_item": {"id": "sys-1", "number": "TST0001", "url": "https://desk.example/TST0001", "state": "open"},
        }.items()
    )
    [item] = delivery["configuration_items"]
    assert item.items() >= {"id": "ci-1", "name": "web-01", "matched_by": "object_id"}.items()


def test_alerts_come_newest_first_and_no_more_than_asked_for(site: Site, store: Store) -> None:
    """--limit cuts the list and says so on stderr; --all lifts it."""
    for number in range(3):
        alert = make_alert(azure_id=f"a{number}", minute=number)
        accept(store, replace(alert, received_at=datetime(2026, 3, 2, 13, number, tzinfo=UTC)))
    limited = site.run("alerts", "list", "--limit", "2")
    assert [line.split()[1] for line in limited.out.splitlines()[1:]] == [
        "2026-03-02T13:02:00Z",
        "2026-03-02T13:01:00Z",
    ]
    assert "--all" in limited.err
    assert len(site.run("alerts", "list", "--limit", "2", "--all").out.splitlines()) == 4


def test_hostile_text_does_not_reach_the_terminal(site: Site, store: Store) -> None:
    """Escape sequences, control characters and direction marks of an alert are gone or escaped."""
    accept(store, make_alert(rule="cpu\x1b]0;owned\x07\x1b[31m\u202ered\nline\x9b2J\u200b"))
    fail(store)
    for command in (["alerts", "list"], ["deliveries", "list"], ["alerts", "list", "-o", "json"], ["alerts", "show"]):
        ids = [store.list_alerts(1)[0].alert.id] if "show" in command else []
        out = site.run(*command, *ids).out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]", out), command


def test_a_table_keeps_a_row_on_one_line(site: Site, store: Store) -> None:
    """A line break in a rule's name does not make a second row."""
    accept(store, make_alert(rule="first\nsecond"))
    assert "first second" in site.run("alerts", "list").out
    assert len(site.run("alerts", "list").out.splitlines()) == 2


@pytest.mark.parametrize("command", ["alerts show", "explain"])
def test_an_alert_cannot_write_a_line_of_ours(site: Site, store: Store, command: str) -> None:
    """A line break in a value does not begin a line that looks like the program's own."""
    body = json.dumps(samples.fresh("metric-static-fired", rule="a\nnow: desk delivered\nto desk: delivered"))
    quarantine(store, "d" * 32, body.encode())
    site.run("quarantine", "replay", "dddddd")
    [stored] = store.list_alerts(None)
    out = site.run(*command.split(), stored.alert.id).out
    assert "desk delivered" in out
    assert not re.search(r"^(now: desk delivered|to desk: delivered)", out, re.MULTILINE)


@pytest.mark.parametrize("length", [6, 10, 32])
def test_an_id_may_be_cut(site: Site, store: Store, length: int) -> None:
    """Six or more of an id's first digits name an alert; a delivery's name its alert too."""
    stored = accept(store, make_alert())
    for id_ in (stored.alert_id, stored.deliveries[0][0].upper()):
        assert stored.alert_id in site.run("alerts", "show", id_[:length]).out


@pytest.mark.parametrize(
    ("id_", "words"),
    [("00000000", "there is no"), ("0", "at least 6"), ("abcdef", "ambiguous"), ("%%%%%%", "no alert")],
)
def test_an_id_that_names_nothing_or_several_is_an_error(site: Site, store: Store, id_: str, words: str) -> None:
    """It is a negative finding with words on stderr and nothing on stdout."""
    for number in range(2):
        accept(store, replace(make_alert(azure_id=f"a{number}"), id=f"abcdef{number:026}"))
    ran = site.run("alerts", "show", id_)
    assert (ran.code, ran.out) == (1, "")
    assert words in ran.err


def test_an_unrouted_alert_is_routed_again(site: Site, store: Store) -> None:
    """alerts replay sends it by today's routes, dry first, and the decision carries the comment."""
    stored = store.accept(Accepting(make_alert(severity="Sev0"), b"{}", ()))
    dry = site.run("alerts", "replay", stored.alert_id[:8], "--dry-run")
    assert (dry.code, dry.out.split()) == (0, [stored.alert_id, "other"])
    as_json = site.run("alerts", "replay", stored.alert_id, "--dry-run", "-o", "json").json
    assert as_json == [{"id": stored.alert_id, "destinations": ["other"]}]
    assert store.list_deliveries() == []
    assert site.run("alerts", "replay", stored.alert_id[:8], "--comment", "new route").out == dry.out
    assert [each.destination for each in store.list_deliveries()] == ["other"]
    assert any(each.decision.why == "new route" for each in store.decisions_about(stored.alert_id))


# deliveries


def test_a_delivery_says_why_it_failed(site: Site, store: Store) -> None:
    """The list shows the state and the reason; as JSON with the time of the error."""
    id_ = dead_delivery(store)
    assert re.search(rf"{id_[:12]}\s+desk\s+dead\s+1 .*rejected: the desk said no", site.run("deliveries", "list").out)
    [document] = site.run("deliveries", "list", "--state", "dead", "-o", "json").json  # type: ignore[misc]
    assert document["last_error"]["reason"] == "rejected"
    assert document["last_error"]["at"].endswith("Z")


def test_the_list_is_chosen_by_state_and_destination(site: Site, store: Store) -> None:
    """--state and --destination leave out the others."""
    accept(store, make_alert(), "desk", "other")
    assert len(site.run("deliveries", "list", "--state", "waiting").out.splitlines()) == 3
    assert len(site.run("deliveries", "list", "--destination", "other").out.splitlines()) == 2
    assert site.run("deliveries", "list", "--state", "dead").out == ""


def test_a_paused_destination_is_told_in_words(site: Site, store: Store) -> None:
    """Since when, why, how many wait and when the next probe is: on stderr, never in the data."""
    accept(store, make_alert())
    fail(store, Reason.UNAUTHORIZED, Patience(timedelta(seconds=2), timedelta(minutes=5), timedelta(days=3)))
    ran = site.run("deliveries", "list", "-o", "json")
    assert re.search(
        r"desk is paused since \S+Z \(unauthorized: the desk said no\); 1 wait; .* probe is at \S+Z", ran.err
    )
    assert len(ran.json) == 1  # type: ignore[arg-type]


def test_a_dead_delivery_is_tried_again(site: Site, store: Store) -> None:
    """replay --dry-run changes nothing; replay puts it back and records the comment."""
    id_ = dead_delivery(store)
    dry = site.run("deliveries", "replay", id_[:7], "--dry-run")
    assert (dry.code, dry.out, state_of(store, id_)) == (0, f"{id_}\n", "dead")
    assert site.run("deliveries", "replay", id_[:7], "--comment", "field mended").code == 0
    assert state_of(store, id_) == "waiting"
    [alert_id] = [each.alert_id for each in store.list_deliveries()]
    assert any(each.decision.why == "field mended" for each in store.decisions_about(alert_id))


def test_all_dead_deliveries_of_one_destination_are_tried_again(site: Site, store: Store) -> None:
    """--state dead with --destination leaves those of other destinations alone."""
    accept(store, make_alert(), "desk", "other")
    fail(store)
    assert len(site.run("deliveries", "replay", "--state", "dead", "--destination", "desk").out.split()) == 1
    assert {each.destination: each.state for each in store.list_deliveries()} == {"desk": "waiting", "other": "dead"}


def test_nothing_is_given_up_without_yes_where_nobody_can_be_asked(site: Site, store: Store) -> None:
    """Without a terminal discard demands --yes (2) and does nothing before."""
    id_ = dead_delivery(store)
    refused = site.run("deliveries", "discard", id_)
    assert (refused.code, state_of(store, id_)) == (2, "dead")
    assert "--yes" in refused.err
    assert site.run("deliveries", "discard", id_, "--yes").code == 0
    assert state_of(store, id_) == "discarded"


def test_a_delivery_in_another_state_is_not_touched(site: Site, store: Store) -> None:
    """What is delivered can be neither replayed nor discarded, and that stops the whole command."""
    done = accept(store, make_alert(azure_id="done", series="s2")).deliveries[0][0]
    deliver(store)
    dead = dead_delivery(store)
    ran = site.run("deliveries", "replay", dead, done)
    assert (ran.code, state_of(store, dead)) == (1, "dead")
    assert "is delivered" in ran.err


def test_the_id_of_an_alert_is_not_taken_for_its_delivery(site: Site, store: Store) -> None:
    """The deliveries of that alert are named instead."""
    id_ = dead_delivery(store)
    [alert_id] = [each.alert_id for each in store.list_deliveries()]
    ran = site.run("deliveries", "replay", alert_id)
    assert ran.code == 1
    assert id_[:12] in ran.err


@pytest.mark.parametrize("arguments", [[], ["abcdef12", "--state", "dead"], ["abcdef12", "--destination", "desk"]])
def test_it_must_be_said_which_deliveries_are_meant(site: Site, store: Store, arguments: list[str]) -> None:
    """Neither ids nor --state, or both, is a fault of usage."""
    assert site.run("deliveries", "replay", *arguments).code == 2


# quarantine


def test_a_kept_body_is_shown_harmless(site: Site, store: Store) -> None:
    """Its text is readable, bytes that are no text and what a terminal acts on are escaped."""
    quarantine(store, "c" * 32, b'{"a":\n "\xff\x1b[2J\xe2\x80\xae"}')
    assert re.search(r"c{12}\s.*not-an-alert\s+kept", site.run("quarantine", "list").out)
    out = site.run("quarantine", "show", "cccccc").out
    assert '{"a":\n "\\xff\\x1b[2J\\u202e"}' in out
    assert site.run("quarantine", "show", "cccccc", "-o", "json").json["body"].startswith('{"a":\n "\\xff\x1b')  # type: ignore[index]


def test_a_mended_body_becomes_an_alert(site: Site, store: Store) -> None:
    """replay takes it in by today's code and routes and ends its quarantine; dry it does neither."""
    body = json.dumps(samples.fresh("metric-static-fired")).encode()
    quarantine(store, "d" * 32, body)
    assert "would become" in site.run("quarantine", "replay", "dddddd", "--dry-run").out
    assert store.list_alerts(None) == []
    assert site.run("quarantine", "replay", "dddddd").code == 0
    [stored] = store.list_alerts(None)
    assert stored.deliveries
    [kept] = store.find_quarantined("d" * 32)
    assert (kept.state, kept.alert_id) == ("replayed", stored.alert.id)
    assert site.run("quarantine", "replay", "dddddd").code == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"hello": "world"}'])
def test_a_body_that_is_still_bad_is_not_kept_twice(site: Site, store: Store, body: bytes) -> None:
    """A replay that fails leaves the quarantine as it was."""
    quarantine(store, "e" * 32, body)
    ran = site.run("quarantine", "replay", "eeeeee")
    assert ran.code == 1
    assert "still refused" in ran.err
    assert [each.state for each in store.list_quarantined(None, everything=True)] == ["kept"]


def test_a_cut_body_cannot_be_replayed(site: Site, store: Store) -> None:
    """Only its beginning was kept: 1, in words."""
    quarantine(store, "f" * 32, b"{}", size=600_000)
    ran = site.run("quarantine", "replay", "ffffff")
    assert ran.code == 1
    assert "only its first 2 bytes" in ran.err


def test_a_subscription_must_be_on_the_list_of_today(site: Site, store: Store) -> None:
    """A replay is refused (4) until the allow-list is mended."""
    document = samples.fresh("metric-static-fired")
    quarantine(store, "a" * 32, json.dumps(document).encode())
    site.write_config(subscriptions='"99999999-9999-4999-8999-999999999999"')
    assert site.run("quarantine", "replay", "aaaaaa").code == 4
    target = document["data"]["essentials"]["alertTargetIDs"][0]
    site.write_config(subscriptions=json.dumps(target.split("/")[2]))
    assert site.run("quarantine", "replay", "aaaaaa").code == 0


def test_a_body_is_discarded_only_with_yes(site: Site, store: Store) -> None:
    """discard asks, demands --yes without a terminal, and then takes the body off the list."""
    quarantine(store, "b" * 32, b"{}")
    assert site.run("quarantine", "discard", "bbbbbb").code == 2
    assert site.run("quarantine", "discard", "bbbbbb", "--dry-run").code == 0
    assert len(store.list_quarantined(None)) == 1
    assert site.run("quarantine", "discard", "bbbbbb", "--yes").code == 0
    assert store.list_quarantined(None) == []


# explain


def test_the_story_of_an_alert_is_told_in_order(site: Site, store: Store) -> None:
    """Recorded decisions with their times, then how each delivery stands."""
    body = json.dumps(samples.fresh("metric-static-fired")).encode()
    quarantine(store, "d" * 32, body)
    site.run("quarantine", "replay", "dddddd", "--comment", "by hand")
    deliver(store)
    [stored] = store.list_alerts(None)
    out = site.run("explain", stored.alert.id[:8]).out
    positions = [out.index(words) for words in ("by hand", " read ", "opened - it is new", "TST0001 is open")]
    assert positions == sorted(positions)
    document = site.run("explain", stored.deliveries[0].id, "-o", "json").json
    assert [each["step"] for each in document["decisions"]][-1] == "moved"  # type: ignore[index]
    assert "became alert" in site.run("explain", "d" * 32).out


def test_a_resolved_is_not_explained_as_opening_anything(site: Site, tmp_path: Path) -> None:
    """It ends what its fired began: no preview of a new work item."""
    file = tmp_path / "resolved.json"
    file.write_bytes(samples.raw("metric-static-resolved"))
    said = site.run("explain", str(file)).out
    assert "opens nothing" in said
    assert "to open a work item" not in said


def test_a_mistyped_file_is_named(site: Site) -> None:
    """What can only be a path is not looked up in the store."""
    ran = site.run("explain", "nope.json")
    assert (ran.code, "there is no file nope.json" in ran.err) == (1, True)


def test_a_file_is_explained_without_a_store(site: Site, tmp_path: Path) -> None:
    """The same code runs dry: routes, and what would be sent; nothing is made on disk."""
    file = tmp_path / "alert.json"
    file.write_bytes(samples.raw("metric-static-fired"))
    document = site.run("explain", str(file), "-o", "json").json
    assert (document["http_status"], document["code"]) == (202, "accepted")  # type: ignore[index]
    assert [each["destination"] for each in document["previews"]]  # type: ignore[index]
    assert all(each["fields"] for each in document["previews"])  # type: ignore[index]
    assert "202 accepted" in site.run("explain", str(file)).out
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize(
    ("body", "answer"), [(b"{", "400 not-json"), (b'{"a": 1}', "422 "), (b" " * 600_000, "413 too-large")]
)
def test_what_the_webhook_would_refuse_is_a_negative_finding(
    site: Site, tmp_path: Path, body: bytes, answer: str
) -> None:
    """The answer of the webhook is told, and the exit code is 1."""
    (tmp_path / "body").write_bytes(body)
    ran = site.run("explain", str(tmp_path / "body"))
    assert ran.code == 1
    assert f"would answer {answer}" in ran.out


# db, check, adapters


def test_a_store_is_made_by_upgrade_alone(site: Site, tmp_path: Path) -> None:
    """Other commands say that there is none (5) and make none; db upgrade makes one, db check is content."""
    for command in (
        ["alerts", "list"],
        ["deliveries", "list"],
        ["quarantine", "list"],
        ["db", "check"],
        ["explain", "abcdef"],
    ):
        assert site.run(*command).code == 5, command
    assert "db upgrade" in site.run("alerts", "list").err
    assert not (tmp_path / "store.db").exists()
    assert site.run("db", "upgrade").code == 0
    assert "integrity  ok" in site.run("db", "check").out


def test_a_store_of_a_newer_program_is_a_finding(site: Site, store: Store) -> None:
    """db check says so with 1; a command that would use the store cannot (5)."""
    store.write(lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
    assert site.run("db", "check").code == 1
    assert site.run("alerts", "list").code == 5


def test_a_damaged_store_is_a_finding(site: Site, tmp_path: Path) -> None:
    """db check reads the whole file."""
    held = site.store()
    for number in range(200):
        accept(held, make_alert(azure_id=f"a{number}", minute=number, description="x" * 500))
    held.close()
    file = tmp_path / "store.db"
    content = bytearray(file.read_bytes())
    content[60_000:160_000] = bytes(100_000)
    file.write_bytes(content)
    ran = site.run("db", "check")
    assert ran.code in (1, 5)
    assert "damaged" in ran.err


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        (None, 1, "no `serve` or `worker` seems to run"),
        (Reason.UNREACHABLE, 5, "unreachable"),
        (Reason.UNAUTHORIZED, 4, ""),
    ],
)
def test_send_test_says_why_nothing_was_delivered(
    site: Site, store: Store, reason: Reason | None, code: int, words: str
) -> None:
    """Nobody works, the destination is down, it refuses us: three different ends."""
    if reason is not None:
        accept(store, make_alert())
        for _ in range(5):
            fail(store, reason)
    ran = site.run("send-test", "--destination", "desk", "--wait", "0")
    assert ran.code == code
    assert words in ran.err
    [sent] = [each for each in store.list_alerts(None) if each.alert.rule and each.alert.rule.startswith("TEST: ")]
    assert "send-test" in site.run("explain", sent.alert.id).out


def test_send_test_to_no_route_is_a_negative_finding(site: Site, store: Store) -> None:
    """It is stored, and the way on is named."""
    site.write_config(CONFIG.replace('family = "metric"', 'family = "other"'))
    ran = site.run("send-test", "--sample", "metric-dynamic-fired")
    assert ran.code == 1
    assert "--destination" in ran.err
    assert len(store.list_alerts(None)) == 1


def test_check_tells_what_was_understood(site: Site) -> None:
    """Destinations, routes in their order, and the distribution of each adapter."""
    ran = site.run("check")
    assert ran.code == 0
    assert re.search(r"adapter\s+mock \(itsm-connector \S+\)", ran.out)
    assert re.search(r"route 1\s+severe ones: severity = <=Sev1 -> other", ran.out)
    assert re.search(r"route 2\s+metrics: family = metric -> desk", ran.out)


def test_check_names_every_fault_at_once(site: Site) -> None:
    """Two faults far apart are both on stderr, with 3."""
    site.write_config(CONFIG.replace("tenant_id", "tenant") + 'destinations2 = ["x"]\n')
    ran = site.run("check")
    assert (ran.code, ran.out) == (3, "")
    assert "auth.tenant" in ran.err
    assert "destinations2" in ran.err


@pytest.mark.parametrize("command", ["gateway", "worker"])
def test_one_process_does_all_on_sqlite(site: Site, command: str) -> None:
    """gateway and worker are refused there (3), and the way out is named."""
    ran = site.run(command)
    assert ran.code == 3
    assert "`serve`" in ran.err


def test_check_online_asks_each_destination(site: Site) -> None:
    """One line for each finding of each destination."""
    ran = site.run("check", "--online")
    assert ran.code == 0
    assert re.search(r"^desk  ok ", ran.out, re.MULTILINE)
    assert re.search(r"^other  ok ", ran.out, re.MULTILINE)


def test_the_configuration_is_found_by_the_environment(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ITSM_CONNECTOR_CONFIG names it where --config does not, else conf/connector.toml is meant."""
    monkeypatch.setenv("ITSM_CONNECTOR_CONFIG", str(site.config))
    assert main(["check"]) == 0
    monkeypatch.delenv("ITSM_CONNECTOR_CONFIG")
    monkeypatch.chdir(site.folder)
    assert main(["check"]) == 3
    assert "conf/connector.toml" in capsys.readouterr().err


def test_the_installed_adapters_are_listed(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """With the distribution and version they come from."""
    assert main(["adapters", "list", "-o", "json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert listed["mock"].items() >= {"distribution": "itsm-connector", "loaded": True, "problem": None}.items()


@pytest.mark.parametrize("arguments", [["nonsense"], ["alerts", "list", "--limit", "0"], ["serve", "--listen", "here"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Words on stderr, nothing on stdout."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--sample", "nonsense"], "metric-static-fired"), (["--destination", "nonsense"], "desk, other")],
)
def test_send_test_lists_what_could_have_been_meant(site: Site, store: Store, arguments: list[str], words: str) -> None:
    """A wrong sample or destination is a fault of usage that names the right ones."""
    ran = site.run("send-test", *arguments)
    assert ran.code == 2
    assert words in ran.err
