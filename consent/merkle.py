"""The RFC 6962 SHA-256 Merkle tree: hashes, growth over stored tiles, inclusion and consistency proofs.

Nothing here stores anything. Whoever holds the tiles passes `get_tiles`; it is called once per operation with every tile
needed and may answer with more hashes than a tile's width (a tile stored later, which has only grown on its right).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from consent.tiles import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, Tile, right_edge, tile_at

GetTiles = Callable[[Sequence[Tile]], Mapping[Tile, bytes]]
"""Tiles wanted → their hashes, concatenated; every tile wanted must be a key of the answer."""

_HASH_BITS = HASH_BYTES.bit_length() - 1
_TILE_BYTES = TILE_WIDTH * HASH_BYTES
EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves (RFC 6962 §2.1)."""


class MissingTileError(LookupError):
    """A stored tile is absent or too short: the store is damaged, which no caller can repair by asking again."""


@dataclass(frozen=True, slots=True)
class Node:
    """The root of a perfect subtree: `index`-th of those with 2**height leaves."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What appending leaves changed: the new size and root, and the whole content of each tile written."""

    size: int
    root: bytes
    tiles: Mapping[Tile, bytes]


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def _reduced(row: list[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(row) > 1:
        row = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)
        ]
    return row[0]


@lru_cache(maxsize=512)
def _root_in_tile(hashes: bytes) -> bytes:
    """The root over at most a tile of hashes, concatenated; kept, since a tree's right edge changes little as it grows."""
    return _reduced(_split(hashes))


def _perfect_root(hashes: bytes) -> bytes:
    """The root over a power of two of hashes, concatenated."""
    return _reduced(
        [_root_in_tile(hashes[at : at + _TILE_BYTES]) for at in range(0, len(hashes), _TILE_BYTES)]
    )


def _fold(subtrees: Sequence[bytes]) -> bytes:
    """One root over adjoining perfect subtrees, the largest first, as RFC 6962 nests them to the left."""
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


def _runs(count: int, start: int = 0) -> list[Node]:
    """The perfect subtrees of leaves [start, start + count), largest first; start must be aligned to the largest."""
    nodes = []
    for height in reversed(range(count.bit_length())):
        if count >> height & 1:
            nodes.append(Node(height, start >> height))
            start += 1 << height
    return nodes


