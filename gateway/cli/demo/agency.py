"""An agency's own system, as the hub's API meets it: signs with its own key, gets a token, calls over HTTP."""

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.oauth.assertions import ASSERTION_TYPE

LIFETIME_S = 240


@dataclass(slots=True)
class AgencySystem:
    """One system. `calls` go to the hub's public address; a repeated write carries the same Idempotency-Key."""

    base_url: str
    client_id: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    purpose: str = "COC"
    _token: str = field(default="", repr=False)
    _until: float = 0.0

    def call(
        self, method: str, path: str, body: Any = None, *, purpose: str = "", **headers: str
    ) -> httpx2.Response:
        """One request with a fresh enough token."""
        sent = {"Authorization": f"Bearer {self._fresh()}", "Purpose-Of-Use": purpose or self.purpose}
        if method == "POST":
            sent["Idempotency-Key"] = uuid4().hex
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.request(method, self.base_url + path, json=body, headers=sent, timeout=10)

    def _fresh(self) -> str:
        if time.monotonic() < self._until:
            return self._token
        audience = f"{self.base_url}/oauth/token"
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": audience,
            "exp": int(time.time()) + LIFETIME_S,
            "jti": uuid4().hex,
        }
        assertion = jwt.encode(claims, self.key, "ES384", headers={"kid": "demo"})
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        answer = httpx2.post(audience, data=form, timeout=10)
        answer.raise_for_status()
        self._token, self._until = answer.json()["access_token"], time.monotonic() + LIFETIME_S
        return self._token
