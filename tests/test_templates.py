"""The sandbox for templates: what it can say, and what neither it nor an alert can do to us."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import Alert, Condition, Fact, Link, Resource, Series, Severity
from connector.templates import FILTERS, OUTPUT_LIMIT, TEMPLATE_LIMIT, Template, TemplateError

ALERT = Alert(
    id="a1",
    received_at=datetime(2026, 2, 3, 4, 5, 7, tzinfo=UTC),
    family="metric",
    condition=Condition.FIRED,
    series=Series("metric", ()),
    service="Platform",
    rule="Queue too long",
    severity=Severity.SEV2,
    fired_at=datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC),
    summary="Length 51 > 50",
    resources=(Resource("/subscriptions/s1/resourceGroups/post/x/q-1", "q-1", "s1", "post", "x/y"), Resource("b", "b")),
    dimensions=(("pool", "blue"), ("items", "3"), ("pool", "green")),
    labels=(("namespace", "mail"),),
    custom=(("team", "post office"), ("cost", "12")),
    facts=(Fact("Threshold", "50"),),
    links=(Link("Alert", "https://portal.azure.com/#alert/1"),),
)
BARE = Alert("a2", ALERT.received_at, "budget", Condition.FIRED, Series("budget", ()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cloud Operations", "Cloud Operations"),
        ("{{ alert.rule }} on {{ alert.resource.name }}", "Queue too long on q-1"),
        ("{{ title }}", "[Sev2] Queue too long on q-1 (+1): Length 51 > 50"),
        ("{{ alert.severity }}/{{ alert.condition }}/{{ alert.family }}/{{ alert.test }}", "Sev2/fired/metric/False"),
        ("{{ alert.fired_at }}{{ alert.resolved_at }}", "2026-02-03T04:05:06Z"),
        ("{{ alert.resource.resource_group|upper }}", "POST"),
        ("{{ alert.custom.team }}", "post office"),
        ("{{ alert.custom['team']|title }}", "Post Office"),
        ("{{ alert.custom.get('owner', 'nobody') }}", "nobody"),
        ("{{ alert.custom.owner|default('nobody') }}", "nobody"),
        ("{{ 'yes' if alert.custom.owner is defined else 'no' }}", "no"),
        ("{{ alert.dimensions.pool }}", "blue"),
        ("{{ alert.dimensions.items }}", "3"),
        ("{% for name, value in alert.dimensions.items() %}{{ name }}={{ value }};{% endfor %}", "pool=blue;items=3;"),
        ("{% for r in alert.resources %}{{ loop.index }}{{ r.name }}{% endfor %}", "1q-12b"),
        ("{% for k in alert.facts %}{{ k }}{% else %}none{% endfor %}", "Threshold"),
        ("{{ alert.url }}", "https://portal.azure.com/#alert/1"),
        ("{{ alert.links[0].label }}", "Alert"),
        ("{{ alert.rule[:5] }}", "Queue"),
        ("{{ alert.rule|replace('Queue', 'Line')|truncate(6) }}", "Line …"),
        ("{{ alert.resources|length }}{{ (alert.labels.values()|join('+')) }}", "2mail"),
        ("{% if alert.severity <= 'Sev2' and alert.custom.cost|int > 5 %}hot{% elif true %}x{% endif %}", "hot"),
        ("{% if 'long' in alert.rule %}q{% endif %}", "q"),
        ("{{ alert.service ~ '-' ~ alert.resolved_at }}", "Platform-"),
        ("{{ alert.rule|split|last }}", "long"),
        ("{{ alert.custom.team|truncate(length=5) }}", "post…"),
    ],
)
def test_what_a_template_can_say(text: str, expected: str) -> None:
    """The variables, filters and tests give what an administrator expects."""
    assert Template(text).render(ALERT) == expected


def test_what_is_not_known_is_empty() -> None:
    """An alert without resource, severity or links renders, with nothing where nothing is known."""
    text = "<{{ alert.resource.name }}{{ alert.severity }}{{ alert.url }}{{ alert.fired_at }}{{ alert.rule }}>"
    assert Template(text).render(BARE) == "<>"


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("{{ alert.rule", 1, "end of template"),
        ("a\nb\n{{ allert.rule }}", 3, "there is no 'allert'"),
        ("\n{{ alert.rule|shout }}", 2, "there is no filter 'shout'"),
        ("{{ alert.rule is sameas 1 }}", 1, "there is no test"),
        ("{% set x = 1 %}", 1, "assignments"),
        ("{% set x %}a{% endset %}", 1, "assignments"),
        ("{% with x = 1 %}{% endwith %}", 1, "`with`"),
        ("{% macro m() %}{% endmacro %}", 1, "`macro`"),
        ("{% include 'x' %}", 1, "`include`"),
        ("{% import 'x' as x %}", 1, "`import`"),
        ("{% extends 'x' %}", 1, "`extends`"),
        ("{% block b %}{% endblock %}", 1, "`block`"),
        ("{% filter upper %}{% endfilter %}", 1, "`filterblock`"),
        ("{{ 'x' * 1000000000 }}", 1, "`mul`"),
        ("{{ 9 ** 9 ** 9 ** 9 }}", 1, "`pow`"),
        ("{{ '%1000000000d' % 1 }}", 1, "format strings"),
        ("{{ 1 + 1 }}", 1, "arithmetic"),
        ("{{ '{:1000000000}'.format(1) }}", 1, "can be called"),
        ("{{ '%1000000000d'|format(1) }}", 1, "no filter 'format'"),
        ("{{ 'x'|center(1000000000) }}", 1, "no filter 'center'"),
        ("{{ range(1000000000) }}", 1, "can be called"),
        ("{{ alert.rule.upper() }}", 1, "can be called"),
        ("{{ {}.__class__ }}", 1, "`dict`"),
        ("{{ lipsum }}", 1, "there is no 'lipsum'"),
        ("{{ self }}", 1, "there is no 'self'"),
        ("{{ _work }}", 1, "there is no '_work'"),
        ("{% for a in alert.facts %}{% for b in alert.facts %}{% endfor %}{% endfor %}", 1, "loop inside a loop"),
        ("{% for a in alert.facts recursive %}{% endfor %}", 1, "loop inside a loop"),
        ("{% for a in alert.facts %}{% endfor %}{{ a }}", 1, "there is no 'a'"),
        ("{{ alert.custom.get(*alert.warnings) }}", 1, "not allowed"),
        ("{{ " + "(" * 3000 + " }}", 1, "nested too deep"),
        ("{{ alert.rule" + "|upper" * 100 + " }}", 1, "nested too deep"),
        ("{% if 1 %}" * 60 + "{% endif %}" * 60, 1, "nested too deep"),
        ("{{ " + "9" * 5000 + " }}", None, "digits"),
        ("x" * (TEMPLATE_LIMIT + 1), None, "at most"),
    ],
)
def test_what_a_template_must_not_say(text: str, line: int | None, complaint: str) -> None:
    """It is refused when the configuration is read, with the line and what is wrong."""
    with pytest.raises(TemplateError, match=complaint) as caught:
        Template(text)
    if line is not None and "too deep" not in complaint:
        assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("a\n{{ alert.colour }}", 2, "there is no 'colour'"),
        ("a\n\n{{ alert.custom.owner }}", 3, "there is no 'owner'"),
        ("{{ alert.rule.__class__ }}", 1, "there is no '__class__'"),
        ("{{ alert.rule['__class__'] }}", 1, "there is no '__class__'"),
        ("{{ alert.__class__.__mro__ }}", 1, "there is no '__class__'"),
        ("{{ alert.dimensions.copy }}", 1, "there is no 'copy'"),
        ("{% for a in alert.facts %}{{ loop.cycle }}{% endfor %}", 1, "there is no 'cycle'"),
        ("{{ alert.dimensions }}", 1, "a list or a dictionary"),
        ("{{ alert.dimensions ~ '' }}", 1, "a list or a dictionary"),
        ("{% for letter in alert.rule %}{% endfor %}", 1, "gone through"),
        ("{{ alert.rule|replace('', 'x') }}", 1, "something to replace"),
        ("{{ alert.resolved_at < alert.fired_at }}", 1, "not supported"),
    ],
)
def test_what_fails_over_an_alert(text: str, line: int, complaint: str) -> None:
    """What only shows over an alert is a TemplateError, too, with its line."""
    with pytest.raises(TemplateError, match=complaint) as caught:
        Template(text).render(ALERT)
    assert caught.value.line == line


def test_values_are_never_rendered() -> None:
    """Braces in the values of an alert come out as they went in."""
    hostile = replace(ALERT, rule="{{ 7 ~ 7 }}{% for x in y %}", custom=(("{{ alert }}", "{% raw %}"),))
    text = "{{ alert.rule }}{% for k, v in alert.custom.items() %}{{ k ~ v }}{% endfor %}"
    assert Template(text).render(hostile) == "{{ 7 ~ 7 }}{% for x in y %}{{ alert }}{% raw %}"


def test_values_shadow_no_method() -> None:
    """A dimension called like a method hides neither the method nor itself."""
    hostile = replace(ALERT, dimensions=tuple((name, "x") for name in ("items", "get", "keys", "values", "__class__")))
    text = "{{ alert.dimensions.items()|length }}{{ alert.dimensions.get('get') }}{{ alert.dimensions.__class__ }}"
    assert Template(text).render(hostile) == "5xx"


@pytest.mark.parametrize(
    "text",
    [
        "{{ alert.description }}",
        "{% for k in alert.custom %}{{ alert.description }}{% endfor %}",
        "{{ " + " ~ ".join(["alert.description"] * 30) + " }}",
    ],
)
def test_output_is_bounded(text: str) -> None:
    """Long values are cut with a marker; they never stop a ticket."""
    long = replace(ALERT, description="d" * (OUTPUT_LIMIT + 1), custom=tuple((f"k{n}", "v") for n in range(100)))
    written = Template(text).render(long)
    assert len(written) == OUTPUT_LIMIT
    assert set(written.removesuffix("... [cut]")) == {"d"}


def test_replace_cannot_grow_without_measure() -> None:
    """A replacement that would multiply a text is counted before it is made."""
    long = replace(ALERT, description="a" * 4000)
    with pytest.raises(TemplateError, match="more than"):
        Template("{{ alert.description|replace('a', alert.description) }}").render(long)


def test_work_is_bounded() -> None:
    """A template that only computes, and writes nothing, is stopped all the same."""
    busy = replace(ALERT, description="ab " * 5000, custom=tuple((f"k{n}", "v") for n in range(200)))
    work = "{% if alert.description|split|sort|join|upper %}{% endif %}" * 130
    with pytest.raises(TemplateError, match="works too long"):
        Template("{% for k in alert.custom %}" + work + "{% endfor %}").render(busy)


def test_loops_are_bounded() -> None:
    """A loop ends after 200 rounds whatever the alert brings."""
    many = replace(ALERT, custom=tuple((f"k{n}", "v") for n in range(5000)))
    assert Template("{% for k in alert.custom %}.{% endfor %}").render(many) == "." * 200


def test_control_characters_of_values_do_not_come_out() -> None:
    """Values are cleaned like everywhere else in a ticket."""
    assert Template("{{ alert.rule }}").render(replace(ALERT, rule="a\x00b\x1b[31m\u202ec")) == "abc"


@given(st.sampled_from(sorted(FILTERS)), st.text(max_size=50))
def test_filters_fail_as_template_errors_only(name: str, value: str) -> None:
    """Whatever the value, a filter gives text or a TemplateError."""
    template = Template("{{ alert.rule|" + name + " }}")
    assert isinstance(rendered(template, replace(ALERT, rule=value)), str | TemplateError)


@given(st.text(st.sampled_from("{}%#alert.rue|~()[]'\"=<> \nforiendf-*+0"), max_size=60))
def test_any_text_is_a_template_or_an_error(text: str) -> None:
    """Nothing but a TemplateError comes out of a text that is no template."""
    try:
        template = Template(text)
    except TemplateError:
        return
    assert isinstance(rendered(template, ALERT), str | TemplateError)


def rendered(template: Template, alert: Alert) -> str | TemplateError:
    """What comes out, be it text or the error that is allowed."""
    try:
        return template.render(alert)
    except TemplateError as error:
        return error
