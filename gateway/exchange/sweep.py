"""The sweep: whatever is due and nobody was told of is found in the tables. It, and not the broker, is the guarantee."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select

from gateway.exchange import ask
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.context import Hub
from gateway.exchange.sequence import sequence_all
from gateway.store import documents, lanes
from gateway.store.lanes import DueLane
from gateway.store.tables import connection as connection_table
from gateway.store.tables import org as org_table

MOST_LANES = 2_000

AGAIN = timedelta(minutes=1)
"""After this long a lane that was rung and is still due is rung again: the ring may have been lost."""

POLLED: Mapping[AdapterKind, timedelta | None] = {
    AdapterKind.EDFI: timedelta(hours=1),
    AdapterKind.FHIR: timedelta(hours=1),
    AdapterKind.WORKLIST_FOLDER: timedelta(minutes=5),
    AdapterKind.PLAN_SHEET: None,
    AdapterKind.ONEROSTER_CSV: None,
    AdapterKind.WEBHOOK: None,
}
"""How often a connection is asked, unless its `poll_minutes` says otherwise. Gravity asks of whoever polls: hourly, and
not below 15 minutes (health.md §1.4). None: only when somebody imports."""

LEAST_POLL = {AdapterKind.FHIR: timedelta(minutes=15)}


@dataclass(frozen=True, slots=True)
class Due:
    """What should be rung: lanes with something to send, connections to ask. `sequenced` entries had been left behind."""

    lanes: tuple[DueLane, ...]
    connections: tuple[str, ...]
    sequenced: int


def sweep(hub: Hub, *, whole: bool = True) -> Due:
    """Find what is due now, expired claims of dead workers included.

    The `whole` sweep also finds connections to ask, gives ledger entries that a dead process left behind their number, and
    reminds families of what they were asked.
    """
    at = hub.clock()
    with hub.db.transaction() as conn:
        waiting = lanes.due_lanes(conn, at, MOST_LANES)
        polls = _due_polls(conn, at) if whole else ()
    if whole:
        ask.remind(hub)
    return Due(waiting, polls, sequence_all(hub) if whole else 0)


@dataclass(slots=True)
class Rung:
    """What was rung of late, so that a long queue is not rung for again at every commit. It may forget without harm."""

    _at: dict[tuple[str, UUID, int], datetime] = field(default_factory=dict)

    def news(self, lanes_due: Iterable[DueLane], at: datetime) -> tuple[DueLane, ...]:
        """Those not rung in the last minute; a lane that was worked since has another fence and counts as new."""
        self._at = {one: when for one, when in self._at.items() if at - when < AGAIN}
        fresh = tuple(one for one in lanes_due if one not in self._at)
        self._at.update(dict.fromkeys(fresh, at))
        return fresh


def _due_polls(conn: Connection, at: datetime) -> tuple[str, ...]:
    table = connection_table
    rows = conn.execute(
        select(table.c.connection, table.c.adapter, table.c.config)
        .join(org_table, org_table.c.org == table.c.org)
        .where(table.c.status == "active", org_table.c.status == "active")
        .order_by(table.c.connection)
    ).all()
    last = documents.last_polls(conn)
    due = []
    for row in rows:
        every = _interval(row.adapter, row.config.get("poll_minutes"))
        if every is not None and (row.connection not in last or last[row.connection] + every <= at):
            due.append(row.connection)
    return tuple(due)


def _interval(adapter: str, minutes: object) -> timedelta | None:
    try:
        kind = AdapterKind(adapter)
    except ValueError:  # an agency that only calls the API has nothing to be asked
        return None
    every = (
        timedelta(minutes=minutes) if isinstance(minutes, int | float) and minutes > 0 else POLLED.get(kind)
    )
    return None if every is None else max(every, LEAST_POLL.get(kind, every))
