"""The ceiling of the way out: sixteen threads, plain `requests`, and an outcome that is on disk before the next call.

As a process: `python -m bench.bare_loop` reads `{"count": N}` per line, makes N calls and answers with a line.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from itertools import count
from typing import Any

import requests

from bench.one_table import OneTable

THREADS = 16


def work(table: OneTable, url: str, item: dict[str, Any], numbers: Any, calls: int) -> None:
    """Make calls until so many were made by all threads together."""
    with requests.Session() as session:
        while (number := next(numbers)) < calls:
            answer = session.post(f"{url}/items", json=item | {"correlation": f"bare-{number}"}, timeout=10)
            table.keep(answer.json()["id"], answer.content)


def main() -> None:
    """Answer commands until there are none."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare_loop")
    parser.add_argument("--store", required=True)
    parser.add_argument("--desk", required=True)
    options = parser.parse_args()
    table = OneTable(options.store)
    item = {"title": "t" * 100, "description": "d" * 1200, "severity": "Sev1"}
    print("ready", flush=True)
    for line in sys.stdin:
        arguments = (table, options.desk, item, count(), json.loads(line)["count"])
        threads = [threading.Thread(target=work, args=arguments) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("{}", flush=True)


if __name__ == "__main__":
    main()
