"""`/log` serves checkpoint and tiles as C2SP tlog-tiles says, and other people's software follows the log by it."""

from dataclasses import replace
from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from consent.checkpoint import Checkpoint, open_checkpoint
from consent.cosignature import Cosigner
from consent.merkle import prove_inclusion
from consent.note import parse_note
from consent.tiles import all_tiles
from gateway.app import build
from gateway.exchange.monitor import Doubt, visit
from gateway.exchange.sequence import sequence
from gateway.store import ledger, witnesses
from gateway.store.pipeline import driver_of
from tests.gateway.family import SIGNER, Family, now
from tests.gateway.store.log import append
from tests.gateway.witnesses import policy_of
from tests.verifiers import Claim, go

COUNT = 600
LIBRARY = Cosigner("library.example/witness", sha256(b"library").digest())
POLICY = policy_of(f"log {SIGNER.verifier}\nquorum none\n")
WITNESSED = policy_of(f"log {SIGNER.verifier}\nwitness library {LIBRARY.verifier}\nquorum library\n")


@pytest.fixture
def child(fresh_hub):
    return Family(fresh_hub).child


@pytest.fixture
def log(fresh_hub, child):
    sequence(fresh_hub, append(fresh_hub, child, COUNT))
    return TestClient(build(fresh_hub), raise_server_exceptions=False)


def fetch(client):
    def get(path):
        answer = client.get(f"/log/{path}")
        return answer.content if answer.status_code == 200 else None

    return get


def leaf_of(hub, number):
    with hub.db.transaction() as conn:
        return ledger.read_leaf(conn, number)


def cosign(hub):
    """The library's cosignature on the newest checkpoint, as if it had been asked."""
    with hub.db.transaction() as conn:
        driver = driver_of(conn)
        head = ledger.read_head(driver)
        line = LIBRARY.cosign(parse_note(head.note).text, now())
        kept = witnesses.StoredCosignature(head.size, str(LIBRARY.verifier), line.line, now())
        witnesses.add_cosignatures(driver, [kept])


def test_an_empty_log_has_no_checkpoint(fresh_hub):
    client = TestClient(build(fresh_hub))
    assert [
        client.get(path).status_code for path in ("/log/checkpoint", "/log/witnessed", "/log/tile/0/000.p/1")
    ] == [404] * 3


