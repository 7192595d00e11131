"""The way out of the store: order, holding back, fencing, and what a crash leaves."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import update

from connector.adapter import DeliveryError, Reason
from connector.failures import Fate, Verdict
from connector.lifecycle import episode_after
from connector.model import Action, Alert, ItemState, Receipt, Severity, WorkItem
from connector.store import Choice, Claim, Delivered, Failed, Settlement, Store
from connector.store.tables import episodes
from connector.testing.by_hand import AT_ONCE, accept, make_alert

NAMESPACES = {"desk": "desk"}
PROBE = timedelta(minutes=5)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = Store.hold(store_url)
    yield opened
    opened.close()


def claim(store: Store, limit: int = 50, worker: str = "w") -> list[Claim]:
    return store.work(worker, [], NAMESPACES, limit, PROBE)[1]


def settle(store: Store, *settlements: Settlement) -> bool:
    """Write outcomes; return whether all were still ours."""
    settled, _ = store.work("w", settlements, NAMESPACES, 0, PROBE)
    return not any(each.fenced for each in settled)


def opened(claim: Claim) -> Delivered:
    item = WorkItem("1", "M1", "http://desk/1", correlation=claim.notice.correlation)
    return delivered(claim, Receipt((Action.OPENED,), item))


def delivered(claim: Claim, receipt: Receipt) -> Delivered:
    return Delivered(claim, receipt, episode_after(claim.notice, receipt))


def resolved(claim: Claim) -> Delivered:
    item = WorkItem("1", "M1", "http://desk/1", ItemState.RESOLVED, correlation="")
    return delivered(claim, Receipt((Action.RESOLVED,), item))


def failed(claim: Claim, reason: Reason, **more: object) -> Failed:
    error = DeliveryError(reason, "no", **more)  # type: ignore[arg-type]
    return Failed(claim, error, lambda standing: AT_ONCE.verdict(error, standing))


def states(store: Store, *alerts: Alert) -> list[str]:
    found = {each.alert_id: each.state for each in store.list_deliveries()}
    return [found[alert.id] for alert in alerts]


def test_one_delivery_of_an_episode_at_a_time_in_the_order_of_azures_times(store: Store) -> None:
    """Accepted in any order, they come out by Azure's clock, each only after the one before."""
    fired, news, end = make_alert(), make_alert("update", minute=3), make_alert("resolved", minute=5)
    again = make_alert(azure_id="a2", minute=9)
    for alert in (again, end, news, fired):
        accept(store, alert)
    seen = []
    while claims := claim(store):
        [one] = claims
        assert claim(store) == []
        seen.append(one.alert_id)
        settle(store, opened(one))
    assert seen == [fired.id, news.id, end.id, again.id]


def test_the_most_severe_first_then_the_oldest(store: Store) -> None:
    """With room for one, severity decides, then age; no severity comes last."""
    order = [("a", None), ("b", "Sev3"), ("c", "Sev0"), ("d", "Sev3")]
    for series, severity in order:
        accept(store, make_alert(series=series, severity=severity))
    assert [claim(store, 1)[0].notice.alert.rule for _ in order] == ["c", "b", "d", "a"]


def test_a_resolved_waits_while_its_fired_backs_off(store: Store) -> None:
    """The episode carries the backoff: nothing of it is taken before that is over."""
    accept(store, make_alert())
    accept(store, make_alert("resolved", minute=5))
    [first] = claim(store)
    settle(store, failed(first, Reason.RATE_LIMITED, retry_after=timedelta(hours=1)))
    assert claim(store) == []
    assert store.list_deliveries(state="waiting")[0].state == "waiting"


def test_a_claim_is_fenced(store: Store) -> None:
    """A settlement of a claim that another worker took over changes nothing."""
    accept(store, make_alert())
    [old] = claim(store)
    store.leave("w")
    [new] = store.work("other", [], NAMESPACES, 9, PROBE)[1]
    assert new.epoch == old.epoch + 1
    assert not settle(store, opened(old))
    assert states(store, make_alert()) == ["delivering"]


