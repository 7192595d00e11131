"""The commands that run: real processes, real signals, real HTTP, a real store between them."""

import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from connector.cli import main
from connector.store import Store
from connector.testing import samples
from connector.testing.by_hand import accept, make_alert
from connector.testing.issuer import TokenIssuer
from connector.testing.sender import ActionGroup

TENANT = "4b0f6a0e-7c1d-4f7e-9a53-0d8a7e9c1b22"
COMMAND = [sys.executable, "-c", "import sys; from connector.cli import main; sys.exit(main())"]
CONFIG = """\
config_version = 1
[gateway]
listen = "127.0.0.1:0"
[auth]
tenant_id = "{tenant}"
audiences = ["api://itsm-connector"]
authority = "{authority}"
[store]
url = "{store}"
[destinations.desk]
adapter = "mock"
path = "{folder}/desk.json"
{more}
[[routes]]
name = "all"
destinations = ["desk"]
"""


@dataclass
class Site:
    """A folder with a configuration, an issuer, and the processes started there."""

    folder: Path
    issuer: TokenIssuer
    capsys: pytest.CaptureFixture[str]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def config(self) -> str:
        return str(self.folder / "connector.toml")

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"ITSM_CONNECTOR_CONFIG": self.config}

    def configure(self, more: str = "", store: str = "") -> None:
        text = CONFIG.format(
            tenant=TENANT,
            authority=self.issuer.authority,
            folder=self.folder,
            store=store or f"sqlite:///{self.folder}/store.db",
            more=more,
        )
        Path(self.config).write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        with (self.folder / "stderr").open("a") as words:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                env=self.environment,
                text=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
            )
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command here, beside the processes: exit code, stdout, stderr."""
        self.capsys.readouterr()
        code = main([*arguments, "--config", self.config])
        return code, *self.capsys.readouterr()

    def serve(self, *arguments: str) -> "Serving":
        process = self.start(*(arguments or ("serve",)))
        block = []
        for line in process.stdout or ():
            block.append(line)
            if line.startswith("ready"):
                break
        return Serving(process, "".join(block))

    def desk(self) -> list[dict[str, object]]:
        items: list[dict[str, object]] = json.loads((self.folder / "desk.json").read_text())["work_items"]
        return items


@dataclass(frozen=True)
class Serving:
    """A process that is ready, and the block that it printed."""

    process: subprocess.Popen[str]
    block: str

    @property
    def url(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+", self.block)
        assert found is not None, self.block
        return found[0]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with TokenIssuer(TENANT) as issuer:
        yield issuer


@pytest.fixture
def site(tmp_path: Path, issuer: TokenIssuer, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    made = Site(tmp_path, issuer, capsys)
    made.configure()
    log_handlers = logging.getLogger().handlers[:]
    yield made
    logging.getLogger().handlers[:] = log_handlers
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def test_serve_says_what_runs_answers_and_ends_with_0(site: Site) -> None:
    """The block names version, adapter, destination, store and address; readyz is 200; SIGTERM ends it."""
    serving = site.serve()
    assert re.match(r"itsm-connector \S+, serve\n", serving.block)
    for words in (r"mock \(itsm-connector", r"desk \(mock\)", r"store\.db", r"/webhooks/azure-monitor"):
        assert re.search(words, serving.block)
    assert serving.block.splitlines()[-1].startswith("ready")
    group = ActionGroup(f"{serving.url}/webhooks/azure-monitor", site.issuer.bearer, delays=(0.2, 0.5, 1.0))
    response = group.post(samples.fresh("metric-static-fired"))
    assert response.status_code == 202
    assert requests.get(f"{serving.url}/readyz", timeout=5).json()["ready"] is True
    assert serving.stop() == 0
    assert not Path(site.folder / "stderr").read_text().count("Traceback")


def test_what_is_in_flight_is_finished_after_sigterm(site: Site) -> None:
    """A delivery that the desk takes a second for is settled before the process goes."""
    site.configure('latency = "300ms"')
    serving = site.serve()
    group = ActionGroup(f"{serving.url}/webhooks/azure-monitor", site.issuer.bearer, delays=(0.2, 0.5, 1.0))
    id_ = group.post(samples.fresh("metric-static-fired")).json()["id"]
    _wait_for_state(site, id_, "delivering")
    assert serving.stop() == 0
    assert _states(site, id_) == ["delivered"]
    assert len(site.desk()) == 1


def _states(site: Site, id_: str) -> list[str]:
    [document] = [each for each in json.loads(site.run("alerts", "list", "-o", "json")[1]) if each["id"] == id_]
    return [each["state"] for each in document["deliveries"]]


def _wait_for_state(site: Site, id_: str, state: str) -> None:
    pause = threading.Event()
    for _ in range(20):
        if _states(site, id_)[0] in (state, "delivered"):
            return
        pause.wait(0.05)
    raise AssertionError(f"never {state}")


def test_ctrl_c_ends_serve_like_sigterm(site: Site) -> None:
    """SIGINT is an orderly end, too."""
    assert site.serve().stop(signal.SIGINT) == 0


def test_a_second_holder_waits_for_the_first(site: Site) -> None:
    """While one process holds the store another waits, and takes over once the first has gone."""
    first = site.serve()
    second = site.start("serve")
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(2)
    assert first.stop() == 0
    assert second.stdout is not None
    assert any(line.startswith("ready") for line in iter(second.stdout.readline, ""))
    assert Serving(second, "").stop() == 0


def test_an_address_in_use_is_said_in_words(site: Site) -> None:
    """A second listener ends with 3 and names the address; the store is let go again."""
    with TokenIssuer(TENANT) as other:
        process = site.start("serve", "--listen", f"127.0.0.1:{other.port}")
        assert process.wait(30) == 3
    words = (site.folder / "stderr").read_text().splitlines()
    assert words[-1] == f"cannot listen on 127.0.0.1:{other.port}: Address already in use"
    assert "Traceback" not in "".join(words)


def test_send_test_opens_and_resolves_a_work_item(site: Site) -> None:
    """With a worker running the test is delivered, marked as a test, and its item resolved."""
    serving = site.serve()
    code, out, err = site.run("send-test", "--resolve")
    assert code == 0, err
    assert re.search(r"work item\s+MOCK\S+ is resolved", out)
    [item] = site.desk()
    assert "TEST: metric-static-fired" in str(item["title"])
    assert item["state"] == "resolved"
    assert serving.stop() == 0


def test_send_test_says_when_the_desk_refuses(site: Site) -> None:
    """A rejected delivery is a negative finding with its reason."""
    site.configure('fail = "rejected"')
    serving = site.serve()
    code, out, _ = site.run("send-test", "--destination", "desk")
    assert code == 1
    assert "rejected: the mock desk" in out
    assert serving.stop() == 0


def test_gateway_and_worker_share_a_store_on_postgresql(site: Site, postgres_database: str) -> None:
    """Each does its half; neither makes the store, `db upgrade` does."""
    site.configure(store=postgres_database)
    assert site.start("gateway").wait(30) == 5
    assert site.run("db", "upgrade")[0] == 0
    gateway, worker = site.serve("gateway"), site.serve("worker", "--listen", "127.0.0.1:0")
    group = ActionGroup(f"{gateway.url}/webhooks/azure-monitor", site.issuer.bearer, delays=(0.2, 0.5, 1.0))
    id_ = group.post(samples.fresh("metric-static-fired")).json()["id"]
    _wait_for_state(site, id_, "delivered")
    assert set(requests.get(f"{worker.url}/readyz", timeout=5).json()["checks"]) == {"store"}
    assert requests.post(f"{worker.url}/webhooks/azure-monitor", b"{}", timeout=5).status_code == 404
    assert (gateway.stop(), worker.stop()) == (0, 0)


def on_terminal(site: Site, *arguments: str, answer: str = "", **environment: str) -> tuple[int, str]:
    """Run a command as a person would, at a terminal; return the exit code and what was to be seen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments], env=site.environment | environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:  # how Linux says that the other end of a terminal is closed
        pass
    os.close(ours)
    return process.wait(30), seen.decode()


