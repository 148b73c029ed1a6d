"""Client credentials and bearer tokens of the sandbox Ed-Fi API (school.md §1.3)."""

import base64
import binascii
import hashlib
import json
import time
from http import HTTPStatus

from adapters.sandbox.wire import Request, Response, as_json


class Tokens:
    """Gives tokens to one client and knows which are still good. `lifetime` in seconds."""

    def __init__(self, client_id: str, client_secret: str, *, lifetime: float, jwt: bool) -> None:
        self.client_id = client_id
        self.lifetime = lifetime
        self.issued = 0
        self._secret = client_secret
        self._jwt = jwt
        self._good: dict[str, float] = {}

    def grant(self, request: Request) -> Response:
        """RFC 6749 §4.4, with Basic or with client_id and client_secret in the body."""
        form = request.form()
        if form.get("grant_type") != "client_credentials":
            return as_json(HTTPStatus.BAD_REQUEST, {"error": "unsupported_grant_type"})
        if _credentials(request, form) != (self.client_id, self._secret):
            return as_json(HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"})
        self.issued += 1
        token = self._mint(self.issued)
        self._good[token] = time.monotonic() + self.lifetime
        return as_json(
            HTTPStatus.OK, {"access_token": token, "expires_in": int(self.lifetime), "token_type": "bearer"}
        )

    def refusal(self, request: Request) -> str | None:
        """Why a request may not pass, or None."""
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        if not token:
            return "Authorization header is missing."
        if scheme.lower() != "bearer":
            return "Unknown Authorization header scheme."
        if self._good.get(token, 0.0) <= time.monotonic():
            return "Invalid token"
        return None

    def info(self, request: Request, education_organizations: list[dict[str, object]]) -> Response:
        """`/oauth/token_info`: what a token may touch, for the connection test."""
        try:
            token = request.form().get("token") or json.loads(request.body)["token"]
        except (KeyError, TypeError, ValueError):
            return as_json(HTTPStatus.BAD_REQUEST, {"error": "invalid_request"})
        return as_json(
            HTTPStatus.OK,
            {
                "active": self._good.get(token, 0.0) > time.monotonic(),
                "client_id": self.client_id,
                "namespace_prefixes": ["uri://ed-fi.org"],
                "education_organizations": education_organizations,
                "student_identification_system": None,
                "assigned_profiles": [],
            },
        )

    def revoke(self) -> None:
        """Make every token bad at once."""
        self._good.clear()

    def _mint(self, number: int) -> str:
        """Opaque as in ODS/API, or with three dotted parts as in v8; a client has no business looking inside."""
        secret = hashlib.sha256(f"{self._secret}/{number}/{time.monotonic_ns()}".encode())
        if not self._jwt:
            return secret.hexdigest()[:32]
        parts = (b'{"alg":"none"}', b'{"sub":"sandbox"}', secret.digest())
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client, secret
