"""What a family signed, as FHIR Consents for its own use: read on the basis family, entered before anything is put together."""

import json
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Connection

from consent import fhir
from consent.directive import State
from consent.guardian import GuardianKind
from gateway.exchange import inquiry
from gateway.exchange.accounting import family_request, topics_told
from gateway.exchange.context import Hub, identifier_base
from gateway.exchange.disclosure import Refused
from gateway.exchange.inquiry import Said
from gateway.exchange.naming import agencies
from gateway.exchange.release import release
from mappings.record.category import Category

DESCRIPTION = "what was signed, as FHIR Consents"


@dataclass(frozen=True, slots=True)
class Download:
    """A Bundle of Consents as bytes; `entry` is the number of the reading's own entry."""

    entry: int
    body: bytes = field(repr=False)


def download(hub: Hub, child: UUID, *, guardian_link: UUID, requester: str) -> Download | Refused:
    """Everything signed for the child that this person may know of. Refused, and entered as such, where they may not read."""
    released = release(hub, family_request(child, guardian_link, requester, DESCRIPTION))
    if isinstance(released, Refused):
        return released
    owner = fhir.Hub(identifier_base(hub.settings.base_url), hub.settings.base_url)
    with hub.db.transaction() as conn:
        permissions = _permissions(conn, child, released.decision.categories)
    consents = [fhir.consent(one, child_ref=released.child_ref, hub=owner) for one in permissions]
    made = fhir.bundle(consents, hub=owner, at=released.decision.at)
    return Download(released.sealed.entry, json.dumps(made, indent=1, sort_keys=True).encode())


def _permissions(conn: Connection, child: UUID, readable: frozenset[Category]) -> list[fhir.Permission]:
    kinds = {one.guardian_link_id: one.kind for one in inquiry.guardians(conn, child)}
    names = agencies(conn)
    found = []
    for one in inquiry.said(conn, child):
        topics = topics_told(one.categories, readable)
        if topics:
            name = names.get(one.recipient, one.recipient)
            found.append(_permission(one, name, kinds[one.signer_link], frozenset(topics)))
    return found


def _permission(one: Said, name: str, signer: GuardianKind, topics: frozenset[Category]) -> fhir.Permission:
    return fhir.Permission(
        number=one.number,
        effect=one.effect,
        recipient=one.recipient,
        recipient_name=name,
        categories=topics,
        purposes=one.purposes,
        valid_from=one.valid_from,
        valid_until=one.valid_until,
        recorded_at=one.recorded_at,
        state=State.WITHDRAWN if one.ended_at is not None else one.state,
        ended=one.ended_at is not None,
        signer=signer,
    )
