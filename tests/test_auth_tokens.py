"""Which tokens let a caller in, and with which code each bad one is refused (connector.auth)."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.auth import REFUSALS, Authenticator, Caller, Refusal
from connector.config import AuthConfig
from connector.testing.issuer import TokenIssuer, sign, signing_key

TENANT = "5b0c7a52-9d1e-4f6b-8a37-20c4d1e9f863"
OTHER_TENANT = "c1d2e3f4-0a1b-4c2d-9e3f-a4b5c6d7e8f9"
CLIENT_ID = "0e9d8c7b-6a5f-4e3d-b2c1-a09f8e7d6c5b"
AUDIENCES = ("api://alerts.fabrikam.example", CLIENT_ID)
ACTION_GROUPS = "461e8683-5575-4561-ac7f-899cc907d62a"
ROLE = "ActionGroupsSecureWebhook"
NOW = 1_780_000_000
LEEWAY = 120
GONE = object()
PERSON = "maria.lopez@fabrikam.example"


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with TokenIssuer(TENANT) as running:
        yield running


def authenticator(issuer: TokenIssuer, **changes: Any) -> Authenticator:
    leeway = timedelta(seconds=LEEWAY)
    settings: dict[str, Any] = {
        "tenant_id": TENANT,
        "audiences": AUDIENCES,
        "authority": issuer.authority,
        "leeway": leeway,
    }
    return Authenticator(AuthConfig(**(settings | changes)), clock=lambda: NOW)


def claims(issuer: TokenIssuer, version: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Entra's claims at NOW, with a person's name among them; `caller` is appid or azp."""
    base = issuer.claims(version, aud=AUDIENCES[0], iat=NOW - 60, nbf=NOW - 60, exp=NOW + 3600, upn=PERSON)
    own = {("appid" if version == "1.0" else "azp") if name == "caller" else name: v for name, v in changes.items()}
    return {name: value for name, value in (base | own).items() if value is not GONE}


def token(issuer: TokenIssuer, version: str, changes: Mapping[str, Any] | None = None, **how: Any) -> str:
    return issuer.token(version, claims(issuer, version, changes or {}), **how)


def refusal(issuer: TokenIssuer, authorization: str | None, **changes: Any) -> Refusal:
    """The refusal of that header, which must tell neither the token nor the person in it."""
    with pytest.raises(Refusal) as caught:
        authenticator(issuer, **changes).authenticate(authorization)
    told = f"{caught.value} {caught.value!r} {caught.value.evidence}"
    secrets = [part for part in (authorization or "").split(" ")[-1].split(".") if len(part) > 12]
    assert not [part for part in secrets if part in told]
    assert PERSON not in told
    assert told.isascii()
    assert len(caught.value.evidence) < 400
    return caught.value


# --- claims

