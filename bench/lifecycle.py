"""(c) What a trouble costs at the desk: calls for one fired and one resolved alert, as the desk counts them."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

from bench.ceiling import PATH
from bench.payload import Bodies, resolved_of
from bench.ratios import Row, at_most, bounded
from bench.stage import Stage, address_of, ask_desk
from connector.store import Store

LIFECYCLES = 50
CALLS = {"open": 1, "read": 1, "resolve": 1}
"""What cannot be avoided: a person may have changed the item, so it is read before it is resolved."""


def measure(stage: Stage) -> Iterator[Row]:
    """Count the calls of some lifecycles, each told from its fired to its resolved."""
    with ExitStack() as stack:
        desk = stack.enter_context(stage.desk())
        url = stage.database("sqlite")
        product = stack.enter_context(stage.product(stage.config(url, desk.lines[0])))
        store = Store.beside(url)
        stack.callback(store.close)
        bodies, token = Bodies(), stage.issuer.token()
        fired = [bodies.body(number) for number in range(LIFECYCLES)]
        for some in (fired, [resolved_of(body) for body in fired]):
            for body in some:
                _post(address_of(product), token, body)
            while any(each.waiting for each in store.backlog()):
                time.sleep(0.1)
        calls = ask_desk(desk, "/told")["calls"]
    for kind in sorted({*calls, *CALLS}):
        yield bounded(("lifecycle", f"calls to {kind}"), "", [calls.get(kind, 0) / LIFECYCLES], CALLS.get(kind, 0) or 1)
    total = sum(calls.values()) / LIFECYCLES
    yield bounded(("lifecycle", "calls in all"), "", [total], sum(CALLS.values()), at_most(1.0))


def _post(url: str, token: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url + PATH, body, headers), timeout=10) as answer:
        if answer.status != 202:
            raise RuntimeError(f"the product answered {answer.status}")
