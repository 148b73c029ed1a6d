"""The token endpoint and the hub's public keys (SMART Backend Services; health.md §3.1).

`POST /oauth/token` with grant_type=client_credentials and a signed assertion; nothing else is a way in. Every failure of the
client's proof is the same `invalid_client`.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import APIRouter, Form
from fastapi.responses import JSONResponse

from gateway.exchange import tokens
from gateway.oauth import assertions
from gateway.store import clients
from gateway.store.engine import Database

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def _refuse(error: str, description: str, status: int = 400) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status, headers=NO_STORE)


def _invalid_client() -> JSONResponse:
    return _refuse(
        "invalid_client",
        "The client assertion was not accepted. Check client id, key id, algorithm (RS384 or ES384), audience (this "
        "address), expiry (at most 5 minutes ahead) and that each jti is used once.",
        401,
    )


class TokenServer:
    """The `/oauth` routes of one deployment; `issuer` is its public address."""

    def __init__(
        self,
        db: Database,
        key: ec.EllipticCurvePrivateKey,
        issuer: str,
        clock: Callable[[], datetime],
        ids: Callable[[], UUID],
    ) -> None:
        self._db = db
        self._key = key
        self._issuer = issuer
        self._clock = clock
        self._ids = ids
        self._audience = f"{issuer}/oauth/token"

    def router(self) -> APIRouter:
        """Both routes."""
        routes = APIRouter(prefix="/oauth", tags=["oauth"])
        routes.post("/token", summary="An access token for a registered client")(self.token)
        routes.get("/jwks", summary="The hub's public keys")(self.jwks)
        return routes

    def token(
        self,
        grant_type: Annotated[str, Form()] = "",
        client_assertion_type: Annotated[str, Form()] = "",
        client_assertion: Annotated[str, Form()] = "",
        scope: Annotated[str, Form()] = "",
    ) -> JSONResponse:
        """Client credentials with a signed assertion, answered with a token of 300 seconds."""
        if grant_type != "client_credentials":
            return _refuse("unsupported_grant_type", "Send grant_type=client_credentials.")
        if client_assertion_type != assertions.ASSERTION_TYPE:
            return _refuse("invalid_request", f"Send client_assertion_type={assertions.ASSERTION_TYPE}.")
        now = self._clock()
        client = self._prove(client_assertion, now)
        if client is None:
            return _invalid_client()
        wanted = frozenset(scope.split()) or client.scopes
        if not wanted <= client.scopes:
            return _refuse("invalid_scope", "Ask only for scopes this client is registered for.")
        caller = tokens.Caller(client.client_id, client.org, wanted, client.purposes)
        return JSONResponse(
            {
                "access_token": tokens.mint(self._key, self._issuer, caller, now, self._ids()),
                "token_type": "bearer",
                "expires_in": int(tokens.LIFETIME.total_seconds()),
                "scope": " ".join(sorted(wanted)),
            },
            headers=NO_STORE,
        )

    def jwks(self) -> dict[str, Any]:
        """The public half of the key that signs tokens (RFC 7517)."""
        public: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [public | {"kid": tokens.key_id(self._key), "alg": tokens.ALGORITHM, "use": "sig"}]}

    def _prove(self, assertion: str, now: datetime) -> clients.ApiClient | None:
        client_id = assertions.claimed_client(assertion)
        if client_id is None:
            return None
        with self._db.transaction() as conn:
            client = clients.find(conn, client_id)
            if client is None:
                return None
            proven = assertions.verify(assertion, client_id, client.jwks, self._audience, now)
            if proven is None:
                return None
            digest = hashlib.sha256(proven.jti.encode()).digest()
            return client if clients.use_assertion(conn, client_id, digest, proven.expires, now) else None
