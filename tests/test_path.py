"""The path of one alert, whole: a signed post goes in, a work item with its CI comes out."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from gateway import AUDIENCE, TENANT, Gateway, config, wait_for

from connector.store import Store, StoredAlert
from connector.testing import samples
from connector.testing.issuer import TokenIssuer
from connector.testing.postgres import fresh_database

SUBSCRIPTION = "7c1d5a60-3f0e-4b8a-9a57-2b9a1e6f0c11"
WEB_01 = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/prod-web/providers/Microsoft.Compute/virtualMachines/web-01"
WEB_02 = WEB_01.replace("web-01", "web-02")
NOON = datetime(2026, 4, 6, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with TokenIssuer(TENANT) as running:
        yield running


class Desk:
    """The desk's file, as a person reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def items(self, rule: str) -> list[dict[str, Any]]:
        """Return the work items whose title names the rule."""
        if not self._path.exists():
            return []
        items: list[dict[str, Any]] = json.loads(self._path.read_text())["work_items"]
        return [item for item in items if rule in item["title"].split()]

    def item(self, rule: str) -> dict[str, Any]:
        [item] = self.items(rule)
        return item


class House:
    """A running gateway with its desk and its store."""

    def __init__(self, gateway: Gateway, desk: Desk, store: Store, bearer: str) -> None:
        self.gateway, self.desk, self.store, self.bearer = gateway, desk, store, bearer

    def post(self, alert: dict[str, Any]) -> dict[str, Any]:
        """Post an alert that is taken in; return the answer."""
        answer = self.gateway.post(alert, self.bearer)
        assert answer.status_code == 202, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def stored(self, alert_id: str) -> StoredAlert:
        [found] = self.store.find_alerts([alert_id])
        return found

    def delivered(self, answer: dict[str, Any]) -> StoredAlert:
        """Return the stored alert once all of it is delivered."""
        wait_for(lambda: all(each.state == "delivered" for each in self.stored(answer["id"]).deliveries))
        return self.stored(answer["id"])


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, issuer: TokenIssuer
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    desk = f'path = "desk.json"\ncis = {{ "{WEB_01.lower()}" = "web-01 (CI)" }}\nreopen_within = "1h"'
    with ExitStack() as stack:
        url = f"sqlite:///{folder}/store.db"
        if request.param == "postgres":
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_url")))
        gateway = stack.enter_context(Gateway(config(folder, issuer, url, desk)))
        store = stack.enter_context(closing(Store.beside(url)))
        yield House(gateway, Desk(folder / "desk.json"), store, issuer.bearer(aud=AUDIENCE))


def fired(rule: str, *, alert_id: str | None = None, minute: float = 0, resource: str = WEB_01) -> dict[str, Any]:
    return samples.fresh(
        "metric-static-fired",
        alert_id=alert_id or rule,
        fired_at=NOON + timedelta(minutes=minute),
        rule=rule,
        resource=resource,
    )


def resolved(rule: str, *, alert_id: str | None = None, minute: float = 30, began: float = 0) -> dict[str, Any]:
    return samples.fresh(
        "metric-static-resolved",
        alert_id=alert_id or rule,
        fired_at=NOON + timedelta(minutes=began),
        resolved_at=NOON + timedelta(minutes=minute),
        rule=rule,
        resource=WEB_01,
    )


def test_fired_opens_with_its_ci_and_resolved_resolves(house: House) -> None:
    """One work item, its configuration item linked, resolved with a note when Azure says so."""
    first = house.delivered(house.post(fired("story")))
    item = house.desk.item("story")
    assert (item["state"], item["severity"]) == ("open", first.alert.severity)
    assert item["configuration_items"] == ["web-01 (CI)"]
    house.delivered(house.post(resolved("story")))
    item = house.desk.item("story")
    assert item["state"] == "resolved"
    assert item["notes"][-1]["kind"] == "recovered"


def test_fifty_concurrent_posts_of_one_event_make_one_delivery(house: House) -> None:
    """One of fifty is accepted, the others are told the same ids as duplicates."""
    alert, start = fired("fifty"), threading.Barrier(50)

    def post(_: int) -> dict[str, Any]:
        start.wait()
        return house.post(alert)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(post, range(50)))
    assert sorted(answer["status"] for answer in answers) == ["accepted"] + ["duplicate"] * 49
    assert len({json.dumps(answer["deliveries"]) for answer in answers}) == 1
    house.delivered(answers[0])
    assert len(house.desk.items("fifty")) == 1


