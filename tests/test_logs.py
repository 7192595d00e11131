"""The log (connector.logs): one line each, no secrets, nothing a stranger could forge."""

import io
import json
import logging
import os
import pty
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from connector import logs
from connector.adapter import Secret
from connector.model import Action, Decision

log = structlog.get_logger("tests")

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.eyJhdWQiOiJhcGk6Ly94In0.c2lnbmF0dXJl"


class Lines(io.StringIO):
    """A stream that is no terminal, read back as JSON lines."""

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def only(self) -> dict[str, Any]:
        (line,) = self.all()
        return line


@pytest.fixture
def lines() -> Iterator[Lines]:
    out = Lines()
    logs.configure("info", stream=out)
    yield out
    logs.configure("critical", stream=io.StringIO())


def test_a_decision_is_one_line(lines: Lines) -> None:
    """It says which step, what came of it, why, and whose it is."""
    decided = Decision("routed", "desk", "first match: production", {"route": "production"})
    logs.decision(log, decided, alert="a-1", destination="desk")
    line = lines.only()
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "level": "info",
        "event": "decided",
        "step": "routed",
        "outcome": "desk",
        "why": "first match: production",
        "data": {"route": "production"},
        "alert": "a-1",
        "destination": "desk",
    }


@pytest.mark.parametrize(
    "key",
    [
        *("authorization", "Authorization", "token", "access_token", "accessToken", "password", "DB-Password"),
        *("client_secret", "secrets", "claims", "cookie", "Set-Cookie", "api_key", "api-key", "private_key", "pwd"),
    ],
)
def test_values_of_secret_keys_are_struck_out(lines: Lines, key: str) -> None:
    """Whatever stands under a name that means a secret, at the top or deep inside."""
    log.info("x", **{key: "hunter2"}, data={"inner": [{key: {"more": "hunter2"}}]})
    assert "hunter2" not in lines.getvalue()
    assert lines.only()[key] == "***"


def test_keys_that_only_sound_secret_are_left(lines: Lines) -> None:
    """What operators search for stays readable."""
    log.info("x", token_version="2.0", key="3f2a", keys=["k1"], code="token-expired", secret_source="env SNOW_PASSWORD")
    line = lines.only()
    assert (line["token_version"], line["key"], line["keys"], line["code"]) == ("2.0", "3f2a", ["k1"], "token-expired")
    assert line["secret_source"] == "env SNOW_PASSWORD"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"refused {JWT}", "eyJ"),
        (f"refused {JWT[:60]}", "eyJ"),
        (f"Authorization: Bearer {JWT}", "hbGciOi"),
        ("sent Bearer 0123456789abcdef", "0123456789abcdef"),
        ("sent bearer\tabc.def-ghi", "abc.def"),
        ("sent Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
        ("'Authorization': 'Basic dXNlcjpodW50ZXIy'", "dXNlcjpodW50ZXIy"),
        ("at postgresql+psycopg://connector:hunter2@db/alerts", "hunter2"),
        ("at https://hook.example/x?sig=hunter2&sv=1", "hunter2"),
        ("grant_type=password&client_secret=hunter2", "hunter2"),
        ('{"password": "hunter2", "a": 1}', "hunter2"),
        ("host=db password=hunter2 user=x", "hunter2"),
        ("written by jane.doe@example.org", "jane.doe"),
    ],
)
def test_secrets_and_people_in_any_text_are_struck_out(lines: Lines, text: str, secret: str) -> None:
    """Also inside a sentence, a list, an error or the name of a key."""
    log.warning(text, why=text, nested=[{"a": (text,)}], error=ValueError(text))
    logs.decision(log, Decision("x", "y", text, {text: text}))
    assert secret not in lines.getvalue()
    assert "***" in lines.all()[0]["why"]


def test_secrets_in_traces_are_struck_out(lines: Lines) -> None:
    """A trace carries the message of its exception."""
    try:
        raise ValueError(f"cannot use {JWT}")
    except ValueError as error:
        log.error("fault", exc_info=error)
    line = lines.only()
    assert "eyJ" not in line["exception"]
    assert "ValueError: cannot use ***" in line["exception"]
    assert "test_secrets_in_traces_are_struck_out" in line["exception"]


