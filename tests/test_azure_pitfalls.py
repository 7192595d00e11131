"""The traps of Azure Monitor's payloads, each on a sample changed in that one way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.azure import NotAnAlert, read_alert
from connector.model import Alert, Condition, Severity
from connector.testing import samples

RECEIVED = datetime(2026, 3, 10, tzinfo=UTC)
SUBSCRIPTION = "6f1d2a40-93b7-4c1e-8a55-0c9e4d7f1b23"
WEB_01 = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/prod-web/providers/microsoft.compute/virtualmachines/web-01"

Change = Callable[[dict[str, Any]], object]


def read(document: object, body: str = "body", nonce: str = "once") -> Alert:
    """Read a document as a request with this body and this number."""
    return read_alert(document, received_at=RECEIVED, body_digest=body, nonce=nonce)


def changed(name: str, **essentials: object) -> Alert:
    """Read a sample with other essentials."""
    sample = samples.load(name)
    sample["data"]["essentials"].update(essentials)
    return read(sample)


def with_context(name: str, context: object, **essentials: object) -> Alert:
    """Read a sample with another context."""
    sample = samples.load(name)
    sample["data"]["alertContext"] = context
    sample["data"]["essentials"].update(essentials)
    return read(sample)


def test_the_same_event_has_the_same_id_whenever_it_comes() -> None:
    """The time of receipt and the order of keys are no part of the identity."""
    sample = samples.load("metric-static-fired")
    backwards = {name: sample[name] for name in reversed(list(sample))}
    later = read_alert(backwards, received_at=datetime(2027, 1, 1, tzinfo=UTC), body_digest="other", nonce="two")
    assert later.id == read(sample).id
    assert len(later.id) == 32


def test_the_spelling_of_an_alert_id_does_not_matter() -> None:
    """With and without the resource as scope, in any case, it is one alert."""
    plain = read(samples.load("metric-static-fired"))
    tail = str(plain.azure_alert_id).rpartition("/")[2]
    scoped = changed(
        "metric-static-fired", alertId=f"{WEB_01}/providers/Microsoft.AlertsManagement/alerts/{tail}".upper()
    )
    assert scoped.azure_key == plain.azure_key
    assert scoped.id == plain.id


@pytest.mark.parametrize(
    "essentials",
    [
        {"monitorCondition": "Resolved", "resolvedDateTime": "2026-03-09T08:14:27.3518204Z"},
        {"firedDateTime": "2026-03-09T08:14:27.3518205Z"},
        {"alertId": "another"},
    ],
    ids=["condition", "time beyond the microsecond", "alert id"],
)
def test_another_condition_time_or_alert_is_another_event(essentials: dict[str, str]) -> None:
    """Each part of the event key tells events apart; the time by its text."""
    assert changed("metric-static-fired", **essentials).id != changed("metric-static-fired").id


def test_the_time_of_a_resolved_is_its_own() -> None:
    """Two resolved of one alert differ by resolvedDateTime; they share firedDateTime."""
    first, second = (
        changed("metric-static-resolved"),
        changed("metric-static-resolved", resolvedDateTime="2026-03-10T00:00:00Z"),
    )
    assert first.id != second.id
    assert first.time_text == "2026-03-09T08:31:05.77Z"


@pytest.mark.parametrize("missing", ["alertId", "firedDateTime"])
def test_without_an_id_or_a_time_the_body_is_the_event(missing: str) -> None:
    """Two bodies are two events; one body twice is one."""
    sample = samples.load("metric-static-fired")
    sample["data"]["essentials"][missing] = None
    assert read(sample, body="one").id == read(sample, body="one").id
    assert read(sample, body="one").id != read(sample, body="two").id


def test_the_origin_alert_id_takes_no_part() -> None:
    """It is stable per rule for metrics and new per firing for logs: no identity at all."""
    other = changed("metric-static-fired", originAlertId="something else")
    assert (other.id, other.series.key) == (
        changed("metric-static-fired").id,
        changed("metric-static-fired").series.key,
    )


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("Fired", Condition.FIRED),
        ("fired", Condition.FIRED),
        ("Resolved", Condition.RESOLVED),
        ("RESOLVED", Condition.RESOLVED),
        ("Activated", Condition.FIRED),
        ("Deactivated", Condition.RESOLVED),
    ],
)
def test_states_are_read_without_regard_to_case(word: str, condition: Condition) -> None:
    """Common and older words alike."""
    alert = changed("metric-static-fired", monitorCondition=word)
    assert (alert.condition, alert.warnings) == (condition, ())


@pytest.mark.parametrize("word", [None, "", "Paused", 7, ["Resolved"]])
def test_an_unknown_state_is_fired_with_a_warning(word: object) -> None:
    """An alert too many is better than one lost."""
    alert = changed("metric-static-fired", monitorCondition=word)
    assert alert.condition is Condition.FIRED
    assert len(alert.warnings) == 1


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ("Sev0", Severity.SEV0),
        ("sev4", Severity.SEV4),
        ("3", Severity.SEV3),
        (2, Severity.SEV2),
        (2.0, Severity.SEV2),
        ("Sev5", None),
        ("Warning", None),
        ("", None),
        (None, None),
        (True, None),
        (["Sev1"], None),
        (-1, None),
    ],
)
def test_a_severity_is_one_of_five_or_none(value: object, severity: Severity | None) -> None:
    """Digits count, words are never guessed at."""
    assert changed("metric-static-fired", severity=value).severity is severity


def test_configuration_items_are_names_ids_or_missing() -> None:
    """A name of the target is the target; another name is a further candidate; an id is an id."""
    assert [each.key for each in changed("metric-static-fired", configurationItems=["WEB-01"]).resources] == [WEB_01]
    assert [each.id for each in changed("metric-static-fired", configurationItems=["web-09"]).resources][1:] == [
        "web-09"
    ]
    assert [each.key for each in changed("metric-static-fired", configurationItems=[WEB_01.upper()]).resources] == [
        WEB_01
    ]
    assert [each.key for each in changed("metric-static-fired", configurationItems=None).resources] == [WEB_01]


def test_a_bare_name_is_enough() -> None:
    """Resolved alerts of some rules name no target."""
    (resource,) = changed("metric-static-fired", alertTargetIDs=None, configurationItems=["web-01"]).resources
    assert (resource.id, resource.is_arm, resource.type) == ("web-01", False, None)


def test_no_resource_at_all_is_no_fault() -> None:
    """A work item without CI beats a lost alert."""
    assert changed("metric-static-fired", alertTargetIDs=None, configurationItems=[]).resources == ()


def test_the_case_of_ids_makes_no_second_resource_and_no_second_series() -> None:
    """Azure writes one id in several spellings."""
    shouted = changed("metric-static-fired", alertTargetIDs=[WEB_01.upper(), WEB_01])
    assert len(shouted.resources) == 1
    assert shouted.series.key == changed("metric-static-fired").series.key


def test_a_workspace_is_tried_last() -> None:
    """It holds the data; the machine the query was split by is what is sick."""
    assert [each.name for each in changed("log-v2-fired").resources] == ["app-03", "prod-logs"]
    assert [each.name for each in changed("log-v2-fired", alertTargetIDs=[WEB_01]).resources] == ["web-01", "app-03"]


def test_the_id_a_query_was_split_by_goes_before_the_target() -> None:
    """Where both are full ids, the dimension is the narrower truth for a log alert."""
    alert = changed("log-v2-configuration-items-fired", alertTargetIDs=[WEB_01], configurationItems=None)
    assert [each.name for each in alert.resources] == ["db-01", "web-01"]


def test_a_guid_is_nobody_s_name() -> None:
    """Azure fills the CI with a subscription's GUID, and dimensions with keys of machines."""
    assert [each.key for each in changed("metric-static-fired", configurationItems=[SUBSCRIPTION]).resources] == [
        WEB_01
    ]


