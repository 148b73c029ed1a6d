import base64
import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import merkle
from consent.tiles import Tile, all_tiles
from tests.consent.naive_tree import TileStore, mth, path, proof
from tests.paths import corpus

LEAVES = [merkle.leaf_hash(n.to_bytes(4, "big")) for n in range(70_000)]


def tree(size: int, batch: int = 1000) -> TileStore:
    store = TileStore()
    at = 0
    while at < size:
        end = min(at + batch, size)
        growth = merkle.integrate(at, LEAVES[at:end], store.get)
        store.put(dict(growth.tiles))
        at = end
    return store


@pytest.fixture(scope="module")
def big() -> TileStore:
    return tree(70_000)


def vectors(kind: str) -> list[dict[str, Any]]:
    return [
        json.loads(file.read_text())
        for file in sorted(corpus("consent", "merkle", "testdata", kind).rglob("*.json"))
    ]


def raw(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.corpus
def test_all_98_published_inclusion_vectors_are_judged_as_their_authors_judge_them():
    cases = vectors("inclusion")
    verdicts = [
        merkle.verify_inclusion(
            raw(c["leafHash"]),
            c["leafIdx"],
            c["treeSize"],
            [raw(p) for p in c["proof"] or []],
            raw(c["root"]),
        )
        for c in cases
    ]
    assert len(cases) == 98
    assert verdicts == [not c["wantErr"] for c in cases]
    assert any(verdicts)


@pytest.mark.corpus
def test_all_98_published_consistency_vectors_are_judged_as_their_authors_judge_them():
    cases = vectors("consistency")
    verdicts = [
        merkle.verify_consistency(
            c["size1"], c["size2"], raw(c["root1"]), raw(c["root2"]), [raw(p) for p in c["proof"] or []]
        )
        for c in cases
    ]
    assert len(cases) == 98
    assert verdicts == [not c["wantErr"] for c in cases]
    assert any(verdicts)


def test_the_empty_tree_has_the_root_rfc_6962_states():
    assert merkle.root_of_leaves([]) == sha256(b"").digest() == merkle.root_at(0, TileStore().get)


def test_a_leaf_can_never_be_read_as_a_node():
    left, right = sha256(b"a").digest(), sha256(b"b").digest()
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_growing_in_any_batches_gives_the_root_of_the_naive_tree(batches):
    store, size = TileStore(), 0
    for batch in batches:
        growth = merkle.integrate(size, LEAVES[size : size + batch], store.get)
        store.put(dict(growth.tiles))
        size += batch
        assert growth.size == size
        assert growth.root == mth(LEAVES[:size]) == merkle.root_of_leaves(LEAVES[:size])
    for earlier in range(0, size + 1, 97):
        assert merkle.root_at(earlier, store.get) == mth(LEAVES[:earlier])


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 1200), st.data())
def test_proofs_equal_the_definitions_and_verify(size, data):
    store = tree(1200)
    index = data.draw(st.integers(0, size - 1))
    inclusion = merkle.prove_inclusion(index, size, store.get)
    root = merkle.root_at(size, store.get)
    assert list(inclusion) == path(index, LEAVES[:size])
    assert merkle.verify_inclusion(LEAVES[index], index, size, inclusion, root)
    old = data.draw(st.integers(1, size))
    consistency = merkle.prove_consistency(old, size, store.get)
    assert list(consistency) == proof(old, LEAVES[:size])
    assert merkle.verify_consistency(old, size, merkle.root_at(old, store.get), root, consistency)


def test_every_proof_of_every_small_tree_verifies_and_only_at_its_own_place():
    store = tree(20)
    for size in range(1, 21):
        root = merkle.root_at(size, store.get)
        for index in range(size):
            inclusion = merkle.prove_inclusion(index, size, store.get)
            places = [
                n for n in range(size) if merkle.verify_inclusion(LEAVES[index], n, size, inclusion, root)
            ]
            assert places == [index]
        for old in range(1, size + 1):
            consistency = merkle.prove_consistency(old, size, store.get)
            assert merkle.verify_consistency(old, size, merkle.root_at(old, store.get), root, consistency)


