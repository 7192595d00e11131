"""`kill -9` under load: nothing accepted is lost, and nothing is opened twice.

The gateway, the token issuer's keys, the store and the desk are real processes and files; the desk
lives in a process of its own that nobody kills.
"""

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from gateway import AUDIENCE, TENANT, Gateway, config, wait_for

from connector.store import Store
from connector.testing import samples
from connector.testing.issuer import TokenIssuer

POSTERS = 6
ANSWER_AFTER = 0.05

BLIND = """
from adapters.mock import MockAdapter

class Blind(MockAdapter):
    def find(self, correlation):
        return None
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with TokenIssuer(TENANT) as running:
        yield running


@contextmanager
def desk_process(commits: str, seconds: float) -> Iterator[str]:
    """Run a desk in a process of its own; yields its URL."""
    command = [sys.executable, str(Path(__file__).with_name("slow_desk.py")), commits, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture
def desk() -> Iterator[str]:
    """A desk that does at once what it is asked, and answers a little later."""
    with desk_process("early", ANSWER_AFTER) as url:
        yield url


@pytest.fixture
def late_desk() -> Iterator[str]:
    """A desk that does late what it is asked: a look-up right after a kill finds nothing yet."""
    with desk_process("late", 2.5) as url:  # longer than a restart takes
        yield url


class Posters:
    """Posts distinct fired alerts, as many action groups do, and remembers which were answered 202."""

    def __init__(self, authorization: str) -> None:
        self._headers = {"Authorization": authorization}
        self._lock = threading.Lock()
        self._count = 0
        self.accepted: set[str] = set()

    def post_until(self, gateway: Gateway, stop: threading.Event) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._post, args=(gateway.url, stop)) for _ in range(POSTERS)]
        for thread in threads:
            thread.start()
        return threads

    def _post(self, url: str, stop: threading.Event) -> None:
        with requests.Session() as session:
            while not stop.is_set():
                rule = self._next_rule()
                alert = samples.fresh("metric-static-fired", alert_id=f"{rule}", fired_at=datetime.now(UTC), rule=rule)
                with suppress(requests.RequestException):
                    answer = session.post(
                        f"{url}/webhooks/azure-monitor", json=alert, headers=self._headers, timeout=10
                    )
                    if answer.status_code == 202:
                        self.accepted.add(rule)
                time.sleep(0.01)

    def _next_rule(self) -> str:
        with self._lock:
            self._count += 1
            return f"rule-{self._count:05d}"


def kill_under_load(path: Path, posters: Posters, rounds: int) -> list[datetime]:
    """Start, load and kill the gateway again and again; return when each round began."""
    chance, began = random.Random(20260302), []
    for _ in range(rounds):
        began.append(datetime.now(UTC))
        gateway, stop = Gateway(path).start(), threading.Event()
        threads = posters.post_until(gateway, stop)
        time.sleep(0.15 + 0.35 * chance.random())
        gateway.kill()
        stop.set()
        for thread in threads:
            thread.join()
    return began


def finish(path: Path, store_url: str) -> None:
    with Gateway(path), closing(Store.beside(store_url)) as store:
        wait_for(lambda: not any(each.waiting for each in store.backlog()), 120)


def items_by_rule(desk: str) -> Counter[str]:
    """Return how many work items the desk has for each rule."""
    items: list[dict[str, Any]] = requests.get(f"{desk}/work_items", timeout=30).json()["work_items"]
    return Counter(word for item in items for word in item["title"].split() if word.startswith("rule-"))


def adoptions(store_url: str) -> list[datetime]:
    """Return when work items were found by a look-up and adopted."""
    with closing(Store.beside(store_url)) as store:
        alerts = [each.alert.id for each in store.list_alerts(None)]
        recorded = [each for alert in alerts for each in store.decisions_about(alert)]
    return [each.at for each in recorded if (each.decision.step, each.decision.outcome) == ("found", "adopted")]


def rounds_with_an_adoption(store_url: str, began: list[datetime]) -> set[int]:
    """Return the numbers of the rounds (the last is the one in peace) in which something was adopted."""
    return {sum(start <= at for start in began) for at in adoptions(store_url)}


def check(desk: str, posters: Posters) -> None:
    """Every accepted event has its work item, and no work item has a twin."""
    items = items_by_rule(desk)
    assert posters.accepted - set(items) == set(), "accepted and lost"
    assert {rule: count for rule, count in items.items() if count > 1} == {}, "opened twice"


@pytest.mark.parametrize("rounds", [20])
def test_twenty_kills_on_the_embedded_store(tmp_path: Path, issuer: TokenIssuer, desk: str, rounds: int) -> None:
    """No accepted event is lost, none has a second work item, and at least five rounds adopted one."""
    url = f"sqlite:///{tmp_path}/store.db"
    path = config(tmp_path, issuer, url, f'url = "{desk}"')
    posters = Posters(issuer.bearer(aud=AUDIENCE))
    began = kill_under_load(path, posters, rounds)
    finish(path, url)
    assert len(posters.accepted) > rounds
    check(desk, posters)
    assert len(rounds_with_an_adoption(url, began)) >= 5


def test_kills_on_postgresql(tmp_path: Path, issuer: TokenIssuer, desk: str, postgres_database: str) -> None:
    """The same on PostgreSQL, where the next worker waits until the killed one's heartbeat is missed."""
    path = config(tmp_path, issuer, postgres_database, f'url = "{desk}"')
    posters = Posters(issuer.bearer(aud=AUDIENCE))
    kill_under_load(path, posters, 3)
    finish(path, postgres_database)
    check(desk, posters)
    assert adoptions(postgres_database)


def test_kills_while_the_desk_commits_late(tmp_path: Path, issuer: TokenIssuer, late_desk: str) -> None:
    """What the desk makes only after the restart is waited for, found, and not made again."""
    url = f"sqlite:///{tmp_path}/store.db"
    path = config(tmp_path, issuer, url, f'url = "{late_desk}"')
    path.write_text(path.read_text().replace('timeout = "1s"', 'timeout = "5s"'))
    posters = Posters(issuer.bearer(aud=AUDIENCE))
    for _ in range(2):
        gateway, stop = Gateway(path).start(), threading.Event()
        threads = posters.post_until(gateway, stop)
        time.sleep(0.3)  # the calls are under way, and none is done
        gateway.kill()
        stop.set()
        for thread in threads:
            thread.join()
    finish(path, url)
    check(late_desk, posters)
    assert adoptions(url)


def test_without_the_look_up_the_same_check_fails(tmp_path: Path, issuer: TokenIssuer, desk: str) -> None:
    """The check above can fail: an adapter that never finds its items opens some of them twice."""
    blind = tmp_path / "blind"
    (blind / "blind-1.0.dist-info").mkdir(parents=True)
    (blind / "blind_adapter.py").write_text(BLIND)
    (blind / "blind-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: blind\nVersion: 1.0\n")
    entry = "[itsm_connector.adapters]\nblind = blind_adapter:Blind\n"
    (blind / "blind-1.0.dist-info" / "entry_points.txt").write_text(entry)
    url = f"sqlite:///{tmp_path}/store.db"
    path = config(tmp_path, issuer, url, f'url = "{desk}"')
    path.write_text(path.read_text().replace('adapter = "mock"', 'adapter = "blind"'))
    posters = Posters(issuer.bearer(aud=AUDIENCE))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(blind))
        kill_under_load(path, posters, 6)
        finish(path, url)
    with pytest.raises(AssertionError, match="opened twice"):
        check(desk, posters)
