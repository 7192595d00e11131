"""A token issuer that behaves like Microsoft Entra ID, on loopback, for demos and tests.

Stands where an alert begins: who wants to post to the webhook gets a token here, and the gateway
reads the signing keys here. It is a real HTTP server with discovery, keys and a token endpoint for
both token versions; it can rotate and withdraw keys and can be told to fail. It gives a token to
anybody who asks, so it must never be the authority of a gateway that others can reach.

As a process of its own: `python -m connector.testing.issuer --tenant ID [--port N] [--key-file F]`
prints its authority as the first line and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs
from uuid import NAMESPACE_URL, uuid5

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "api://itsm-connector"
ACTION_GROUPS = "461e8683-5575-4561-ac7f-899cc907d62a"
"""The application id of Azure Monitor's action-group service in the public cloud."""

ROLE = "ActionGroupsSecureWebhook"
LIFETIME = 4500
"""Seconds: Entra's tokens live 60 to 90 minutes."""

_DISCOVERY = {"/.well-known/openid-configuration": "1.0", "/v2.0/.well-known/openid-configuration": "2.0"}
_KEYS = {"1.0": "/discovery/keys", "2.0": "/discovery/v2.0/keys"}
_TOKEN = {"/oauth2/token": "1.0", "/oauth2/v2.0/token": "2.0"}
_ISSUER = {"1.0": "/", "2.0": "/v2.0"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key pair under the id it is published with."""

    kid: str
    private: rsa.RSAPrivateKey

    @classmethod
    def of(cls, private: rsa.RSAPrivateKey) -> Self:
        """Return the key with an id derived from its public half, as Entra does."""
        der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(urlsafe_b64encode(hashlib.sha256(der).digest()[:20]).decode().rstrip("="), private)

    @classmethod
    def stored(cls, path: Path) -> Self:
        """Return the key in that PEM file; a file that does not exist is made, readable by its owner only."""
        if not path.exists():
            pem = signing_key(0).private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(pem)
        private = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise ValueError(f"{path} holds no RSA key")
        return cls.of(private)

    def published(self) -> dict[str, Any]:
        """Return the entry of the issuer's key document."""
        numbers = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"kty": "RSA", "use": "sig", "kid": self.kid, "n": numbers["n"], "e": numbers["e"]}


@cache
def signing_key(number: int, bits: int = 2048) -> SigningKey:
    """Return the process's key of that number; each is made once, for making one takes long."""
    del number  # part of the cache's key only
    return SigningKey.of(rsa.generate_private_key(public_exponent=65537, key_size=bits))


