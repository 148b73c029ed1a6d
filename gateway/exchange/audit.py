"""Checking the whole log from its bytes: numbers, leaves, tiles, roots, signatures and what the leaves committed to.

Nothing is believed that can be computed. Bodies are opened only to compare them with their leaves; nothing of them is
returned.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from psycopg.rows import TupleRow

from consent.checkpoint import Checkpoint, open_checkpoint
from consent.commitment import parse_header
from consent.cosignature import CosignerKey, cosignatures
from consent.merkle import EMPTY_ROOT, MissingTileError, integrate, leaf_hash, node_hash
from consent.note import parse_note
from consent.tiles import TILE_WIDTH, Tile, all_tiles
from gateway.exchange.context import Hub
from gateway.exchange.journal import open_entry
from gateway.store import ledger, witnesses
from gateway.store.childkey import ChildKey, SealBroken
from gateway.store.epochs import NOBODY
from gateway.store.pipeline import Driver, driver_of
from gateway.store.witnesses import StoredCosignature

MOST_FAULTS = 100


class Fault(StrEnum):
    """What can be wrong with a log."""

    NUMBER = "number"  # a number is missing or stands twice
    LEAF = "leaf"  # not the header of an entry
    BODY = "body"  # not what the leaf committed to
    CLEAR = "clear"  # what lies in clear beside the body says something else
    TILE = "tile"  # stored hashes are not those of the leaves
    ROOT = "root"  # a checkpoint's root is not that of its entries
    SIGNATURE = "signature"  # a checkpoint that the log's key did not sign
    COSIGNATURE = "cosignature"  # kept beside a checkpoint, and not its witness's
    SIZE = "size"  # entries no checkpoint covers, or a checkpoint beyond the entries


@dataclass(frozen=True, slots=True)
class Found:
    """One fault and where: an entry's number, a checkpoint's size, a tile's path."""

    fault: Fault
    where: str


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What the check came to. `erased` entries have no key any more, so only their leaves were checked; `waiting` have no
    number yet. At most 100 faults are named; `sound` says whether there was none.
    """

    size: int
    root: bytes
    checkpoints: int
    opened: int
    erased: int
    waiting: int
    faults: tuple[Found, ...]

    @property
    def sound(self) -> bool:
        """Whether everything is as the log says."""
        return not self.faults


class _Frontier:
    """The roots of the perfect subtrees a growing tree consists of: any size's root in a few hashes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        height = 0
        while self._peaks and self._peaks[-1][0] == height:
            leaf = node_hash(self._peaks.pop()[1], leaf)
            height += 1
        self._peaks.append((height, leaf))
        self.size += 1

    @property
    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


