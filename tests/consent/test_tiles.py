import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.tiles import Tile, all_tiles, parse_path, right_edge, tile_at


@pytest.mark.parametrize(
    ("tile", "path"),
    [  # the examples of C2SP tlog-tiles, "Merkle Tree"
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 273, 112), "tile/1/273.p/112"),
        (Tile(2, 1000, 1), "tile/2/x001/000.p/1"),
        (Tile(63, 999), "tile/63/999"),
    ],
)
def test_a_tile_has_the_path_the_specification_gives(tile, path):
    assert tile.path == path
    assert parse_path(path) == tile


@given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_every_tile_is_found_again_by_its_path(level, index, width):
    assert parse_path(Tile(level, index, width).path) == Tile(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "", "tile/0/0", "tile/00/000", "tile/64/000", "tile/0/x000/000", "tile/0/001/000", "tile/0/x001",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/07", "/tile/0/000", "tile/0/000/", "tile/-1/000",
        "tile/0/000\n", "tile/0/\u0660\u0660\u0660", "tile/entries/000", "tile/0/../000",
    ],
)  # fmt: skip
def test_any_other_spelling_of_a_path_is_no_tile(path):
    assert parse_path(path) is None


@given(st.integers(0, 2**40))
def test_the_right_edge_spells_the_size_in_base_256(size):
    assert sum(tile.width * 256**tile.level for tile in right_edge(size)) == size
    assert all(
        tile.width < 256 and tile_at(tile.level, tile.index, size) == tile for tile in right_edge(size)
    )


@given(st.integers(0, 200_000))
def test_the_tiles_of_a_tree_cover_every_hash_once(size):
    tiles = list(all_tiles(size))
    for level in range(3):
        assert sum(tile.width for tile in tiles if tile.level == level) == size >> (8 * level)
    assert {tile for tile in tiles if tile.width < 256} == set(right_edge(size))


@pytest.mark.parametrize("bad", [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_a_tile_outside_the_layout_cannot_be_named(bad):
    with pytest.raises(ValueError, match="no such tile"):
        Tile(*bad)
