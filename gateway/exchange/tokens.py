"""Access tokens: short JWTs signed by the hub (ES384), 300 seconds, naming client, agency, scopes and purposes.

A token permits nothing about a child: it says who is calling. Consent is decided at each read (health.md §3.1).
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

LIFETIME = timedelta(seconds=300)
_REMEMBERED = 4_096
ALGORITHM = "ES384"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, as the token says."""

    client_id: str
    org: str
    scopes: frozenset[str]
    purposes: frozenset[str]


def key_id(key: ec.EllipticCurvePrivateKey) -> str:
    """A short name of the public key, stable over restarts."""
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(public).hexdigest()[:16]


def mint(key: ec.EllipticCurvePrivateKey, issuer: str, caller: Caller, at: datetime, token_id: UUID) -> str:
    """A signed token for this caller, good for `LIFETIME` from `at`."""
    claims = {
        "iss": issuer,
        "aud": issuer,
        "sub": caller.client_id,
        "client_id": caller.client_id,
        "org": caller.org,
        "scope": " ".join(sorted(caller.scopes)),
        "purposes": sorted(caller.purposes),
        "iat": int(at.timestamp()),
        "exp": int((at + LIFETIME).timestamp()),
        "jti": str(token_id),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id(key), "typ": "at+jwt"})


class TokenReader:
    """Reads the tokens of one hub. A signature that was good stays good: the same token is verified once, its end each time.

    Of the tokens it remembers (the 4,096 last used) only digests are kept.
    """

    def __init__(self, key: ec.EllipticCurvePublicKey, issuer: str) -> None:
        self._key = key
        self._issuer = issuer
        self._mutex = threading.Lock()
        self._known: OrderedDict[bytes, tuple[Caller, datetime]] = OrderedDict()

    def read(self, token: str, at: datetime) -> Caller | None:
        """The caller a token names, or None when it is not ours, not whole or over."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        with self._mutex:
            found = self._known.get(digest)
        if found is None:
            found = _verify(token, self._key, self._issuer)
            if found is None:
                return None
        with self._mutex:
            self._known[digest] = found
            self._known.move_to_end(digest)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        caller, end = found
        return caller if at < end else None


def _verify(token: str, key: ec.EllipticCurvePublicKey, issuer: str) -> tuple[Caller, datetime] | None:
    """Whom a whole token of ours names, and when it ends."""
    try:
        claims = jwt.decode(
            token,
            key=key,
            algorithms=[ALGORITHM],
            audience=issuer,
            issuer=issuer,
            options={
                "require": ["exp", "client_id", "org", "scope", "jti"],
                "verify_exp": False,
                "verify_iat": False,
            },
        )
        caller = Caller(
            client_id=claims["client_id"],
            org=claims["org"],
            scopes=frozenset(claims["scope"].split()),
            purposes=frozenset(claims["purposes"]),
        )
        return caller, datetime.fromtimestamp(claims["exp"], UTC)
    except (jwt.PyJWTError, AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None
