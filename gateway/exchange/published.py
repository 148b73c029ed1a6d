"""What the log shows to the world: its checkpoints with their witnesses' cosignatures, and proofs under them."""

from dataclasses import replace

from consent.cosignature import CosignerKey, cosignatures
from consent.merkle import prove_inclusion
from consent.note import Note, parse_note
from consent.proof import LogProof
from gateway.exchange.context import Hub
from gateway.store import ledger, witnesses
from gateway.store.ledger import Head
from gateway.store.pipeline import Driver, driver_of


def newest(hub: Hub) -> Note | None:
    """The newest checkpoint with the cosignatures it has so far; None in an empty log."""
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        head = ledger.read_head(driver)
        return None if head is None else with_cosignatures(driver, head)


def witnessed(hub: Hub) -> Note | None:
    """The newest checkpoint that bears the quorum of the policy; None where there is none, or no policy."""
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        head = newest_witnessed(hub, driver, above=-1)
        return None if head is None else with_cosignatures(driver, head)


def receipt(hub: Hub, seq: int) -> str | None:
    """The entry's proof of inclusion (`c2sp.org/tlog-proof@v1`), None for a number not given.

    In the newest checkpoint that bears the policy's quorum where one holds the entry, else in the newest.
    """
    with hub.db.transaction() as connection:
        return proof_of(hub, driver_of(connection), seq)


def proof_of(hub: Hub, driver: Driver, seq: int) -> str | None:
    """As `receipt`, in the caller's transaction."""
    newest_head = ledger.read_head(driver)
    if newest_head is None or not 0 <= seq < newest_head.size:
        return None
    head = newest_witnessed(hub, driver, above=seq) or newest_head
    hashes = prove_inclusion(seq, head.size, lambda wanted: ledger.read_tiles(driver, wanted))
    return str(LogProof(seq, hashes, with_cosignatures(driver, head)))


def with_cosignatures(driver: Driver, head: Head) -> Note:
    """The checkpoint as signed, with every cosignature on it that is kept."""
    note = parse_note(head.note)
    assert note is not None  # our own
    lines = "".join(one.line for one in witnesses.cosignatures_on(driver, head.size))
    if not lines:
        return note
    cosigned = parse_note(f"{head.note}{lines}")
    return note if cosigned is None else replace(note, signatures=cosigned.signatures)


def cosigners_of(hub: Hub, note: Note) -> frozenset[CosignerKey]:
    """Which of the policy's witnesses have cosigned this checkpoint."""
    return frozenset(cosignatures(note, hub.policy.cosigners)) if hub.policy is not None else frozenset()


def newest_witnessed(hub: Hub, driver: Driver, *, above: int) -> Head | None:
    """The newest checkpoint of more entries than `above` that bears the policy's quorum."""
    policy = hub.policy
    if policy is None or policy.quorum is None:
        return None
    known = [str(key) for key in policy.cosigners]
    for size in witnesses.sizes_cosigned(driver, known, above=above):
        head = witnesses.checkpoint_at(driver, size)
        if head is not None and policy.met_by(cosigners_of(hub, with_cosignatures(driver, head))):
            return head
    return None
