"""The sending side of an Azure action group: posts an alert with a token and tries again as Azure does.

Stands before the webhook, in the demonstration and in tests. What Azure would never send again -
any answer but 408, 429, 503 and 504 - is lost here too, which is the point of it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests

SENT_AGAIN = frozenset({408, 429, 503, 504})
"""Azure Monitor, "Action groups": the answers after which a webhook is called again."""

AZURE_DELAYS = (5.0, 20.0, 5.0, 40.0, 5.0)
"""Seconds before each further attempt; after the last one Azure gives the alert up."""

TIMEOUT_SECONDS = 10.0


class ActionGroup:
    """Posts alerts to one webhook. `token_source` returns the Authorization header of each attempt.

    `delays` are the seconds before each further attempt. Safe to use from many threads.
    """

    def __init__(
        self, url: str, token_source: Callable[[], str] | None, *, delays: Sequence[float] = AZURE_DELAYS
    ) -> None:
        self._url = url
        self._token_source = token_source
        self._delays = tuple(delays)

    def post(self, payload: Mapping[str, Any] | bytes) -> requests.Response:
        """Post a document, or the bytes of one; return the last answer.

        Raises requests.ConnectionError or Timeout if the last attempt had none.
        """
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        for delay in self._delays:
            try:
                response = self._once(body)
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(delay)
                continue
            if response.status_code not in SENT_AGAIN:
                return response
            time.sleep(delay)
        return self._once(body)

    def _once(self, body: bytes) -> requests.Response:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "IcMBroadcaster/1.0"}
        if self._token_source is not None:
            headers["Authorization"] = self._token_source()
        return requests.post(self._url, body, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False)
