"""A connection's row made into a way to send: opened once, kept for a few minutes, shared by a process's threads.

A changed row is another way. Secrets are read when a way is opened, so a rotated one is taken up within minutes.
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from adapters.community.folder import FolderDestination
from adapters.community.webhook import WebhookDestination, WebhookSecret
from adapters.fhir.client import FhirClient
from adapters.fhir.destination import FhirDestination
from adapters.oauth import BearerClient
from adapters.port import Delivered, Destination, Receipt, Sealed
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.connect import Misconfigured, http_client, option, secret, tokens
from gateway.exchange.context import Hub, identifier_base
from gateway.exchange.feed import Row
from gateway.exchange.receipts import beside

KEPT_SECONDS = 300.0
LONGEST_SEND_SECONDS = 300.0


@dataclass(slots=True)
class _Way:
    """An open way, what closes it, and since when it is open."""

    destination: Destination
    stack: ExitStack = field(repr=False)
    opened_at: float


_ways: dict[tuple[int, str], tuple[bytes, _Way]] = {}
_left: list[_Way] = []
_lock = threading.Lock()


def destination(hub: Hub, row: Row) -> Destination:
    """The way to this connection's system. Raises Misconfigured or SecretMissing."""
    mark = sha256(json.dumps([row.adapter, dict(row.config)], sort_keys=True).encode()).digest()
    place = (id(hub.db), row.connection)
    with _lock:
        known = _ways.get(place)
        if known is not None:
            if known[0] == mark and time.monotonic() - known[1].opened_at < KEPT_SECONDS:
                return known[1].destination
            _left.append(_ways.pop(place)[1])  # others may still be sending through it
        _close_left(time.monotonic() - KEPT_SECONDS - LONGEST_SEND_SECONDS)
        way = _open(hub, row)
        _ways[place] = (mark, way)
        return way.destination


def close_all() -> None:
    """Close every way this process holds open."""
    with _lock:
        for way in (*_left, *(way for _, way in _ways.values())):
            way.stack.close()
        _left.clear()
        _ways.clear()


def _close_left(before: float) -> None:
    """Close the ways that were replaced so long ago that no send can still be using them."""
    for way in [way for way in _left if way.opened_at < before]:
        way.stack.close()
        _left.remove(way)


def _open(hub: Hub, row: Row) -> _Way:
    stack = ExitStack()
    try:
        return _Way(_made(hub, row, stack), stack, time.monotonic())
    except BaseException:
        stack.close()
        raise


def _made(hub: Hub, row: Row, stack: ExitStack) -> Destination:
    match row.adapter:
        case AdapterKind.FHIR:
            http = stack.enter_context(http_client(hub, row))
            client = FhirClient(BearerClient(http, tokens(hub, row, http)), str(option(row, "base_url")))
            return FhirDestination(client, f"{identifier_base(hub.settings.base_url)}/delivery")
        case AdapterKind.WEBHOOK:
            http = stack.enter_context(http_client(hub, row))
            secrets = [WebhookSecret.parse(one) for one in _signing(hub, row)]
            url = str(option(row, "url"))
            return WebhookDestination(http, url, secrets, now=hub.clock, beside=lambda s: beside(hub, s))
        case AdapterKind.WORKLIST_FOLDER:
            return FolderDestination(Path(str(option(row, "drop"))))
        case AdapterKind.API:
            return Shelf()
        case _:
            raise Misconfigured(f"connection {row.connection} is not one to send to")


def _signing(hub: Hub, row: Row) -> list[str]:
    """The secret in force and, while it is being replaced, the one before: both sign."""
    named = row.config.get("secrets", {})
    return [
        secret(hub, row, name) for name in ("signing", "signing_before") if name in named or name == "signing"
    ]


class Shelf:
    """The way to an agency that collects over the API: nothing is sent, its view has a new version to find.

    What it then reads is decided again when it asks.
    """

    def deliver(self, sealed: Sealed, *, opened: Callable[[], None]) -> Delivered:
        """Never calls `opened`: nothing leaves by it."""
        del sealed, opened
        return Delivered(Receipt())