@settings(deadline=None, max_examples=200)
@given(st.integers(2, 1000), st.data())
def test_one_changed_byte_anywhere_in_a_proof_is_detected(size, data):
    store = tree(1000)
    index = data.draw(st.integers(0, size - 1))
    root = merkle.root_at(size, store.get)
    good = [LEAVES[index], root, *merkle.prove_inclusion(index, size, store.get)]
    spot = data.draw(st.integers(0, len(good) * 32 - 1))
    flip = data.draw(st.integers(1, 255))
    bad = [bytearray(part) for part in good]
    bad[spot // 32][spot % 32] ^= flip
    leaf, top, *rest = map(bytes, bad)
    assert not merkle.verify_inclusion(leaf, index, size, rest, top)


@settings(deadline=None, max_examples=200)
@given(st.integers(2, 1000), st.data())
def test_one_changed_byte_anywhere_in_a_consistency_proof_is_detected(size, data):
    store = tree(1000)
    old = data.draw(st.integers(1, size - 1))
    good = [
        merkle.root_at(old, store.get),
        merkle.root_at(size, store.get),
        *merkle.prove_consistency(old, size, store.get),
    ]
    spot = data.draw(st.integers(0, len(good) * 32 - 1))
    bad = [bytearray(part) for part in good]
    bad[spot // 32][spot % 32] ^= data.draw(st.integers(1, 255))
    old_root, new_root, *rest = map(bytes, bad)
    assert not merkle.verify_consistency(old, size, old_root, new_root, rest)


def test_a_rewritten_entry_cannot_be_made_consistent():
    store = tree(300)
    forged = [*LEAVES[:100], merkle.leaf_hash(b"rewritten"), *LEAVES[101:300]]
    old_root = merkle.root_at(200, store.get)
    assert not merkle.verify_consistency(200, 300, old_root, mth(forged), proof(200, forged))


def test_a_proof_that_is_too_long_or_too_short_is_refused():
    store = tree(9)
    root = merkle.root_at(9, store.get)
    good = merkle.prove_inclusion(3, 9, store.get)
    assert merkle.verify_inclusion(LEAVES[3], 3, 9, good, root)
    assert not merkle.verify_inclusion(LEAVES[3], 3, 9, good[:-1], root)
    assert not merkle.verify_inclusion(LEAVES[3], 3, 9, (*good, good[0]), root)
    assert not merkle.verify_inclusion(LEAVES[3], 9, 9, good, root)
    assert not merkle.verify_inclusion(LEAVES[3], -1, 9, good, root)


def test_nothing_is_consistent_with_an_empty_old_tree_and_a_tree_with_itself_needs_no_proof():
    store = tree(5)
    root = merkle.root_at(5, store.get)
    assert not merkle.verify_consistency(0, 5, merkle.EMPTY_ROOT, root, ())
    assert merkle.verify_consistency(5, 5, root, root, ())
    assert not merkle.verify_consistency(5, 5, root, root, (root,))
    assert not merkle.verify_consistency(5, 5, merkle.EMPTY_ROOT, root, ())


def test_a_tree_of_seventy_thousand_leaves_has_the_tiles_the_specification_counts(big):
    tiles = list(all_tiles(70_000))
    full = [tile for tile in tiles if tile.width == 256]
    partial = [tile for tile in tiles if tile.width != 256]
    assert [tile.level for tile in full].count(0) == 273
    assert [tile.level for tile in full].count(1) == 1
    assert partial == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert {(t.level, t.index): t.width * 32 for t in tiles} == {k: len(v) for k, v in big.rows.items()}
    assert merkle.root_at(70_000, big.get) == merkle.root_of_leaves(LEAVES)


def test_a_proof_reads_its_tiles_in_one_call_and_three_levels_at_most(big):
    big.reads = 0
    wanted: list[Tile] = []

    def get(tiles):
        wanted.extend(tiles)
        return big.get(tiles)

    inclusion = merkle.prove_inclusion(12_345, 70_000, get)
    assert big.reads == 1
    assert len(wanted) == len(set(wanted)) <= 6
    assert merkle.verify_inclusion(LEAVES[12_345], 12_345, 70_000, inclusion, merkle.root_at(70_000, big.get))


def test_growing_writes_only_the_right_edge(big):
    growth = merkle.integrate(65_535, LEAVES[65_535:65_537], big.get)
    assert set(growth.tiles) == {Tile(0, 255), Tile(0, 256, 1), Tile(1, 0), Tile(2, 0, 1)}
    assert growth.root == merkle.root_at(65_537, big.get)


def test_appending_nothing_changes_nothing(big):
    growth = merkle.integrate(70_000, [], big.get)
    assert (growth.size, growth.tiles, growth.root) == (70_000, {}, merkle.root_of_leaves(LEAVES))


def test_a_missing_or_short_tile_is_named_not_guessed():
    store = tree(300)
    store.rows[0, 1] = store.rows[0, 1][:-32]
    with pytest.raises(merkle.MissingTileError, match=r"tile/0/001\.p/44"):
        merkle.root_at(300, store.get)
    del store.rows[0, 0]
    with pytest.raises(merkle.MissingTileError, match="tile/0/000 "):
        merkle.prove_inclusion(7, 300, store.get)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_a_proof_for_a_leaf_that_is_not_there_is_a_bug_of_the_caller(index, size):
    with pytest.raises(ValueError, match="no leaf"):
        merkle.prove_inclusion(index, size, TileStore().get)


@pytest.mark.parametrize(("old", "new"), [(0, 5), (6, 5), (-1, 5)])
def test_a_consistency_proof_backwards_or_from_nothing_is_a_bug_of_the_caller(old, new):
    with pytest.raises(ValueError, match="no consistency proof"):
        merkle.prove_consistency(old, new, TileStore().get)


def test_a_leaf_hash_of_the_wrong_length_is_refused_before_anything_is_written():
    with pytest.raises(ValueError, match="32 bytes"):
        merkle.integrate(0, [b"short"], TileStore().get)
