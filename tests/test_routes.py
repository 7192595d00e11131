"""Where an alert goes, why it goes nowhere else, and in which episode (connector.routes)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.adapter import Settings
from connector.config import RouteConfig
from connector.model import Alert, Condition, Resource, Series, Severity
from connector.routes import Chosen, Routes, Routing, episode_key, wildcard_fits

SUBSCRIPTION = "7d1c0f6e-0000-4000-8000-5a5a00000001"
OTHER = "7d1c0f6e-0000-4000-8000-5a5a00000002"
CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Shop-Prod/providers/Microsoft.ContainerService/managedClusters/K1"
)
ALERT = Alert(
    id="a1",
    received_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    family="metric",
    condition=Condition.FIRED,
    series=Series("metric", (("rule", "cpu"), ("resource", "k1"))),
    service="Platform",
    rule="CPU over 90%",
    severity=Severity.SEV2,
    resources=(
        Resource(CLUSTER, "K1", SUBSCRIPTION, "Shop-Prod", "microsoft.containerservice/managedclusters"),
        Resource("node-7", "node-7"),
    ),
    dimensions=(("Pool", "Spot"), ("Pool", "System")),
    labels=(("namespace", "shop/web"),),
    custom=(("team", "db"),),
    subscriptions=(SUBSCRIPTION,),
)


def route(name: str = "r", to: Sequence[str] = ("snow",), **more: Any) -> RouteConfig:
    return RouteConfig.model_validate({"name": name, "destinations": list(to), **more})


def choose(*routes: RouteConfig, alert: Alert = ALERT, **on_test: str) -> Routing:
    destinations = {name: Settings.model_validate({"adapter": "x", "on_test": how}) for name, how in on_test.items()}
    return Routes(routes, destinations).choose(alert)


def whys(routing: Routing) -> list[tuple[str, str]]:
    return [(each.outcome, each.why) for each in routing.decisions]


def matches(match: dict[str, Any], alert: Alert = ALERT) -> bool:
    return bool(choose(route(match=match), alert=alert).destinations)


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ("<=Sev1", "01"),
        ("<Sev1", "0"),
        (">=Sev3", "34"),
        (">Sev3", "4"),
        ("=Sev2", "2"),
        ("Sev2", "2"),
        ("<= sev2", "012"),
    ],
)
def test_severity_conditions(condition: str, met: str) -> None:
    """Sev0 is the most severe and the least number; the operators compare numbers."""
    found = [each for each in Severity if matches({"severity": condition}, replace(ALERT, severity=each))]
    assert "".join(each[-1] for each in found) == met


@pytest.mark.parametrize("condition", ["<=Sev4", ">=Sev0", "Sev0"])
def test_an_alert_without_severity_meets_no_severity_condition(condition: str) -> None:
    """A budget alert has none: a condition that every severity meets is still not met."""
    assert not matches({"severity": condition}, replace(ALERT, severity=None))
    assert matches({}, replace(ALERT, severity=None))


CONDITIONS = [
    ({"subscription": SUBSCRIPTION.upper()}, True),
    ({"subscription": "7d1c0f6e-*"}, True),
    ({"subscription": OTHER}, False),
    ({"resource_group": "shop-*"}, True),
    ({"resource_group": "SHOP-PROD"}, True),
    ({"resource_group": "shop"}, False),
    ({"resource": "*/managedclusters/k?"}, True),
    ({"resource": "k1"}, True),
    ({"resource": "NODE-*"}, True),
    ({"resource": "k2"}, False),
    ({"resource_type": "Microsoft.ContainerService/*"}, True),
    ({"resource_type": "microsoft.compute/*"}, False),
    ({"service": "platform"}, True),
    ({"service": "Log*"}, False),
    ({"family": "metric"}, True),
    ({"family": "log"}, False),
    ({"rule": "cpu*"}, True),
    ({"rule": "cpu over ??%"}, True),
    ({"rule": "cpu over [0-9][0-9]%"}, False),
    ({"rule": "cpu.over.90%"}, False),
    ({"rule": "cpu|.*"}, False),
    ({"rule": "over"}, False),
    ({"custom": {"team": "d?"}}, True),
    ({"custom": {"TEAM": "DB"}}, True),
    ({"custom": {"team": "web"}}, False),
    ({"custom": {"owner": "*"}}, False),
    ({"dimensions": {"pool": "system"}}, True),
    ({"dimensions": {"pool": "*"}}, True),
    ({"dimensions": {"node": "*"}}, False),
    ({"labels": {"namespace": "shop*"}}, True),
    ({"labels": {"namespace": "web"}}, False),
    ({"severity": "Sev2", "rule": "cpu*", "custom": {"team": "db"}}, True),
    ({"severity": "Sev2", "rule": "cpu*", "custom": {"team": "db"}, "labels": {"pod": "*"}}, False),
]


@pytest.mark.parametrize(("match", "met"), CONDITIONS)
def test_conditions(match: dict[str, Any], met: bool) -> None:
    """Each condition is a pattern over the whole text without regard to case, and all must hold."""
    assert matches(match) is met


BARE = Alert("a2", ALERT.received_at, "", Condition.FIRED, ALERT.series)


@pytest.mark.parametrize(
    "key", ["subscription", "resource_group", "resource", "resource_type", "service", "family", "rule"]
)
def test_what_an_alert_does_not_have_fits_no_pattern(key: str) -> None:
    """Not even `*`, and the reason says that it is absent."""
    routing = choose(route(match={key: "*"}), alert=BARE)
    assert whys(routing)[0] == ("skipped", f"route r: {key} absent is not *")


def test_any_subscription_of_the_alert_counts() -> None:
    """A subscription that only a resource or only the alert itself names is enough."""
    only_resource = replace(ALERT, subscriptions=())
    only_alert = replace(ALERT, subscriptions=(OTHER, SUBSCRIPTION), resources=())
    assert matches({"subscription": SUBSCRIPTION}, only_resource)
    assert matches({"subscription": SUBSCRIPTION}, only_alert)


def test_the_first_match_wins() -> None:
    """Routes after the first that matches are not asked."""
    routing = choose(route("a", ["snow"]), route("b", ["jira"]))
    assert [(each.destination, each.route) for each in routing.destinations] == [("snow", "a")]
    assert len(routing.decisions) == 1


def test_a_route_that_continues_adds_to_the_next() -> None:
    """With `continue` the next match adds its destinations, and the one after is not asked."""
    routes = (route("a", ["snow"], **{"continue": True}), route("b", ["jira"]), route("c", ["mail"]))
    assert [each.destination for each in choose(*routes).destinations] == ["snow", "jira"]


def test_a_destination_hears_an_alert_once_and_the_first_route_groups() -> None:
    """However often it is named; the second naming is told as a decision."""
    first = route("a", ["snow", "snow"], group_by=["rule"], **{"continue": True})
    routing = choose(first, route("b", ["jira", "snow"], group_by=["service"]))
    assert routing.destinations == (
        Chosen("snow", episode_key(ALERT, ["rule"]), "a"),
        Chosen("jira", episode_key(ALERT, ["service"]), "b"),
    )
    assert ("skipped", "route b: snow hears of it already, by route a") in whys(routing)


def test_decisions_name_the_first_failing_condition() -> None:
    """Skipped routes say why; the one that matched says where to and what comes after it."""
    routing = choose(
        route("a", match={"severity": "<=Sev1", "rule": "memory*"}),
        route("b", match={"rule": "memory*"}),
        route("c", match={"custom": {"team": "web"}}),
        route("d", match={"labels": {"pod": "*"}}),
        route("e", match={"resource": "k2"}),
        route("f", match={"severity": "=Sev2", "rule": "cpu*", "custom": {"team": "db"}}),
    )
    assert whys(routing) == [
        ("skipped", "route a: severity Sev2 is not <=Sev1"),
        ("skipped", "route b: rule CPU over 90% is not memory*"),
        ("skipped", "route c: custom.team is not web"),
        ("skipped", "route d: labels.pod is absent"),
        ("skipped", f"route e: resource {CLUSTER[:80]}… (and 2 more) is not k2"),
        ("matched", "route f: to snow (severity Sev2, rule cpu*, custom.team db; no route after it is asked)"),
    ]
    assert [each.data["route"] for each in routing.decisions] == list("abcdef")
    assert {each.step for each in routing.decisions} == {"routed"}


def test_an_alert_that_no_route_takes() -> None:
    """It goes nowhere and the last decision says so; no routes at all are the same."""
    routing = choose(route("a", match={"severity": "Sev0"}))
    assert (routing.destinations, whys(routing)[-1]) == ((), ("unrouted", "no route takes it to a destination"))
    assert [each.outcome for each in choose().decisions] == ["unrouted"]


def test_hostile_values_do_not_reach_the_decisions() -> None:
    """Line breaks, escapes and endless texts of an alert cannot shape a decision's words."""
    hostile = replace(ALERT, rule="x\r\n2026 ERROR forged \x1b[31m" + "y" * 10_000)
    why = choose(route(match={"rule": "z"}), alert=hostile).decisions[0].why
    assert why.isprintable()
    assert len(why) < 200


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=40), st.text(min_size=1, max_size=40).filter(str.strip))
def test_no_text_breaks_the_matching(text: str, pattern: str) -> None:
    """Any text and any pattern give an answer; a plain text always fits itself, in any case."""
    alert = replace(ALERT, rule=text)
    matches({"rule": pattern}, alert)
    if text.strip() and "[" not in text:
        assert matches({"rule": text}, alert)