def test_a_secret_setting_prints_as_stars(lines: Lines) -> None:
    """A Secret is never opened by logging it."""
    log.info("x", held=Secret(env="PATH"), among=[Secret(env="PATH")])
    assert (lines.only()["held"], lines.only()["among"]) == ("***", ["***"])
    assert os.environ["PATH"] not in lines.getvalue()


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ('rule\n{"level": "info"}', 'rule\\n{"level": "info"}'),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\x1b[2J\x07\x00", "\\u001b[2J\\u0007\\u0000"),
        ("\x9b31m\x7f", "\\u009b31m\\u007f"),
        ("line\u2028para\u2029", "line\\u2028para\\u2029"),
        ("left\u202eright\u2066", "left\\u202eright\\u2066"),
        ("lone \ud800", "lone \\ud800"),
        ("Größe 測定 ✓", "Größe 測定 ✓"),
    ],
)
def test_nothing_in_a_value_can_end_a_line_or_steer_a_terminal(lines: Lines, hostile: str, shown: str) -> None:
    """Control characters are shown as escapes, in texts, keys and events; letters of all scripts stay."""
    log.info(hostile, rule=hostile, nested={hostile: [hostile]})
    line = lines.only()
    assert (line["event"], line["rule"], line["nested"]) == (shown, shown, {shown: [shown]})


def test_lengths_and_depths_are_bounded(lines: Lines) -> None:
    """A body of megabytes makes a line of kilobytes, and says how much was cut."""
    deep: Any = "bottom"
    for _ in range(100):
        deep = [deep]
    log.info("x", long="y" * 1_000_000, many=list(range(10_000)), wide={str(n): n for n in range(10_000)}, deep=deep)
    line = lines.only()
    assert len(lines.getvalue()) < 10_000
    assert line["long"].startswith("yyy")
    assert line["long"].endswith("…(1000000)")


def test_values_json_does_not_know_are_written_all_the_same(lines: Lines) -> None:
    """No value can make a line vanish or be no JSON."""
    moment = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    log.info("x", nan=float("nan"), huge=10**5000, raw=b"\xff\x00", at=moment, action=Action.OPENED, kinds={"a"})
    line = lines.only()
    assert (line["nan"], line["raw"], line["action"], line["kinds"]) == ("nan", "2 bytes", "opened", ["a"])
    assert line["huge"] == "integer of 16610 bits"
    assert line["at"] == "2026-03-02T12:00:00+00:00"


def test_libraries_take_the_same_way_out(lines: Lines) -> None:
    """What waitress or alembic says is a cleaned JSON line with the name of its logger."""
    logging.getLogger("waitress").warning("Client gone: %s", f"/x\n{JWT}")
    line = lines.only()
    assert (line["level"], line["logger"], line["event"]) == ("warning", "waitress", "Client gone: /x\\n***")


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warning", 2), ("ERROR", 1)])
def test_the_level_is_that_of_both(level: str, shown: int) -> None:
    """One argument sets how much our own code and libraries say."""
    out = Lines()
    logs.configure(level, stream=out)
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("x")
        getattr(logging.getLogger("some.library"), name)("x")
    logs.configure("critical", stream=io.StringIO())
    assert len(out.all()) == 2 * shown


def test_what_a_request_bound_is_on_its_lines(lines: Lines) -> None:
    """A request id that was bound once is on every line until it is let go of."""
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        log.info("inside")
        logging.getLogger("some.library").warning("inside")
    log.info("outside")
    assert [line.get("request_id") for line in lines.all()] == ["r-1", "r-1", None]


def on_a_terminal() -> str:
    """What a terminal gets to see of two lines, one of them with a trace."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as seen, os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        logs.configure("info", stream=terminal)
        log.info("listening", address="127.0.0.1:8080", rule="a\nb \x1b[2J")
        try:
            raise ValueError("bad\nlevel=info event=forged")
        except ValueError as error:
            log.error("fault", exc_info=error)
        logs.configure("critical", stream=io.StringIO())
        terminal.write("END\n")
        terminal.flush()
        shown = b""
        while b"END" not in shown:
            shown += seen.read(65536)
        return shown.decode()


def test_a_person_at_a_terminal_reads_words() -> None:
    """No JSON there; traces are set off so that no line of theirs passes for one of ours."""
    shown = on_a_terminal()
    assert "listening" in shown
    assert "127.0.0.1:8080" in shown
    assert '{"' not in shown
    assert "\x1b[2J" not in shown
    assert "    | level=info event=forged" in shown


@pytest.mark.parametrize(("value", "colours"), [(None, True), ("", True), ("1", False)])
def test_no_color_is_honoured(value: str | None, colours: bool) -> None:
    """A terminal gets colours unless NO_COLOR is set and not empty (no-color.org)."""
    before = os.environ.pop("NO_COLOR", None)
    try:
        if value is not None:
            os.environ["NO_COLOR"] = value
        assert ("\x1b[" in on_a_terminal()) is colours
    finally:
        os.environ.pop("NO_COLOR", None)
        if before is not None:
            os.environ["NO_COLOR"] = before
