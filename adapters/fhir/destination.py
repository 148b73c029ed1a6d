"""Delivering to a FHIR R4 server: a transaction Bundle, or one resource, so that a second attempt makes nothing twice.

A Bundle carries its own conditions (`ifNoneExist`, PUT); they are checked here, since the sealed bytes are not ours to
change. A single resource is a conditional create on the hub's identifier with the delivery id (ARCHITECTURE §8).
"""

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from adapters.fhir.client import FhirClient
from adapters.http import Reply
from adapters.port import Cause, Delivered, Failure, Malformed, Receipt, Refused, Sealed
from adapters.received import parse_json

_LOCATION = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}(?:/_history/[A-Za-z0-9.-]{1,64})?)$")


class FhirDestination:
    """One server. `identifier_system` is the hub's own system for delivery ids, as the rendered resource carries it."""

    def __init__(self, client: FhirClient, identifier_system: str) -> None:
        self._client = client
        self._system = identifier_system

    def deliver(self, sealed: Sealed, *, opened: Callable[[], None]) -> Delivered | Failure:
        """Send once; see `adapters.port.Destination`."""
        resource = parse_json(sealed.unseal())
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            return Refused(Cause.BAD_SHAPE)
        capability = self._client.capability()
        if isinstance(capability, Failure):
            return capability
        is_bundle = resource["resourceType"] == "Bundle"
        if not capability.is_r4 or (is_bundle and not capability.transaction):
            return Refused(Cause.UNSUPPORTED)
        if is_bundle:
            return self._deliver_bundle(sealed, resource, opened)
        criteria = f"identifier={self._system}|{sealed.delivery_id}"
        reply = self._client.create(resource["resourceType"], sealed, criteria, opened=opened)
        return reply if isinstance(reply, Failure) else _created(reply)

    def _deliver_bundle(
        self, sealed: Sealed, bundle: dict[str, Any], opened: Callable[[], None]
    ) -> Delivered | Failure:
        entries = bundle.get("entry")
        if bundle.get("type") != "transaction" or not isinstance(entries, list) or not entries:
            return Refused(Cause.BAD_SHAPE)
        if not all(_is_repeatable(entry) for entry in entries):
            return Refused(Cause.NOT_REPEATABLE)
        reply = self._client.transaction(sealed, opened=opened)
        return reply if isinstance(reply, Failure) else _transacted(reply, len(entries))


def _is_repeatable(entry: Any) -> bool:
    """Whether sending an entry twice leaves one resource: an update, or a create under a condition."""
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict):
        return False
    return request.get("method") == "PUT" or (
        request.get("method") == "POST" and bool(request.get("ifNoneExist"))
    )


def _location(value: Any) -> tuple[str, ...]:
    """A location below the server's base, absolute or not; nothing where it is none."""
    found = _LOCATION.search(value) if isinstance(value, str) else None
    return (found[1],) if found else ()


def _created(reply: Reply) -> Delivered | Malformed:
    """201, or 200 for one that was there. A login page also answers 200: without a location nothing was created."""
    locations = _location(reply.headers.get("location")) or _location(reply.headers.get("content-location"))
    if reply.status == HTTPStatus.OK and not locations:
        found = parse_json(reply.body)
        if not isinstance(found, dict) or "resourceType" not in found:
            return Malformed(Cause.BAD_SHAPE, reply.status)
        locations = _location(f"{found['resourceType']}/{found.get('id')}")
    digest = hashlib.sha256(reply.body).digest()
    return Delivered(Receipt(reply.status, locations, digest, repeated=reply.status == HTTPStatus.OK))


def _transacted(reply: Reply, sent: int) -> Delivered | Malformed:
    """A transaction-response with one success for each entry; anything else cannot be trusted to be one."""
    body = parse_json(reply.body)
    entries = body.get("entry") if isinstance(body, dict) else None
    if (
        not isinstance(body, dict)
        or body.get("type") != "transaction-response"
        or not isinstance(entries, list)
    ):
        return Malformed(Cause.BAD_SHAPE, reply.status)
    answers = [entry.get("response") for entry in entries if isinstance(entry, dict)]
    statuses = [str(answer.get("status", "")) for answer in answers if isinstance(answer, dict)]
    if len(statuses) != sent or not all(status.startswith("2") for status in statuses):
        return Malformed(Cause.BAD_SHAPE, reply.status)
    locations = tuple(
        each for answer in answers if isinstance(answer, dict) for each in _location(answer.get("location"))
    )
    repeated = not any(status.startswith("201") for status in statuses)
    digest = hashlib.sha256(reply.body).digest()
    return Delivered(Receipt(reply.status, locations, digest, repeated=repeated))
