"""The ledger's rows: what waits, what has a number, the tiles and checkpoints over it (ARCHITECTURE §7).

There is one path into the tree. An entry is first a pending row, written in the transaction whose doing it records; the
sequencer (`gateway.exchange.sequence`) later gives it a number. Nothing here opens a body.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg.rows import TupleRow
from sqlalchemy import Connection, text

from consent.merkle import Growth
from consent.tiles import Tile, right_edge
from gateway.store.pipeline import Batch, Driver, batch, driver_of

LOCK = 5_044_913_203  # pg_advisory_xact_lock: one sequencer at a time
BATCH = 5_000
_EDGE = """SELECT t.level, t.idx, t.hashes
FROM (SELECT coalesce(max(size), 0) AS n FROM ledger_checkpoint) AS head
CROSS JOIN generate_series(0, 7) AS l (level)
JOIN ledger_tile t ON t.level = l.level AND t.idx = head.n >> (8 * l.level + 8)
WHERE (head.n >> (8 * l.level)) % 256 <> 0"""
"""The last, partial tile of each level (`consent.tiles.right_edge`), found from the tree's size."""

PENDING = """INSERT INTO ledger_pending (entry_id, leaf, kind, child_id, recipient, subject, body, at)
VALUES (%(entry_id)s, %(leaf)s, %(kind)s, %(child_id)s, %(recipient)s, %(subject)s, %(body)s, %(at)s)"""


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry on its way into the log: the leaf's own bytes in clear, salt and content sealed in `body`."""

    entry_id: UUID
    leaf: bytes
    kind: str
    child_id: UUID | None
    recipient: str | None
    subject: UUID | None
    body: bytes = field(repr=False)
    at: datetime

    def values(self) -> dict[str, object]:
        """The row, by column."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A sequenced entry as it lies in the table."""

    seq: int
    entry_id: UUID
    leaf: bytes
    kind: str
    child_id: UUID | None
    recipient: str | None
    subject: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """The newest signed checkpoint; size 0 and no note before the first entry."""

    size: int
    root: bytes
    note: str


def append_pending(connection: Connection, entries: Iterable[PendingEntry]) -> None:
    """Put entries in the queue, inside the transaction whose doing they record.

    Where an entry is about a child whose consent matters, the caller holds that child's epoch row: the row's number is
    drawn here, so that order of locking is order in the log. Sequence them after the commit.
    """
    with driver_of(connection).cursor() as cursor:
        cursor.executemany(PENDING, [entry.values() for entry in entries])


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pending row as the sequencer needs it: its place in the queue, its id, its leaf's own bytes."""

    pending_id: int
    entry_id: UUID
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Turn:
    """What a sequencer sees once it holds the lock: its entries' numbers, the queue, the tree's right edge.

    `halted` says why nothing may be signed; None where it may.
    """

    numbers: dict[UUID, int]
    waiting: list[Waiting]
    size: int
    edge: dict[Tile, bytes]
    halted: str | None


def take_turn(connection: Connection, entry_ids: Collection[UUID]) -> Turn:
    """Wait for the sequencer's lock, held until the transaction ends, and look: one round trip.

    The lock is a statement of its own, so that the snapshots of the others are taken when it is held. At most 5,000
    waiting rows are read, in the order they were drawn.
    """
    with batch(connection) as statements:
        statements.send("SET LOCAL ROLE planhub_sequencer")
        statements.send("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": LOCK})
        numbered = statements.send(
            "SELECT entry_id, seq FROM ledger_entry WHERE entry_id = ANY(%(ids)s)", {"ids": list(entry_ids)}
        )
        waiting = statements.send(
            "SELECT pending_id, entry_id, leaf FROM ledger_pending ORDER BY pending_id LIMIT %(limit)s",
            {"limit": BATCH},
        )
        size = statements.send(
            "SELECT coalesce(max(size), 0), (SELECT reason FROM ledger_halt) FROM ledger_checkpoint"
        )
        edge = statements.send(_EDGE)
        numbers: dict[UUID, int] = dict(numbered.fetchall())
        queue = [Waiting(row[0], row[1], bytes(row[2])) for row in waiting]
        total, halted = size.fetchone() or (0, None)
        stored = {(row[0], row[1]): bytes(row[2]) for row in edge}
    tiles = {tile: stored.get((tile.level, tile.index), b"") for tile in right_edge(total)}
    return Turn(numbers, queue, total, tiles, halted)


def read_head(driver: Driver) -> Head | None:
    """The newest checkpoint, or None in an empty log."""
    row = driver.execute(
        "SELECT size, root, note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1"
    ).fetchone()
    return Head(row[0], bytes(row[1]), row[2]) if row else None


def read_tiles(driver: Driver, wanted: Sequence[Tile]) -> dict[Tile, bytes]:
    """The stored content of these tiles, possibly longer than asked; what is not stored is left out."""
    rows = driver.execute(
        "SELECT level, idx, hashes FROM ledger_tile "
        "WHERE (level, idx) IN (SELECT * FROM unnest(%(levels)s::int[], %(indexes)s::bigint[]))",
        {"levels": [tile.level for tile in wanted], "indexes": [tile.index for tile in wanted]},
    )
    stored = {(row[0], row[1]): bytes(row[2]) for row in rows}
    return {tile: stored[tile.level, tile.index] for tile in wanted if (tile.level, tile.index) in stored}


