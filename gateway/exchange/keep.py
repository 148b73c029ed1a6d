"""Keeping what was received: facts into the record, documents sealed, guardians as candidates, the child's own facts.

All of it in the caller's transaction. A changed fact supersedes, a fact that vanished from its record is retracted; of what
waits in review only the sealed documents are kept.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection

from consent.guardian import Authority, ChildFacts, GuardianKind, GuardianLink
from gateway.exchange.context import Hub
from gateway.exchange.feed import Feed
from gateway.exchange.item import Companion, Item, Secrets
from gateway.exchange.neverkeep import Kept
from gateway.exchange.tally import Tally
from gateway.store import directives, documents, records
from gateway.store.childkey import ChildKey
from gateway.store.configuration import read_place
from gateway.store.documents import Document, FactPresent, Present
from gateway.store.epochs import raise_epochs
from gateway.store.records import Fact
from mappings.record.assertion import AssertedBy, Draft, SourceRef, Status, StoredAssertion
from mappings.record.kind import Kind
from mappings.record.sensitivity import Label

GUARDIANS = "guardians"
"""The purpose of the deployment secret a candidate guardian's id is derived with."""

_KINDS: Mapping[str, GuardianKind] = {
    "mother": GuardianKind.PARENT,
    "father": GuardianKind.PARENT,
    "parent": GuardianKind.PARENT,
    "foster parent": GuardianKind.FOSTER_PARENT,
    "guardian": GuardianKind.LEGAL_GUARDIAN,
}
"""What a feed's word for a relation makes of a candidate; a step-parent or grandparent is one only where the feed says
legal guardian. The verification step may find otherwise."""


RESTRICTED = frozenset({Label.RESTRICTED})
"""What a fact without a label of its own counts as."""


@dataclass(frozen=True, slots=True)
class Change:
    """A record that is new or changed, and whose it is: `child_id` None while its identity is in review."""

    item: Item
    identity_id: UUID | None
    child_id: UUID | None
    sealed_for: UUID
    new_child: bool = False
    stored: bool = False  # it lies in the database already and is only mapped again


@dataclass(frozen=True, slots=True)
class Keeping:
    """What the steps share."""

    hub: Hub
    connection: Connection
    feed: Feed
    secrets: Secrets
    held: Mapping[UUID, ChildKey]
    tally: Tally
    at: datetime


def keep(work: Keeping, changes: Sequence[Change], present: Mapping[bytes, Sequence[Present]]) -> None:
    """Keep these records. `present` are the documents that now stand for them and for what they were joined with."""
    _raise(work, changes)
    _keep_facts(work, changes, present)
    _keep_documents(work, [change for change in changes if not change.stored], present)
    if work.feed.row.authority:
        _keep_candidates(work, changes)
    _keep_child_facts(work, changes)


def _raise(work: Keeping, changes: Sequence[Change]) -> None:
    """A known child's age is what decisions rest on: its epoch comes first (ARCHITECTURE §6)."""
    children = {
        change.child_id
        for change in changes
        if change.child_id is not None
        and not change.new_child
        and any(draft.kind is Kind.BIRTH_DATE for draft in change.item.drafts)
    }
    if children:
        raise_epochs(work.connection, children)


def _keep_facts(work: Keeping, changes: Sequence[Change], present: Mapping[bytes, Sequence[Present]]) -> None:
    known = [change.item.record_key for change in changes if change.item.record_key in present]
    standing = documents.facts_of(work.connection, known)
    stated: set[bytes] = set()
    appended = records.append(work.connection, _all_facts(work, changes, standing, stated))
    vanished = [fact.assertion_id for (_, key), fact in standing.items() if key not in stated]
    retracted = records.change_status(work.connection, vanished, Status.RETRACTED)
    work.tally.facts_retracted += len(retracted)
    work.tally.facts_added += len(appended.added) - len(appended.superseded)
    work.tally.facts_superseded += len(appended.superseded)


def _all_facts(
    work: Keeping,
    changes: Sequence[Change],
    standing: Mapping[tuple[UUID, bytes], FactPresent],
    stated: set[bytes],
) -> Iterator[Fact]:
    """The facts of all records, one after another, since together they are large; their keys are put into `stated`."""
    for change in changes:
        if change.child_id is None:
            continue
        for fact in _facts(work, change, standing):
            if fact.source_key is not None:
                stated.add(fact.source_key)
            yield fact


