"""The planhub command with short waits: `python -m tests.journeys.hurried serve`.

The processes are those of a deployment, started, watched and restarted by the same supervisor; only how long a dead worker's
lane stays held, how long a failed lane waits and how often is swept is shortened, so that a test need not wait for minutes.
"""

import sys
from datetime import timedelta
from functools import partial

from gateway import cli
from gateway.cli import serve
from gateway.exchange import opening, sweep
from gateway.exchange.context import Hub, Pace
from gateway.workers import run

LEASE = timedelta(seconds=8)
PACE = Pace(
    lease=LEASE,
    first_wait=timedelta(milliseconds=200),
    longest_wait=timedelta(seconds=2),
    breaker_wait=timedelta(seconds=2),
)
SWEPT = timedelta(seconds=2)


def command(*words: str) -> list[str]:
    """This very program with other words."""
    return [sys.executable, "-m", "tests.journeys.hurried", *words]


def main() -> None:
    """Shorten the waits, then be the planhub command."""
    # opening is the one place where a process composes its hub
    opening.Hub = partial(Hub, pace=PACE)  # type: ignore[assignment,attr-defined]  # as said above
    run.LONGEST = SWEPT
    sweep.AGAIN = SWEPT
    serve.planhub_command = command  # type: ignore[attr-defined]  # a name serve imports: its children are hurried too
    cli.main()


if __name__ == "__main__":
    main()