def test_two_machines_under_one_rule_are_two_series() -> None:
    """For metric alerts by target, for log alerts by what was split or listed."""
    assert (
        changed("metric-static-fired", alertTargetIDs=[WEB_01[:-1] + "2"]).series
        != changed("metric-static-fired").series
    )
    one, two = samples.fresh("log-v2-fired", resource="app-04"), samples.fresh("log-v2-fired", resource="app-05")
    assert read(one).series.key != read(two).series.key
    v1 = [read(samples.fresh("noncommon-log-flat", resource=name)).series.key for name in ("jump-02", "jump-03")]
    assert len(set(v1)) == 2


def test_one_name_in_two_workspaces_is_two_series() -> None:
    """A bare name means a machine only within its scope."""
    elsewhere = changed(
        "log-v2-fired", alertTargetIDs=[WEB_01.replace("virtualmachines", "x").replace(SUBSCRIPTION, "other")]
    )
    assert elsewhere.series.key != changed("log-v2-fired").series.key


def test_dimensions_tell_series_apart_in_any_order() -> None:
    """The values are as received: Azure does not ignore their case."""
    sample = samples.load("metric-dynamic-fired")
    dimensions = sample["data"]["alertContext"]["condition"]["allOf"][0]["dimensions"]
    before = read(sample).series.key
    dimensions.reverse()
    assert read(sample).series.key == before
    dimensions[0]["value"] = "primary"
    assert read(sample).series.key != before


