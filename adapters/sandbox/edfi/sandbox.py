"""A small Ed-Fi API on loopback: discovery, OAuth, reads with both kinds of paging, change queries, and writes.

Two generations (`flavor`): ODS/API 7.3 and Ed-Fi API v8. Behaviour follows school.md §1. Not modelled: authorization
by relationship (every client sees everything), profiles, composites, validation of values against descriptors.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from adapters.sandbox.edfi import dependencies, openapi, problem, reading, writing
from adapters.sandbox.edfi.flavor import LAYOUTS, Flavor, discovery, specifications
from adapters.sandbox.edfi.keys import Document
from adapters.sandbox.edfi.problem import Problem
from adapters.sandbox.edfi.schema import schema_name, schemas
from adapters.sandbox.edfi.store import Row, Store
from adapters.sandbox.edfi.token import Tokens
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, as_json

CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"  # noqa: S105 - it opens nothing but this sandbox
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EdFiSandbox(Sandbox):
    """Serves documents by resource: `students`, or `sample/busRoutes` for one outside the `ed-fi` project.

    Switches: `cursor` paging, `change_queries`, problem details (`problem_details=False` answers as before 7.2),
    `page_limit`, `default_limit`, `token_lifetime` in seconds, `context` (a tenant or school year in every path),
    `forbidden` resources (403), `bom` (metadata begins with a byte order mark), `official` (an OpenAPI document to
    serve instead of the derived one). `count_times_out` may be set while it runs.
    """

    def __init__(
        self,
        documents: Mapping[str, Iterable[Document]],
        *,
        flavor: str = Flavor.V73,
        cursor: bool = True,
        change_queries: bool = True,
        problem_details: bool = True,
        page_limit: int = 500,
        default_limit: int = 25,
        token_lifetime: float = 1800,
        context: str = "",
        forbidden: Collection[str] = (),
        bom: bool = False,
        official: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.flavor = Flavor(flavor)
        self.prefix = f"/{context.strip('/')}" if context else ""
        self.change_queries, self.problem_details = change_queries, problem_details
        self._limits = reading.Limits(page_limit, default_limit, cursor=cursor)
        self.forbidden, self.bom, self.official = frozenset(forbidden), bom, official
        self.count_times_out = False
        self.client_id, self.client_secret = CLIENT_ID, CLIENT_SECRET
        self.tokens = Tokens(CLIENT_ID, CLIENT_SECRET, lifetime=token_lifetime, jwt=self.flavor is Flavor.V8)
        self._layout = LAYOUTS[self.flavor]
        self._store = Store(documents)
        self._snapshot: Store | None = None
        self._ambushes: dict[str, int] = {}
        self._storm: list[float] = []
        self._spellings: dict[str, dict[str, str]] = {}

    @classmethod
    def from_jsonl(cls, folder: Path, **switches: Any) -> Self:
        """A sandbox over a folder of `<resource>.jsonl` and `<resource>.<ANYTHING>.jsonl`; subfolders are not read."""
        documents: dict[str, list[Document]] = {}
        for path in sorted(folder.glob("*.jsonl")):
            lines = path.read_text(encoding="utf-8").splitlines()
            documents.setdefault(path.name.split(".")[0], []).extend(
                json.loads(line) for line in lines if line.strip()
            )
        return cls(documents, **switches)

    # What a test does behind the API's back.

    @property
    def newest_change_version(self) -> int:
        """The change version of the last write."""
        return self._store.newest

    def documents(self, resource: str) -> list[Document]:
        """The documents of a resource as they stand, without what the server adds."""
        with self._lock:
            return [dict(row.document) for row in self._store.shelves[resource].rows.values()]

    def upsert(self, resource: str, document: Document) -> str:
        """Create or replace an item by natural key; its id."""
        with self._lock:
            row, _created = self._store.upsert(resource, document)
            return row.id

    def rekey(self, resource: str, old: Document, new: Document) -> None:
        """Change an item's natural key, as a host can and the API mostly cannot; KeyError where it is not there."""
        with self._lock:
            self._store.replace(resource, self._known(resource, old), new)

    def delete(self, resource: str, document: Document) -> None:
        """Delete an item by the natural key in `document`; KeyError where it is not there."""
        with self._lock:
            self._store.delete(resource, self._known(resource, document))

    def touch(self, resource: str, document: Document) -> None:
        """Give an item a new change version without changing it; KeyError where it is not there."""
        with self._lock:
            self._store.touch(self._known(resource, document))

    def take_snapshot(self) -> None:
        """From now on `Use-Snapshot: true` reads what is there at this moment."""
        with self._lock:
            self._snapshot = self._store.copy()

    def delete_while_paging(self, resource: str, after_pages: int = 1) -> None:
        """When that many pages more have been served, the first item of the resource is deleted."""
        self._ambushes[resource] = after_pages

    def storm(self, requests: int, retry_after: float = 1) -> None:
        """Answer that many requests for data with 429 and Retry-After, as v8's limiter shared by all clients does."""
        self._storm.extend([retry_after] * requests)

    def _known(self, resource: str, document: Document) -> Row:
        row = self._store.find(resource, document)
        if row is None:
            raise KeyError(f"no such item in {resource}")
        return row

    # What a client meets.

    def answer(self, request: Request) -> Response:
        """Route one request."""
        if not request.path.startswith(self.prefix):
            return self._refuse(problem.not_found())
        path = request.path.removeprefix(self.prefix)
        with self._lock:
            if path.startswith(self._layout.data.rstrip("/") + "/"):
                return self._guarded(request, path.removeprefix(self._layout.data.rstrip("/")).strip("/"))
            if path == self._layout.changes + "availableChangeVersions" and self.change_queries:
                return self._guarded(request, None)
            return self._open(request, path)

    def _open(self, request: Request, path: str) -> Response:
        """What needs no token: discovery, metadata, and the tokens themselves."""
        if path in {self._layout.token, "/oauth/token"} and request.method == "POST":
            return self.tokens.grant(request)
        if path == "/oauth/token_info" and request.method == "POST":
            return self.tokens.info(request, self._education_organizations())
        trimmed = path.rstrip("/")
        base = self.base_url
        if trimmed == "":
            found: Any = discovery(self.flavor, base, change_queries=self.change_queries)
        elif trimmed == self._layout.metadata.rstrip("/"):
            found = specifications(self.flavor, base)
        elif trimmed == self._layout.dependencies:
            found = dependencies.order(self._everything())
        elif trimmed in {self._layout.resources, self._layout.descriptors}:
            found = self._specification(descriptors=trimmed == self._layout.descriptors)
        else:
            return self._refuse(problem.not_found())
        if request.method not in {"GET", "HEAD"}:
            return self._refuse(problem.method_not_allowed())
        answer = as_json(HTTPStatus.OK, found)
        return Response(answer.status, BYTE_ORDER_MARK + answer.body, answer.headers) if self.bom else answer

    def _specification(self, *, descriptors: bool) -> dict[str, Any]:
        if self.official is not None and not descriptors:
            return {**self.official, "servers": [{"url": self.base_url + self._layout.data.rstrip("/")}]}
        api = openapi.openapi(
            {
                name: items
                for name, items in self._everything().items()
                if name.endswith("Descriptors") == descriptors
            },
            title="Ed-Fi descriptors" if descriptors else "Ed-Fi resources",
            server=self.base_url + self._layout.data.rstrip("/"),
            token_url=self.base_url + self._layout.token,
            page_limit=self._limits.page,
            cursor=self._limits.cursor,
            change_queries=self.change_queries,
        )
        return api if self.flavor is Flavor.V8 else openapi.swagger(api)

    def _everything(self) -> dict[str, list[Document]]:
        return {
            name: [row.document for row in shelf.rows.values()] for name, shelf in self._store.shelves.items()
        }

    def _education_organizations(self) -> list[dict[str, object]]:
        agencies = self._everything().get("localEducationAgencies", [])
        return [
            {
                "education_organization_id": agency["localEducationAgencyId"],
                "name_of_institution": agency.get("nameOfInstitution"),
                "type": "edfi.LocalEducationAgency",
            }
            for agency in agencies
        ]

    def _guarded(self, request: Request, rest: str | None) -> Response:
        """What needs a token; `rest` is the path below the data management API, None for the change versions."""
        refusal = self.tokens.refusal(request)
        if refusal:
            return self._refuse(problem.unauthenticated(refusal))
        if self._storm:
            wait = self._storm.pop(0)
            return self._refuse(problem.too_many(), ("Retry-After", f"{wait:g}"))
        store = self._store
        if (request.header("use-snapshot") or "").lower() == "true":
            if self._snapshot is None:
                return self._refuse(problem.no_snapshot())
            if request.method not in {"GET", "HEAD"}:
                return self._refuse(problem.method_not_allowed())
            store = self._snapshot
        if rest is None:
            return as_json(HTTPStatus.OK, {"oldestChangeVersion": 0, "newestChangeVersion": store.newest})
        answer = self._data(request, rest, store)
        return self._refuse(answer) if isinstance(answer, Problem) else answer

    def _data(self, request: Request, rest: str, store: Store) -> Response | Problem:
        parts = rest.split("/")
        resource = parts[1] if parts[0] == "ed-fi" and len(parts) > 1 else "/".join(parts[:2])
        if resource not in store.shelves or len(parts) > 3:  # noqa: PLR2004 - project, resource, id
            return problem.not_found()
        if resource in self.forbidden:
            return problem.forbidden(resource)
        if len(parts) == 2:  # noqa: PLR2004 - project, resource
            return self._collection(request, resource, store)
        special = {"deletes", "keyChanges"} if self.change_queries else set()
        special |= {"partitions"} if self._limits.cursor else set()
        if parts[2] in special:
            if request.method != "GET":
                return problem.method_not_allowed()
            return reading.special(store, resource, parts[2], request, self._limits)
        return self._item(request, resource, parts[2], store)

    def _collection(self, request: Request, resource: str, store: Store) -> Response | Problem:
        if request.method == "POST":
            document = writing.read_body(request, new=True)
            if isinstance(document, Problem):
                return document
            return writing.post(store, resource, self._recased(resource, document), self._location(resource))
        if request.method != "GET":
            return problem.method_not_allowed()
        if self.count_times_out and (request.parameter("totalCount") or "").lower() == "true":
            return Response(HTTPStatus.GATEWAY_TIMEOUT)
        answer = reading.collection(store, resource, request, self._limits)
        self._spring(resource)
        return answer

    def _item(self, request: Request, resource: str, name: str, store: Store) -> Response | Problem:
        row = store.shelves[resource].rows.get(name.replace("-", "").lower())
        if row is None:
            return problem.not_found()
        if request.method == "GET":
            return reading.item(store, row, request)
        stale = writing.locked(request, row)
        if stale:
            return stale
        if request.method == "DELETE":
            return writing.delete(store, resource, row)
        return self._put(request, resource, row, store)

    def _put(self, request: Request, resource: str, row: Row, store: Store) -> Response | Problem:
        if request.method != "PUT":
            return problem.method_not_allowed()
        document = writing.read_body(request, new=False)
        if isinstance(document, Problem):
            return document
        kind = "identity-conflict" if self.flavor is Flavor.V8 else "data-conflict:non-unique-identity"
        return writing.put(store, resource, row, self._recased(resource, document), identity_kind=kind)

    def _members(self, resource: str) -> dict[str, str]:
        """The members of a resource as its schema spells them, by lower case."""
        if resource not in self._spellings:
            official = self.official or {}
            described = official.get("components", {}).get("schemas") or official.get("definitions")
            if described is None:
                rows = self._store.shelves[resource].rows.values()
                described = schemas({resource: [row.document for row in rows]})
            members = described.get(schema_name(resource), {}).get("properties", {})
            self._spellings[resource] = {name.lower(): name for name in members}
        return self._spellings[resource]

    def _recased(self, resource: str, document: Document) -> Document:
        return writing.recased(document, self._members(resource), strict=self.flavor is Flavor.V8)

    def _location(self, resource: str) -> str:
        project, _, plural = resource.rpartition("/")
        return f"{self.base_url}{self._layout.data.rstrip('/')}/{project or 'ed-fi'}/{plural}"

    def _spring(self, resource: str) -> None:
        """Carry out a delete that was ordered for the middle of paging."""
        left = self._ambushes.get(resource)
        if left is None:
            return
        self._ambushes[resource] = left - 1
        if left == 1:
            del self._ambushes[resource]
            self._store.delete(resource, next(iter(self._store.shelves[resource].rows.values())))

    def _refuse(self, fault: Problem, *headers: tuple[str, str]) -> Response:
        return fault.response(
            details=self.problem_details, media_type=self._layout.problem_type, headers=headers
        )