WRONG_CLAIMS: list[tuple[str, str, dict[str, Any]]] = [
    ("no version", "version-unknown", {"ver": GONE}),
    ("version as a number", "version-unknown", {"ver": 2.0}),
    ("version of tomorrow", "version-unknown", {"ver": "3.0"}),
    ("version as a list", "version-unknown", {"ver": ["2.0"]}),
    ("no issuer", "issuer-wrong", {"iss": GONE}),
    ("issuer of another tenant", "issuer-wrong", {"iss": f"https://sts.windows.net/{OTHER_TENANT}/"}),
    ("issuer as a list", "issuer-wrong", {"iss": ["https://sts.windows.net/"]}),
    ("no tenant", "tenant-wrong", {"tid": GONE}),
    ("another tenant", "tenant-wrong", {"tid": OTHER_TENANT}),
    ("tenant as a list", "tenant-wrong", {"tid": [TENANT]}),
    ("no audience", "audience-wrong", {"aud": GONE}),
    ("another audience", "audience-wrong", {"aud": "api://somebody-else"}),
    ("audience with a slash", "audience-wrong", {"aud": f"{AUDIENCES[0]}/"}),
    ("audience in capitals", "audience-wrong", {"aud": AUDIENCES[0].upper()}),
    ("audience that begins alike", "audience-wrong", {"aud": AUDIENCES[0][:-1]}),
    ("audience list without ours", "audience-wrong", {"aud": ["api://a", "api://b", 7, None]}),
    ("empty audience list", "audience-wrong", {"aud": []}),
    ("audience as an object", "audience-wrong", {"aud": {AUDIENCES[0]: True}}),
    ("no expiry", "expiry-missing", {"exp": GONE}),
    ("expiry null", "expiry-missing", {"exp": None}),
    ("expiry as text", "time-malformed", {"exp": str(NOW + 3600)}),
    ("expiry true", "time-malformed", {"exp": True}),
    ("expiry NaN", "time-malformed", {"exp": float("nan")}),
    ("expiry infinite", "time-malformed", {"exp": float("inf")}),
    ("expiry as a list", "time-malformed", {"exp": [NOW + 3600]}),
    ("not-before as text", "time-malformed", {"nbf": str(NOW)}),
    ("not-before null", "time-malformed", {"nbf": None}),
    ("not-before minus infinite", "time-malformed", {"nbf": float("-inf")}),
    ("issued-at false", "time-malformed", {"iat": False}),
    ("issued-at as an object", "time-malformed", {"iat": {}}),
    ("expired long ago", "token-expired", {"exp": NOW - 86400}),
    ("expired just outside the leeway", "token-expired", {"exp": NOW - LEEWAY}),
    ("expired before time began", "token-expired", {"exp": -(10**400)}),
    ("valid from tomorrow", "token-not-yet-valid", {"nbf": NOW + 86400}),
    ("valid just outside the leeway", "token-not-yet-valid", {"nbf": NOW + LEEWAY + 1}),
    ("valid at the end of time", "token-not-yet-valid", {"nbf": 10**400}),
    ("issued in the future", "issued-in-future", {"iat": NOW + LEEWAY + 1}),
    ("a user's token", "delegated-token", {"scp": "user_impersonation"}),
    ("an empty scope", "delegated-token", {"scp": ""}),
    ("a scope of null", "delegated-token", {"scp": None}),
    ("marked as a user's", "delegated-token", {"idtyp": "user"}),
    ("no caller", "caller-missing", {"caller": GONE}),
    ("empty caller", "caller-missing", {"caller": ""}),
    ("caller as a list", "caller-missing", {"caller": [ACTION_GROUPS]}),
    ("another caller", "caller-not-allowed", {"caller": CLIENT_ID}),
    ("action groups of another cloud", "caller-not-allowed", {"caller": "f1f34126-d4ef-40e1-ad4b-bf5d47b4860d"}),
    ("no roles", "role-missing", {"roles": GONE}),
    ("empty roles", "role-missing", {"roles": []}),
    ("another role", "role-missing", {"roles": ["Reader"]}),
    ("role in small letters", "role-missing", {"roles": [ROLE.lower()]}),
    ("roles as one text", "role-missing", {"roles": ROLE}),
    ("roles as an object", "role-missing", {"roles": {ROLE: True}}),
    ("role within a list", "role-missing", {"roles": [[ROLE]]}),
    # Of several faults the one that ends in 401 is told, and a user's token before its caller.
    ("expired, and another caller", "token-expired", {"exp": NOW - 9000, "caller": CLIENT_ID}),
    ("another tenant, and no role", "tenant-wrong", {"tid": OTHER_TENANT, "roles": []}),
    ("a user's, and another caller", "delegated-token", {"scp": "x", "caller": CLIENT_ID}),
    ("another caller, and no role", "caller-not-allowed", {"caller": CLIENT_ID, "roles": GONE}),
]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(
    ("code", "changes"), [case[1:] for case in WRONG_CLAIMS], ids=[case[0] for case in WRONG_CLAIMS]
)
def test_a_well_signed_token_with_a_wrong_claim_is_refused(
    issuer: TokenIssuer, version: str, code: str, changes: dict[str, Any]
) -> None:
    """Each wrong claim has its own code, the same for both token versions."""
    refused = refusal(issuer, f"Bearer {token(issuer, version, changes)}")
    assert (refused.code, refused.status) == (code, REFUSALS[code].status)


def test_the_claim_of_the_other_version_does_not_name_the_caller(issuer: TokenIssuer) -> None:
    """`appid` counts in version 1 only, `azp` in version 2 only."""
    first = token(issuer, "1.0", {"caller": GONE, "azp": ACTION_GROUPS})
    second = token(issuer, "2.0", {"caller": GONE, "appid": ACTION_GROUPS})
    assert [refusal(issuer, f"Bearer {each}").code for each in (first, second)] == ["caller-missing"] * 2


