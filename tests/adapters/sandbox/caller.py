"""A plain HTTP caller for the sandbox's tests: one connection per call, no redirects followed."""

import base64
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from adapters.sandbox.edfi import CLIENT_ID, CLIENT_SECRET, EdFiSandbox


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    url: str,
    method: str = "GET",
    body: Any = None,
    *,
    params: Mapping[str, Any] | None = None,
    **headers: str,
) -> Answer:
    """`If_Match="x"` becomes the header If-Match; a body that is not bytes is sent as JSON."""
    parts = urlsplit(url)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        query = urlencode(params) if params else parts.query
        connection.request(method, parts.path + (f"?{query}" if query else ""), body, sent)
        answer = connection.getresponse()
        return Answer(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        )
    finally:
        connection.close()


def token(district: EdFiSandbox) -> str:
    """An access token, taken as discovery says."""
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    answer = call(
        call(district.base_url).json["urls"]["oauth"],
        "POST",
        b"grant_type=client_credentials",
        Authorization=f"Basic {basic}",
        Content_Type="application/x-www-form-urlencoded",
    )
    assert answer.status == 200, answer.body
    return str(answer.json["access_token"])


class District:
    """A client of one sandbox Ed-Fi API that holds a token."""

    def __init__(self, sandbox: EdFiSandbox) -> None:
        self.urls = call(sandbox.base_url).json["urls"]
        self._token = token(sandbox)

    def url(self, path: str) -> str:
        return f"{self.urls['dataManagementApi'].rstrip('/')}/ed-fi/{path}"

    def __call__(self, path: str, method: str = "GET", body: Any = None, **rest: Any) -> Answer:
        return self.at(self.url(path), method, body, **rest)

    def at(self, url: str, method: str = "GET", body: Any = None, **rest: Any) -> Answer:
        return call(url, method, body, Authorization=f"Bearer {self._token}", **rest)

    def versions(self) -> Answer:
        return self.at(self.urls["changeQueries"] + "availableChangeVersions")