TEST = replace(ALERT, id="t1", test=True)


def test_a_test_notification_is_an_episode_of_its_own() -> None:
    """Two of them never share one, whatever the grouping, and none joins a real alert's."""
    keys = {episode_key(each, group) for each in (TEST, replace(TEST, id="t2"), ALERT) for group in ([], ["rule"])}
    assert len(keys) == 4
    assert episode_key(TEST, []) == episode_key(TEST, ["rule"])


def test_a_destination_may_keep_tests_to_the_store() -> None:
    """With on_test = "store" a test notification does not go there, a real alert does, and others hear both."""
    routes = route("a", ["snow", "jira"])
    tested = choose(routes, alert=TEST, snow="store", jira="deliver")
    assert [each.destination for each in tested.destinations] == ["jira"]
    assert ("stored", "route a: snow is not told of test notifications (on_test is store)") in whys(tested)
    real = choose(routes, snow="store", jira="deliver")
    assert [each.destination for each in real.destinations] == ["snow", "jira"]


def test_a_test_that_is_only_stored_still_took_its_route() -> None:
    """It is stored without a delivery, and the decisions say both."""
    outcomes = [each.outcome for each in choose(route(), route("next"), alert=TEST, snow="store").decisions]
    assert outcomes == ["matched", "stored", "unrouted"]


