"""No header and no claim, however strange, is answered by anything but a decision (connector.auth)."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.auth import REFUSALS, Authenticator, Caller, Refusal
from connector.auth.key_source import KeyFetchError, usable_keys
from connector.config import AuthConfig
from connector.testing.issuer import AUDIENCE, TokenIssuer, sign, signing_key

TENANT = "94f0b6d2-13ce-47a8-8e5b-d7c2a1f03b69"
NAMES = ["aud", "iss", "iat", "nbf", "exp", "tid", "roles", "ver", "azp", "scp", "idtyp"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
KEPT = settings(
    max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with TokenIssuer(TENANT) as running:
        yield running


@pytest.fixture(scope="module")
def guard(issuer: TokenIssuer) -> Authenticator:
    return Authenticator(AuthConfig(tenant_id=TENANT, audiences=(AUDIENCE,), authority=issuer.authority))


def decided(guard: Authenticator, header: str) -> Caller | str:
    try:
        return guard.authenticate(header)
    except Refusal as refused:
        return refused.code if refused.evidence.isascii() else "evidence that is not fit for a log"


@KEPT
@given(header=st.text() | st.text().map("Bearer {}".format) | st.from_regex(r"Bearer [\w-]*\.[\w-]*\.[\w-]*"))
def test_any_header_is_refused(guard: Authenticator, header: str) -> None:
    """Nobody gets in by chance, and nothing but a refusal comes out."""
    assert decided(guard, header) in REFUSALS


@KEPT
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "jku", "typ", "zip"]), JSON))
def test_any_token_header_is_refused(issuer: TokenIssuer, guard: Authenticator, header: dict[str, Any]) -> None:
    """A header put in place of the signed one never leads to a caller."""
    _, payload, signature = issuer.token().split(".")
    changed = json.dumps({"alg": "RS256", "kid": issuer.key.kid, "typ": "changed"} | header).encode()
    head = urlsafe_b64encode(changed).decode().rstrip("=")
    assert decided(guard, f"Bearer {head}.{payload}.{signature}") in REFUSALS


@KEPT
@given(changes=st.dictionaries(st.sampled_from(NAMES), JSON, min_size=1))
def test_any_claims_are_decided_upon(issuer: TokenIssuer, guard: Authenticator, changes: dict[str, Any]) -> None:
    """Well-signed claims of any type lead to a caller or to a code."""
    payload = json.dumps(issuer.claims() | changes).encode()
    answer = decided(guard, f"Bearer {sign(payload, issuer.key, {'kid': issuer.key.kid})}")
    assert isinstance(answer, Caller) or answer in REFUSALS


@KEPT
@given(entry=st.dictionaries(st.sampled_from(["kty", "use", "alg", "kid", "n", "e", "key_ops", "issuer"]), JSON))
def test_any_entry_beside_a_good_key_is_passed_over(entry: dict[str, Any]) -> None:
    """Whatever stands in the issuer's document, the good key beside it is found."""
    good = signing_key(0).published()
    assert good["kid"] in usable_keys({"keys": [good | entry | {"kid": "other"}, good]}, TENANT)
    with pytest.raises(KeyFetchError):
        usable_keys({"keys": entry}, TENANT)