def test_a_claim_that_was_never_settled_is_uncertain(store: Store) -> None:
    """After a crash the next worker is told that the vendor may have done it, and since when."""
    accept(store, make_alert())
    [first] = claim(store)
    assert first.notice.uncertain_since is None
    store.leave("w")
    [second] = claim(store)
    assert second.notice.uncertain_since == first.notice.at


@pytest.mark.parametrize(
    ("reason", "uncertain"),
    [(Reason.TIMEOUT, True), (Reason.VENDOR_FAULT, True), (Reason.RATE_LIMITED, False)],
)
def test_only_a_failure_that_may_have_been_done_is_uncertain(store: Store, reason: Reason, uncertain: bool) -> None:
    """A refusal is certain: the next try may create at once. A time-out is not."""
    accept(store, make_alert())
    [first] = claim(store)
    settle(store, failed(first, reason, retry_after=timedelta(0)))
    [second] = claim(store)
    assert (second.notice.uncertain_since is not None) is uncertain


def test_certainty_comes_back_with_success(store: Store) -> None:
    """Once something of the episode got through, the next create needs no look-up."""
    accept(store, make_alert())
    settle(store, failed(claim(store)[0], Reason.TIMEOUT, retry_after=timedelta(0)))
    settle(store, opened(claim(store)[0]))
    accept(store, make_alert(azure_id="a2", minute=9))
    assert claim(store)[0].notice.uncertain_since is None


def test_a_dead_fired_holds_its_resolved_and_not_a_later_fired(store: Store) -> None:
    """What ends the dead one is held; a later fired is tried, and what follows it is free."""
    fired, end = make_alert(), make_alert("resolved", minute=5)
    later, later_end = make_alert(azure_id="a2", minute=9), make_alert("resolved", azure_id="a2", minute=12)
    for alert in (fired, end, later, later_end):
        accept(store, alert)
    settle(store, failed(claim(store)[0], Reason.REJECTED))
    [next_one] = claim(store)
    assert next_one.alert_id == later.id
    settle(store, opened(next_one))
    [last] = claim(store)
    assert last.alert_id == later_end.id
    settle(store, resolved(last))
    assert states(store, fired, end, later, later_end) == ["dead", "held", "delivered", "delivered"]


def test_an_ambiguous_one_holds_a_later_fired_as_well(store: Store) -> None:
    """Which of two items is ours is for a person to say; nothing is opened beside them."""
    fired, later = make_alert(), make_alert(azure_id="a2", minute=9)
    accept(store, fired)
    settle(store, failed(claim(store)[0], Reason.AMBIGUOUS))
    accept(store, later)
    assert claim(store) == []
    assert states(store, fired, later) == ["dead", "held"]


@pytest.mark.parametrize("act", ["replay", "discard"])
def test_an_operator_frees_what_was_held(store: Store, act: str) -> None:
    """After a replay the dead one goes first; after a discard its followers go without it."""
    fired, end = make_alert(), make_alert("resolved", minute=5)
    accept(store, fired)
    accept(store, end)
    settle(store, failed(claim(store)[0], Reason.REJECTED))
    assert claim(store) == []
    ids = store.replayable(Choice(state="dead"))
    getattr(store, act)(ids, "looked at it")
    [next_one] = claim(store)
    assert next_one.alert_id == (fired.id if act == "replay" else end.id)
    assert store.decisions_about(fired.id)[-1].decision.why == "looked at it"


def test_an_operator_changes_nothing_that_a_worker_has_taken_meanwhile(store: Store) -> None:
    """Between the choice and the act a worker may be faster: then the act does nothing."""
    accept(store, make_alert())
    ids = store.discardable(Choice(state="waiting"))
    [taken] = claim(store)
    store.discard(ids, "not wanted")
    assert settle(store, opened(taken))
    assert states(store, make_alert()) == ["delivered"]