def test_without_grouping_the_series_decides() -> None:
    """The key is that of the series, or of its trouble where the family has a wider one."""
    assert episode_key(ALERT, []) == ALERT.series.key
    health = replace(ALERT, series=replace(ALERT.series, trouble=(("tracking", "XY12-ABC"),)))
    assert episode_key(health, []) == health.series.episode_key != health.series.key


ELSEWHERE = replace(
    ALERT,
    id="a3",
    rule="cpu OVER 90%",
    resources=(Resource("/subscriptions/s/resourceGroups/shop-prod/providers/a/b/K2", "K2", OTHER, "shop-prod"),),
    series=Series("metric", (("rule", "cpu"), ("resource", "k2"))),
    dimensions=(("pool", "System"), ("pool", "Spot")),
    subscriptions=(OTHER,),
    custom=(("team", "web"),),
)


@pytest.mark.parametrize(
    ("group_by", "together"),
    [
        (["rule"], True),
        (["resource_group"], True),
        (["rule", "resource_group"], True),
        (["family", "service"], True),
        (["dimensions.pool"], True),
        (["labels.namespace"], True),
        (["resource"], False),
        (["rule", "resource"], False),
        (["rule", "subscription"], False),
        (["custom.team"], False),
        ([], False),
    ],
)
def test_grouping(group_by: list[str], together: bool) -> None:
    """Alerts of two resources share an episode when all the named fields agree, without regard to case."""
    assert (episode_key(ALERT, group_by) == episode_key(ELSEWHERE, group_by)) is together


def test_equal_values_of_different_fields_are_not_one_group() -> None:
    """The names of the fields are part of the key."""
    alert = replace(ALERT, rule="platform", service="Platform")
    assert episode_key(alert, ["rule"]) != episode_key(alert, ["service"])


def test_renaming_a_route_and_reordering_its_fields_split_nothing() -> None:
    """Only the fields and their values are in the key."""
    one = choose(route("old", group_by=["rule", "service", "dimensions.Pool"])).destinations[0]
    two = choose(route("new", group_by=["service", "rule", "dimensions.pool", "rule"])).destinations[0]
    assert one.episode_key == two.episode_key


def test_alerts_without_any_of_the_fields_are_not_thrown_together() -> None:
    """Where nothing of what is grouped by is there, the series decides."""
    assert episode_key(ALERT, ["custom.owner"]) == ALERT.series.episode_key
    assert episode_key(ELSEWHERE, ["custom.owner"]) == ELSEWHERE.series.episode_key


def test_episode_keys_stay_the_same_for_ever() -> None:
    """Stored episodes are found by these keys after an upgrade: changing them splits open work items."""
    assert episode_key(ALERT, ["rule", "dimensions.pool"]) == "bad4d8680a6d56021ffcf7e8b8f909594dcf76b8"
    assert episode_key(TEST, []) == "73329802a870a2ed64016f72be0fe38dac831ddd"


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("[PROD]*", "[PROD] cpu", True),
        ("[PROD]*", "Dxx", False),
        ("*]", "cpu [db]", True),
        ("cp?", "cpu", True),
        ("c.u", "cpu", False),
        ("*", "", True),
        ("a*c", "a\nb\nc", True),
    ],
)
def test_only_the_star_and_the_question_mark_are_wildcards(pattern: str, name: str, fits: bool) -> None:
    """Rules are often named with brackets: those stand for themselves."""
    assert wildcard_fits(pattern, name) is fits
