"""The ceiling of the way in: the same server doing only what cannot be avoided.

The product's own HTTP server with Flask on it; a request is one verified signature, one parsed
document and one row that is on disk before the answer. It knows one key, reads no alert, routes
nothing, logs nothing.

As a process: `python -m bench.ceiling` prints its URL and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
import urllib.request
import uuid

import flask
import jwt

from bench.one_table import OneTable
from connector.testing.issuer import AUDIENCE
from connector.web import Server, Web

PATH = "/webhooks/azure-monitor"


def ceiling(table: OneTable, key: jwt.PyJWK) -> Web:
    """Return the application."""
    web = Web(512 * 1024)

    @web.post(PATH)
    def webhook() -> flask.Response:
        token = flask.request.headers["Authorization"].removeprefix("Bearer ")
        jwt.decode(token, key, algorithms=["RS256"], audience=AUDIENCE)
        body = flask.request.stream.read()
        json.loads(body)
        id_ = uuid.uuid4().hex
        table.keep(id_, body)
        return flask.Response(json.dumps({"status": "accepted", "id": id_}), 202, content_type="application/json")

    @web.get("/readyz")
    def readyz() -> flask.Response:
        return flask.Response("{}", 200)

    return web


def _key(keys_url: str) -> jwt.PyJWK:
    with urllib.request.urlopen(keys_url, timeout=10) as answer:
        return jwt.PyJWK(json.load(answer)["keys"][0])


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m bench.ceiling")
    parser.add_argument("--store", required=True)
    parser.add_argument("--keys", required=True, help="the address of the issuer's keys")
    options = parser.parse_args()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    server = Server(ceiling(OneTable(options.store), _key(options.keys)), "127.0.0.1:0")
    server.start()
    print(f"http://{server.address}", flush=True)
    stopping.wait()
    server.stop(1.0)


if __name__ == "__main__":
    main()