@pytest.mark.parametrize(
    ("answer", "code", "state"), [("n\n", 1, "waiting"), ("y\n", 0, "discarded"), ("\x04", 130, "waiting")]
)
def test_a_person_is_asked_before_something_is_given_up(site: Site, answer: str, code: int, state: str) -> None:
    """At a terminal discard asks: no is 1, Ctrl-D is 130, and only yes does it."""
    store = Store.hold(f"sqlite:///{site.folder}/store.db")
    id_ = accept(store, make_alert()).deliveries[0][0]
    ended, seen = on_terminal(site, "deliveries", "discard", id_, answer=answer)
    assert "Give up 1 delivery?" in seen
    assert (ended, [each.state for each in store.list_deliveries()]) == (code, [state])
    store.close()


def test_no_colour_is_honoured(site: Site) -> None:
    """Headings are bold at a terminal, and plain where NO_COLOR is set."""
    store = Store.hold(f"sqlite:///{site.folder}/store.db")
    accept(store, make_alert())
    store.close()
    assert "\x1b[1m" in on_terminal(site, "alerts", "list", TERM="xterm", NO_COLOR="")[1]
    assert "\x1b" not in on_terminal(site, "alerts", "list", TERM="xterm", NO_COLOR="1")[1]


def test_the_reader_of_a_list_may_go(site: Site) -> None:
    """A closed pipe on stdout is no error worth a word."""
    site.run("db", "upgrade")
    reader, writer = os.pipe()
    os.close(reader)
    command = [*COMMAND, "alerts", "list", "-o", "json"]
    ran = subprocess.run(command, env=site.environment, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_body_on_standard_input_is_explained(site: Site) -> None:
    """`explain -` reads the body from stdin."""
    body = samples.raw("metric-static-fired")
    ran = subprocess.run([*COMMAND, "explain", "-"], env=site.environment, input=body, capture_output=True, check=False)
    assert ran.returncode == 0
    assert b"202 accepted" in ran.stdout


def test_the_demonstration_tells_its_story(site: Site) -> None:
    """demo --once goes the whole way: let in, routed, opened with its CI, resolved; and leaves nothing."""
    environment = os.environ | {"TMPDIR": str(site.folder)}
    ran = subprocess.run([*COMMAND, "demo", "--once"], env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    story = [
        "202 accepted",
        "ActionGroupsSecureWebhook",
        "to desk",
        "is open",
        "matched by",
        "202 accepted",
        "is resolved",
    ]
    at = 0
    for words in story:
        at = ran.stdout.index(words, at) + 1
    assert not list(site.folder.glob("itsm-connector-demo-*"))


def test_the_demonstration_serves_until_it_is_stopped(site: Site) -> None:
    """Without --once it stays, its hints work as printed, and Ctrl-C ends it with 0 and no folder left."""
    environment = os.environ | {"TMPDIR": str(site.folder)}
    process = subprocess.Popen([*COMMAND, "demo"], env=environment, stdout=subprocess.PIPE, text=True)
    site.processes.append(process)
    assert process.stdout is not None
    story = ""
    while "--data" not in story:
        story += process.stdout.readline()
    folder = Path(re.search(r"ITSM_CONNECTOR_CONFIG=(\S+)/connector\.toml", story)[1])  # type: ignore[index]
    headers = {"Authorization": f"Bearer {(folder / 'token').read_text()}", "Content-Type": "application/json"}
    url = re.search(r"http://\S+/webhooks/azure-monitor", story)[0]  # type: ignore[index]
    answer = requests.post(url, (folder / "alert.json").read_bytes(), headers=headers, timeout=10)
    assert answer.status_code == 202
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0
    assert not folder.exists()


@pytest.mark.parametrize("redirection", [">&-", "> /dev/full"])
def test_an_output_that_cannot_be_written_is_no_traceback(redirection: str) -> None:
    """Closed is quiet; full is told in one line and is no finding (1) of the command."""
    command = f"exec {sys.executable} -m connector.cli adapters list {redirection}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in ended.stderr
    assert ended.returncode in (0, 5)
    assert len(ended.stderr.splitlines()) == (0 if ended.returncode == 0 else 1)
