"""One import through the product's own path, in a process of its own: `python -m benchmarks._importing CONNECTION`.

Opens the hub of PLANHUB_HOME, pulls the connection and takes in what it gives. Prints seconds, peak memory and counts.
"""

import json
import resource
import sys
import time
from pathlib import Path

from gateway.exchange.connect import pull
from gateway.exchange.feed import read_row
from gateway.exchange.intake import take_in
from gateway.exchange.opening import open_hub
from gateway.settings import load_settings


def peak_bytes() -> int:
    """The most memory this process has held at once (resident set).

    From /proc where it is: `ru_maxrss` also counts what the parent held at the moment it started this process.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def main(connection: str) -> None:
    with open_hub(load_settings()) as hub:
        began = time.perf_counter()
        with hub.db.transaction() as conn:
            row = read_row(conn, connection)
        tally = take_in(hub, connection, pull(hub, row, None))
        seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    total = tally.total
    print(
        json.dumps(
            {
                "seconds": seconds,
                "cpu": used.ru_utime + used.ru_stime,
                "peak": peak_bytes(),
                "complete": tally.complete,
                "read": total.read,
                "accepted": total.accepted,
                "rejected": total.rejected,
                "children": tally.children_new,
                "facts": tally.facts_added,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
