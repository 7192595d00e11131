"""What every alert has around its context, in one form, whatever schema it came in.

`common` and `noncommon` make an `Envelope` of a document; the families (`metric`, `log`, `generic`)
read its `context`; `reading` makes the `Alert` of both.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.azure.arm import subscription_of
from connector.azure.fields import ID_LIMIT, RULE_LIMIT, Fields, line, lines
from connector.model import Condition, Pairs, Severity

_CONDITIONS = {
    "fired": Condition.FIRED,
    "activated": Condition.FIRED,
    "resolved": Condition.RESOLVED,
    "deactivated": Condition.RESOLVED,
}
_SEVERITIES = {str(rank): severity for rank, severity in enumerate(Severity)}


class NotAnAlert(Exception):
    """A JSON document that is no alert; `code` says why in one word, `detail` in a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Envelope:
    """The essentials of an alert as text, its context, and what it says about itself.

    `targets` and `configuration_items` are ids or names, in the order received; `scopes` are
    subscription ids that the form names outside of any resource id.
    """

    context: Fields
    condition: Condition = Condition.FIRED
    alert_id: str = ""
    origin_alert_id: str = ""
    service: str = ""
    signal: str = ""
    rule: str = ""
    rule_id: str = ""
    severity: Severity | None = None
    fired_text: str = ""
    resolved_text: str = ""
    description: str = ""
    targets: tuple[str, ...] = ()
    configuration_items: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    custom: Pairs = ()
    event_ids: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def time_text(self) -> str:
        """The text of the time of this news, as received."""
        return self.resolved_text if self.condition is Condition.RESOLVED else self.fired_text

    @property
    def subscriptions(self) -> frozenset[str]:
        """The subscriptions named by the ids of the envelope, in lower case."""
        ids = (self.alert_id, self.rule_id, *self.targets, *self.configuration_items)
        found = {subscription for each in ids if (subscription := subscription_of(each))}
        return frozenset(found.union(self.scopes))


def condition_of(word: str) -> tuple[Condition, tuple[str, ...]]:
    """Return what a state means, and a warning where it is not a known one."""
    known = _CONDITIONS.get(word.lower())
    if known is not None:
        return known, ()
    # Losing an alert is worse than opening one too many.
    return Condition.FIRED, (f'taken as fired: its state is "{word}", which is neither Fired nor Resolved',)


def severity_of(value: object) -> Severity | None:
    """Return the severity of `Sev1`, `"1"` or `1`; None for every other word, never a guess."""
    return _SEVERITIES.get(line(value).lower().removeprefix("sev"))


def ids_of(value: object) -> tuple[str, ...]:
    """Return a list of ids or names (or one alone) as lines, without doubles."""
    return tuple(dict.fromkeys(lines(value, ID_LIMIT)))


def whole_id(value: object) -> str:
    """Return an id, or nothing where it is too long to be one: a cut id would be another's."""
    return "" if isinstance(value, str) and len(value) > ID_LIMIT else line(value, ID_LIMIT)


def rule_name(value: object) -> str:
    """Return the name of a rule as one line."""
    return line(value, RULE_LIMIT)
