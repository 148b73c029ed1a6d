"""An application around a test hub, and agencies' systems that call it with keys of their own."""

import json
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.types.json import Jsonb
from starlette.testclient import TestClient

from gateway.app import build
from gateway.oauth.assertions import ASSERTION_TYPE
from gateway.store import people
from gateway.store.clients import Scope


class System:
    """One agency's system: signs assertions, gets tokens, calls."""

    def __init__(self, hub, org, *, purposes=("COC",), scopes=tuple(Scope)):
        self.hub, self.org, self.client_id = hub, org, f"system-{uuid4().hex[:8]}"
        self.key = ec.generate_private_key(ec.SECP384R1())
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key())) | {"kid": "k1"}
        with hub.db.transaction() as conn:
            conn.exec_driver_sql(
                "INSERT INTO api_client (client_id, org, jwks, scopes, purposes) VALUES (%s, %s, %s, %s, %s)",
                (self.client_id, org, Jsonb({"keys": [jwk]}), [s.value for s in scopes], list(purposes)),
            )
        self.http = TestClient(build(hub), raise_server_exceptions=False)
        self.token = None

    def assertion(self, **claims):
        body = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": f"{self.hub.settings.base_url}/oauth/token",
            "exp": int((self.hub.clock() + timedelta(minutes=3)).timestamp()),
            "jti": uuid4().hex,
        } | claims
        return jwt.encode(body, self.key, "ES384", headers={"kid": "k1"})

    def ask_token(self, assertion=None, **form):
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
        } | form
        return self.http.post("/oauth/token", data=fields)

    def call(self, method, path, *, key=None, headers=None, **kwargs):
        if self.token is None:
            self.token = self.ask_token().json()["access_token"]
        sent = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        if method == "POST":
            sent.setdefault("Idempotency-Key", key or uuid4().hex)
        return self.http.request(method, path, headers=sent, **kwargs)

    def knows(self, child):
        """This agency's own reference for the child."""
        with self.hub.db.transaction() as conn:
            secret = self.hub.keys.deployment_secret(people.SECRET)
            return people.add_references(conn, secret, self.org, [child])[child]


@pytest.fixture
def system(hub):
    def made(org, **kwargs):
        return System(hub, org, **kwargs)

    return made
