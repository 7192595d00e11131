"""The `condition.allOf` list that metric alerts and log alerts share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connector.azure.envelope import Envelope
from connector.azure.fields import Fields, unique
from connector.model import Condition, Fact, Pairs

_SIGNS = {
    "greaterthan": ">",
    "greaterthanorequal": ">=",
    "greaterthanorequalto": ">=",
    "lessthan": "<",
    "lowerthan": "<",
    "lessthanorequal": "<=",
    "lessthanorequalto": "<=",
    "lowerthanorequal": "<=",
    "equal": "=",
    "equals": "=",
    "equalto": "=",
    "notequals": "!=",
    "notequalto": "!=",
    "greaterorlessthan": "outside",
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """One entry of `allOf`, as text; whatever is null is empty."""

    told: Fields
    subject: str
    value: str
    limit: str
    aggregation: str
    window: str

    @property
    def how(self) -> str:
        """How it was measured: `Average over PT5M`."""
        over = f"over {self.window}" if self.window else ""
        # Early metric alerts repeat the window where the aggregation belongs.
        return " ".join(filter(None, ("" if self.aggregation == self.window else self.aggregation, over)))

    def sentence(self, condition: Condition) -> str:
        """Return what was measured. A resolved alert carries the healthy value: it says `now`."""
        if condition is Condition.RESOLVED:
            detail = ", ".join(filter(None, (self.limit and f"threshold {self.limit}", self.how)))
            measured = f"{self.subject} now {self.value}" if self.value else f"{self.subject} is well again"
        else:
            detail = self.how
            measured = " ".join(filter(None, (self.subject, self.value, self.limit)))
        return f"{measured} ({detail})" if detail else measured

    def facts(self, condition: Condition) -> list[Fact]:
        """Return the lines of a ticket on this criterion."""
        value_name = "Value now" if condition is Condition.RESOLVED else "Value"
        periods = self.told.fields("failingPeriods")
        failing, of_all = periods.line("minFailingPeriodsToAlert"), periods.line("numberOfEvaluationPeriods")
        return listed(
            ("Measured", self.subject),
            (value_name, self.value),
            ("Threshold", self.limit),
            ("Aggregation", self.how),
            ("Failing periods", f"{failing} of {of_all}" if failing and of_all else ""),
        )


def criterion(told: Fields, subject: str, window: str) -> Criterion:
    """Return one entry of `allOf`; the family says what it measures."""
    return Criterion(
        told,
        subject,
        told.line("metricValue"),
        limit(told.line("operator"), told.line("threshold")),
        told.line("timeAggregation"),
        window,
    )


def limit(operator: str, threshold: str) -> str:
    """Return `> 25` of `GreaterThan` and `25`; an unknown operator stands as it is."""
    sign = _SIGNS.get(operator.lower().replace(" ", ""), operator)
    return " ".join(filter(None, (sign, threshold)))


def dimensions_of(condition: Fields) -> Pairs:
    """Return the dimensions of all criteria, in order, without doubles."""
    return unique(pair for each in condition.objects("allOf") for pair in each.pairs("dimensions"))


def listed(*facts: tuple[str, str]) -> list[Fact]:
    """Return the facts that have a value."""
    return [Fact(name, value) for name, value in facts if value]


def summary_of(criteria: Iterable[Criterion], condition: Condition) -> str:
    """Return one sentence on all criteria: a rule fires when all of them hold."""
    return " and ".join(each.sentence(condition) for each in criteria)


def without_values(envelope: Envelope) -> str:
    """Return the sentence for an alert whose criteria were left out, as happens when it resolves."""
    return f"{envelope.rule or 'The alert'}: {envelope.condition}, without measured values"


def custom_of(context: Fields) -> Pairs:
    """Return the rule's custom properties, which the context repeats or alone carries."""
    return unique(context.fields("properties").members())