@pytest.mark.parametrize(("version", "other"), [("1.0", "2.0"), ("2.0", "1.0")])
def test_a_version_is_bound_to_its_own_issuer(issuer: TokenIssuer, version: str, other: str) -> None:
    """The issuer of the other version's metadata is a wrong issuer."""
    assert refusal(issuer, f"Bearer {token(issuer, version, {'iss': issuer.issuer(other)})}").code == "issuer-wrong"


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("change", [lambda iss: iss + "x", lambda iss: iss + "/", lambda iss: iss[:-1], str.upper])
def test_the_issuer_is_compared_letter_by_letter(
    issuer: TokenIssuer, version: str, change: Callable[[str], str]
) -> None:
    """Neither a slash more or less nor capitals make it the same."""
    changed = {"iss": change(issuer.issuer(version))}
    assert refusal(issuer, f"Bearer {token(issuer, version, changed)}").code == "issuer-wrong"


RIGHT_CLAIMS: list[tuple[str, dict[str, Any]]] = [
    ("as Entra makes it", {}),
    ("the client id as audience", {"aud": CLIENT_ID}),
    ("the client id in capitals", {"aud": CLIENT_ID.upper()}),
    ("a list with our audience", {"aud": ["api://other", AUDIENCES[0]]}),
    ("expired inside the leeway", {"exp": NOW - LEEWAY + 1}),
    ("valid inside the leeway", {"nbf": NOW + LEEWAY}),
    ("issued inside the leeway", {"iat": NOW + LEEWAY}),
    ("times with fractions", {"exp": NOW + 0.5, "nbf": NOW - 0.5}),
    ("an expiry beyond floating point", {"exp": 10**400}),
    ("no other time than the expiry", {"nbf": GONE, "iat": GONE}),
    ("several roles", {"roles": ["Reader", ROLE, 7]}),
    ("tenant in capitals", {"tid": TENANT.upper()}),
    ("caller in capitals", {"caller": ACTION_GROUPS.upper()}),
    ("marked as an application's", {"idtyp": "app"}),
    ("claims nobody knows", {"xms_new": {"deep": [1, 2, None]}}),
]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("changes", [case[1] for case in RIGHT_CLAIMS], ids=[case[0] for case in RIGHT_CLAIMS])
def test_a_good_token_lets_its_caller_in(issuer: TokenIssuer, version: str, changes: dict[str, Any]) -> None:
    """The caller is told with its tenant, its roles and the version of its token."""
    caller = authenticator(issuer).authenticate(f"Bearer {token(issuer, version, changes)}")
    roles = ("Reader", ROLE) if "roles" in changes else (ROLE,)
    assert caller == Caller(ACTION_GROUPS, TENANT, roles, version)


# --- headers of the token

POINTERS = ["jku", "x5u", "jwk", "x5c"]


def foreign_headers(intruder: TokenIssuer, pointer: str) -> dict[str, Any]:
    address = intruder.base + "/discovery/keys"
    entry = intruder.key.published()
    return {pointer: {"jku": address, "x5u": address, "jwk": entry, "x5c": [entry["n"]]}[pointer]}


@pytest.mark.parametrize("pointer", POINTERS)
@pytest.mark.parametrize("kid", ["its own", "ours"])
def test_a_token_cannot_bring_its_own_key(issuer: TokenIssuer, pointer: str, kid: str) -> None:
    """A key that the header points to or holds is neither fetched nor believed."""
    with TokenIssuer(TENANT, key=signing_key(70)) as intruder:
        named = issuer.key.kid if kid == "ours" else intruder.key.kid
        forged = token(issuer, "2.0", key=intruder.key, kid=named, headers=foreign_headers(intruder, pointer))
        refused = refusal(issuer, f"Bearer {forged}")
        assert refused.code == ("signature-invalid" if kid == "ours" else "unknown-key")
        assert not intruder.fetches


@pytest.mark.parametrize("pointer", POINTERS)
def test_a_pointer_to_a_key_does_not_harm_a_good_token(issuer: TokenIssuer, pointer: str) -> None:
    """It is not looked at, whatever it says."""
    with TokenIssuer(TENANT, key=signing_key(70)) as intruder:
        good = token(issuer, "2.0", headers=foreign_headers(intruder, pointer))
        assert authenticator(issuer).authenticate(f"Bearer {good}").application_id == ACTION_GROUPS
        assert not intruder.fetches


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def by_hand(issuer: TokenIssuer, header: object, signature: Callable[[bytes], bytes], payload: bytes = b"") -> str:
    """A token that no library would make."""
    body = payload or json.dumps(claims(issuer, "2.0", {})).encode()
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = f"{b64(head)}.{b64(body)}"
    return f"{signed}.{b64(signature(signed.encode()))}"


