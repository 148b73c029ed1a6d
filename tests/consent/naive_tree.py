"""The Merkle tree written straight from the definitions of RFC 6962 §2.1, slow and recursive: the tests' oracle."""

from collections.abc import Sequence
from hashlib import sha256

from consent.tiles import Tile


def mth(leaves: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n])."""
    return _subproof(m, leaves, whole=True)


def _subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*_subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*_subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


class TileStore:
    """Tiles by level and index, overwritten as they grow: what a database table does."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], bytes] = {}
        self.reads = 0

    def get(self, wanted: Sequence[Tile]) -> dict[Tile, bytes]:
        self.reads += 1
        return {
            tile: self.rows[tile.level, tile.index]
            for tile in wanted
            if (tile.level, tile.index) in self.rows
        }

    def put(self, tiles: dict[Tile, bytes]) -> None:
        for tile, hashes in tiles.items():
            self.rows[tile.level, tile.index] = hashes
