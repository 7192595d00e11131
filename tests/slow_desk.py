"""A mock desk in a process of its own that answers a while after it has done what it was asked.

So a gateway that is killed has, more often than not, calls whose act is done and whose answer
nobody hears. Run as `python slow_desk.py SECONDS`; prints its URL.
"""

import signal
import sys
import time
from typing import Any

from adapters.mock.desk import MemoryDesk
from adapters.mock.server import DeskServer


class SlowDesk(MemoryDesk):
    """Opens at once, and says so late."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def add(self, record: dict[str, Any]) -> dict[str, Any]:
        added = super().add(record)
        time.sleep(self.seconds)
        return added


if __name__ == "__main__":
    server = DeskServer(0, SlowDesk(float(sys.argv[1]))).start()
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM})
    server.stop()