def mac(issuer: TokenIssuer, algorithm: str) -> Callable[[bytes], bytes]:
    """The classic: our public key, which everybody has, as the secret of a shared-secret algorithm."""
    public = issuer.key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return lambda signed: hmac.new(public, signed, f"sha{algorithm[2:]}").digest()


def unsigned(_: bytes) -> bytes:
    return b""


def noise(_: bytes) -> bytes:
    return bytes(range(256))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_our_public_key_is_no_shared_secret(issuer: TokenIssuer, algorithm: str) -> None:
    """A token signed with it by a shared-secret algorithm is refused for the algorithm."""
    forged = by_hand(issuer, {"alg": algorithm, "kid": issuer.key.kid}, mac(issuer, algorithm))
    assert refusal(issuer, f"Bearer {forged}").code == "algorithm-not-allowed"


def test_a_shared_secret_signature_under_the_right_name_is_no_signature(issuer: TokenIssuer) -> None:
    """Naming RS256 does not make a digest a signature."""
    forged = by_hand(issuer, {"alg": "RS256", "kid": issuer.key.kid}, mac(issuer, "HS256"))
    assert refusal(issuer, f"Bearer {forged}").code == "signature-invalid"


HEADERS: list[tuple[str, str, Any]] = [
    *(
        (f"algorithm {name!r}", "algorithm-not-allowed", {"alg": name, "kid": "{kid}"})
        for name in (
            "none",
            "None",
            "",
            None,
            "rs256",
            "RS384",
            "RS512",
            "PS256",
            "ES256",
            "EdDSA",
            ["RS256"],
            256,
        )
    ),
    ("no algorithm", "algorithm-not-allowed", {"kid": "{kid}"}),
    ("crit", "critical-header", {"alg": "RS256", "kid": "{kid}", "crit": ["exp"]}),
    ("crit with b64", "critical-header", {"alg": "RS256", "kid": "{kid}", "crit": ["b64"], "b64": False}),
    ("empty crit", "critical-header", {"alg": "RS256", "kid": "{kid}", "crit": []}),
    ("detached payload", "token-malformed", {"alg": "RS256", "kid": "{kid}", "b64": False}),
    ("no key id", "key-id-missing", {"alg": "RS256"}),
    ("key id by thumbprint only", "key-id-missing", {"alg": "RS256", "x5t": "{kid}"}),
    ("key id empty", "key-id-missing", {"alg": "RS256", "kid": ""}),
    ("key id as a number", "key-id-missing", {"alg": "RS256", "kid": 7}),
    ("key id as a list", "key-id-missing", {"alg": "RS256", "kid": ["{kid}"]}),
    ("key id that is no text for a log", "unknown-key", {"alg": "RS256", "kid": "\ud800\n\x1b[31m" * 40}),
    ("key id as a path", "unknown-key", {"alg": "RS256", "kid": "../../../../dev/null"}),
    ("header as a list", "token-malformed", []),
    ("header as a text", "token-malformed", "RS256"),
    ("header with the algorithm twice", "token-malformed", b'{"alg":"none","alg":"RS256","kid":"x"}'),
    ("header in UTF-16", "token-malformed", '{"alg":"RS256","kid":"x"}'.encode("utf-16")),
    ("header that is not JSON", "token-malformed", b"{alg:RS256}"),
]


@pytest.mark.parametrize(("code", "header"), [case[1:] for case in HEADERS], ids=[case[0] for case in HEADERS])
def test_a_token_with_a_wrong_header_is_refused(issuer: TokenIssuer, code: str, header: Any) -> None:
    """Each has its code; a token by an algorithm or key we do not take is not verified at all."""
    if isinstance(header, dict):
        header = json.loads(json.dumps(header).replace("{kid}", issuer.key.kid))
    refused = refusal(issuer, f"Bearer {by_hand(issuer, header, noise)}")
    assert (refused.code, refused.status) == (code, 401)


# --- the signature, and tokens that are none


def flipped(good: str) -> str:
    """The same token with one bit of its signature turned over."""
    head, body, signature = good.split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[100] ^= 1
    return f"{head}.{body}.{b64(bytes(raw))}"


def promoted(good: str) -> str:
    """The same token with more roles under the old signature."""
    head, body, signature = good.split(".")
    told = json.loads(base64.urlsafe_b64decode(body + "==")) | {"roles": [ROLE, "Administrator"]}
    return f"{head}.{b64(json.dumps(told).encode())}.{signature}"