def test_a_hundred_repeats_make_one_work_item_with_a_count(house: House) -> None:
    """Each repeat under an alert id of its own, as stateless rules send; the notes are few."""
    answers = [house.post(fired("hundred", alert_id=f"hundred-{n}", minute=n / 10)) for n in range(101)]
    for answer in answers:
        house.delivered(answer)
    house.delivered(house.post(resolved("hundred", alert_id="hundred-100")))
    item = house.desk.item("hundred")
    assert item["repeats"] == 100
    assert item["state"] == "resolved"
    assert len(item["notes"]) <= 2
    assert "100" in item["notes"][-1]["text"]


def test_two_resources_under_one_rule_make_two(house: House) -> None:
    """They are two series; each is resolved by its own resolved alone."""
    house.delivered(house.post(fired("two", alert_id="two-1")))
    house.delivered(house.post(fired("two", alert_id="two-2", resource=WEB_02)))
    house.delivered(house.post(resolved("two", alert_id="two-1")))
    assert sorted(item["state"] for item in house.desk.items("two")) == ["open", "resolved"]


@pytest.mark.parametrize("number", range(5))
def test_a_resolved_never_overtakes_its_fired(house: House, number: int) -> None:
    """Posted at the same moment, or the wrong way round, the trouble ends resolved, in one item."""
    rule = f"race-{number}"
    posts = [resolved(rule), fired(rule)] if number % 2 else [fired(rule), resolved(rule)]
    if number < 2:
        answers = [house.post(alert) for alert in posts]
    else:
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(house.post, posts))
    for answer in answers:
        house.delivered(answer)
    assert house.desk.item(rule)["state"] == "resolved"


def test_a_late_fired_is_opened_and_resolved_at_once(house: House) -> None:
    """An unknown resolved opens nothing; its fired arriving later is shown, and over."""
    end = house.delivered(house.post(resolved("late")))
    assert house.desk.items("late") == []
    assert [str(action) for action in end.deliveries[0].receipt.actions] == ["nothing"]  # type: ignore[union-attr]
    begin = house.delivered(house.post(fired("late")))
    assert [str(action) for action in begin.deliveries[0].receipt.actions] == ["opened", "resolved"]  # type: ignore[union-attr]
    assert house.desk.item("late")["state"] == "resolved"


def test_fired_again_soon_reopens_and_later_opens_a_linked_one(house: House) -> None:
    """By Azure's times, not ours: within `reopen_within` the same item, after it a new one."""
    house.delivered(house.post(fired("again", alert_id="again-1")))
    house.delivered(house.post(resolved("again", alert_id="again-1", minute=10)))
    house.delivered(house.post(fired("again", alert_id="again-2", minute=60)))
    assert house.desk.item("again")["state"] == "open"
    house.delivered(house.post(resolved("again", alert_id="again-2", minute=70, began=60)))
    house.delivered(house.post(fired("again", alert_id="again-3", minute=140)))
    first, second = house.desk.items("again")
    assert (first["state"], second["state"], second["previous"]) == ("resolved", "open", first["number"])


def test_a_portal_test_is_shown_and_over_and_never_a_duplicate(house: House) -> None:
    """Two identical test notifications are two work items, marked [TEST] and resolved at once."""
    for _ in range(2):
        answer = house.post(samples.load("portal-test-metric"))
        assert answer["status"] == "accepted"
        house.delivered(answer)
    rule = samples.load("portal-test-metric")["data"]["essentials"]["alertRule"]
    items = [item for item in house.desk.items("[TEST]") if rule in item["title"]]
    assert [item["state"] for item in items] == ["resolved", "resolved"]


def test_explain_has_the_whole_story(house: House) -> None:
    """Every step from the token to the work item is recorded, in order, with its reason."""
    stored = house.delivered(house.post(fired("explained")))
    steps = [each.decision.step for each in house.store.decisions_about(stored.alert.id)]
    assert steps[:3] == ["authenticated", "read", "routed"]
    assert {"lifecycle", "located", "moved"} <= set(steps)
    assert all(each.decision.why for each in house.store.decisions_about(stored.alert.id))


def test_the_metrics_tell_of_it(house: House) -> None:
    """What went in and what came out is counted."""
    house.delivered(house.post(fired("counted")))
    text = requests.get(house.gateway.url + "/metrics", timeout=10).text
    assert 'itsm_connector_webhook_requests_total{outcome="accepted",status="202"}' in text
    assert 'itsm_connector_deliveries_total{action="opened",destination="desk",outcome="delivered"}' in text
    assert 'itsm_connector_deliveries_waiting{destination="desk"}' in text