def _perfect_roots(hashes: bytes) -> list[bytes]:
    """The roots of the perfect subtrees over these hashes, the largest first."""
    return [
        _perfect_root(hashes[n.index << n.height + _HASH_BITS : (n.index + 1) << n.height + _HASH_BITS])
        for n in _runs(len(hashes) // HASH_BYTES)
    ]


def root_of_leaves(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes held in memory."""
    if not leaves:
        return EMPTY_ROOT
    return _fold(_perfect_roots(b"".join(leaves)))


def root_of_edge(edge: Mapping[Tile, bytes]) -> bytes:
    """The root of a tree from its right-edge tiles alone (`consent.tiles.right_edge`)."""
    subtrees: list[bytes] = []
    for tile in sorted(edge, reverse=True):
        subtrees += _perfect_roots(edge[tile][: tile.width * HASH_BYTES])
    return _fold(subtrees) if subtrees else EMPTY_ROOT


def root_at(size: int, get_tiles: GetTiles) -> bytes:
    """The root the tree had when it held `size` leaves."""
    return root_of_edge(_read(right_edge(size), get_tiles))


def integrate(size: int, leaves: Iterable[bytes], get_tiles: GetTiles) -> Growth:
    """Append leaf hashes to a tree of `size` leaves; reads only the right edge, writes only what changed.

    Levels are filled upwards: each tile completed at one level adds its root as one hash to the next.
    """
    edge = {tile.level: hashes for tile, hashes in _read(right_edge(size), get_tiles).items()}
    pending = list(leaves)
    if not all(len(leaf) == HASH_BYTES for leaf in pending):
        msg = "a leaf hash is 32 bytes"
        raise ValueError(msg)
    total = size + len(pending)
    written: dict[Tile, bytes] = {}
    level, before = 0, size
    while pending:
        row = _split(edge.get(level, b"")) + pending
        first = before // TILE_WIDTH
        pending = []
        for offset in range(0, len(row), TILE_WIDTH):
            chunk = row[offset : offset + TILE_WIDTH]
            tile = Tile(level, first + offset // TILE_WIDTH, len(chunk))
            written[tile] = b"".join(chunk)
            if len(chunk) == TILE_WIDTH:
                pending.append(_perfect_root(written[tile]))
        edge[level] = b"".join(row[len(row) // TILE_WIDTH * TILE_WIDTH :])
        level, before = level + 1, before // TILE_WIDTH
    return Growth(total, root_of_edge({tile: edge[tile.level] for tile in right_edge(total)}), written)


def prove_inclusion(index: int, size: int, get_tiles: GetTiles) -> tuple[bytes, ...]:
    """The audit path of leaf `index` in the tree of `size` leaves, leaf's sibling first (RFC 6962 §2.1.1)."""
    if not 0 <= index < size:
        msg = f"no leaf {index} in a tree of {size}"
        raise ValueError(msg)
    path: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _left_width(high - low)
        if index < middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    return _range_hashes(path[::-1], size, get_tiles)


def prove_consistency(old: int, new: int, get_tiles: GetTiles) -> tuple[bytes, ...]:
    """That the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 6962 §2.1.2); empty if equal."""
    if not 0 < old <= new:
        msg = f"no consistency proof from {old} to {new}"
        raise ValueError(msg)
    path: list[tuple[int, int]] = []
    low, high, whole = 0, new, True
    while old < high:
        middle = low + _left_width(high - low)
        if old <= middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low, whole = middle, False
    if not whole:  # the old root itself is never sent: the verifier has it
        path.append((low, high))
    return _range_hashes(path[::-1], new, get_tiles)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows the leaf hash at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or any(len(part) != HASH_BYTES for part in (leaf, root, *proof)):
        return False
    inner, border = _path_shape(index, size)
    if len(proof) != inner + border:
        return False
    return _climb(_chain(leaf, proof[:inner], index), proof[inner:]) == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the new tree only appends to the old one (RFC 9162 §2.1.4.2).

    From an empty old tree nothing can be shown, so the answer is no; the witness protocol's "old 0" is its own rule.
    """
    if old == new:
        return old > 0 and not proof and old_root == new_root
    if not 0 < old < new or not proof or any(len(p) != HASH_BYTES for p in (old_root, new_root, *proof)):
        return False
    inner, border = _path_shape(old - 1, new)
    shift = (old & -old).bit_length() - 1  # the old tree's last perfect subtree has 2**shift leaves
    inner -= shift
    # Where the old tree is one perfect subtree its root is the seed and is not sent.
    seed, rest = (old_root, proof) if old == 1 << shift else (proof[0], proof[1:])
    if len(rest) != inner + border:
        return False
    mask = (old - 1) >> shift
    old_side = _climb(_chain_right(seed, rest[:inner], mask), rest[inner:])
    new_side = _climb(_chain(seed, rest[:inner], mask), rest[inner:])
    return old_side == old_root and new_side == new_root


def _left_width(count: int) -> int:
    """The largest power of two smaller than `count`: where RFC 6962 splits."""
    return 1 << (count - 1).bit_length() - 1


def _path_shape(index: int, size: int) -> tuple[int, int]:
    """How many hashes of an audit path lie inside the perfect subtree, and how many left of the right border."""
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _chain(seed: bytes, proof: Sequence[bytes], index: int) -> bytes:
    for height, sibling in enumerate(proof):
        seed = node_hash(sibling, seed) if index >> height & 1 else node_hash(seed, sibling)
    return seed


def _chain_right(seed: bytes, proof: Sequence[bytes], index: int) -> bytes:
    """As `_chain`, but only over left siblings: the path within the old tree."""
    for height, sibling in enumerate(proof):
        if index >> height & 1:
            seed = node_hash(sibling, seed)
    return seed


def _climb(seed: bytes, border: Sequence[bytes]) -> bytes:
    for left in border:
        seed = node_hash(left, seed)
    return seed


def _read(wanted: Sequence[Tile], get_tiles: GetTiles) -> dict[Tile, bytes]:
    """The wanted tiles, cut to their widths."""
    if not wanted:
        return {}
    got = get_tiles(wanted)
    read = {}
    for tile in wanted:
        hashes = got.get(tile, b"")
        if len(hashes) < tile.width * HASH_BYTES:
            msg = f"{tile.path} is missing or shorter than {tile.width} hashes"
            raise MissingTileError(msg)
        read[tile] = hashes[: tile.width * HASH_BYTES]
    return read


def _range_hashes(ranges: Sequence[tuple[int, int]], size: int, get_tiles: GetTiles) -> tuple[bytes, ...]:
    """The Merkle tree hash of each range of leaves, all tiles read at once."""
    runs = [_runs(high - low, low) for low, high in ranges]
    homes = {node: _home(node, size) for run in runs for node in run}
    tiles = _read(sorted(set(homes.values())), get_tiles)
    return tuple(_fold([_node_in(node, homes[node], tiles) for node in run]) for run in runs)


def _home(node: Node, size: int) -> Tile:
    """The tile whose hashes the node's own hash is computed from."""
    level, above = divmod(node.height, TILE_HEIGHT)
    return tile_at(level, (node.index << above) // TILE_WIDTH, size)


def _node_in(node: Node, home: Tile, tiles: Mapping[Tile, bytes]) -> bytes:
    above = node.height % TILE_HEIGHT
    start = (node.index << above) % TILE_WIDTH
    hashes = tiles[home][start * HASH_BYTES : (start + (1 << above)) * HASH_BYTES]
    return _perfect_root(hashes)