@dataclass(frozen=True, slots=True)
class Reply:
    """What the issuer answers: the status, the body and any further headers."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] | None = None

    @classmethod
    def json(cls, document: object, status: int = 200) -> Self:
        """Return a reply that carries that document."""
        return cls(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


class TokenIssuer:
    """One tenant's issuer. A context manager; serves from `start` (or `with`) to `close`.

    `fetches` counts the requests by their path below the tenant, `headers` holds those of the
    latest. `replies` holds what is answered instead of the real document, by the same path; `""`
    stands for every path.
    """

    def __init__(self, tenant_id: str, *, port: int = 0, key: SigningKey | None = None) -> None:
        self.tenant_id = tenant_id
        self.fetches: Counter[str] = Counter()
        self.headers: dict[str, Mapping[str, str]] = {}
        self.replies: dict[str, Reply] = {}
        self._keys = [key or signing_key(0)]
        self._rotations = 0
        self._open = threading.Event()
        self._open.set()
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="issuer", daemon=True)

    def start(self) -> Self:
        """Serve in the background."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving; the port refuses connections from now on."""
        self._open.set()
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def authority(self) -> str:
        """What goes into `auth.authority`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        """The tenant's own address, under which all documents are."""
        return f"{self.authority}/{self.tenant_id}"

    def issuer(self, version: str) -> str:
        """Return what stands as `iss` in a token of that version."""
        return self.base + _ISSUER[version]

    # keys

    @property
    def key(self) -> SigningKey:
        """The key that signs."""
        return self._keys[-1]

    def rotate(self) -> SigningKey:
        """Publish a new key and sign with it; the ones before stay published."""
        self._rotations += 1
        self._keys = [*self._keys, signing_key(self._rotations)]
        return self.key

    def withdraw(self, kid: str) -> None:
        """Publish that key no more."""
        self._keys = [key for key in self._keys if key.kid != kid]

    # troubles

    def hold(self) -> None:
        """Accept requests but answer none of them before `release`."""
        self._open.clear()

    def release(self) -> None:
        """Answer what is held, and everything after it."""
        self._open.set()

    def fail(self, status: int = 503, body: bytes = b"") -> None:
        """Answer everything with that status and body before `recover`."""
        self.replies[""] = Reply(status, body)

    def recover(self) -> None:
        """Answer as it should be."""
        self.replies.clear()

    # tokens

    def claims(self, version: str = "2.0", **changes: Any) -> dict[str, Any]:
        """Return what Entra tells about the action-group service; a change to `None` leaves a claim out."""
        now = int(time.time())
        sender = str(uuid5(NAMESPACE_URL, f"{self.tenant_id}/action-groups"))
        claims = {
            "aud": AUDIENCE,
            "iss": self.issuer(version),
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "tid": self.tenant_id,
            "oid": sender,
            "sub": sender,
            "roles": [ROLE],
            "ver": version,
            **(
                {"appid": ACTION_GROUPS, "appidacr": "2"} if version == "1.0" else {"azp": ACTION_GROUPS, "azpacr": "2"}
            ),
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(
        self,
        version: str = "2.0",
        claims: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, Any] | None = None,
        key: SigningKey | None = None,
        kid: str | None = None,
    ) -> str:
        """Return a signed token: Entra's own claims, or `claims` in place of them, under any headers."""
        key = key or self.key
        payload = json.dumps(self.claims(version) if claims is None else claims).encode()
        return sign(payload, key, {"kid": kid or key.kid, **(headers or {})})

    def bearer(self, version: str = "2.0", **changes: Any) -> str:
        """Return an Authorization header with a good token, or one whose claims are changed."""
        return f"Bearer {self.token(version, self.claims(version, **changes))}"

    # documents

    def reply(self, path: str, form: Mapping[str, Sequence[str]]) -> Reply:
        """Return what is answered to a request below the tenant."""
        self.fetches[path] += 1
        self._open.wait()
        arranged = self.replies.get(path) or self.replies.get("")
        return arranged or self._document(path, form)

    def _document(self, path: str, form: Mapping[str, Sequence[str]]) -> Reply:
        if path in _DISCOVERY:
            return Reply.json(self.discovery(_DISCOVERY[path]))
        if path in _KEYS.values():
            return Reply.json({"keys": [key.published() for key in self._keys]})
        if path in _TOKEN:
            return self._token_reply(_TOKEN[path], form)
        return Reply.json({"error": "not_found"}, 404)

    def discovery(self, version: str) -> dict[str, Any]:
        """Return the discovery document of that token version."""
        (token_path,) = (path for path, ver in _TOKEN.items() if ver == version)
        return {
            "issuer": self.issuer(version),
            "jwks_uri": self.base + _KEYS[version],
            "token_endpoint": self.base + token_path,
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _token_reply(self, version: str, form: Mapping[str, Sequence[str]]) -> Reply:
        """Answer the client-credentials grant (RFC 6749 section 4.4) for whatever client asks."""
        wanted = (form.get("scope") or form.get("resource") or [""])[0].removesuffix("/.default")
        client = (form.get("client_id") or [""])[0]
        if form.get("grant_type") != ["client_credentials"] or not wanted or not client:
            return Reply.json({"error": "invalid_request"}, 400)
        caller = {"appid" if version == "1.0" else "azp": client}
        token = self.token(version, self.claims(version, aud=wanted, **caller))
        return Reply.json({"token_type": "Bearer", "expires_in": LIFETIME, "access_token": token})


def sign(payload: bytes, key: SigningKey, headers: Mapping[str, Any] | None = None) -> str:
    """Sign any bytes at all with RS256, so that tests can say what no library would."""
    return jwt.PyJWS().encode(payload, key.private, algorithm="RS256", headers=dict(headers or {}))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], issuer: TokenIssuer) -> None:
        self.issuer = issuer
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._answer(parse_qs(self.rfile.read(length).decode()))

    def _answer(self, form: Mapping[str, Sequence[str]]) -> None:
        tenant, slash, below = self.path.removeprefix("/").partition("/")
        known = tenant == self.server.issuer.tenant_id
        self.server.issuer.headers[slash + below] = dict(self.headers)
        reply = self.server.issuer.reply(slash + below, form) if known else Reply.json({"error": "no_such_tenant"}, 400)
        self.send_response(reply.status)
        for name, value in (reply.headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: what is asked for is counted in `fetches`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m connector.testing.issuer", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--tenant", required=True, help="the tenant id that tokens are from")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--key-file", type=Path, help="PEM file of the signing key; made where it does not exist")
    options = parser.parse_args(arguments)
    key = SigningKey.stored(options.key_file) if options.key_file else None
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with TokenIssuer(options.tenant, port=options.port, key=key) as issuer:
        sys.stdout.write(f"{issuer.authority}\n")
        sys.stdout.flush()
        stopping.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