def test_a_fired_that_comes_after_its_resolved_brings_it_along(store: Store) -> None:
    """Azure sends in no order: the late fired is handed over together with what ended it."""
    end, fired = make_alert("resolved", minute=5), make_alert()
    accept(store, end)
    settle(store, delivered(claim(store)[0], Receipt((Action.NOTHING,))))
    accept(store, fired)
    [late] = claim(store)
    assert [alert.id for alert in late.notice.alerts] == [fired.id, end.id]
    assert late.notice.ended


def test_a_resolved_that_lost_its_dimensions_still_ends_a_late_fired(store: Store) -> None:
    """Azure's alert id alone brings the two together, in whatever order and series they come."""
    end = make_alert("resolved", minute=5, series="without-dimensions")
    accept(store, end)
    settle(store, delivered(claim(store)[0], Receipt((Action.NOTHING,))))
    accept(store, make_alert())
    assert claim(store)[0].notice.ended


def test_a_resolved_does_not_end_what_fired_after_it(store: Store) -> None:
    """By Azure's times: a fired later than the resolved of its series is a new trouble."""
    accept(store, make_alert("resolved", minute=5))
    settle(store, delivered(claim(store)[0], Receipt((Action.NOTHING,))))
    accept(store, make_alert(azure_id="a2", minute=6))
    [new] = claim(store)
    assert (len(new.notice.alerts), new.notice.ended) == (1, False)


def test_an_episode_ends_with_its_last_series(store: Store) -> None:
    """Two resources grouped into one episode: only the second resolved ends it."""
    for number in (1, 2):
        accept(store, make_alert(azure_id=f"a{number}", series=f"s{number}", minute=number), episode="e" * 40)
        settle(store, opened(claim(store)[0]))
    ended = []
    for number in (2, 1):
        accept(store, make_alert("resolved", azure_id=f"a{number}", series=f"s{number}", minute=10 + number))
        [one] = claim(store)
        ended.append(one.notice.ended)
        settle(store, delivered(one, Receipt((Action.NOTHING,), one.notice.item)))
    assert ended == [False, True]


def test_a_paused_destination_gets_one_probe_at_a_time(store: Store) -> None:
    """Unauthorized pauses everything; nothing is taken until the probe is due, then a single one."""
    for number in range(5):
        accept(store, make_alert(series=f"s{number}"))
    first, *others = claim(store, 2)
    settle(store, failed(first, Reason.UNAUTHORIZED), *(failed(each, Reason.UNAUTHORIZED) for each in others))
    assert claim(store) == []
    [backlog] = store.backlog()
    assert (backlog.paused, backlog.pause_reason, backlog.waiting) == (True, "unauthorized", 5)
    assert all(each.attempts == 0 for each in store.list_deliveries())


def test_a_probe_that_succeeds_ends_the_pause(store: Store) -> None:
    """After one success everything that waited is taken."""
    for number in range(3):
        accept(store, make_alert(series=f"s{number}"))
    soon = timedelta(microseconds=1)
    [first] = store.work("w", [], NAMESPACES, 1, soon)[1]
    store.work("w", [failed(first, Reason.UNAUTHORIZED)], NAMESPACES, 0, soon)
    [probe] = store.work("w", [], NAMESPACES, 9, PROBE)[1]
    assert store.work("w", [], NAMESPACES, 9, PROBE)[1] == []
    settle(store, opened(probe))
    assert len(claim(store)) == 2


def test_a_worker_that_no_longer_beats_loses_its_episodes(store: Store) -> None:
    """Another worker's heartbeat frees what a vanished one owned, and only that."""
    accept(store, make_alert(series="s1"))
    claim(store, worker="gone")  # it never beat
    store.beat("alive")
    accept(store, make_alert(series="s2"))
    [own] = store.work("alive", [], NAMESPACES, 1, PROBE)[1]
    store.beat("alive")
    rest = store.work("other", [], NAMESPACES, 9, PROBE)[1]
    assert own.notice.alert.rule == "s1"
    assert [each.notice.alert.rule for each in rest] == ["s2"]