class _Audit:
    """One pass over the log."""

    def __init__(self, hub: Hub, driver: Driver, *, bodies: bool) -> None:
        self._hub = hub
        self._driver = driver
        self._bodies = bodies
        self._edge: dict[tuple[int, int], bytes] = {}
        self.frontier = _Frontier()
        self.faults: list[Found] = []
        self.opened = 0
        self.erased = 0
        self.checkpoints = 0
        self._cosigned: dict[int, list[StoredCosignature]] = {}
        for one in witnesses.stream_cosignatures(driver):
            self._cosigned.setdefault(one.size, []).append(one)
        self.covered = 0  # entries under the newest checkpoint met so far

    def note(self, fault: Fault, where: object) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Found(fault, str(where)))

    def run(self) -> None:
        """Entries and checkpoints side by side, then what is left over on either side."""
        marks = ledger.stream_checkpoints(self._driver)
        mark = next(marks, None)
        expected = 0
        for rows in ledger.stream_entries(self._driver, bodies=self._bodies):
            keys = self._keys(rows) if self._bodies else {}
            hashes = []
            start = self.frontier.size
            for row in rows:
                if row[0] != expected:
                    self.note(Fault.NUMBER, row[0])
                expected = row[0] + 1
                self._entry(row, keys)
                hashes.append(leaf_hash(bytes(row[2])))
                self.frontier.add(hashes[-1])
                while mark is not None and mark[0] <= self.frontier.size:
                    self._checkpoint(mark)
                    mark = next(marks, None)
            self._tiles(start, hashes)
        if mark is not None or self.covered != self.frontier.size:
            self.note(Fault.SIZE, mark[0] if mark is not None else self.frontier.size)
        for size in self._cosigned:  # on a checkpoint that is not there
            self.note(Fault.COSIGNATURE, size)
        self._no_other_tiles()

    def _checkpoint(self, mark: tuple[int, bytes, str]) -> None:
        size, root, note = mark
        self.checkpoints += 1
        self.covered = size
        origin = self._hub.signer.name
        opened = open_checkpoint(note, origin, self._hub.log_keys)
        if not isinstance(opened, Checkpoint) or (opened.size, opened.root) != (size, root):
            self.note(Fault.SIGNATURE, size)
        if size != self.frontier.size or root != self.frontier.root:
            self.note(Fault.ROOT, size)
        for line in self._cosigned.pop(size, ()):
            self._cosignature(size, note, line)

    def _cosignature(self, size: int, note: str, kept: StoredCosignature) -> None:
        """Whether what is kept as a witness's cosignature is one."""
        key = CosignerKey.parse(kept.witness)
        cosigned = parse_note(f"{note}{kept.line}")
        if key is None or cosigned is None or key not in cosignatures(cosigned, [key]):
            self.note(Fault.COSIGNATURE, size)

    def _keys(self, rows: list[TupleRow]) -> dict[UUID, ChildKey]:
        return self._hub.keys.get_many(sorted({row[4] or NOBODY for row in rows}))

    def _entry(self, row: TupleRow, keys: dict[UUID, ChildKey]) -> None:
        """Whether the leaf is an entry's header, and the body what it committed to."""
        seq, entry_id, leaf, kind, child, recipient, at, body = row
        if parse_header(bytes(leaf)) is None:
            self.note(Fault.LEAF, seq)
        if not self._bodies:
            return
        key = keys.get(child or NOBODY)
        if key is None:
            self.erased += 1
            return
        self.opened += 1
        try:
            entry = open_entry(key, entry_id, bytes(leaf), bytes(body))
        except SealBroken:
            entry = None
        if entry is None:
            self.note(Fault.BODY, seq)
        elif (entry.kind.value, entry.at, entry.recipient) != (kind, at, recipient):
            self.note(Fault.CLEAR, seq)

    def _tiles(self, start: int, hashes: list[bytes]) -> None:
        """Grow the tiles from the leaves and compare those that are full, and at the end those that are not."""
        growth = integrate(
            start, hashes, lambda wanted: {tile: self._edge[tile.level, tile.index] for tile in wanted}
        )
        self._edge |= {(tile.level, tile.index): content for tile, content in growth.tiles.items()}
        full = [tile for tile in growth.tiles if tile.width == TILE_WIDTH]
        self._compare(full)
        for tile in full:
            del self._edge[tile.level, tile.index]

    def _compare(self, tiles: list[Tile]) -> None:
        stored = ledger.read_tiles(self._driver, tiles)
        for tile in tiles:
            if stored.get(tile) != self._edge[tile.level, tile.index]:
                self.note(Fault.TILE, tile.path)

    def _no_other_tiles(self) -> None:
        expected = list(all_tiles(self.frontier.size))
        self._compare([tile for tile in expected if tile.width < TILE_WIDTH])
        if ledger.count_tiles(self._driver) != len(expected):
            self.note(Fault.TILE, "count")


def verify_ledger(hub: Hub, *, bodies: bool = True) -> LedgerReport:
    """Check the log from its first entry to its last, as the database holds it in one snapshot.

    With `bodies` every entry whose key still exists is opened and compared with its leaf. About 10,000 entries a second
    with bodies, ten times that without.
    """
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        driver.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        driver.execute("SET LOCAL ROLE planhub_sequencer")
        audit = _Audit(hub, driver, bodies=bodies)
        try:
            audit.run()
        except MissingTileError as error:
            audit.note(Fault.TILE, error)
        waiting = ledger.count_waiting(driver)
    return LedgerReport(
        size=audit.frontier.size,
        root=audit.frontier.root,
        checkpoints=audit.checkpoints,
        opened=audit.opened,
        erased=audit.erased,
        waiting=waiting,
        faults=tuple(audit.faults),
    )
