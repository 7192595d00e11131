"""The way in: who is let in with what, and what becomes of a body that cannot be taken."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.auth import Authenticator
from connector.azure import decode, read_alert
from connector.config import AuthConfig, RouteConfig
from connector.intake import Accepted, Intake, Refused, consider_alert
from connector.metrics import Metrics
from connector.model import Alert, Decision
from connector.routes import Routes, Routing
from connector.store import Store
from connector.testing import samples
from connector.testing.issuer import TokenIssuer

TENANT = "0c2f8a34-6d0b-4f3e-8f2a-51f0a7d3b9ce"
AUDIENCE = "api://intake"
ROUTES = Routes([RouteConfig(name="all", destinations=("desk",))])
NOWHERE = Routes([])


class BrokenRoutes(Routes):
    """Routes with a fault of ours in them."""

    def choose(self, alert: Alert) -> Routing:
        raise ZeroDivisionError(alert.rule)


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with TokenIssuer(TENANT) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.hold(f"sqlite:///{tmp_path}/s.db")) as opened:
        yield opened


def intake(store: Store, issuer: TokenIssuer, routes: Routes = ROUTES, **auth: Any) -> Intake:
    config = AuthConfig(tenant_id=TENANT, audiences=(AUDIENCE,), authority=issuer.authority, **auth)
    return Intake(routes, store, Metrics(store.backlog), auth=Authenticator(config))


def receive(intake: Intake, issuer: TokenIssuer, name: str = "metric-static-fired") -> Accepted:
    return intake.receive(samples.raw(name), issuer.bearer(aud=AUDIENCE), request_id="r")


def test_a_fault_of_ours_is_answered_as_taken_in(store: Store, issuer: TokenIssuer) -> None:
    """Azure would not send it again, so body and trace are kept, and the body can be replayed."""
    accepted = receive(intake(store, issuer, BrokenRoutes([])), issuer)
    assert accepted.status == "quarantined"
    [kept] = store.find_quarantined(accepted.id)
    assert kept.body == samples.raw("metric-static-fired")
    assert "ZeroDivisionError" in (kept.trace or "")
    again = intake(store, issuer).take_in(kept.body)
    assert (again.status, len(again.deliveries)) == ("accepted", 1)


def test_a_subscription_that_is_not_listed_is_403_and_kept(store: Store, issuer: TokenIssuer) -> None:
    """The caller learns no more than the code; the body can be replayed once the list is mended."""
    with pytest.raises(Refused) as refused:
        receive(intake(store, issuer, subscriptions=("11111111-2222-3333-4444-555555555555",)), issuer)
    assert (refused.value.status, refused.value.code, refused.value.detail) == (403, "subscription-not-allowed", "")
    assert store.list_quarantined(None)[0].id == refused.value.id
    assert store.list_alerts(None) == []


def test_a_listed_subscription_is_let_in(store: Store, issuer: TokenIssuer) -> None:
    """In any spelling of its letters."""
    alert = consider_alert(_alert(), ROUTES).alert
    listed = tuple(each.upper() for each in alert.subscriptions)
    assert listed
    assert receive(intake(store, issuer, subscriptions=listed), issuer).status == "accepted"


def _alert() -> Alert:
    body = samples.raw("metric-static-fired")
    return read_alert(decode(body), received_at=datetime.now(UTC), body_digest="0" * 64, nonce="n")


def test_a_portal_test_needs_no_listed_subscription(store: Store, issuer: TokenIssuer) -> None:
    """It names a subscription of Microsoft's own."""
    guarded = intake(store, issuer, subscriptions=("11111111-2222-3333-4444-555555555555",))
    assert receive(guarded, issuer, "portal-test-metric").status == "accepted"


def test_what_no_route_wants_is_stored(store: Store, issuer: TokenIssuer) -> None:
    """It is answered as unrouted, and can be routed again once a route wants it."""
    unrouted = receive(intake(store, issuer, NOWHERE), issuer)
    assert (unrouted.status, unrouted.deliveries) == ("unrouted", ())
    [stored] = store.find_alerts([unrouted.id])
    again = intake(store, issuer).again(stored.alert, Decision("replayed", "again", "a route was added"))
    assert [destination for _, destination in again.deliveries] == ["desk"]
    assert [each.state for each in store.list_deliveries()] == ["waiting"]


def test_the_same_event_again_is_a_duplicate(store: Store, issuer: TokenIssuer) -> None:
    """Same ids, whichever token version it came with."""
    one = intake(store, issuer)
    first = one.receive(samples.raw("metric-static-fired"), issuer.bearer("1.0", aud=AUDIENCE), request_id="a")
    second = one.receive(samples.raw("metric-static-fired"), issuer.bearer("2.0", aud=AUDIENCE), request_id="b")
    assert (first.status, second.status) == ("accepted", "duplicate")
    assert (first.id, first.deliveries) == (second.id, second.deliveries)


def test_another_schema_is_taken_in_with_a_warning(store: Store, issuer: TokenIssuer) -> None:
    """The warning names the switch in the portal."""
    accepted = receive(intake(store, issuer), issuer, "noncommon-metric-activated")
    assert accepted.status == "accepted"
    assert "common alert schema" in accepted.warnings[0]


def test_a_caller_without_a_token_leaves_nothing(store: Store, issuer: TokenIssuer) -> None:
    """Refused before the body is looked at, whatever its size."""
    one = intake(store, issuer)
    with pytest.raises(Refused):
        one.receive(b"{", None, request_id="r")
    assert one.too_large(b"x" * 99, None, request_id="r", size=10**6).status == 401
    assert store.list_quarantined(None) == []


def test_a_store_that_is_gone_is_503(store: Store, issuer: TokenIssuer, tmp_path: Path) -> None:
    """The alert is asked for again: Azure retries a 503."""
    one = intake(store, issuer)
    for each in tmp_path.glob("s.db*"):
        each.unlink()
    store.close()
    (tmp_path / "s.db").mkdir()
    with pytest.raises(Refused) as refused:
        receive(one, issuer)
    assert (refused.value.status, refused.value.code) == (503, "store-unavailable")
    assert refused.value.retry_after