def test_two_families_never_share_a_series() -> None:
    """Even with the same rule name and the same target."""
    metric = with_context("metric-static-fired", {}, monitoringService="Platform")
    log = with_context("metric-static-fired", {}, monitoringService="Log Alerts V2")
    generic = with_context("metric-static-fired", {}, monitoringService="Something new")
    assert [each.family for each in (metric, log, generic)] == ["metric", "log", "generic"]
    assert len({metric.series.key, log.series.key, generic.series.key}) == 3


@pytest.mark.parametrize("service", ["Platform", "Log Analytics", "Something new", "", None, 7])
@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("metric-static-fired", "metric"),
        ("log-v2-fired", "log"),
        ("log-v1-fired", "log"),
        ("metric-webtest-fired", "metric"),
    ],
)
def test_the_shape_of_the_context_decides(name: str, family: str, service: object) -> None:
    """The names of services are an open set, and Azure's own documents mix them up."""
    assert changed(name, monitoringService=service, signalType=None).family == family


@pytest.mark.parametrize(
    "context",
    [
        {"conditionType": "Static Threshold", "condition": {"allOf": []}},
        {"conditionType": None, "condition": {"allOf": None}},
        {"condition": None},
        {},
        None,
        [],
        "nothing",
    ],
)
def test_an_emptied_metric_alert_is_still_one(context: object) -> None:
    """Resolved may come without its criteria; then service and signal decide."""
    alert = with_context("metric-static-resolved", context)
    assert (alert.family, alert.dimensions, alert.facts) == ("metric", (), ())
    assert "without measured values" in alert.summary


def test_a_metric_signal_alone_makes_no_metric_alert() -> None:
    """Prometheus rules say Metric, Azure Backup says Log, and neither has a condition."""
    assert (
        with_context("metric-static-fired", {"expression": "up == 0"}, monitoringService="Prometheus").family
        == "generic"
    )
    assert with_context("log-v2-fired", {"category": "Backup"}, monitoringService="Azure Backup").family == "generic"


def test_a_criterion_of_nulls_is_read() -> None:
    """Simple log alerts leave threshold, operator, window and dimensions null."""
    criterion = {
        "searchQuery": "exceptions",
        "operator": None,
        "threshold": None,
        "dimensions": None,
        "metricValue": 1.0,
    }
    rows = [[{"name": "outerMessage", "value": "Robin's password"}]]
    context = {
        "conditionType": "LogQueryCriteria",
        "condition": {"windowSize": None, "allOf": [{**criterion, "event": rows}]},
    }
    alert = with_context("log-v2-fired", context)
    assert (alert.family, alert.summary) == ("log", "Query results 1")
    assert "Robin" not in repr(alert)


def test_numbers_come_as_text_and_text_as_numbers() -> None:
    """Coerced late, only to be shown."""
    sample = samples.load("metric-static-fired")
    sample["data"]["alertContext"]["condition"]["allOf"][0].update(threshold=90, metricValue="96,2", operator=7)
    assert read(sample).summary == "Percentage CPU 96,2 7 90 (Average over PT5M)"


def test_custom_properties_come_twice_and_are_kept_once() -> None:
    """What the envelope says goes before what the context repeats."""
    sample = samples.load("metric-static-fired")
    sample["data"]["alertContext"]["properties"] = {"team": "old", "more": 1}
    assert dict(read(sample).custom) == {"team": "web", "runbook": "WEB-7", "more": "1"}