_FINDS = frozenset({Kind.NAME, Kind.BIRTH_DATE, Kind.IDENTIFIER})
"""By which a row finds its child."""


def _facts(
    work: Keeping, change: Change, standing: Mapping[tuple[UUID, bytes], FactPresent]
) -> Iterable[Fact]:
    """The facts of one record; links lead to the fact that stands where its value has not changed."""
    assert change.child_id is not None
    key = work.held[change.child_id]
    source = AssertedBy(org=work.feed.row.org)
    made: list[tuple[Draft, Fact]] = []
    places: set[bytes] = set()
    ids: dict[str, UUID] = {}
    for draft in change.item.drafts:
        if draft.kind is Kind.REFERRAL_EVENT:  # what happened to a referral moves it: `refer` takes it in
            continue
        if draft.kind in _FINDS and not work.feed.row.of_record:
            continue
        place = _place(work, change.item, draft, places)
        fact = Fact(key, _assertion(work, change, draft, source), change.identity_id, place)
        made.append((draft, fact))
        if draft.key:
            stands = standing.get((change.child_id, place))
            same = stands is not None and stands.value_digest == records.value_digest(key, fact.assertion)
            ids[draft.key] = stands.assertion_id if stands and same else fact.assertion.assertion_id
    for draft, fact in made:
        links = tuple(ids[name] for name in draft.links if name in ids)
        if links:
            linked = fact.assertion.model_copy(update={"links": links})
            yield Fact(fact.key, linked, fact.source_identity_id, fact.source_key)
        else:
            yield fact


def _place(work: Keeping, item: Item, draft: Draft, places: set[bytes]) -> bytes:
    """Where a fact stands in its record; two that a map does not tell apart are numbered in its order."""
    place = documents.fact_key(work.secrets.records, item.record_key, draft.kind.value, draft.key)
    number = 1
    while place in places:
        number += 1
        numbered = f"{draft.key}~~{number}"
        place = documents.fact_key(work.secrets.records, item.record_key, draft.kind.value, numbered)
    places.add(place)
    return place


def _assertion(work: Keeping, change: Change, draft: Draft, source: AssertedBy) -> StoredAssertion:
    """The fact with its envelope."""
    item = change.item
    return StoredAssertion(
        assertion_id=work.hub.ids(),
        child_id=change.sealed_for if change.child_id is None else change.child_id,
        kind=draft.kind,
        category=draft.category,
        value=draft.value,
        asserted_by=source,
        method=draft.method,
        asserted_at=work.at,
        received_at=work.at,
        effective=draft.effective,
        source=SourceRef(
            system=work.feed.row.connection, record_id=item.record_id, path=draft.key, version=item.version
        ),
        regimes=draft.regimes or work.feed.row.regimes,
        labels=draft.labels or RESTRICTED,
    )


def _keep_documents(
    work: Keeping, changes: Sequence[Change], present: Mapping[bytes, Sequence[Present]]
) -> None:
    ended: set[UUID] = set()
    rows: list[Document] = []
    copied: set[tuple[UUID, bytes]] = set()
    for change in changes:
        item, key = change.item, work.held[change.sealed_for]
        ended.update(found.document_id for found in present.get(item.record_key, ()))
        rows.append(
            sealed_document(
                work, key, item, change.identity_id, item.material(), item.original_material(), item.kept
            )
        )
        for one in item.joined:
            if not one.join.of_child or (change.sealed_for, one.record_key) in copied:
                continue
            copied.add((change.sealed_for, one.record_key))
            stands = [
                found
                for found in present.get(one.record_key, ())
                if found.sealed_for == change.sealed_for or not work.held[found.sealed_for].child_id.int
            ]
            if any(found.digest == key.digest(one.kept.raw) for found in stands):
                continue
            ended.update(found.document_id for found in stands)
            rows.append(companion_document(work, key, one, change.identity_id))
    documents.end_documents(work.connection, ended, Status.SUPERSEDED)
    documents.add_documents(work.connection, rows)


