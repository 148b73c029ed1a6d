"""Tokens for calling partners: OAuth 2.0 client credentials, with a secret or with a signed assertion.

Ed-Fi and OneRoster use the secret (`reference/school.md` §1.3, §3.1), SMART Backend Services the assertion
(client-confidential-asymmetric, RS384 or ES384). A token is kept until 80 % of its life is over, and thrown away once
when the partner answers 401; a second 401 is the partner's last word.
"""

import base64
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode
from uuid import UUID

import jwt

from adapters.http import HttpClient, Reply, failure_of, time_left
from adapters.port import Cause, Failure, Malformed, Refused, Transient, Unauthorized
from adapters.received import parse_json

RENEW_AT = 0.8
DEFAULT_LIFE_S = 300.0
"""Assumed where a token response names no `expires_in`; SMART recommends at most this."""
ASSERTION_LIFE = timedelta(minutes=4)  # SMART: at most five minutes ahead, and clocks differ
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_TOKEN_BYTES = 100_000
MAX_LIFE_S = 1e9

_TOKEN = re.compile(r"[\x21-\x7e]+")  # visible ASCII: what may stand in a header


class Algorithm(StrEnum):
    """What SMART asks every server to validate at least one of."""

    RS384 = "RS384"
    ES384 = "ES384"


class Credentials(Protocol):
    """How this hub proves itself to one partner's token endpoint."""

    def proof(self, token_url: str) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and form fields to add to one token request."""
        ...


@dataclass(frozen=True, slots=True)
class Secret:
    """A client id and secret; in the Authorization header (RFC 6749 §2.3.1), or in the body where `in_body`."""

    client_id: str
    secret: str = field(repr=False)
    in_body: bool = False

    def proof(self, _token_url: str) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and form fields to add to one token request."""
        if self.in_body:
            return {}, {"client_id": self.client_id, "client_secret": self.secret}
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode("ascii")}, {}


@dataclass(frozen=True, slots=True)
class Assertion:
    """A key pair registered with the partner (RFC 7523; SMART App Launch, client-confidential-asymmetric).

    `key` is a private key in PEM, or one from `cryptography`; `key_id` is the `kid` in our JWKS; `now` gives aware UTC
    and `new_id` a fresh `jti` for each request.
    """

    client_id: str
    key: Any = field(repr=False)
    key_id: str
    algorithm: Algorithm
    now: Callable[[], datetime] = field(repr=False)
    new_id: Callable[[], UUID] = field(repr=False)
    jwks_url: str | None = None

    def proof(self, token_url: str) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and form fields to add to one token request."""
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": token_url,
            "exp": int((self.now() + ASSERTION_LIFE).timestamp()),
            "jti": str(self.new_id()),
        }
        headers = {"kid": self.key_id, "typ": "JWT"}
        if self.jwks_url is not None:
            headers["jku"] = self.jwks_url
        signed = jwt.encode(claims, self.key, algorithm=self.algorithm.value, headers=headers)
        return {}, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


@dataclass(slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float


class TokenSource:
    """One partner's token, fetched when needed; share it between threads so that a token is fetched once."""

    def __init__(
        self,
        http: HttpClient,
        token_url: str,
        credentials: Credentials,
        *,
        scope: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._token_url = token_url
        self._credentials = credentials
        self._scope = scope
        self._monotonic = monotonic
        self._token: _Token | None = None
        self._lock = threading.Lock()

    def token(self) -> str | Failure:
        """A token that is good for now, from the cache or from the partner."""
        left = time_left()
        if not self._lock.acquire(timeout=-1 if left is None else left):
            return Transient(Cause.TIMEOUT)  # another thread is still asking for it
        try:
            if self._token is None or self._monotonic() >= self._token.renew_at:
                fetched = self._fetch()
                if not isinstance(fetched, _Token):
                    return fetched
                self._token = fetched
            return self._token.value
        finally:
            self._lock.release()

    def forget(self, value: str) -> None:
        """Drop a token the partner refused, unless another thread has replaced it already."""
        with self._lock:
            if self._token is not None and self._token.value == value:
                self._token = None

    def _fetch(self) -> _Token | Failure:
        headers, form = self._credentials.proof(self._token_url)
        form = {"grant_type": "client_credentials", **form}
        if self._scope is not None:
            form["scope"] = self._scope
        asked_at = self._monotonic()  # life is counted from the question, so that a slow answer shortens it
        reply = self._http.send(
            "POST",
            self._token_url,
            headers={
                **headers,
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            content=urlencode(form).encode("ascii"),
            max_bytes=MAX_TOKEN_BYTES,
        )
        if not isinstance(reply, Reply):
            return reply
        failure = failure_of(reply)
        if isinstance(failure, Refused) and failure.status == HTTPStatus.BAD_REQUEST:
            return Unauthorized(
                Cause.BAD_TOKEN, failure.status
            )  # RFC 6749 §5.2: invalid_client, invalid_scope …
        return failure or _read_token(reply, asked_at)


def _read_token(reply: Reply, asked_at: float) -> _Token | Malformed:
    answer = parse_json(reply.body)
    if not isinstance(answer, dict):
        return Malformed(Cause.BAD_JSON, reply.status)
    value, kind = answer.get("access_token"), answer.get("token_type", "bearer")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value) or str(kind).lower() != "bearer":
        return Malformed(Cause.BAD_SHAPE, reply.status)
    return _Token(value, asked_at + _life(answer.get("expires_in")) * RENEW_AT)


def _life(seconds: Any) -> float:
    """`expires_in` as a sane number of seconds; some servers send it as text."""
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdecimal():
        seconds = int(seconds[:9])
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < MAX_LIFE_S:
        return DEFAULT_LIFE_S
    return float(seconds)


class BearerClient:
    """An HTTP client that adds the partner's token, and asks for a fresh one once when it is refused."""

    def __init__(self, http: HttpClient, tokens: TokenSource | None) -> None:
        self._http = http
        self._tokens = tokens

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        opened: Callable[[], None] | None = None,
        max_bytes: int | None = None,
    ) -> Reply | Failure:
        """As `HttpClient.send`. `opened` is called for every attempt that carries the content, and only for those."""

        def attempt(more: Mapping[str, str]) -> Reply | Failure:
            return self._http.send(
                method,
                url,
                params=params,
                headers={**(headers or {}), **more},
                content=content,
                opened=opened,
                max_bytes=max_bytes,
            )

        if self._tokens is None:
            return attempt({})
        reply: Reply | Failure = Unauthorized()
        for _ in range(2):
            token = self._tokens.token()
            if not isinstance(token, str):
                return token
            reply = attempt({"Authorization": f"Bearer {token}"})
            if not isinstance(reply, Reply) or reply.status != HTTPStatus.UNAUTHORIZED:
                break
            self._tokens.forget(token)
        return reply