def test_the_checkpoint_is_text_that_is_asked_for_each_time(log):
    answer = log.get("/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    opened = open_checkpoint(answer.content, SIGNER.name, [SIGNER.verifier])
    assert isinstance(opened, Checkpoint)
    assert opened.size == COUNT


def test_tiles_are_octets_that_never_change_also_partial_ones(log):
    full, part, longer = (log.get(f"/log/tile/0/{name}") for name in ("000", "002.p/40", "002.p/88"))
    assert [len(one.content) for one in (full, part, longer)] == [8192, 40 * 32, 88 * 32]
    assert longer.content.startswith(part.content)
    for one in (full, part):
        assert one.headers["content-type"] == "application/octet-stream"
        assert one.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert log.get("/log/tile/0/000.p/17").content == full.content[: 17 * 32]


@pytest.mark.parametrize(
    "path",
    [
        "0/002",
        "0/002.p/89",
        "0/003.p/1",
        "1/000",
        "2/000.p/1",
        "0/000.p/256",
        "0/000.p/0",
        "0/0",
        "0/x000/000",
        "64/000",
        "-1/000",
        "0/000/",
        "",
        "0/%2e%2e/000",
    ],
)
def test_a_tile_the_tree_does_not_have_is_not_found(log, path):
    assert log.get(f"/log/tile/{path}").status_code == 404


@pytest.mark.parametrize("path", ["entries/000", "entries/000.p/1", "entries/x000/000"])
def test_entries_are_never_served(log, path):
    answer = log.get(f"/log/tile/{path}")
    assert answer.status_code == 404
    assert "not served" in answer.json()["detail"]


@pytest.mark.peer
def test_go_follows_the_served_log_and_rejects_a_swapped_tile(fresh_hub, log):
    tiles = {tile.path: fetch(log)(tile.path) for tile in all_tiles(COUNT)}
    by_tile = {tile: tiles[tile.path] for tile in all_tiles(COUNT)}
    claim = Claim(
        note=log.get("/log/checkpoint").text,
        keys=[str(SIGNER.verifier)],
        leaf=leaf_of(fresh_hub, 300),
        index=300,
        hashes=prove_inclusion(300, COUNT, lambda wanted: {tile: by_tile[tile] for tile in wanted}),
        tiles=tiles,
    )
    swapped = replace(claim, tiles={**tiles, "tile/0/001": tiles["tile/0/000"]})
    assert [not fault for fault in go.judge([claim, swapped])] == [True, False]


def test_a_monitor_finds_nothing_wrong_with_an_untouched_log_and_remembers_it(fresh_hub, child, log):
    first = visit(fetch(log), POLICY, SIGNER.name)
    assert (first.doubts, first.checkpoint.size, first.tiles) == ((), COUNT, 4)
    sequence(fresh_hub, append(fresh_hub, child, 200))
    second = visit(fetch(log), POLICY, SIGNER.name, remembered=first.note)
    assert (second.doubts, second.checkpoint.size) == ((), COUNT + 200)


def test_attack_swapped_tile_is_found_by_a_monitor(log):
    get = fetch(log)
    served = {path: get(path) for path in ("checkpoint", *(tile.path for tile in all_tiles(COUNT)))}
    for path in ("tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"):
        swapped = served | {path: served["tile/0/000"][: len(served[path])]}
        assert visit(swapped.get, POLICY, SIGNER.name).doubts
        missing = served | {path: None}
        assert (Doubt.TILE, path) in visit(missing.get, POLICY, SIGNER.name).doubts


def test_attack_truncated_or_rewritten_log_is_found_by_a_monitor_that_was_there_before(fresh_hub, child, log):
    remembered = visit(fetch(log), POLICY, SIGNER.name).note
    served = dict.fromkeys(["checkpoint", *(tile.path for tile in all_tiles(COUNT))])
    sequence(fresh_hub, append(fresh_hub, child, 1))
    longer = visit(fetch(log), POLICY, SIGNER.name).note
    served = {path: fetch(log)(path) for path in served} | {"checkpoint": str(remembered).encode()}
    (shorter,) = visit(served.get, POLICY, SIGNER.name, remembered=longer).doubts
    assert shorter == (Doubt.SHORTER, f"{COUNT} after {COUNT + 1}")
    forged = parse_note(str(remembered).replace(remembered.text.split("\n")[2], "A" * 43 + "="))
    assert visit(served.get, POLICY, SIGNER.name, remembered=forged).doubts == (
        (Doubt.REWRITTEN, str(COUNT)),
    )


def test_a_swapped_tile_and_a_rewritten_past_go_unseen_by_whoever_checks_the_signature_alone(log):
    """The control: what finds them is the tree computed anew and the checkpoint remembered."""
    served = {path: fetch(log)(path) for path in ("checkpoint", *(tile.path for tile in all_tiles(COUNT)))}
    swapped = served | {"tile/0/001": served["tile/0/000"]}
    assert isinstance(open_checkpoint(swapped["checkpoint"], SIGNER.name, [SIGNER.verifier]), Checkpoint)
    assert visit(served.get, POLICY, SIGNER.name).doubts == ()  # nothing remembered, nothing to contradict


def test_a_checkpoint_by_another_key_is_not_the_logs(log):
    other = policy_of("quorum none\n")
    assert visit(fetch(log), other, SIGNER.name).doubts == ((Doubt.NOT_SIGNED, "unknown-keys"),)


def test_cosignatures_stand_in_the_checkpoint_and_the_newest_with_a_quorum_has_its_own_place(
    fresh_hub, child, log
):
    hub = replace(fresh_hub, policy=WITNESSED)
    client = TestClient(build(hub))
    assert client.get("/log/witnessed").status_code == 404
    assert visit(fetch(client), WITNESSED, SIGNER.name).doubts == ((Doubt.NOT_WITNESSED, "0 of 1"),)
    cosign(hub)
    assert LIBRARY.name in client.get("/log/checkpoint").text
    sequence(hub, append(hub, child, 5))
    assert LIBRARY.name not in client.get("/log/checkpoint").text
    found = visit(fetch(client), WITNESSED, SIGNER.name, at="witnessed")
    assert (found.doubts, found.checkpoint.size, set(found.cosigned)) == ((), COUNT, {LIBRARY.verifier})
