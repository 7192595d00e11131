"""The issuer for demos and tests, in this process and as one of its own (connector.testing.issuer)."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from connector.auth import Authenticator, Caller, Refusal
from connector.config import AuthConfig
from connector.testing.issuer import ACTION_GROUPS, AUDIENCE, ROLE, SigningKey, TokenIssuer, signing_key

TENANT = "2c9a4e71-60fd-4b3c-9d85-7e1f0a6b5c34"
TOKEN_PATH = {"1.0": "/oauth2/token", "2.0": "/oauth2/v2.0/token"}


@contextmanager
def issuer_process(*options: str) -> Iterator[str]:
    """Run the issuer as its own process; gives its authority."""
    command = [sys.executable, "-m", "connector.testing.issuer", "--tenant", TENANT, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            assert process.wait(10) == 0


def asked_for(authority: str, version: str, audience: str = AUDIENCE) -> str:
    """An Authorization header from the token endpoint, as Azure's action-group service gets one."""
    form = {"grant_type": "client_credentials", "client_id": ACTION_GROUPS, "client_secret": "unused"}
    form |= {"resource": audience} if version == "1.0" else {"scope": f"{audience}/.default"}
    answer = requests.post(f"{authority}/{TENANT}{TOKEN_PATH[version]}", data=form, timeout=10)
    return f"{answer.json()['token_type']} {answer.json()['access_token']}"


def authenticator(authority: str) -> Authenticator:
    return Authenticator(AuthConfig(tenant_id=TENANT, audiences=(AUDIENCE,), authority=authority))


def test_an_issuer_of_its_own_process_lets_its_callers_in(tmp_path: Path) -> None:
    """Discovery, keys and tokens of both versions all come over HTTP from elsewhere, and its key is kept in a file."""
    key_file = tmp_path / "issuer.pem"
    with issuer_process("--key-file", str(key_file)) as authority:
        guard = authenticator(authority)
        callers = [guard.authenticate(asked_for(authority, version)) for version in TOKEN_PATH]
        assert callers == [Caller(ACTION_GROUPS, TENANT, (ROLE,), version) for version in TOKEN_PATH]
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    with TokenIssuer(TENANT, port=int(authority.rsplit(":", 1)[1]), key=SigningKey.stored(key_file)) as again:
        assert guard.authenticate(again.bearer()).application_id == ACTION_GROUPS
        assert not again.fetches


def test_tokens_for_another_audience_are_refused() -> None:
    """The issuer gives a token for whatever is asked; the gateway takes only its own."""
    with TokenIssuer(TENANT) as issuer, pytest.raises(Refusal, match="audience-wrong"):
        authenticator(issuer.authority).authenticate(asked_for(issuer.authority, "2.0", "api://somebody-else"))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/{TENANT}/discovery/keys", 200),
        (f"/{TENANT}/somewhere", 404),
        ("/common/discovery/keys", 400),
        ("/", 400),
    ],
)
def test_only_the_tenants_documents_are_served(path: str, status: int) -> None:
    """Another tenant has no keys here."""
    with TokenIssuer(TENANT) as issuer:
        assert requests.get(issuer.authority + path, timeout=10).status_code == status


def test_a_token_request_without_a_client_is_an_error() -> None:
    """RFC 6749 section 5.2: 400 and `invalid_request`."""
    with TokenIssuer(TENANT) as issuer:
        answer = requests.post(issuer.base + "/oauth2/token", data={"grant_type": "password"}, timeout=10)
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_keys_are_made_once_for_a_process() -> None:
    """The same number is the same key; another number is another."""
    assert signing_key(0) is signing_key(0)
    assert signing_key(0).kid != signing_key(1).kid