def test_the_rule_id_is_spelt_two_ways_and_names_the_rule_if_nothing_else_does() -> None:
    """`alertRuleID` and `alertRuleId`; some payloads have no name."""
    sample = samples.load("metric-static-fired")
    essentials = sample["data"]["essentials"]
    essentials["alertRuleId"] = essentials.pop("alertRuleID")
    essentials["alertRule"] = None
    alert = read(sample)
    assert str(alert.rule_id).endswith("/metricAlerts/High CPU on web servers")
    assert alert.rule == "High CPU on web servers"


def test_an_old_time_is_kept_and_a_wrong_one_is_none() -> None:
    """A resolved keeps the firedDateTime of weeks ago; no alert is refused for its time."""
    assert changed("metric-static-fired", firedDateTime="2019-03-22T13:58:24.3Z").fired_at == datetime(
        2019, 3, 22, 13, 58, 24, 300000, tzinfo=UTC
    )
    lost = changed("metric-static-fired", firedDateTime="half past eight")
    assert (lost.fired_at, lost.happened_at) == (None, RECEIVED)


def test_every_subscription_an_alert_names_is_told() -> None:
    """The allow-list has to see all of them: of the alert, rule, targets, items and dimensions."""
    sample = samples.load("log-v2-configuration-items-fired")
    essentials = sample["data"]["essentials"]
    essentials["alertId"] = "/SUBSCRIPTIONS/A1/providers/Microsoft.AlertsManagement/alerts/x"
    essentials["alertRuleID"] = "/subscriptions/B2/resourceGroups/g/providers/microsoft.insights/scheduledQueryRules/r"
    essentials["alertTargetIDs"] = ["/subscriptions/c3", "/subscriptions/D4/resourceGroups/g"]
    essentials["configurationItems"] = ["/subscriptions/e5/resourceGroups/g/providers/p/t/n", "web-01"]
    criterion = sample["data"]["alertContext"]["condition"]["allOf"][0]
    criterion["dimensions"] = [{"name": "_ResourceId", "value": "/subscriptions/F6/resourceGroups/g/providers/p/t/n"}]
    assert read(sample).subscriptions == ("a1", "b2", "c3", "d4", "e5", "f6")


def test_a_subscription_cannot_hide_behind_many() -> None:
    """Resources are cut at a number; subscriptions are not, the alert is refused instead."""
    forty = [f"/subscriptions/s{number}/resourceGroups/g" for number in range(40)]
    alert = changed("metric-static-fired", alertTargetIDs=forty)
    assert len(alert.resources) == 20
    assert "s39" in alert.subscriptions
    with pytest.raises(NotAnAlert) as refusal:
        changed("metric-static-fired", alertTargetIDs=[f"/subscriptions/s{number}" for number in range(200)])
    assert refusal.value.code == "too-many-subscriptions"


def test_generic_series_fall_back_to_the_alert_and_then_to_the_body() -> None:
    """Without a rule nothing says that two alerts are the same trouble again."""
    one = changed("unknown-service-fired", alertRule=None)
    other = changed("unknown-service-fired", alertRule=None, alertId="/subscriptions/a/providers/p/alerts/2")
    assert one.series.key != other.series.key
    sample = samples.load("unknown-service-fired")
    sample["data"]["essentials"].update(alertRule=None, alertId=None)
    assert read(sample, body="one").series.key != read(sample, body="two").series.key


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//portal.azure.com/x",
        "https:///nowhere",
        "https://portal.azure.com@evil.example/",
        "https://portal.azure.com/ x",
        'https://portal.azure.com/"onclick=',
        "https://portal.azure.com/\u202e",
        "https://portal.\u0430zure.com/",
        "https://[::1/",
        "https://portal.azure.com/" + "x" * 9000,
        7,
        None,
    ],
)
def test_a_link_is_whole_and_on_the_web_or_there_is_none(url: object) -> None:
    """The other link of the criterion is taken; nothing is cut or repaired."""
    sample = samples.load("log-v2-fired")
    criterion = sample["data"]["alertContext"]["condition"]["allOf"][0]
    criterion["linkToFilteredSearchResultsUI"] = url
    assert read(sample).links[-1].url == criterion["linkToSearchResultsUI"]


