"""A FHIR R4 server as a partner: capabilities, reads, searches page by page, and writes that can be repeated.

What comes back is kept as it came (`SourceDocument.raw`). Links are followed at the server's own origin only, and a search
is asked strictly: a server that ignored a filter would send children nobody asked for.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.fhir.outcome import codes_of
from adapters.http import Reply, failure_of
from adapters.oauth import BearerClient
from adapters.origin import own_address
from adapters.port import Cause, Failure, Malformed, Operation, Refused, Sealed, SourceDocument
from adapters.received import parse_json, split_entries
from mappings.record.issue import Issue, IssueCode

MEDIA_TYPE = "application/fhir+json"
MAX_PAGES = 1_000
PAGE_SIZE = 100
MAX_PAGE_BYTES = 20_000_000

_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")  # R4 datatypes, id
_VERSIONS = "4.0."


@dataclass(frozen=True, slots=True)
class Capability:
    """What a server says it can do, as far as this hub needs it."""

    fhir_version: str
    transaction: bool
    includes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def is_r4(self) -> bool:
        """Whether it speaks R4 (4.0.x); 4.3 (R4B) and 5.0 name and shape things differently."""
        return self.fhir_version.startswith(_VERSIONS)


class FhirClient:
    """One server at one base address; share it between threads."""

    def __init__(self, bearer: BearerClient, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._bearer = bearer
        self._capability: Capability | None = None

    def capability(self) -> Capability | Failure:
        """The CapabilityStatement, asked once per client."""
        if self._capability is None:
            reply = self._send("GET", f"{self.base_url}/metadata")
            if isinstance(reply, Failure):
                return reply
            found = _capability(reply)
            if isinstance(found, Malformed):
                return found
            self._capability = found
        return self._capability

    def read(self, kind: str, name: str) -> SourceDocument | Failure:
        """One resource by type and id."""
        if not _TYPE.fullmatch(kind) or not _ID.fullmatch(name):
            return Refused(Cause.BAD_ADDRESS)
        reply = self._send("GET", f"{self.base_url}/{kind}/{name}")
        if isinstance(reply, Failure):
            return reply
        value = parse_json(reply.body)
        document = document_of(reply.body, value) if isinstance(value, dict) else None
        return document or Malformed(Cause.BAD_SHAPE, reply.status)

    def search(self, kind: str, params: Mapping[str, str]) -> Iterator[SourceDocument | Failure]:
        """Everything a search finds, included resources too, page by page; a Failure ends it."""
        if not _TYPE.fullmatch(kind):
            yield Refused(Cause.BAD_ADDRESS)
            return
        address: str | None = f"{self.base_url}/{kind}"
        query: Mapping[str, str] | None = {"_count": str(PAGE_SIZE), **params}
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            page = self._page(address, query)
            if isinstance(page, Failure):
                yield page
                return
            documents, following = page
            yield from documents
            if following is None:
                return
            address, query = own_address(f"{self.base_url}/", following), None
            if address is None or address in seen:  # another origin, or round in a circle
                break
            seen.add(address)
        yield Malformed(Cause.BAD_PAGING)

    def transaction(self, sealed: Sealed, *, opened: Callable[[], None]) -> Reply | Failure:
        """POST a transaction Bundle. `opened` as in `Destination.deliver`."""
        return self._send("POST", self.base_url, content=sealed.unseal(), opened=opened)

    def create(
        self, kind: str, sealed: Sealed, if_none_exist: str, *, opened: Callable[[], None]
    ) -> Reply | Failure:
        """Conditional create (R4 §3.1.0.8.1): 201 when made, 200 when the criteria already find one."""
        if not _TYPE.fullmatch(kind):
            return Refused(Cause.BAD_ADDRESS)
        address, headers = f"{self.base_url}/{kind}", {"If-None-Exist": if_none_exist}
        return self._send("POST", address, headers, content=sealed.unseal(), opened=opened)

    def update(
        self, kind: str, name: str, sealed: Sealed, version: str, *, opened: Callable[[], None]
    ) -> Reply | Failure:
        """Update a known version (If-Match); Refused(conflict) where somebody has changed it since."""
        if not _TYPE.fullmatch(kind) or not _ID.fullmatch(name) or not _ID.fullmatch(version):
            return Refused(Cause.BAD_ADDRESS)
        address, headers = f"{self.base_url}/{kind}/{name}", {"If-Match": f'W/"{version}"'}
        return self._send("PUT", address, headers, content=sealed.unseal(), opened=opened)

    def _page(
        self, address: str | None, query: Mapping[str, str] | None
    ) -> tuple[list[SourceDocument], Any] | Failure:
        reply = self._send("GET", address or "", {"Prefer": "handling=strict"}, params=query)
        if isinstance(reply, Failure):
            return reply
        split = split_entries(reply.body)
        if isinstance(split, Issue):
            cause = Cause.TOO_DEEP if split.code is IssueCode.TOO_DEEP else Cause.BAD_JSON
            return Malformed(cause, reply.status)
        bundle, resources = split
        if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "searchset":
            return Malformed(Cause.BAD_SHAPE, reply.status)
        documents = [document_of(each.raw, each.value) for each in resources]
        kept = [each for each in documents if each is not None and each.resource != "OperationOutcome"]
        links = (link for link in _objects(bundle.get("link")) if link.get("relation") == "next")
        return kept, next((link.get("url") for link in links), None)

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        opened: Callable[[], None] | None = None,
    ) -> Reply | Failure:
        """One request; a Reply only where the server says it succeeded."""
        ours = {"Accept": MEDIA_TYPE, **(headers or {})}
        if content is not None:
            ours |= {"Content-Type": MEDIA_TYPE, "Prefer": "return=minimal"}
        reply = self._bearer.send(
            method,
            url,
            params=params,
            headers=ours,
            content=content,
            opened=opened,
            max_bytes=MAX_PAGE_BYTES if content is None else None,
        )
        if isinstance(reply, Failure):
            return reply
        return failure_of(reply, codes_of(reply)) or reply


def document_of(raw: bytes, value: Any) -> SourceDocument | None:
    """A resource as received; None where it has no type or id."""
    kind, name = (value.get("resourceType"), value.get("id")) if isinstance(value, dict) else (None, None)
    if kind == "OperationOutcome":
        name = name or "outcome"  # search results may carry one, without an id
    if not isinstance(kind, str) or not isinstance(name, str):
        return None
    if not _TYPE.fullmatch(kind) or not _ID.fullmatch(name):
        return None
    meta = value.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return SourceDocument(
        kind, name, version if isinstance(version, str) else None, Operation.UPSERT, raw, value
    )


def _capability(reply: Reply) -> Capability | Malformed:
    body = parse_json(reply.body)
    if not isinstance(body, dict) or body.get("resourceType") != "CapabilityStatement":
        return Malformed(Cause.BAD_SHAPE, reply.status)
    server: dict[str, Any] = next(
        (each for each in _objects(body.get("rest")) if each.get("mode") == "server"), {}
    )
    offered = {each.get("code") for each in _objects(server.get("interaction"))}
    includes = {
        each["type"]: frozenset(word for word in _list(each.get("searchInclude")) if isinstance(word, str))
        for each in _objects(server.get("resource"))
        if isinstance(each.get("type"), str)
    }
    return Capability(str(body.get("fhirVersion", "")), "transaction" in offered, includes)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]
