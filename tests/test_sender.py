"""The action-group sender: sends again exactly when Azure would."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from connector.testing.sender import ActionGroup


class Webhook(ThreadingHTTPServer):
    """Answers with one status after another, the last one for ever, and keeps what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = [202]
        self.came: list[tuple[str | None, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.headers["Authorization"], body))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("status", [408, 429, 503, 504])
def test_what_azure_sends_again_is_sent_again(webhook: Webhook, status: int) -> None:
    """Until an answer is final, with a token of its own for each attempt."""
    webhook.statuses = [status, status, 202]
    tokens = iter(["Bearer 1", "Bearer 2", "Bearer 3"])
    assert ActionGroup(webhook.url, lambda: next(tokens), delays=(0, 0, 0)).post({"a": 1}).status_code == 202
    assert webhook.came == [(f"Bearer {number}", b'{"a": 1}') for number in (1, 2, 3)]


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 413, 422, 500, 502])
def test_every_other_answer_is_final(webhook: Webhook, status: int) -> None:
    """Azure would not send it again, and neither does the sender."""
    webhook.statuses = [status]
    assert ActionGroup(webhook.url, None, delays=(0, 0)).post(b"{}").status_code == status
    assert webhook.came == [(None, b"{}")]


def test_it_gives_up_in_the_end(webhook: Webhook) -> None:
    """One attempt more than there are delays; the last answer is returned."""
    webhook.statuses = [503]
    assert ActionGroup(webhook.url, None, delays=(0, 0)).post(b"{}").status_code == 503
    assert len(webhook.came) == 3


def test_a_webhook_that_cannot_be_reached_is_an_error_at_last(webhook: Webhook) -> None:
    """Connection errors are tried again, and the last one is raised."""
    url = webhook.url
    webhook.shutdown()
    webhook.server_close()
    with pytest.raises(requests.ConnectionError):
        ActionGroup(url, None, delays=(0, 0)).post(b"{}")