TAMPERED: list[tuple[str, str, Callable[[str], str]]] = [
    ("one bit of the signature", "signature-invalid", flipped),
    ("a claim", "signature-invalid", promoted),
    ("no signature", "signature-invalid", lambda good: good[: good.rindex(".") + 1]),
    ("half a signature", "signature-invalid", lambda good: good[:-170]),
    ("no third part", "token-malformed", lambda good: good[: good.rindex(".")]),
    ("five parts, as if encrypted", "token-malformed", lambda good: f"{good}.AAAA.AAAA"),
    ("a line break within", "token-malformed", lambda good: f"{good[:40]}\n{good[40:]}"),
    ("padding", "token-malformed", lambda good: f"{good}=="),
    ("a spelling with unused bits set", "token-malformed", lambda good: good[:-1] + chr(ord(good[-1]) + 1)),
    ("signs outside the alphabet", "token-malformed", lambda good: f"{good}!!"),
    ("letters outside ASCII", "token-malformed", lambda good: f"{good}é"),
    ("a second token", "token-malformed", lambda good: f"{good}, Bearer {good}"),
    ("one part", "token-malformed", lambda _: "opaque"),
    ("no token", "token-malformed", lambda _: ""),
    ("points only", "token-malformed", lambda _: ".."),
    ("much too much", "token-too-large", lambda good: good + "A" * 16_384),
    ("a megabyte of points", "token-too-large", lambda _: "." * 1_000_000),
]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(("code", "change"), [case[1:] for case in TAMPERED], ids=[case[0] for case in TAMPERED])
def test_a_token_that_was_tampered_with_is_refused(
    issuer: TokenIssuer, version: str, code: str, change: Callable[[str], str]
) -> None:
    """The signature covers every letter, and nothing but three parts of base64url is a token."""
    refused = refusal(issuer, f"Bearer {change(token(issuer, version))}")
    assert (refused.code, refused.status) == (code, 401)