def write_growth(batch: Batch, head: Head, growth: Growth, rows: Sequence[Waiting], at: datetime) -> None:
    """Number these pending rows from the old size on, in the order given, and write what that changes in the tree."""
    pending_ids = [row.pending_id for row in rows]
    batch.send(
        "INSERT INTO ledger_entry (seq, pending_id, entry_id, leaf, kind, child_id, recipient, subject, body, at) "
        "SELECT %(base)s + o.n - 1, p.pending_id, p.entry_id, p.leaf, p.kind, p.child_id, p.recipient, p.subject, "
        "p.body, p.at FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS o (id, n) "
        "JOIN ledger_pending p ON p.pending_id = o.id",
        {"base": growth.size - len(rows), "ids": pending_ids},
    )
    batch.send(
        "INSERT INTO ledger_tile (level, idx, hashes) "
        "SELECT * FROM unnest(%(levels)s::int[], %(indexes)s::bigint[], %(hashes)s::bytea[]) "
        "ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes",
        {
            "levels": [tile.level for tile in growth.tiles],
            "indexes": [tile.index for tile in growth.tiles],
            "hashes": list(growth.tiles.values()),
        },
    )
    batch.send(
        "INSERT INTO ledger_checkpoint (size, root, note, at) VALUES (%(size)s, %(root)s, %(note)s, %(at)s)",
        {"size": head.size, "root": head.root, "note": head.note, "at": at},
    )
    batch.send("DELETE FROM ledger_pending WHERE pending_id = ANY(%(ids)s)", {"ids": pending_ids})


def stream_entries(driver: Driver, *, bodies: bool) -> Iterator[list[TupleRow]]:
    """All entries in order, at most 5,000 at a time: (seq, entry_id, leaf, kind, child_id, recipient, at, body).

    The body is empty unless asked for; only `planhub_sequencer` reads it of every child.
    """
    after = -1
    body = "body" if bodies else "''::bytea"
    statement = (
        f"SELECT seq, entry_id, leaf, kind, child_id, recipient, at, {body} FROM ledger_entry "  # noqa: S608 - ours
        "WHERE seq > %(after)s ORDER BY seq LIMIT %(limit)s"
    )
    while rows := driver.execute(statement.encode(), {"after": after, "limit": BATCH}).fetchall():
        yield rows
        after = rows[-1][0]


def stream_checkpoints(driver: Driver) -> Iterator[tuple[int, bytes, str]]:
    """All checkpoints, the smallest first: size, root, note."""
    after = -1
    while rows := driver.execute(
        "SELECT size, root, note FROM ledger_checkpoint WHERE size > %(after)s ORDER BY size LIMIT %(limit)s",
        {"after": after, "limit": BATCH},
    ).fetchall():
        yield from ((row[0], bytes(row[1]), row[2]) for row in rows)
        after = rows[-1][0]


def count_tiles(driver: Driver) -> int:
    """How many tiles are stored."""
    return _count(driver, "SELECT count(*) FROM ledger_tile")


def count_numbers(driver: Driver) -> int:
    """One more than the highest number given; the table's trigger lets no gap below it arise."""
    return _count(driver, "SELECT coalesce(max(seq) + 1, 0) FROM ledger_entry")


def count_waiting(driver: Driver) -> int:
    """How many entries have no number yet."""
    return _count(driver, "SELECT count(*) FROM ledger_pending")


def _count(driver: Driver, statement: str) -> int:
    row = driver.execute(statement.encode()).fetchone()
    return int(row[0]) if row is not None else 0


def find_entries(connection: Connection, entry_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Which of these entries have a number, and which."""
    rows = connection.execute(
        text("SELECT entry_id, seq FROM ledger_entry WHERE entry_id = ANY(:ids)"), {"ids": list(entry_ids)}
    )
    return {row.entry_id: row.seq for row in rows}


def entries_about(
    connection: Connection, child_id: UUID, *, after: int = -1, limit: int = 1_000
) -> list[LedgerRow]:
    """The child's entries in the order of the log, from the one after number `after`. Envelopes only."""
    rows = connection.execute(
        text(
            "SELECT seq, entry_id, leaf, kind, child_id, recipient, subject, at FROM ledger_entry "
            "WHERE child_id = :child AND seq > :after ORDER BY seq LIMIT :limit"
        ),
        {"child": child_id, "after": after, "limit": limit},
    )
    return [LedgerRow(r[0], r[1], bytes(r[2]), *r[3:]) for r in rows]


def read_leaf(connection: Connection, seq: int) -> bytes:
    """The leaf's own bytes, which a proof is checked against; empty for a number not given."""
    found = connection.execute(text("SELECT leaf FROM ledger_entry WHERE seq = :seq"), {"seq": seq}).scalar()
    return bytes(found or b"")


def read_sealed(driver: Driver, seq: int) -> tuple[UUID, UUID | None, bytes, bytes] | None:
    """An entry's id, its child, its leaf and its sealed body, as `planhub_sequencer`; None for a number not given."""
    row = driver.execute(
        "SELECT entry_id, child_id, leaf, body FROM ledger_entry WHERE seq = %s", (seq,)
    ).fetchone()
    return (row[0], row[1], bytes(row[2]), bytes(row[3])) if row else None


def read_bodies(connection: Connection, release_id: UUID, child_id: UUID) -> list[TupleRow]:
    """The child's entries in the order of the log: (seq, entry_id, leaf, body).

    The transaction was opened as `planhub_family`. PostgreSQL answers with nothing unless this release holds a live
    decision for that child on the basis family.
    """
    driver = driver_of(connection)
    driver.execute("SELECT set_config('planhub.release', %(release)s, true)", {"release": str(release_id)})
    return driver.execute(
        "SELECT seq, entry_id, leaf, body FROM ledger_entry WHERE child_id = %(child)s ORDER BY seq",
        {"child": child_id},
    ).fetchall()
