"""Client assertions: a client proves who it is by signing a short JWT with its own key (RFC 7523, SMART Backend Services).

Asymmetric only: RS384 and ES384. Exactly one registered key must carry the assertion's kid and fit its algorithm. `jku` in a
header is not followed; keys are registered inline.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

ALGORITHMS = {"RS384": "RSA", "ES384": "EC"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST = timedelta(minutes=5)
SKEW = timedelta(seconds=30)
MAX_BYTES = 8_192
MAX_JTI = 256


@dataclass(frozen=True, slots=True)
class Proven:
    """Whose assertion it is, its one-time id, and when that id may be forgotten."""

    client_id: str
    jti: str
    expires: datetime


def claimed_client(assertion: str) -> str | None:
    """The client the assertion says it is from, unverified: only to look its keys up."""
    if len(assertion) > MAX_BYTES:
        return None
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    issuer, subject = claims.get("iss"), claims.get("sub")
    return issuer if isinstance(issuer, str) and issuer == subject else None


def verify(
    assertion: str, client_id: str, jwks: dict[str, Any], audience: str, at: datetime
) -> Proven | None:
    """What the assertion proves at that instant, or None; why not is not told to the caller (invalid_client is all)."""
    try:
        header = jwt.get_unverified_header(assertion)
        key = _key(header, jwks)
        if key is None:
            return None
        claims = jwt.decode(
            assertion,
            key=key.key,
            algorithms=[header["alg"]],
            audience=audience,
            issuer=client_id,
            options={
                "require": ["iss", "sub", "aud", "exp", "jti"],
                "verify_exp": False,  # checked below against the instant given
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return None
    return _timely(claims, client_id, at)


def _timely(claims: dict[str, Any], client_id: str, at: datetime) -> Proven | None:
    expires, jti = claims.get("exp"), claims.get("jti")
    if not isinstance(expires, int | float) or isinstance(expires, bool) or not isinstance(jti, str):
        return None
    if claims.get("sub") != client_id or not 0 < len(jti) <= MAX_JTI:
        return None
    try:
        ends = datetime.fromtimestamp(expires, UTC)
        begins = datetime.fromtimestamp(float(claims.get("nbf", 0)), UTC)
    except (OverflowError, OSError, ValueError, TypeError):
        return None
    if not at - SKEW < ends <= at + LONGEST + SKEW or begins > at + SKEW:
        return None
    return Proven(client_id, jti, ends + SKEW)


def _key(header: dict[str, Any], jwks: dict[str, Any]) -> jwt.PyJWK | None:
    family = ALGORITHMS.get(header.get("alg", ""))
    kid = header.get("kid")
    if family is None or not isinstance(kid, str) or "jku" in header:
        return None
    fitting = [k for k in jwks.get("keys", []) if k.get("kid") == kid and k.get("kty") == family]
    if len(fitting) != 1 or (family == "EC" and fitting[0].get("crv") != "P-384"):
        return None
    return jwt.PyJWK(fitting[0], algorithm=header["alg"])
