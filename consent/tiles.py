"""Where a log's hashes lie: the tile layout and the paths of C2SP tlog-tiles v0.1.0.

A tile is 256 consecutive hashes of one level. Level 0 holds leaf hashes; each hash of a higher level is the Merkle tree
hash of one full tile below it. Only the rightmost tile of a level may be partial, and a partial tile is never hashed
into the level above, so a stored tile only ever grows on its right.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 256
MAX_LEVEL = 63

_PATH = re.compile(r"tile/(0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile: its level, its index within the level, and how many of its 256 hashes the tree has."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not (0 <= self.level <= MAX_LEVEL and self.index >= 0 and 1 <= self.width <= TILE_WIDTH):
            msg = f"no such tile: level {self.level}, index {self.index}, width {self.width}"
            raise ValueError(msg)

    @property
    def path(self) -> str:
        """`tile/<L>/<N>[.p/<W>]` with N in zero-padded groups of three: 1234067 is `x001/x234/067`."""
        digits = str(self.index)
        digits = digits.zfill((len(digits) + 2) // 3 * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        number = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{number}{partial}"


def parse_path(path: str) -> Tile | None:
    """The tile a path names, or None where it is not exactly the one way to write it."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    level, number, width = match.groups()
    index = int(number.replace("x", "").replace("/", ""))
    if int(level) > MAX_LEVEL or (width is not None and int(width) >= TILE_WIDTH):
        return None
    tile = Tile(int(level), index, int(width) if width else TILE_WIDTH)
    return tile if tile.path == path else None  # refuses a longer zero padding than needed


def right_edge(size: int) -> tuple[Tile, ...]:
    """The partial tiles of a tree of `size` leaves, lowest level first; a full tile stands as one hash above it.

    The widths are the digits of `size` in base 256, so these tiles alone determine the root.
    """
    edge = []
    level = 0
    while size >> (TILE_HEIGHT * level):
        count = size >> (TILE_HEIGHT * level)
        if count % TILE_WIDTH:
            edge.append(Tile(level, count // TILE_WIDTH, count % TILE_WIDTH))
        level += 1
    return tuple(edge)


def all_tiles(size: int) -> Iterator[Tile]:
    """Every tile a tree of `size` leaves consists of, lowest level first, left to right."""
    level = 0
    while count := size >> (TILE_HEIGHT * level):
        for index in range(count // TILE_WIDTH):
            yield Tile(level, index)
        if count % TILE_WIDTH:
            yield Tile(level, count // TILE_WIDTH, count % TILE_WIDTH)
        level += 1


def tile_at(level: int, index: int, size: int) -> Tile:
    """The tile at this place in a tree of `size` leaves, with the width it has there."""
    count = (size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH
    return Tile(level, index, min(count, TILE_WIDTH))