def sealed_document(
    work: Keeping,
    key: ChildKey,
    item: Item,
    identity: UUID | None,
    material: bytes,
    original: bytes,
    kept: Kept,
) -> Document:
    """A received record, sealed byte for byte as it was kept."""
    document_id, digest = work.hub.ids(), key.digest(material)
    return Document(
        document_id,
        identity or key.child_id,
        key.child_id,
        work.feed.row.connection,
        item.resource,
        item.record_key,
        item.version,
        digest,
        digest if original == material else key.digest(original),
        kept.cuts,
        key.seal(kept.raw, row=document_id, kind="document"),
        work.at,
        Status.CURRENT,
    )


def companion_document(work: Keeping, key: ChildKey, one: Companion, identity: UUID | None) -> Document:
    """A copy of a record that speaks of somebody around the child, under the child's key."""
    item = Item(one.join.companion, "", one.record_key, one.version, one.original, one.kept)
    return sealed_document(work, key, item, identity, one.kept.raw, one.original, one.kept)


def _keep_candidates(work: Keeping, changes: Sequence[Change]) -> None:
    """Whom a roster names as guardian becomes a candidate, who can sign nothing before the hub's own verification."""
    secret = work.hub.keys.deployment_secret(GUARDIANS)
    links: dict[UUID, GuardianLink] = {}
    for change in changes:
        if change.child_id is None:
            continue
        for draft in change.item.drafts:
            kind = _guardian_kind(draft)
            if kind is None:
                continue
            link = candidate_id(secret, change.child_id, work.feed.row.org, draft.value["person_key"])
            links[link] = GuardianLink(
                guardian_link_id=link,
                child_id=change.child_id,
                kind=kind,
                authority=Authority.CANDIDATE,
                valid_from=work.at,
            )
    if links:
        known = directives.known_links(work.connection, links)
        new = [(work.held[link.child_id], link) for one, link in links.items() if one not in known]
        directives.add_links(work.connection, new)


def _guardian_kind(draft: Draft) -> GuardianKind | None:
    if draft.kind is not Kind.GUARDIAN:
        return None
    kind = _KINDS.get(draft.value["relationship"])
    return kind or (GuardianKind.LEGAL_GUARDIAN if draft.value.get("legal_guardian") else None)


def candidate_id(secret: bytes, child: UUID, org: str, person_key: str) -> UUID:
    """A link's id, the same for the same person and child at every import, and for nobody else to guess (RFC 9562 §5.8).

    `secret` is the deployment's for GUARDIANS, `person_key` the agency's own key of the person.
    """
    person = child.bytes + f"{org}\x1f{person_key}".encode()
    digest = bytearray(hmac.digest(secret, person, "sha256")[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


def _keep_child_facts(work: Keeping, changes: Sequence[Change]) -> None:
    """What authority is computed from: a roster's word for the birth date, and anybody's for a child it made."""
    born: dict[UUID, date] = {}
    new: set[UUID] = set()
    for change in changes:
        if change.child_id is None or not (work.feed.row.roster or change.new_child):
            continue
        for draft in change.item.drafts:
            if draft.kind is Kind.BIRTH_DATE:
                born.setdefault(change.child_id, date.fromisoformat(draft.value["date"]))
        if change.new_child:
            new.add(change.child_id)
    if not born:
        return
    place = read_place(work.connection)
    facts = {child: ChildFacts(child, day, place.zone, place.jurisdiction) for child, day in born.items()}
    fresh = [(work.held[child], one) for child, one in facts.items() if child in new]
    if fresh:
        directives.add_child_facts(work.connection, fresh, work.at)
    for child, one in facts.items():
        if child not in new:
            directives.change_child_facts(work.connection, work.held[child], one, work.at)


def forget(work: Keeping, gone: Iterable[Present]) -> int:
    """Take back what deleted records said: documents and facts are retracted, never erased; how many records."""
    ended = list(gone)
    keys = list({found.record_key for found in ended})
    documents.end_documents(work.connection, [found.document_id for found in ended], Status.RETRACTED)
    facts = documents.facts_of(work.connection, keys)
    retracted = records.change_status(
        work.connection, [fact.assertion_id for fact in facts.values()], Status.RETRACTED
    )
    work.tally.facts_retracted += len(retracted)
    return len(keys)
