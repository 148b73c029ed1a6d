"""A signed webhook for a partner with a JSON endpoint of its own (Standard Webhooks, symmetric `v1`).

Several secrets sign at once while one is being replaced, so that the partner may switch whenever it likes. `webhook-id` is
the delivery id, the same in every attempt; the timestamp is that of the attempt.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

from adapters.http import HttpClient, Reply, failure_of
from adapters.port import Delivered, Failure, Malformed, Receipt, Sealed

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)
MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
MAX_ANSWER_BYTES = 64_000


class BadSecret(ValueError):  # noqa: N818 - it names what is wrong with a setting
    """A webhook secret is not `whsec_` and 24 to 64 bytes in base64."""


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """One shared secret, as both sides write it: `whsec_` and base64."""

    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "WebhookSecret":
        """Read a secret; BadSecret where it is none, without quoting it."""
        try:
            encoded = text.removeprefix(PREFIX)
            key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not text.startswith(PREFIX) or not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
            msg = "a webhook secret is whsec_ followed by 24 to 64 bytes in base64; make one with the console"
            raise BadSecret(msg)
        return cls(key)

    def signature(self, identifier: str, timestamp: int, body: bytes) -> str:
        """`v1,` and the signature over id, timestamp and body."""
        signed = b".".join((identifier.encode(), str(timestamp).encode(), body))
        return "v1," + base64.b64encode(hmac.digest(self.key, signed, "sha256")).decode()


def headers(secrets: Sequence[WebhookSecret], identifier: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of one attempt, signed with every secret in force."""
    timestamp = int(at.timestamp())
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(secret.signature(identifier, timestamp, body) for secret in secrets),
    }


def verify(secrets: Sequence[WebhookSecret], received: Mapping[str, str], body: bytes, at: datetime) -> bool:
    """Whether a message came from a holder of one of the secrets, within five minutes of `at`; as a partner checks it."""
    lower = {name.lower(): value for name, value in received.items()}
    identifier, word = lower.get("webhook-id", ""), lower.get("webhook-timestamp", "")
    if not identifier or not (word.isascii() and word.isdecimal()) or len(word) > len("9999999999"):
        return False
    if abs(at.timestamp() - int(word)) > TOLERANCE.total_seconds():
        return False
    given = lower.get("webhook-signature", "").split(" ")
    expected = [secret.signature(identifier, int(word), body) for secret in secrets]
    return any(hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected)


class WebhookDestination:
    """One endpoint. `now` gives aware UTC, the time of each attempt.

    `beside` gives further headers for what is sent, of the hub's making; the signature does not cover them.
    """

    def __init__(
        self,
        http: HttpClient,
        url: str,
        secrets: Sequence[WebhookSecret],
        *,
        now: Callable[[], datetime],
        media_type: str = "application/json",
        beside: Callable[[Sealed], Mapping[str, str]] = lambda _: {},
    ) -> None:
        if not secrets:
            msg = "a webhook needs at least one secret; make one with the console"
            raise BadSecret(msg)
        self._http = http
        self._url = url
        self._secrets = tuple(secrets)
        self._now = now
        self._media_type = media_type
        self._beside = beside

    def deliver(self, sealed: Sealed, *, opened: Callable[[], None]) -> Delivered | Failure:
        """Send once; see `adapters.port.Destination`. 410 is Refused(gone): the endpoint wants no more."""
        body = sealed.unseal()
        signed = headers(self._secrets, str(sealed.delivery_id), self._now(), body)
        reply = self._http.send(
            "POST",
            self._url,
            headers={**self._beside(sealed), **signed, "Content-Type": self._media_type},
            content=body,
            opened=opened,
            max_bytes=MAX_ANSWER_BYTES,
        )
        if isinstance(reply, Malformed) and reply.status is not None and _is_success(reply.status):
            return Delivered(Receipt(reply.status))  # the status is the answer; what else it says is not read
        if not isinstance(reply, Reply):
            return reply
        return failure_of(reply) or Delivered(
            Receipt(reply.status, response_sha256=hashlib.sha256(reply.body).digest())
        )


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
