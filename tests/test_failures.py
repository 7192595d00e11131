"""What follows from a failed delivery (connector.failures)."""

from datetime import UTC, datetime, timedelta

import pytest

from connector.adapter import DeliveryError, Reason, Scope
from connector.failures import FAILURES_BEFORE_PAUSE, Fate, Patience, Standing

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PATIENCE = Patience(timedelta(seconds=2), timedelta(minutes=5), timedelta(days=3), dice=lambda: 1.0)


def standing(**changes: object) -> Standing:
    fields: dict[str, object] = {
        "at": NOW,
        "attempts": 0,
        "first_failed_at": None,
        "failures_in_a_row": 0,
        "paused": False,
        "last_success_at": None,
    }
    return Standing(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "fate"),
    [
        (Reason.UNREACHABLE, Fate.RETRY),
        (Reason.TIMEOUT, Fate.RETRY),
        (Reason.RATE_LIMITED, Fate.RETRY),
        (Reason.VENDOR_FAULT, Fate.RETRY),
        (Reason.UNAUTHORIZED, Fate.PAUSE),
        (Reason.REJECTED, Fate.DEAD),
        (Reason.AMBIGUOUS, Fate.DEAD),
        (Reason.ADAPTER_FAULT, Fate.DEAD),
    ],
)
def test_each_reason_has_its_fate(reason: Reason, fate: Fate) -> None:
    """The first failure of each reason leads where the table says."""
    assert PATIENCE.verdict(DeliveryError(reason, "x"), standing()).fate is fate


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 2), (1, 4), (2, 8), (7, 256), (8, 300), (60, 300)])
def test_backoff_doubles_up_to_its_bound(attempts: int, seconds: int) -> None:
    """With the dice at their highest the wait is the doubled first backoff, never above the largest."""
    verdict = PATIENCE.verdict(DeliveryError(Reason.TIMEOUT, "x"), standing(attempts=attempts))
    assert verdict.due == NOW + timedelta(seconds=seconds)


def test_jitter_is_full() -> None:
    """With the dice at zero there is no wait: two deliveries that failed together part ways."""
    patience = Patience(timedelta(seconds=2), timedelta(minutes=5), timedelta(days=3), dice=lambda: 0.0)
    assert patience.verdict(DeliveryError(Reason.TIMEOUT, "x"), standing(attempts=5)).due == NOW


def test_retry_after_wins_over_backoff() -> None:
    """What the vendor asks for is what is waited, longer or shorter than our own wait."""
    error = DeliveryError(Reason.RATE_LIMITED, "x", retry_after=timedelta(minutes=17))
    assert PATIENCE.verdict(error, standing(attempts=3)).due == NOW + timedelta(minutes=17)


def test_failures_in_a_row_pause_the_destination() -> None:
    """The last of k failures in a row pauses, the one before it does not, and no attempt is burnt."""
    error = DeliveryError(Reason.UNREACHABLE, "x")
    before = PATIENCE.verdict(error, standing(failures_in_a_row=FAILURES_BEFORE_PAUSE - 2))
    last = PATIENCE.verdict(error, standing(failures_in_a_row=FAILURES_BEFORE_PAUSE - 1))
    assert (before.fate, before.burns_attempt) == (Fate.RETRY, True)
    assert (last.fate, last.burns_attempt) == (Fate.PAUSE, False)


def test_a_rate_limit_is_not_being_down() -> None:
    """A vendor that answers 429 for hours is never taken for one that is down."""
    verdict = PATIENCE.verdict(DeliveryError(Reason.RATE_LIMITED, "x"), standing(failures_in_a_row=99))
    assert (verdict.fate, verdict.failures_in_a_row) == (Fate.RETRY, 0)


def test_a_failed_probe_keeps_the_pause() -> None:
    """While paused, one more failure leaves the destination paused and burns nothing."""
    verdict = PATIENCE.verdict(DeliveryError(Reason.TIMEOUT, "x"), standing(paused=True))
    assert verdict.fate is Fate.PAUSE


def test_scope_moves_a_failure_between_item_and_destination() -> None:
    """Unauthorized for one item is dead; rejected for the whole destination pauses it."""
    item = PATIENCE.verdict(DeliveryError(Reason.UNAUTHORIZED, "x", scope=Scope.ITEM), standing())
    everything = PATIENCE.verdict(DeliveryError(Reason.REJECTED, "x", scope=Scope.DESTINATION), standing())
    assert (item.fate, everything.fate) == (Fate.DEAD, Fate.PAUSE)


@pytest.mark.parametrize(
    ("first_failed", "last_success", "fate"),
    [
        (timedelta(days=3), timedelta(hours=1), Fate.DEAD),
        (timedelta(days=3) - timedelta(seconds=1), timedelta(hours=1), Fate.RETRY),
        (timedelta(days=9), timedelta(days=10), Fate.RETRY),
        (timedelta(days=9), None, Fate.RETRY),
    ],
    ids=["old-and-others-succeed", "not-old-enough", "nobody-succeeds-since", "nobody-ever-succeeded"],
)
def test_giving_up_needs_a_well_destination(
    first_failed: timedelta, last_success: timedelta | None, fate: Fate
) -> None:
    """A delivery is given up only if others got through since it began to fail."""
    stands = standing(
        attempts=50, first_failed_at=NOW - first_failed, last_success_at=NOW - last_success if last_success else None
    )
    assert PATIENCE.verdict(DeliveryError(Reason.VENDOR_FAULT, "x"), stands).fate is fate


def test_an_outage_of_the_destination_does_not_count_against_a_delivery() -> None:
    """Only time during which others got through counts: right after an outage nobody is given up."""
    stands = standing(
        attempts=50,
        first_failed_at=NOW - timedelta(days=9),
        last_success_at=NOW - timedelta(minutes=1),
        well_since=NOW - timedelta(minutes=2),
    )
    assert PATIENCE.verdict(DeliveryError(Reason.TIMEOUT, "x"), stands).fate is Fate.RETRY


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (DeliveryError(Reason.TIMEOUT, "x"), True),
        (DeliveryError(Reason.UNREACHABLE, "x"), True),
        (DeliveryError(Reason.UNREACHABLE, "x", maybe_done=False), False),
        (DeliveryError(Reason.VENDOR_FAULT, "x"), False),
        (DeliveryError(Reason.RATE_LIMITED, "x", retry_after=timedelta(0)), False),
    ],
    ids=["no-answer", "cut-off", "never-connected", "answered", "refused"],
)
@pytest.mark.parametrize("paused", [False, True])
def test_a_call_that_may_still_be_under_way_is_left_time_to_settle(
    error: DeliveryError, waits: bool, paused: bool
) -> None:
    """A look-up before the vendor has come to its end would miss what it is about to make."""
    patience = Patience(timedelta(0), timedelta(0), timedelta(days=3), timedelta(seconds=10), dice=lambda: 0.0)
    assert (patience.verdict(error, standing(paused=paused)).due >= NOW + timedelta(seconds=10)) is waits
