"""What is known of a batch of records before any of it is mapped: what they name, whose they are, what already stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from gateway.exchange.community_file import AdapterKind
from gateway.exchange.context import Hub, identifier_base
from gateway.exchange.feed import Feed, Join
from gateway.exchange.item import (
    Companion,
    Item,
    Secrets,
    companion_key,
    companion_record_key,
    find_subject,
    named,
    no_key,
    not_ours,
    parse_kept,
    prepare_fhir,
    recognise,
    source_of,
)
from gateway.exchange.journal import keys_for
from gateway.exchange.neverkeep import Kept
from gateway.exchange.tally import Aside, Tally, unresolved
from gateway.store import documents, identities
from gateway.store.childkey import ChildKey
from gateway.store.documents import Present
from gateway.store.identities import Identity

RECORDS = "records"
IDENTITIES = "identities"
"""Purposes of the deployment secrets under which records and identities are found again."""


def secrets_of(hub: Hub) -> Secrets:
    """The secrets intake keys its hashes with."""
    return Secrets(hub.keys.deployment_secret(RECORDS), hub.keys.deployment_secret(IDENTITIES))


@dataclass(slots=True)
class Found:
    """A batch and what the database knows of it. `items` are those that can be gone on with."""

    items: list[Item]
    known: dict[bytes, Identity]
    children: dict[str, UUID]
    present: dict[bytes, list[Present]]
    held: dict[UUID, ChildKey]

    def is_unchanged(self, item: Item) -> bool:
        """Whether a record, with what it names, stands there just as it came."""
        material = item.material()
        for one in self.present.get(item.record_key, ()):
            key = self.held.get(one.sealed_for)
            if key is not None and key.digest(material) == one.digest:
                return True
        return False


@dataclass(slots=True)
class Lookup:
    """Companions of this intake, and the questions to the database. What is refused here is counted in `tally`."""

    hub: Hub
    feed: Feed
    secrets: Secrets
    tally: Tally
    companions: dict[bytes, Companion] = field(default_factory=dict)
    attached: set[bytes] = field(default_factory=set)

    def take_companion(self, item: Item, join: Join) -> bytes | None:
        """Keep a companion at hand for the records that name it."""
        key = companion_key(item.kept.body, join)
        if key is None:
            self.tally.reject(item.resource, item.record_id, no_key(join.key))
            return None
        record = companion_record_key(self.secrets, self.feed, join, key)
        self.companions[record] = Companion(join, record, item.version, item.original, item.kept)
        self.tally.accept(item.resource)
        return record

    def attach(self, item: Item) -> None:
        """Note that a record which stands names its companions: a copy of each lies with its child."""
        self.attached.update(one.record_key for one in item.joined if one.join.of_child)

    def loose(self) -> list[Companion]:
        """The companions no record has taken to a child."""
        return [one for record, one in self.companions.items() if record not in self.attached]

    def look(self, conn: Connection, items: Sequence[Item]) -> Found:
        """What the database knows of these records: what they name, their identities, the documents that stand."""
        self._complete(conn, items)
        sound = [item for item in items if self._is_sound(item)]
        keys = {item.source_key for item in sound if item.source_key}
        known = identities.known(conn, self.feed.row.connection, keys)
        refs = {item.child_ref for item in sound if item.child_ref}
        children = identities.by_reference(conn, self.feed.row.org, refs) if refs else {}
        records = {item.record_key for item in sound}
        records |= {one.record_key for item in sound for one in item.joined if one.join.of_child}
        for item in list(sound):
            if item.child_ref and item.child_ref not in children:
                self.tally.reject(item.resource, item.record_id, not_ours("child"))
                sound.remove(item)
        present = documents.present(conn, self.feed.row.connection, records)
        sealed = {found.sealed_for for rows in present.values() for found in rows}
        sealed |= {identity.sealed_for for identity in known.values()} | set(children.values())
        sealed |= {identity.child_id for identity in known.values() if identity.child_id is not None}
        return Found(sound, known, children, present, keys_for(self.hub, list(sealed)))

    def _complete(self, conn: Connection, items: Sequence[Item]) -> None:
        """Fetch what these records name and this pull has not brought: it was kept when it came."""
        wanted: dict[bytes, Join] = {}
        for item in items:
            for join in self.feed.joined(item.resource):
                key = named(item.kept.body, join)
                record = companion_record_key(self.secrets, self.feed, join, key) if key else None
                if record is not None and record not in self.companions:
                    wanted[record] = join
        if not wanted:
            return
        standing = documents.present(conn, self.feed.row.connection, wanted)
        one_each = {rows[0].document_id: record for record, rows in standing.items() if rows}
        stored = documents.read_bodies(conn, list(one_each))
        held = keys_for(self.hub, [row.sealed_for for row in stored.values()])
        for row in stored.values():
            if row.sealed_for not in held:
                continue
            raw = held[row.sealed_for].open(row.body, row=row.document_id, kind="document")
            kept = Kept(raw, parse_kept(raw), row.cuts)
            record = one_each[row.document_id]
            self.companions[record] = Companion(wanted[record], record, row.source_version, raw, kept)
            self.attached.add(record)

    def _is_sound(self, item: Item) -> bool:
        """Complete a record and find whom it is about; one that names what is not there, or nobody, is refused.

        What this hub wrote to a server itself is put aside: it would come back as something its agency says.
        """
        joins: dict[str, Mapping[str, Any]] = {}
        item.joined = []
        for join in self.feed.joined(item.resource):
            key = named(item.kept.body, join)
            record = companion_record_key(self.secrets, self.feed, join, key) if key else None
            companion = self.companions.get(record) if record is not None else None
            if companion is not None:
                joins[join.member] = companion.kept.body
                item.joined.append(companion)
            elif join.needed:
                text = f"names a record of {join.companion} that was not received. Send it, or correct the reference."
                self.tally.reject(item.resource, item.record_id, unresolved(".".join(join.by), text))
                self.tally.read_all_next = True
                return False
        item.source = source_of(item, self.feed, joins)
        issue = None
        if self.feed.row.adapter is AdapterKind.FHIR:
            base = identifier_base(self.hub.settings.base_url)
            recognise(item, base)
            if item.ours and item.claim is None:
                self.tally.put_aside(item.resource, Aside.OURS)
                return False
            issue = prepare_fhir(item, self.feed, base)
        issue = issue or find_subject(item, self.feed.maps[item.resource], self.feed, self.secrets)
        if issue is not None:
            self.tally.reject(item.resource, item.record_id, issue)
        return issue is None