def test_a_worker_takes_only_for_destinations_it_knows(store: Store) -> None:
    """What another configuration delivers stays where it is."""
    accept(store, make_alert(), "elsewhere")
    assert claim(store) == []


def test_episodes_of_a_lost_commit_are_found_again(store: Store) -> None:
    """A claim whose answer never arrived is freed, those in flight are kept."""
    accept(store, make_alert(series="s1"))
    accept(store, make_alert(series="s2"))
    known, lost = claim(store)
    store.free_others("w", [(known.destination, known.episode, known.epoch)])
    assert [each.episode for each in claim(store)] == [lost.episode]


def test_a_late_message_leaves_the_doubt_about_a_create(store: Store) -> None:
    """News told on the old item without a look-up says nothing about a create that was given up in doubt."""
    accept(store, make_alert())
    settle(store, opened(claim(store)[0]))
    accept(store, make_alert(azure_id="a2", minute=9))
    error = DeliveryError(Reason.TIMEOUT, "no answer")
    settle(store, Failed(claim(store)[0], error, lambda now: Verdict(Fate.DEAD, now.at, 1, "given up")))
    accept(store, make_alert("update", azure_id="u", minute=3))
    [news] = claim(store)
    settle(store, delivered(news, Receipt((Action.NOTED,), news.notice.item)))
    accept(store, make_alert(azure_id="a3", minute=12))
    assert claim(store)[0].notice.uncertain_since is not None


@pytest.mark.parametrize("crashed", [True, False], ids=["killed", "timed-out"])
def test_what_is_in_doubt_is_tried_before_an_earlier_message_that_came_later(store: Store, crashed: bool) -> None:
    """Only the alert whose try may have been done can tell what of it was: another would adopt it as its own."""
    accept(store, make_alert(azure_id="later", minute=9, series="s2"), episode="e" * 40)
    [tried] = claim(store)
    if crashed:
        store.leave("w")
    else:
        settle(store, failed(tried, Reason.TIMEOUT, retry_after=timedelta(0)))
    accept(store, make_alert(azure_id="earlier", minute=1, series="s1"), episode="e" * 40)
    assert claim(store)[0].alert_id == tried.alert_id


def test_what_was_surely_not_done_keeps_its_place_in_time(store: Store) -> None:
    """After a refusal nothing is in doubt: the earlier message goes first."""
    accept(store, make_alert(azure_id="later", minute=9))
    settle(store, failed(claim(store)[0], Reason.RATE_LIMITED, retry_after=timedelta(0)))
    accept(store, make_alert(azure_id="earlier", minute=1))
    assert claim(store)[0].notice.alert.happened_at == make_alert(minute=1).happened_at


def test_a_claim_whose_commit_was_lost_is_freed_though_its_episode_was_known(store: Store) -> None:
    """The commit that settled one delivery had taken the next of the same episode: another epoch."""
    accept(store, make_alert())
    accept(store, make_alert("resolved", minute=5))
    [known] = claim(store)
    store.work("w", [opened(known)], NAMESPACES, 9, PROBE)  # the answer of this commit never arrives
    store.free_others("w", [(known.destination, known.episode, known.epoch)])
    assert len(claim(store)) == 1


def test_probes_take_turns(store: Store) -> None:
    """A record that always fails does not use up every probe: another one ends the pause."""
    for number in range(3):
        accept(store, make_alert(series=f"s{number}"))
    soon = timedelta(microseconds=1)
    [poison] = store.work("w", [], NAMESPACES, 1, soon)[1]
    store.work("w", [failed(poison, Reason.UNAUTHORIZED)], NAMESPACES, 0, soon)
    [probe] = store.work("w", [], NAMESPACES, 9, soon)[1]
    assert probe.episode != poison.episode


