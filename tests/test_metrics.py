"""The metrics (connector.metrics): what is counted, what is asked of the store, and their page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector.metrics import WORDS_AT_MOST, Metrics

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"


@dataclass(frozen=True)
class Waiting:
    """What waits for one destination."""

    destination: str
    waiting: int
    dead: int
    oldest_waiting_seconds: float
    paused: bool


def samples(metrics: Metrics) -> dict[str, float]:
    """Everything a scrape shows, as `name{label="value"}`, without our prefix."""
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for each in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in each.labels.items())
            found[f"{each.name}{{{labels}}}".removeprefix("itsm_connector_")] = each.value
    return found


def test_what_happened_is_counted() -> None:
    """Each method counts under the name and labels that the public page gives it."""
    metrics = Metrics()
    metrics.webhook_answered(202, "accepted", 0.02)
    metrics.auth_refused("audience-wrong")
    metrics.quarantined("not-an-alert")
    metrics.delivered("desk", ["noted", "resolved"], 1.5)
    metrics.attempt_failed("desk", "timeout")
    metrics.delivery_dead("desk")
    shown = samples(metrics)
    for name in (
        'webhook_requests_total{status="202",outcome="accepted"}',
        'auth_refusals_total{code="audience-wrong"}',
        'quarantined_total{code="not-an-alert"}',
        'deliveries_total{destination="desk",action="noted",outcome="delivered"}',
        'deliveries_total{destination="desk",action="resolved",outcome="delivered"}',
        'deliveries_total{destination="desk",action="none",outcome="dead"}',
        'delivery_attempts_total{destination="desk",reason="ok"}',
        'delivery_attempts_total{destination="desk",reason="timeout"}',
        'delivery_latency_seconds_count{destination="desk"}',
        "webhook_duration_seconds_count{}",
    ):
        assert _sorted(shown)[_sort(name)] == 1.0, name
    assert shown['delivery_latency_seconds_sum{destination="desk"}'] == 1.5
    assert shown["webhook_duration_seconds_sum{}"] == 0.02


def _sort(name: str) -> str:
    head, _, labels = name.partition("{")
    return f"{head}{sorted(labels.rstrip('}').split(','))}"


def _sorted(shown: dict[str, float]) -> dict[str, float]:
    return {_sort(name): value for name, value in shown.items()}


def test_the_backlog_is_asked_at_each_scrape() -> None:
    """What waits is what the store says at that moment, whoever did the work."""
    rows = [Waiting("desk", 3, 1, 42.5, paused=True), Waiting("pager", 0, 0, 0.0, paused=False)]
    metrics = Metrics(lambda: rows)
    shown = samples(metrics)
    names = ("deliveries_waiting", "deliveries_dead", "oldest_waiting_seconds", "breaker_open")
    assert [shown[f'{name}{{destination="desk"}}'] for name in names] == [3, 1, 42.5, 1]
    assert [shown[f'{name}{{destination="pager"}}'] for name in names] == [0, 0, 0, 0]
    assert shown["backlog_readable{}"] == 1
    rows.clear()
    assert 'deliveries_waiting{destination="desk"}' not in samples(metrics)


def test_a_store_that_fails_leaves_the_other_numbers() -> None:
    """A scrape in the hour of trouble is not an error: it shows the rest, and that the backlog is unknown."""

    def broken() -> Sequence[Waiting]:
        raise OSError("the disk is full")

    metrics = Metrics(broken)
    metrics.auth_refused("token-missing")
    shown = samples(metrics)
    assert shown["backlog_readable{}"] == 0
    assert shown['auth_refusals_total{code="token-missing"}'] == 1
    assert not [name for name in shown if name.startswith("deliveries_waiting")]


def test_no_label_grows_without_bound() -> None:
    """However many values come, a label takes a hundred, and the rest is counted together."""
    metrics = Metrics()
    for number in range(WORDS_AT_MOST + 50):
        metrics.auth_refused(f"code-{number}")
    shown = {name: value for name, value in samples(metrics).items() if name.startswith("auth_refusals_total")}
    assert len(shown) == WORDS_AT_MOST + 1
    assert shown['auth_refusals_total{code="other"}'] == 50


def test_two_processes_in_one_do_not_share_numbers() -> None:
    """Each has its own registry, so that a test or an embedding sees only its own."""
    one, other = Metrics(), Metrics()
    one.quarantined("fault")
    assert 'quarantined_total{code="fault"}' in samples(one)
    assert 'quarantined_total{code="fault"}' not in samples(other)


@pytest.fixture
def registered() -> dict[str, set[str]]:
    """The names of our metrics as they are scraped, and their labels."""
    metrics = Metrics(lambda: [Waiting("desk", 0, 0, 0, paused=False)])
    metrics.webhook_answered(202, "accepted", 0.02)
    metrics.auth_refused("x")
    metrics.quarantined("x")
    metrics.delivered("desk", ["opened"], 1)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        if family.name.startswith("itsm_connector_") and not family.name.endswith("_created"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {label for sample in family.samples for label in sample.labels}
            found[name.removeprefix("itsm_connector_")] = labels - {"le"}
    return found


def test_the_page_and_the_registry_agree(registered: dict[str, set[str]]) -> None:
    """docs/metrics.md lists every metric with its labels, and none that does not exist."""
    rows = re.findall(r"^\| `([a-z_]+)(?:\{([a-z_,]+)\})?` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: set(filter(None, labels.split(","))) for name, labels in rows} == registered