PAYLOADS: list[tuple[str, bytes]] = [
    ("a list", b"[]"),
    ("nothing", b" "),
    ("not JSON", b"ver=2.0"),
    ("nested too deep", b'{"ver":"2.0","a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ("a number of 6,000 digits", b'{"ver":"2.0","exp":' + b"9" * 6000 + b"}"),
    ("the version twice", b'{"ver":"1.0","ver":"2.0"}'),
    ("a name twice further down", b'{"ver":"2.0","a":{"b":1,"b":2}}'),
    ("not UTF-8", b'{"ver":"2.0","a":"\xff"}'),
    ("a byte order mark", b'\xef\xbb\xbf{"ver":"2.0"}'),
    ("UTF-16", '{"ver":"2.0"}'.encode("utf-16")),
]


@pytest.mark.parametrize("payload", [case[1] for case in PAYLOADS], ids=[case[0] for case in PAYLOADS])
def test_a_payload_that_is_not_one_plain_object_is_refused(issuer: TokenIssuer, payload: bytes) -> None:
    """Even when it is signed well: two readers must not be able to read two things."""
    signed = sign(payload, issuer.key, {"kid": issuer.key.kid})
    assert refusal(issuer, f"Bearer {signed}").code == "token-malformed"


def test_the_signature_is_asked_before_any_claim(issuer: TokenIssuer) -> None:
    """A forged token learns nothing about which of its claims would have been right."""
    wrong = {"iss": "x", "tid": "x", "aud": "x", "exp": "x", "caller": "x", "roles": "x", "scp": "x"}
    forged = token(issuer, "2.0", wrong, key=signing_key(70), kid=issuer.key.kid)
    assert refusal(issuer, f"Bearer {forged}").code == "signature-invalid"


# --- the Authorization header

SCHEMES: list[tuple[str, str, str | None]] = [
    ("no header", "token-missing", None),
    ("empty header", "token-missing", "  "),
    ("basic", "scheme-not-bearer", "Basic " + base64.b64encode(b"azure:very-secret-password").decode()),
    ("digest", "scheme-not-bearer", 'Digest username="azure-very-secret"'),
    ("a scheme that begins alike", "scheme-not-bearer", "BearerToken {token}"),
    ("the token alone", "scheme-not-bearer", "{token}"),
    ("the scheme alone", "token-malformed", "Bearer"),
]


@pytest.mark.parametrize(("code", "header"), [case[1:] for case in SCHEMES], ids=[case[0] for case in SCHEMES])
def test_a_header_without_a_bearer_token_is_refused(issuer: TokenIssuer, code: str, header: str | None) -> None:
    """Neither a password nor a token in the wrong place is repeated in the evidence."""
    filled = header and header.replace("{token}", token(issuer, "2.0"))
    refused = refusal(issuer, filled)
    assert (refused.code, refused.status) == (code, 401)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", " Bearer", "Bearer  "])
def test_the_scheme_has_no_case(issuer: TokenIssuer, scheme: str) -> None:
    """RFC 9110 section 11.1: the name of a scheme is compared without regard to case."""
    assert authenticator(issuer).authenticate(f"{scheme} {token(issuer, '1.0')}").token_version == "1.0"


# --- settings


def test_without_a_required_role_none_is_needed(issuer: TokenIssuer) -> None:
    """The role is optional in Azure; an empty setting does not ask for it."""
    header = f"Bearer {token(issuer, '2.0', {'roles': GONE})}"
    assert authenticator(issuer, required_role="").authenticate(header).roles == ()


def test_configured_callers_replace_the_clouds_own(issuer: TokenIssuer) -> None:
    """The action-group service is let in only where it is listed, once somebody is listed."""
    mine = f"Bearer {token(issuer, '2.0', {'caller': CLIENT_ID})}"
    assert authenticator(issuer, callers=(CLIENT_ID.upper(),)).authenticate(mine).application_id == CLIENT_ID
    azure = refusal(issuer, f"Bearer {token(issuer, '2.0')}", callers=(CLIENT_ID,))
    assert azure.code == "caller-not-allowed"


def test_the_government_cloud_has_an_action_group_service_of_its_own(issuer: TokenIssuer) -> None:
    """The public cloud's service is a stranger there."""
    own = f"Bearer {token(issuer, '1.0', {'caller': 'f1f34126-d4ef-40e1-ad4b-bf5d47b4860d'})}"
    assert authenticator(issuer, cloud="usgov").authenticate(own).token_version == "1.0"
    assert refusal(issuer, f"Bearer {token(issuer, '1.0')}", cloud="usgov").code == "caller-not-allowed"


def test_evidence_names_what_was_expected_and_what_came(issuer: TokenIssuer) -> None:
    """An administrator can see from the log which role Azure's script has given."""
    evidence = refusal(issuer, f"Bearer {token(issuer, '2.0', {'roles': ['Survey.Read']})}").evidence
    assert ROLE in evidence
    assert "Survey.Read" in evidence


# --- subscriptions

ONE, TWO, THREE = (f"{digit * 8}-aaaa-4bbb-8ccc-{digit * 12}" for digit in "123")


@pytest.mark.parametrize(
    ("allowed", "named", "test", "let_in"),
    [
        ((), (), False, True),
        ((), (THREE,), False, True),
        ((ONE,), (ONE,), False, True),
        ((ONE.upper(),), (ONE,), False, True),
        ((ONE, TWO), (TWO, ONE, ONE), False, True),
        ((ONE,), (THREE,), True, True),
        ((ONE,), (), True, True),
        ((ONE,), (THREE,), False, False),
        ((ONE, TWO), (ONE, THREE), False, False),
        ((ONE,), (), False, False),
        ((ONE,), (ONE[:-1],), False, False),
        ((ONE,), ("",), False, False),
    ],
)
def test_every_subscription_of_an_alert_must_be_allowed(
    issuer: TokenIssuer, allowed: tuple[str, ...], named: tuple[str, ...], test: bool, let_in: bool
) -> None:
    """An empty list allows any; a recognised test is exempt; an alert that names none is refused."""
    guard = authenticator(issuer, subscriptions=allowed)
    if let_in:
        guard.authorise(named, test=test)
        return
    with pytest.raises(Refusal) as caught:
        guard.authorise(named, test=test)
    assert (caught.value.code, caught.value.status) == ("subscription-not-allowed", 403)


def test_every_code_of_a_bad_token_is_proved_here() -> None:
    """A code that is added to the table needs a token that is refused with it."""
    proved = {case[1] for cases in (WRONG_CLAIMS, HEADERS, TAMPERED, SCHEMES) for case in cases}
    elsewhere = {"subscription-not-allowed", "keys-unavailable", "key-fetch-deferred"}
    assert proved | elsewhere == set(REFUSALS)
