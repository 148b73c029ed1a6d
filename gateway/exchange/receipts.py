"""Receipts for what was released: the entry's fields a recipient may see, and the proof that they are in the log."""

from adapters.port import Sealed
from consent.commitment import CommittedEntry
from consent.proof import parse_proof
from consent.receipt import HEADER, Receipt, pack_receipt, write_receipt
from gateway.exchange.context import Hub
from gateway.exchange.journal import keys_for, open_body
from gateway.exchange.published import proof_of
from gateway.store import ledger
from gateway.store.engine import Role
from gateway.store.epochs import NOBODY
from gateway.store.pipeline import driver_of


def receipt_for(hub: Hub, seq: int) -> Receipt | None:
    """The receipt of a sequenced disclosure; None for a number not given, a change of consent, or an erased child.

    It shows what its recipient was given and nothing else (`consent.receipt.SHOWN`): hand it to nobody but the recipient.
    """
    with hub.db.transaction(role=Role.SEQUENCER) as connection:
        driver = driver_of(connection)
        row = ledger.read_sealed(driver, seq)
        text = None if row is None else proof_of(hub, driver, seq)
    if row is None or text is None:
        return None
    entry_id, child, leaf, body = row
    key = keys_for(hub, [child or NOBODY]).get(child or NOBODY)
    proof = parse_proof(text)
    if key is None or proof is None:
        return None
    try:
        return write_receipt(CommittedEntry(leaf, open_body(key, entry_id, body)), proof)
    except KeyError:  # a change of consent has none of these fields
        return None


def beside(hub: Hub, sealed: Sealed) -> dict[str, str]:
    """The header that carries a delivery's receipt. A recipient refuses what comes without."""
    receipt = receipt_for(hub, sealed.entry)
    return {} if receipt is None else {HEADER: pack_receipt(receipt)}
