"""Asking witnesses to cosign the newest checkpoint (C2SP tlog-witness), outside of every transaction and of every release.

A witness that stands further than this log, or that saw another tree, has seen what this database no longer holds. Where it
shows that with a checkpoint signed by this log's own key, nothing is signed any more until a person has looked.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from http import HTTPStatus

from adapters.egress import LOOPBACK, Egress
from adapters.http import HttpClient, Limits, Reply
from consent.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from consent.cosignature import cosignatures, cosigned_at
from consent.merkle import EMPTY_ROOT, prove_consistency, root_at
from consent.note import Note, NoteSignature, parse_note
from consent.trust_policy import Witness
from consent.witness import Request, stated_size
from gateway.exchange.context import Hub
from gateway.settings import Settings
from gateway.store import ledger, witnesses
from gateway.store.pipeline import driver_of
from gateway.store.witnesses import Standing, StoredCosignature

TOLERANCE = timedelta(minutes=5)
"""How far the time of a cosignature may be from ours; one that is older or newer is not kept."""

_TURNS = 3
_AT_ONCE = 8
LIMITS = Limits(connect_s=5, read_s=10, write_s=10, total_s=15, max_bytes=100_000)


class Heard(StrEnum):
    """What a witness answered, in a word (stored in ledger_witness.answer)."""

    COSIGNED = "cosigned"
    AHEAD = "ahead"  # it has cosigned more entries than this database holds
    CONTRADICTS = "contradicts"  # it says that this is not a continuation of what it saw
    UNKNOWN = "unknown-log"  # it does not know this log, or not its key
    WRONG_TIME = "wrong-time"
    UNREADABLE = "unreadable"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Told:
    """A witness's answer. `size` is where it stands as far as it said; `proved` whether it showed our own signature for it."""

    name: str
    heard: Heard
    size: int
    proved: bool = False
    cosignature: NoteSignature | None = None


@dataclass(frozen=True, slots=True)
class _Head:
    """What is put before the witnesses: the newest checkpoint, or that of the empty log."""

    note: Note
    checkpoint: Checkpoint


def client(settings: Settings) -> HttpClient:
    """The way to the witnesses."""
    near = LOOPBACK if settings.allow_loopback_partners else ()
    return HttpClient(limits=LIMITS, egress=Egress((*settings.egress_allow, *near)))


def ask_all(hub: Hub, http: HttpClient) -> tuple[Told, ...]:
    """Ask every witness of the policy that has an address and has not yet cosigned the newest checkpoint; keep the answers."""
    head, standings, have = _load(hub)
    policy = hub.policy
    asked = [w for w in policy.witnesses.values() if w.url and str(w.key) not in have] if policy else []
    if not asked:
        return ()
    with ThreadPoolExecutor(_AT_ONCE, "witness") as pool:
        told = list(pool.map(lambda w: _ask(hub, http, w, head, standings.get(str(w.key))), asked))
    _save(hub, head, list(zip(asked, told, strict=True)))
    return tuple(told)


def trouble(told: tuple[Told, ...], size: int, *, on_word: bool) -> str | None:
    """Why nothing may be signed, from what witnesses said of a log of `size` entries; None where nothing speaks against it.

    Their own signature-less word is enough `on_word`; else only what our own key has signed.
    """
    for one in told:
        if not (one.proved or on_word):
            continue
        if one.heard is Heard.AHEAD:
            return (
                f"witness {one.name} has cosigned {one.size} entries of this log and this database holds {size}: it was "
                "rolled back or restored from an old backup. Restore the newest one, then: planhub ledger resume"
            )
        if one.heard is Heard.CONTRADICTS:
            return (
                f"witness {one.name} saw another history of this log at {one.size} entries: it was rewritten or forked. Keep "
                "the database as it is and read deploy/runbook.md: the ledger does not verify"
            )
    return None


def _load(hub: Hub) -> tuple[_Head, dict[str, Standing], set[str]]:
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        stored = ledger.read_head(driver)
        standings = witnesses.standings(driver)
        have = (
            set()
            if stored is None
            else {one.witness for one in witnesses.cosignatures_on(driver, stored.size)}
        )
    note = None if stored is None else parse_note(stored.note)
    if note is None or stored is None:
        empty = Checkpoint(hub.signer.name, 0, EMPTY_ROOT)
        return _Head(sign_checkpoint(empty, hub.signers), empty), standings, set()
    return _Head(note, Checkpoint(hub.signer.name, stored.size, stored.root)), standings, have