def test_a_probe_does_not_wait_behind_the_backlog_of_another_destination(store: Store) -> None:
    """A mended destination is found again although there is more than enough to do elsewhere."""
    names, soon = {"desk": "desk", "busy": "busy"}, timedelta(microseconds=1)
    accept(store, make_alert())
    [first] = store.work("w", [], names, 1, soon)[1]
    store.work("w", [failed(first, Reason.UNAUTHORIZED)], names, 0, soon)
    for number in range(5):
        accept(store, make_alert(series=f"s{number}", severity="Sev0"), "busy")
    assert "desk" in {each.destination for each in store.work("w", [], names, 2, soon)[1]}


def test_what_was_discarded_is_nobodys_turn(store: Store) -> None:
    """Episodes with nothing left to deliver do not take the places of those that have."""
    for number in range(5):
        accept(store, make_alert(series=f"s{number}", severity="Sev0"))
    store.discard(store.discardable(Choice(state="waiting")), "not wanted")
    accept(store, make_alert(series="wanted", severity="Sev4"))
    assert [each.notice.alert.rule for each in claim(store, 1)] == ["wanted"]


def test_a_replayed_one_does_not_hide_a_more_severe_one(store: Store) -> None:
    """The episode is as urgent as the most severe that waits in it."""
    accept(store, make_alert(azure_id="mild", severity="Sev4"))
    settle(store, failed(claim(store)[0], Reason.REJECTED))
    accept(store, make_alert(azure_id="severe", minute=1, severity="Sev0"))
    accept(store, make_alert(series="other", severity="Sev2"))
    store.replay(store.replayable(Choice(state="dead")), "once more")
    assert claim(store, 1)[0].notice.alert.rule != "other"


def test_the_familys_own_rules_come_before_azures_severity(store: Store) -> None:
    """An outage that Azure calls Sev4 is not queued behind a disk that fills."""
    accept(store, make_alert(series="disk", severity="Sev3"))
    accept(store, make_alert(series="outage", severity="Sev4", priority_hint=Severity.SEV0))
    assert claim(store, 1)[0].notice.alert.rule == "outage"


def test_a_vendors_odd_words_change_no_verdict(store: Store) -> None:
    """A character that PostgreSQL refuses is left out; the time-out stays a time-out."""
    accept(store, make_alert())
    error = DeliveryError(Reason.TIMEOUT, "no\x00answer")
    settle(store, Failed(claim(store)[0], error, lambda standing: AT_ONCE.verdict(error, standing)))
    assert store.list_deliveries()[0].state == "waiting"


def test_of_two_that_fired_at_one_instant_a_dead_one_does_not_hold_the_other(store: Store) -> None:
    """The delivered one has its work item, and its resolved goes there."""
    for series in ("s1", "s2"):
        accept(store, make_alert(azure_id=series, series=series), episode="e" * 40)
    settle(store, failed(claim(store)[0], Reason.REJECTED))
    [second] = claim(store)
    settle(store, opened(second))
    accept(
        store,
        make_alert("resolved", azure_id=second.notice.alert.rule, series=second.notice.alert.rule or "", minute=5),
    )
    assert len(claim(store)) == 1


@pytest.mark.parametrize("gone", ["leave", "beat", "free_others"])
def test_a_call_of_a_vanished_worker_is_left_time_to_settle(store_url: str, gone: str) -> None:
    """Whoever takes the episode over looks only once the vendor must have come to its end."""
    with closing(Store.hold(store_url, settling=timedelta(seconds=30))) as patient:
        accept(patient, make_alert())
        [taken] = claim(patient)
        {
            "leave": lambda: patient.leave("w"),
            "beat": lambda: patient.beat("other"),
            "free_others": lambda: patient.free_others("w", []),
        }[gone]()
        assert claim(patient, worker="other") == []
        assert patient.list_deliveries()[0].episode == taken.episode
    with closing(Store.hold(store_url)) as hasty:
        hasty.write(lambda connection: connection.execute(update(episodes).values(due=taken.notice.at)))
        assert len(claim(hasty)) == 1
