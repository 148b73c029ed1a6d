"""A partner with a JSON endpoint of its own that receives signed webhooks (Standard Webhooks, symmetric `v1`).

The signature is checked here from the specification, not with our sender's code or any library: it is the oracle.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, as_json

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret of this scheme begins
TOLERANCE_SECONDS = 300
DEFAULT_SECRET = SECRET_PREFIX + base64.b64encode(b"invented secret of the sandbox!!").decode()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook that was accepted: its id, its JSON, and when its first byte arrived (seconds since the epoch)."""

    id: str
    payload: Any
    first_byte_at: float


class PartnerSandbox(Sandbox):
    """Receives webhooks at `base_url`; keeps each id once.

    `secrets`: any of them may sign, so that a secret can be rotated. `accept_delay`, `hold()` and the other faults of
    every sandbox make it slow or deaf; `received` tells when each request's first byte really arrived.
    """

    prefix = "/hooks"

    def __init__(
        self, secrets: Sequence[str] = (DEFAULT_SECRET,), *, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self.secret = secrets[0]
        self.deliveries: list[Delivery] = []
        self.repeats: list[str] = []
        self.refusals: list[str] = []
        self._keys = [_key(secret) for secret in secrets]
        self._now = now

    def answer(self, request: Request) -> Response:
        """204 for a webhook that is genuine, new or not; 400 or 401 with the reason otherwise."""
        if request.path != self.prefix:
            return as_json(HTTPStatus.NOT_FOUND, {"error": "no such endpoint"})
        if request.method != "POST":
            return Response(HTTPStatus.METHOD_NOT_ALLOWED)
        refusal = self._refusal(request)
        if refusal:
            self.refusals.append(refusal)
            return as_json(HTTPStatus.UNAUTHORIZED, {"error": refusal})
        try:
            payload = request.json()
        except ValueError:
            self.refusals.append("not JSON")
            return as_json(HTTPStatus.BAD_REQUEST, {"error": "not JSON"})
        name = request.headers["webhook-id"]
        with self._lock:
            if any(delivery.id == name for delivery in self.deliveries):
                self.repeats.append(name)
            else:
                self.deliveries.append(Delivery(name, payload, request.first_byte_at))
        return Response(HTTPStatus.NO_CONTENT)

    def _refusal(self, request: Request) -> str | None:
        """Why a request is not a genuine webhook, or None."""
        name, stamp, signatures = (
            request.header(f"webhook-{part}") for part in ("id", "timestamp", "signature")
        )
        if not name or not stamp or not signatures:
            return "a webhook header is missing"
        if not stamp.isdigit():
            return "webhook-timestamp is not whole seconds"
        if abs(self._now() - int(stamp)) > TOLERANCE_SECONDS:
            return "webhook-timestamp is more than five minutes off"
        signed = f"{name}.{stamp}.".encode() + request.body
        expected = [hmac.new(key, signed, hashlib.sha256).digest() for key in self._keys]
        for given in signatures.split(" "):
            version, _, encoded = given.partition(",")
            if version == "v1" and any(hmac.compare_digest(_decoded(encoded), one) for one in expected):
                return None
        return "no signature fits"


def _key(secret: str) -> bytes:
    """The key in a secret; ValueError unless it is `whsec_` and base64 of 24 to 64 bytes."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError("A webhook secret begins with whsec_.")
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    if not 24 <= len(key) <= 64:  # noqa: PLR2004 - bounds of the specification
        raise ValueError("A webhook secret holds 24 to 64 bytes.")
    return key


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""