def test_a_portal_link_without_a_slash_is_a_good_one() -> None:
    """Azure writes `https://portal.azure.com#@tenant`."""
    assert read(samples.load("log-v2-fired")).links[-1].url.startswith("https://portal.azure.com#@")


def test_only_alerts_management_has_a_page_for_an_alert() -> None:
    """Budgets and activity log rules carry other ids."""
    alert = changed("metric-static-fired", alertId="/subscriptions/a/providers/Microsoft.CostManagement/alerts/b")
    assert [link.label for link in alert.links] == ["Resource in the Azure portal"]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (None, "not-an-object"),
        ([], "not-an-object"),
        ("azureMonitorCommonAlertSchema", "not-an-object"),
        ({}, "unknown-schema"),
        ({"schemaId": "somethingElse", "data": {"essentials": {"alertId": "x"}}}, "unknown-schema"),
        ({"schemaId": ["azureMonitorCommonAlertSchema"]}, "unknown-schema"),
        ({"schemaId": "azureMonitorCommonAlertSchema"}, "no-essentials"),
        ({"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": []}}, "no-essentials"),
        ({"schemaId": "AzureMonitorMetricAlert", "data": None}, "unknown-schema"),
        ({"status": "Activated"}, "unknown-schema"),
        ({"status": "Activated", "context": {"conditionType": "Metric"}, "data": {}}, "unknown-schema"),
        ({"type": "Microsoft.AlertsManagement/alerts", "properties": {}}, "unknown-schema"),
        ({"AlertRuleName": "x"}, "unknown-schema"),
    ],
)
def test_what_is_no_alert(document: object, code: str) -> None:
    """Each has its code, which the answer and the quarantine carry."""
    with pytest.raises(NotAnAlert) as refusal:
        read(document)
    assert refusal.value.code == code


def test_the_schema_is_known_in_any_case() -> None:
    """Azure Monitor's own agents differ in how they spell it."""
    sample = samples.load("metric-static-fired")
    sample["schemaId"] = "AZUREMONITORCOMMONALERTSCHEMA"
    assert read(sample).family == "metric"


@pytest.mark.parametrize(
    "member", ["claims", "Caller", "http_request", "user-name", "budgetCreator", "contactEmail", "requestbody"]
)
def test_members_that_hold_people_are_left_out_of_an_unknown_context(member: str) -> None:
    """By name, at any depth, however it is spelt."""
    alert = with_context("unknown-service-fired", {"deep": [{member: "Robin", "kept": "yes"}]})
    assert [(fact.name, fact.value) for fact in alert.facts] == [("deep.1.kept", "yes")]


def test_addresses_in_free_text_are_left_out() -> None:
    """Of facts, of the summary, and of what an activity log event says."""
    alert = with_context("unknown-service-fired", {"title": "Stopped by robin@shop.example today"})
    assert alert.summary == alert.facts[0].value == "Stopped by [address left out] today"
    sample = samples.load("noncommon-activity-log")
    sample["data"]["context"]["activityLog"]["description"] = "robin@shop.example did it"
    assert read(sample).description == "[address left out] did it"
    crowd = with_context("unknown-service-fired", {"who": "a@b.cd " * 1000})
    assert len(crowd.facts[0].value) == 4096


def test_a_null_does_not_hide_a_member_spelt_otherwise() -> None:
    """Some contexts hold `ResourceType: null` beside the real one, in another case."""
    assert changed("metric-static-fired", ALERTRULE=None).rule == "High CPU on web servers"
    assert changed("metric-static-fired", alertRule=None, alertrule="Spelt so").rule == "Spelt so"


def test_the_dimensions_of_many_criteria_are_bounded() -> None:
    """A hundred are kept of all criteria together."""
    sample = samples.load("metric-static-fired")
    criteria = sample["data"]["alertContext"]["condition"]["allOf"]
    criteria[0]["dimensions"] = [{"name": f"a{number}", "value": "x"} for number in range(70)]
    criteria.append({**criteria[0], "dimensions": [{"name": f"b{number}", "value": "x"} for number in range(70)]})
    assert len(read(sample).dimensions) == 100