def _ask(hub: Hub, http: HttpClient, witness: Witness, head: _Head, standing: Standing | None) -> Told:
    """Submit the checkpoint, from where the witness says it stands."""
    size = head.checkpoint.size
    known = min(standing.size if standing else 0, size)
    for _ in range(_TURNS):
        request = Request(known, _proof(hub, known, size), head.note)
        reply = http.send(
            "POST",
            f"{witness.url}/add-checkpoint",
            headers={"Content-Type": "text/plain; charset=utf-8"},
            content=str(request).encode(),
        )
        if not isinstance(reply, Reply):
            return Told(witness.name, Heard.UNREACHABLE, known)
        if reply.status != HTTPStatus.CONFLICT:
            return _answered(hub, http, witness, head, known, reply)
        stands = stated_size(reply.body)
        if stands is None or stands == known:
            return Told(witness.name, Heard.UNREADABLE, known)
        if stands > size:
            proved = _shows(hub, http, witness, head)
            return Told(witness.name, Heard.AHEAD, stands, proved)
        known = stands
    return Told(witness.name, Heard.UNREADABLE, known)


def _answered(hub: Hub, http: HttpClient, witness: Witness, head: _Head, known: int, reply: Reply) -> Told:
    match reply.status:
        case HTTPStatus.OK:
            return _cosigned(hub.clock(), witness, head, known, reply.body)
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            proved = _shows(hub, http, witness, head)
            return Told(witness.name, Heard.CONTRADICTS, known, proved)
        case HTTPStatus.FORBIDDEN | HTTPStatus.NOT_FOUND:
            return Told(witness.name, Heard.UNKNOWN, known)
        case _:
            return Told(witness.name, Heard.UNREACHABLE, known)


def _cosigned(at: datetime, witness: Witness, head: _Head, known: int, body: bytes) -> Told:
    """The cosignature in a 200, if it is this witness's on this checkpoint and of now."""
    note = parse_note(head.note.text.encode() + b"\n" + body)
    found = cosignatures(note, [witness.key]) if note is not None else {}
    if witness.key not in found:
        return Told(witness.name, Heard.UNREADABLE, known)
    line = found[witness.key]
    if abs(cosigned_at(line) - at) > TOLERANCE:
        return Told(witness.name, Heard.WRONG_TIME, known)
    return Told(witness.name, Heard.COSIGNED, head.checkpoint.size, cosignature=line)


def _shows(hub: Hub, http: HttpClient, witness: Witness, head: _Head) -> bool:
    """Whether the witness serves a checkpoint signed by this log's own key that this database's tree does not lead to."""
    origin = sha256(head.checkpoint.origin.encode()).hexdigest()
    reply = http.send("GET", f"{witness.url}/{origin}/checkpoint")
    if not isinstance(reply, Reply) or reply.status != HTTPStatus.OK:
        return False
    shown = open_checkpoint(reply.body, head.checkpoint.origin, hub.log_keys)
    if not isinstance(shown, Checkpoint):
        return False
    return shown.size > head.checkpoint.size or shown.root != _root(hub, shown.size)


def _proof(hub: Hub, old: int, size: int) -> tuple[bytes, ...]:
    if not 0 < old < size:
        return ()
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        return prove_consistency(old, size, lambda wanted: ledger.read_tiles(driver, wanted))


def _root(hub: Hub, size: int) -> bytes:
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        return root_at(size, lambda wanted: ledger.read_tiles(driver, wanted))


def _save(hub: Hub, head: _Head, answers: list[tuple[Witness, Told]]) -> None:
    at = hub.clock()
    kept = [
        StoredCosignature(
            head.checkpoint.size, str(witness.key), told.cosignature.line, cosigned_at(told.cosignature)
        )
        for witness, told in answers
        if told.cosignature is not None and head.checkpoint.size
    ]
    with hub.db.transaction() as connection:
        driver = driver_of(connection)
        witnesses.add_cosignatures(driver, kept)
        for witness, told in answers:
            witnesses.keep_standing(driver, Standing(str(witness.key), told.size, told.heard.value, at))
