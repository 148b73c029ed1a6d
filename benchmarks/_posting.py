"""The peer of the exchange: a bare loop over the outbox that posts the same bytes, with nothing decided or entered.

`python -m benchmarks._posting` is told whom to post to on its first line; for every further line it posts all that waits and says
how much that was. Hand-written SQL as the database's superuser; a few rows are taken at a time, each is marked when it is answered.
What it leaves out is what a delivery adds: lanes and their order, the decision and its row, row-level security, the entry in the
signed log before the first byte, the look whether the decision still stands, the breaker, the attempt's row, the sealed receipt.
"""

import json
import sys
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from adapters.community.webhook import WebhookSecret, headers
from benchmarks._bare import OF_CHILD, Reader
from gateway.exchange.context import Hub
from gateway.exchange.opening import open_hub
from gateway.exchange.organizations import organizations
from gateway.settings import load_settings
from mappings.view import RecordView
from mappings.webhook import event

WAITING = "bare"
"""The state of a delivery that is the peer's to send: the product never looks at it."""

_TAKE = """UPDATE delivery SET state = 'bare-taken' WHERE delivery_id IN (
SELECT delivery_id FROM delivery WHERE state = 'bare' ORDER BY created_at, position LIMIT 20 FOR UPDATE SKIP LOCKED)
RETURNING delivery_id, child_id"""
_DONE = (
    "UPDATE delivery SET state = 'bare-done', payload_digest = %s, updated_at = now() WHERE delivery_id = %s"
)


class Poster:
    """Posts what waits, one after the other on one kept connection."""

    def __init__(self, hub: Hub, told: dict[str, Any]) -> None:
        self._hub = hub
        self._reader = Reader(hub, told)
        self._secrets = [WebhookSecret.parse(told["secret"])]
        address = urlsplit(told["url"])
        self._path = address.path
        self._http = HTTPConnection(str(address.hostname), address.port, timeout=30)

    def drain(self) -> int:
        """Everything that waits; how much it was."""
        connection = self._reader.connection()
        done = 0
        while rows := connection.execute(_TAKE, prepare=True).fetchall():
            for delivery, child in rows:
                digest = self._post(delivery, child)
                connection.execute(_DONE, (digest, delivery), prepare=True)
            done += len(rows)
        return done

    def _post(self, delivery: UUID, child: UUID) -> bytes:
        view = self._reader.view(OF_CHILD, child=child)
        if view is None:
            raise RuntimeError("a child to be sent has no facts")
        at = datetime.now(UTC)
        envelope = event.Envelope(
            str(delivery), self._hub.settings.base_url, event.EventType.PLAN_CHANGED, at
        )
        body = event.from_view(
            cast("RecordView", view), envelope, organizations=organizations(self._hub)
        ).content
        signed = headers(self._secrets, str(delivery), at, body)
        self._http.request("POST", self._path, body, {**signed, "Content-Type": event.MEDIA_TYPE})
        answer = self._http.getresponse()
        answer.read()
        if answer.status != 204:
            raise RuntimeError(f"the partner answered {answer.status}")
        return self._hub.keys.get(child).digest(body)


def main() -> None:
    told = json.loads(sys.stdin.readline())
    with open_hub(load_settings()) as hub:
        poster = Poster(hub, told)
        print(json.dumps({"ready": True}), flush=True)
        for _ in sys.stdin:
            print(json.dumps({"done": poster.drain()}), flush=True)


if __name__ == "__main__":
    main()