def test_the_page_of_an_alert_is_found_by_its_whole_id() -> None:
    """Encoded as one segment, or the portal would cut it at the first slash."""
    alert = read(samples.load("metric-static-fired"))
    page = "https://portal.azure.com/#view/Microsoft_Azure_Monitoring_Alerts/AlertDetails.ReactView/alertId/"
    assert alert.links[0].url == page + str(alert.azure_alert_id).replace("/", "%2F")


def test_a_subscription_outside_of_any_id_is_told_as_well() -> None:
    """The older schemas name it in a member of its own."""
    sample = samples.load("noncommon-log-application-insights")
    assert read(sample).subscriptions == (SUBSCRIPTION,)


def test_the_first_log_alerts_list_what_is_affected_in_their_context() -> None:
    """Their essentials have no configuration items."""
    sample = samples.load("log-v1-fired")
    sample["data"]["alertContext"]["Dimensions"] = None
    assert [each.name for each in read(sample).resources] == ["cache-04.shop.example", "prod-logs"]


@pytest.mark.parametrize(
    ("operator", "sign"),
    [
        ("GreaterThan", ">"),
        ("Greater Than", ">"),
        ("GreaterThanOrEqual", ">="),
        ("LessThan", "<"),
        ("LowerThan", "<"),
        ("LessThanOrEqual", "<="),
        ("Equals", "="),
        ("GreaterOrLessThan", "outside"),
        ("Resembles", "Resembles"),
    ],
)
def test_operators_are_shown_as_signs(operator: str, sign: str) -> None:
    """An unknown one stands as Azure wrote it."""
    sample = samples.load("metric-static-fired")
    sample["data"]["alertContext"]["condition"]["allOf"][0]["operator"] = operator
    assert read(sample).summary == f"Percentage CPU 96.2 {sign} 90 (Average over PT5M)"


def test_a_window_in_place_of_the_aggregation_is_said_once() -> None:
    """The first metric alerts repeat it there."""
    sample = samples.load("noncommon-metric-activated")
    sample["data"]["context"]["condition"]["allOf"][0]["timeAggregation"] = "PT5M"
    assert read(sample).summary == "HttpResponseTime 7.4 > 3 (over PT5M)"


def test_an_unknown_context_is_shown_to_a_depth() -> None:
    """What lies deeper helps nobody on a ticket."""
    nested: object = "here"
    for _ in range(7):
        nested = {"a": nested}
    alert = with_context("unknown-service-fired", {"a": nested, "b": {"c": {"d": nested}}})
    assert [fact.name for fact in alert.facts] == [".".join("a" * 8)]


def test_the_target_of_a_metric_alert_goes_before_an_id_among_its_dimensions() -> None:
    """It is the thing measured; the dimension may name the same thing elsewhere."""
    sample = samples.load("metric-dynamic-fired")
    dimensions = sample["data"]["alertContext"]["condition"]["allOf"][0]["dimensions"]
    dimensions.append({"name": "AccountResourceId", "value": WEB_01})
    assert [each.name for each in read(sample).resources] == ["shopinvoices", "web-01"]


def test_configuration_items_alone_tell_the_series_of_a_log_alert() -> None:
    """In any order; all of them, or the outage of a second machine would only be a repeat."""

    def series(*items: str) -> str:
        sample = samples.load("log-v2-fired")
        sample["data"]["alertContext"]["condition"]["allOf"][0]["dimensions"] = []
        sample["data"]["essentials"]["configurationItems"] = list(items)
        return read(sample).series.key

    assert series("app-01", "app-02") == series("APP-02", "app-01")
    assert len({series("app-01"), series("app-02"), series("app-01", "app-02"), series()}) == 4


def test_the_case_of_a_rule_and_of_an_id_among_the_dimensions_makes_no_second_series() -> None:
    """Azure ignores it in both."""
    sample = samples.load("metric-multi-resource-fired")
    before = read(sample).series.key
    sample["data"]["essentials"]["alertRule"] = sample["data"]["essentials"]["alertRule"].upper()
    for criterion in sample["data"]["alertContext"]["condition"]["allOf"]:
        criterion["dimensions"][0]["value"] = criterion["dimensions"][0]["value"].upper()
    assert read(sample).series.key == before
