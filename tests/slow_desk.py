"""A mock desk in a process of its own that takes its time, so that a killed gateway leaves calls behind.

`python slow_desk.py early SECONDS` does at once what it is asked and says so late: the act is done
and nobody hears of it. `late` does it late: the act is not there yet when somebody looks. Prints its
URL.
"""

import signal
import sys
import time
from typing import Any

from adapters.mock.desk import MemoryDesk
from adapters.mock.server import DeskServer


class SlowDesk(MemoryDesk):
    """Opens before or after its pause."""

    def __init__(self, commits: str, seconds: float) -> None:
        super().__init__()
        self.before, self.after = (seconds, 0.0) if commits == "late" else (0.0, seconds)

    def add(self, record: dict[str, Any]) -> dict[str, Any]:
        time.sleep(self.before)
        added = super().add(record)
        time.sleep(self.after)
        return added


if __name__ == "__main__":
    server = DeskServer(0, SlowDesk(sys.argv[1], float(sys.argv[2]))).start()
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM})
    server.stop()
