"""Checking a log from outside, as an auditor does: nothing but its checkpoint, its tiles and the keys one was given.

The tree is computed anew from the lowest tiles up; every tile above, the signed root and the root remembered from the last
visit must come out of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from consent.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from consent.cosignature import CosignerKey, cosignatures, cosigned_at
from consent.merkle import integrate, root_of_edge
from consent.note import Note, NoteFault, parse_note
from consent.tiles import HASH_BYTES, TILE_WIDTH, Tile, all_tiles, right_edge
from consent.trust_policy import TrustPolicy

Fetch = Callable[[str], bytes | None]
"""A path below the log's address (`checkpoint`, `tile/0/000`) → what is served there; None where nothing is."""

MOST_ENTRIES = 1 << 27


class Doubt(StrEnum):
    """What is wrong with a log as it shows itself."""

    NO_CHECKPOINT = "no-checkpoint"
    NOT_SIGNED = "not-signed"  # by no key the policy names for the log
    NOT_WITNESSED = "not-witnessed"  # the quorum has not cosigned it
    TILE = "tile"  # missing, or not the hashes of what lies below it
    ROOT = "root"  # the tiles are of another tree than was signed
    SHORTER = "shorter"  # it has fewer entries than it had
    REWRITTEN = "rewritten"  # what it had is no longer its beginning


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit found. `checkpoint` is what to remember where there is no doubt; `cosigned` who cosigned it."""

    checkpoint: Checkpoint | None
    note: Note | None
    cosigned: frozenset[CosignerKey]
    tiles: int
    doubts: tuple[tuple[Doubt, str], ...]


class _Seen:
    """The tree as far as it has been computed: its right edge, and the root at the size remembered."""

    def __init__(self, fetch: Fetch, size: int, remembered: int) -> None:
        self._fetch = fetch
        self._size = size
        self._remembered = remembered
        self._edge: dict[tuple[int, int], bytes] = {}
        self.root_then: bytes | None = None
        self.root = b""
        self.tiles = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        """Read the lowest tiles from left to right and compare every higher one with what it should hold."""
        for tile in (tile for tile in all_tiles(self._size) if tile.level == 0):
            served = self._read(tile)
            if served is None:
                return
            self._grow(tile.index * TILE_WIDTH, served)
        self.root = self._root(self._size)
        for tile in right_edge(self._size):
            if tile.level:
                self._compare(tile, self._edge[tile.level, tile.index])

    def _read(self, tile: Tile) -> bytes | None:
        self.tiles += 1
        served = self._fetch(tile.path)
        if served is None or len(served) != tile.width * HASH_BYTES:
            self.wrong.append(tile.path)
            return None
        return served

    def _grow(self, start: int, served: bytes) -> None:
        end = start + len(served) // HASH_BYTES
        if start < self._remembered < end:  # the tree as it was lies in this tile
            cut = (self._remembered - start) * HASH_BYTES
            self._add(start, served[:cut])
            start, served = self._remembered, served[cut:]
        self._add(start, served)

    def _add(self, start: int, served: bytes) -> None:
        leaves = [served[at : at + HASH_BYTES] for at in range(0, len(served), HASH_BYTES)]
        growth = integrate(start, leaves, lambda wanted: {t: self._edge[t.level, t.index] for t in wanted})
        for tile, content in growth.tiles.items():
            if tile.level and tile.width == TILE_WIDTH:
                self._compare(tile, content)
            self._edge[tile.level, tile.index] = content
        if growth.size == self._remembered:
            self.root_then = growth.root

    def _compare(self, tile: Tile, content: bytes) -> None:
        served = self._read(tile)
        if served is not None and served != content[: tile.width * HASH_BYTES]:
            self.wrong.append(tile.path)

    def _root(self, size: int) -> bytes:
        return root_of_edge({tile: self._edge[tile.level, tile.index] for tile in right_edge(size)})


def visit(
    fetch: Fetch, policy: TrustPolicy, origin: str, *, remembered: Note | None = None, at: str = "checkpoint"
) -> Visit:
    """Check the whole log as it shows itself now. `remembered` is the note kept from the last visit.

    `at` is the checkpoint to read: `checkpoint` for the newest, `witnessed` for the newest that bears the log's quorum.
    """
    raw = fetch(at)
    note = None if raw is None else parse_note(raw)
    if note is None:
        return Visit(None, None, frozenset(), 0, ((Doubt.NO_CHECKPOINT, at),))
    opened = open_checkpoint(note, origin, policy.log_keys(origin))
    if isinstance(opened, NoteFault):
        return Visit(None, note, frozenset(), 0, ((Doubt.NOT_SIGNED, opened.value),))
    before = None if remembered is None else parse_checkpoint(remembered.text)
    doubts: list[tuple[Doubt, str]] = []
    cosigned = frozenset(cosignatures(note, policy.cosigners))
    if not policy.met_by(cosigned):
        doubts.append((Doubt.NOT_WITNESSED, f"{len(cosigned)} of {len(policy.cosigners)}"))
    if before is not None and before.size > opened.size:
        doubts.append((Doubt.SHORTER, f"{opened.size} after {before.size}"))
    seen = _Seen(fetch, min(opened.size, MOST_ENTRIES), before.size if before else 0)
    seen.run()
    doubts += [(Doubt.TILE, path) for path in seen.wrong]
    if not seen.wrong and seen.root != opened.root:
        doubts.append((Doubt.ROOT, str(opened.size)))
    compared = seen.root_then is not None or not seen.wrong
    if before is not None and 0 < before.size <= opened.size and compared and seen.root_then != before.root:
        doubts.append((Doubt.REWRITTEN, str(before.size)))
    return Visit(opened, note, cosigned, seen.tiles, tuple(doubts))


def cosigned_times(note: Note, policy: TrustPolicy) -> dict[str, str]:
    """When each witness cosigned the note, by its name in the policy."""
    found = cosignatures(note, policy.cosigners)
    return {
        name: cosigned_at(found[witness.key]).isoformat()
        for name, witness in policy.witnesses.items()
        if witness.key in found
    }
