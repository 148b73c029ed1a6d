"""Other people's software accepts our log, and rejects it where anything of it was changed."""

import base64
from dataclasses import replace
from hashlib import sha256

import pytest

from consent.checkpoint import Checkpoint, sign_checkpoint
from consent.merkle import integrate, leaf_hash, prove_consistency, prove_inclusion, root_at
from consent.note import SignerKey
from consent.tiles import all_tiles
from tests.verifiers import Claim, Old, go, node, python

ORIGIN = "log.example/city"
LOG = SignerKey(ORIGIN, sha256(b"log").digest())
OTHER = SignerKey(ORIGIN, sha256(b"another log").digest())
LARGEST = 65_800  # three levels of tiles, the last ones partial
PLACES = (
    (1, 0),
    (2, 1),
    (3, 0),
    (255, 254),
    (256, 0),
    (257, 256),
    (700, 511),
    (65_536, 4),
    (LARGEST, 65_799),
)


@pytest.fixture(scope="session")
def leaves():
    return [f"leaf {number}".encode() for number in range(LARGEST)]


@pytest.fixture(scope="session")
def tiles(leaves):
    """The tiles of the whole tree: of a smaller one they hold a part."""
    return integrate(0, [leaf_hash(leaf) for leaf in leaves], lambda _: {}).tiles


@pytest.fixture(scope="session")
def claim_at(leaves, tiles):
    """The claim that entry `index` is in the log at `size`, with everything that shows it."""
    by_place = {(tile.level, tile.index): content for tile, content in tiles.items()}

    def read(wanted):
        return {tile: by_place[tile.level, tile.index] for tile in wanted}

    def made(size: int, index: int) -> Claim:
        note = sign_checkpoint(Checkpoint(ORIGIN, size, root_at(size, read)), [LOG])
        old = max(1, size * 2 // 3)
        return Claim(
            note=str(note),
            keys=[str(LOG.verifier)],
            leaf=leaves[index],
            index=index,
            hashes=prove_inclusion(index, size, read),
            old=Old(old, root_at(old, read), prove_consistency(old, size, read)),
            tiles={
                tile.path: by_place[tile.level, tile.index][: tile.width * 32] for tile in all_tiles(size)
            },
        )

    return made


def flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def forged(claim: Claim) -> str:
    """The checkpoint with one bit of its signature flipped."""
    *head, word = claim.note.rstrip("\n").split(" ")
    raw = bytearray(base64.b64decode(word))
    raw[-1] ^= 1
    return " ".join([*head, base64.b64encode(raw).decode()]) + "\n"


def with_tile(claim: Claim, path: str, content: bytes) -> Claim:
    return replace(claim, tiles={**(claim.tiles or {}), path: content})


def tampered(claim: Claim) -> dict[str, Claim]:
    """Claims about this entry that are each false in one way, all about what every verifier looks at."""
    size = claim.note.split("\n")[1]
    root = claim.note.split("\n")[2]
    return {
        "another root": replace(
            claim, note=claim.note.replace(root, base64.b64encode(sha256(b"").digest()).decode())
        ),
        "another size": replace(claim, note=claim.note.replace(f"\n{size}\n", f"\n{int(size) + 1}\n")),
        "a flipped bit of the signature": replace(claim, note=forged(claim)),
        "another log's key": replace(claim, keys=[str(OTHER.verifier)]),
        "another leaf": replace(claim, leaf=b"another leaf"),
        "another index": replace(claim, index=claim.index - 1),
        "a flipped bit of the path": replace(claim, hashes=[flipped(claim.hashes[0]), *claim.hashes[1:]]),
        "a path cut short": replace(claim, hashes=claim.hashes[:-1]),
        "a swapped path": replace(claim, hashes=claim.hashes[::-1]),
    }


def tampered_for_monitors(claim: Claim) -> dict[str, Claim]:
    """False claims about what only a monitor looks at: the past, and the tiles."""
    old, tiles = claim.old, claim.tiles
    assert old is not None
    assert tiles is not None
    return {
        "another past": replace(claim, old=replace(old, root=flipped(old.root))),
        "a flipped bit of the consistency proof": replace(
            claim, old=replace(old, proof=[flipped(old.proof[0]), *old.proof[1:]])
        ),
        "a flipped bit of a tile": with_tile(claim, "tile/0/001.p/255", flipped(tiles["tile/0/001.p/255"])),
        "a swapped tile": with_tile(claim, "tile/0/001.p/255", tiles["tile/0/000"][: 255 * 32]),
        "a missing tile": replace(
            claim, tiles={path: t for path, t in tiles.items() if path != "tile/1/000.p/1"}
        ),
    }


def judged(judge, claims: dict[str, Claim]) -> dict[str, bool]:
    """Which of the claims are accepted."""
    return dict(zip(claims, [not fault for fault in judge(list(claims.values()))], strict=True))


@pytest.mark.peer
def test_go_accepts_our_checkpoints_proofs_and_tiles_and_makes_the_same_proofs(claim_at):
    assert go.judge([claim_at(*place) for place in PLACES]) == [""] * len(PLACES)


@pytest.mark.peer
def test_go_rejects_every_tampered_control(claim_at):
    claim = claim_at(511, 510)
    false = tampered(claim) | tampered_for_monitors(claim)
    assert judged(go.judge, {"untouched": claim} | false) == {"untouched": True} | dict.fromkeys(false, False)


@pytest.mark.peer
@pytest.mark.needs("node", "npm")
def test_npm_sigstore_accepts_our_checkpoints_and_proofs_and_rejects_every_tampered_control(claim_at):
    assert node.judge([claim_at(*place) for place in PLACES]) == [""] * len(PLACES)
    claim = claim_at(511, 510)
    false = tampered(claim)
    assert judged(node.judge, {"untouched": claim} | false) == {"untouched": True} | dict.fromkeys(
        false, False
    )


@pytest.mark.peer
def test_pypi_sigstore_accepts_our_checkpoints_and_proofs_and_rejects_every_tampered_control(claim_at):
    assert python.judge([claim_at(*place) for place in PLACES]) == [""] * len(PLACES)
    claim = claim_at(511, 510)
    false = tampered(claim)
    assert judged(python.judge, {"untouched": claim} | false) == {"untouched": True} | dict.fromkeys(
        false, False
    )
