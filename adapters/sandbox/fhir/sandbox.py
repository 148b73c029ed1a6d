"""A small FHIR R4 (4.0.1) server on loopback, JSON only, and what a clinic's staff would do in it.

Create, read, vread, update, delete, history, conditional create and update, transaction, batch, search. References
are enforced, and a referral Task moves only as Gravity's table allows. Not modelled: PATCH, profiles, terminology,
subscriptions, and who may see what: behind one token everything is visible.
"""

import copy
import threading
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from adapters.sandbox.fhir import bundle, capability, referral, structure
from adapters.sandbox.fhir.bundle import criteria
from adapters.sandbox.fhir.outcome import RefusedError, Resource, invalid, outcome, precondition
from adapters.sandbox.fhir.search import Criteria, Searches, find
from adapters.sandbox.fhir.store import Store, instant
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, as_json

MEDIA_TYPE = "application/fhir+json; charset=utf-8"
_JSON = ("json", "*/*", "application/*")


class FhirSandbox(Sandbox):
    """Serves `resources` (kept under their own ids) and what clients add.

    `tokens`: static bearer tokens, one of which every request but `/metadata` must carry; None asks for none.
    `page` is the default `_count`.
    """

    prefix = "/fhir"

    def __init__(
        self, resources: Iterable[Resource] = (), *, tokens: Collection[str] | None = None, page: int = 50
    ) -> None:
        super().__init__()
        self.tokens = None if tokens is None else frozenset(tokens)
        self._store = Store()
        self._searches = Searches(self._store, page)
        self._turn = threading.RLock()
        self._store.load(resources)

    # What the clinic's staff do, behind the API's back.

    def resources(self, kind: str) -> list[Resource]:
        """What is there now of a type, in order of creation."""
        with self._turn:
            return [copy.deepcopy(one) for one in self._store.all(kind)]

    def read(self, kind: str, name: str) -> Resource:
        """One resource as it stands; RefusedError where it is unknown or deleted."""
        with self._turn:
            return copy.deepcopy(self._store.read(kind, name))

    def add(self, resource: Resource) -> Resource:
        """Store a new resource, or the next version of one that has an id; the stored state."""
        with self._turn:
            structure.check(resource["resourceType"], resource)
            if "id" not in resource:
                return copy.deepcopy(self._store.create(resource))
            return copy.deepcopy(self._store.update(resource["resourceType"], resource["id"], resource))

    def add_procedure(self, task_id: str, procedure: Resource) -> Resource:
        """Record a Procedure done for a referral Task: subject, basedOn, status and date are filled in."""
        with self._turn:
            task = self._store.read("Task", task_id)
            return self.add(referral.procedure_for(task, procedure, instant(datetime.now(UTC))))

    def task_transition(
        self, task_id: str, status: str, reason: str | None = None, output_procedure: Resource | None = None
    ) -> Resource:
        """Move a referral Task as its target: accept, reject, start, hold, fail, cancel, complete. The new state.

        RefusedError where Gravity's table does not give the move to the target (health.md §1.2), or where a Task
        would be completed without an output.
        """
        with self._turn:
            mark = self._store.mark()
            task = self._store.read("Task", task_id)
            try:
                made = self.add_procedure(task_id, output_procedure) if output_procedure else None
                name = f"Procedure/{made['id']}" if made else None
                after = referral.moved(task, status, reason, name, instant(datetime.now(UTC)))
            except RefusedError:
                self._store.restore(mark)
                raise
            return copy.deepcopy(self._store.update("Task", task_id, after))

    # What a client meets.

    def answer(self, request: Request) -> Response:
        """Route one request; every refusal is an OperationOutcome."""
        try:
            with self._turn:
                return self._route(request)
        except RecursionError:
            refusal = RefusedError(HTTPStatus.BAD_REQUEST, "structure", "The body is nested too deeply.")
            return as_json(refusal.status, refusal.outcome(), media_type=MEDIA_TYPE)
        except RefusedError as refused:
            headers = [("WWW-Authenticate", "Bearer")] if refused.status == HTTPStatus.UNAUTHORIZED else []
            return as_json(refused.status, refused.outcome(), *headers, media_type=MEDIA_TYPE)

    def _route(self, request: Request) -> Response:
        path = request.path.removeprefix(self.prefix).strip("/")
        if not request.path.startswith(self.prefix):
            raise RefusedError(HTTPStatus.NOT_FOUND, "not-found", f"The server is at {self.prefix}.")
        self._admit(request, path)
        parts = path.split("/") if path else []
        if not parts and request.method == "POST":
            return self._bundle(request)
        if parts == ["metadata"] and request.method == "GET":
            return _answer(
                HTTPStatus.OK, capability.statement(self.base_url, secured=self.tokens is not None)
            )
        if len(parts) == 1 or parts[1:] == ["_search"]:
            structure.known(parts[0])
            return self._type(request, parts[0], search=len(parts) > 1)
        if len(parts) in {2, 3, 4} and parts[2:3] in ([], ["_history"]):
            structure.known(parts[0])
            return self._instance(request, parts)
        raise RefusedError(HTTPStatus.NOT_FOUND, "not-supported", "There is nothing at this address.")

    def _admit(self, request: Request, path: str) -> None:
        """Bearer token, and JSON in both directions."""
        if self.tokens is not None and path != "metadata":
            scheme, _, token = (request.header("authorization") or "").partition(" ")
            if scheme.lower() != "bearer" or token not in self.tokens:
                raise RefusedError(HTTPStatus.UNAUTHORIZED, "login", "A valid bearer token is needed.")
        accept = request.parameter("_format") or request.header("accept") or "*/*"
        if not any(word in accept for word in _JSON):
            raise RefusedError(HTTPStatus.NOT_ACCEPTABLE, "not-supported", "Only JSON is served.")
        written = request.header("content-type") or "json"
        if request.body and not any(word in written for word in ("json", "x-www-form-urlencoded")):
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not-supported", "Only JSON is taken.")

    def _type(self, request: Request, kind: str, *, search: bool) -> Response:
        if search and request.method == "POST":
            found: Criteria = [*request.query, *criteria(request.body.decode())]
        elif request.method == "GET":
            found = request.query
        elif request.method == "POST":
            return self._create(request, kind)
        elif request.method == "PUT" and request.query:
            return self._conditional_update(request, kind)
        else:
            raise _not_allowed(request.method)
        return _answer(HTTPStatus.OK, self._searches.bundle(kind, found, self.base_url))

    def _create(self, request: Request, kind: str) -> Response:
        resource = structure.check(kind, _body(request))
        condition = request.header("if-none-exist")
        if condition:
            matched = self._find(kind, condition)
            if len(matched) > 1:
                raise precondition(f"{len(matched)} resources meet If-None-Exist.")
            if matched:
                return self._written(HTTPStatus.OK, matched[0], request)
        stored = self._stored(kind, None, resource, None)
        return self._written(HTTPStatus.CREATED, stored, request)

    def _conditional_update(self, request: Request, kind: str) -> Response:
        matched = find(self._store, kind, request.query, self.base_url)
        if len(matched) > 1:
            raise precondition(f"{len(matched)} resources meet the condition.")
        resource = structure.check(kind, _body(request))
        name = matched[0]["id"] if matched else resource.get("id")
        stored = self._stored(kind, name, resource, request.header("if-match"))
        return self._written(HTTPStatus.OK if matched else HTTPStatus.CREATED, stored, request)

    def _instance(self, request: Request, parts: list[str]) -> Response:
        kind, name = parts[0], parts[1]
        if request.method == "GET":
            return self._read(request, parts)
        if len(parts) > 2:  # noqa: PLR2004 - type and id
            raise _not_allowed(request.method)
        if request.method == "PUT":
            resource = structure.check(kind, _body(request))
            if resource.get("id") != name:
                raise invalid("The id in the body is not the one in the address.", f"{kind}.id")
            created = not self._store.exists(kind, name)
            stored = self._stored(kind, name, resource, request.header("if-match"))
            return self._written(HTTPStatus.CREATED if created else HTTPStatus.OK, stored, request)
        if request.method == "DELETE":
            self._store.delete(kind, name)
            return Response(HTTPStatus.NO_CONTENT)
        raise _not_allowed(request.method)

    def _read(self, request: Request, parts: list[str]) -> Response:
        if len(parts) == 3:  # noqa: PLR2004 - type, id, _history
            return _answer(HTTPStatus.OK, self._history(parts[0], parts[1]))
        resource = self._store.read(parts[0], parts[1], parts[3] if len(parts) > 3 else None)  # noqa: PLR2004
        tag = f'W/"{resource["meta"]["versionId"]}"'
        if request.header("if-none-match") == tag:
            return Response(HTTPStatus.NOT_MODIFIED, b"", (("ETag", tag),))
        return _answer(HTTPStatus.OK, resource, ("ETag", tag), ("Last-Modified", _http_date(resource)))

    def _history(self, kind: str, name: str) -> Resource:
        """All versions, newest first."""
        entries = []
        for version in reversed(self._store.versions(kind, name)):
            status = {"POST": "201", "DELETE": "204"}.get(
                version.method, "200" if version.number > 1 else "201"
            )
            entry: Resource = {
                "fullUrl": f"{self.base_url}/{kind}/{name}",
                "request": {
                    "method": version.method,
                    "url": kind if version.method == "POST" else f"{kind}/{name}",
                },
                "response": {
                    "status": status,
                    "etag": f'W/"{version.number}"',
                    "lastModified": instant(version.at),
                },
            }
            entries.append({**entry, "resource": version.resource} if version.resource else entry)
        return {"resourceType": "Bundle", "type": "history", "total": len(entries), "entry": entries}

    def _bundle(self, request: Request) -> Response:
        given = _body(request)
        if not isinstance(given, dict) or given.get("resourceType") != "Bundle":
            raise invalid("A Bundle is expected here.")
        if given.get("type") == "batch":
            return _answer(HTTPStatus.OK, bundle.batch(given, self._do))
        if given.get("type") != "transaction":
            raise invalid("The Bundle is neither a transaction nor a batch.", "Bundle.type")
        mark = self._store.mark()
        try:
            done = bundle.transaction(given, self._do_unchecked, self._find, self._reserve)
            for entry in done["entry"]:
                self._check_written(entry)
        except RefusedError:
            self._store.restore(mark)
            raise
        return _answer(HTTPStatus.OK, done)

    def _reserve(self, kind: str) -> str:
        structure.known(kind)
        return self._store.reserve(kind)

    def _check_written(self, entry: Resource) -> None:
        """References, once everything of a transaction is there."""
        parts = entry["response"].get("location", "").split("/")
        resource = self._store.current(parts[0], parts[1]) if len(parts) > 1 else None
        if resource:
            self._check_references(resource)

    def _do(self, method: str, url: str, resource: Resource | None, conditions: dict[str, str]) -> Resource:
        return self._carried_out(method, url, resource, conditions, checked=True)

    def _do_unchecked(
        self, method: str, url: str, resource: Resource | None, conditions: dict[str, str]
    ) -> Resource:
        return self._carried_out(method, url, resource, conditions, checked=False)

    def _carried_out(
        self, method: str, url: str, resource: Resource | None, conditions: dict[str, str], *, checked: bool
    ) -> Resource:
        """One entry of a Bundle, as its response entry."""
        path, _, query = url.partition("?")
        kind, _, name = path.partition("/")
        structure.known(kind)
        if method == "GET":
            found = (
                self._store.read(kind, name)
                if name
                else self._searches.bundle(kind, criteria(query), self.base_url)
            )
            return {"resource": found, "response": {"status": "200 OK"}}
        if method == "DELETE":
            self._store.delete(kind, name)
            return {"response": {"status": "204 No Content"}}
        if method not in {"POST", "PUT"}:
            raise _not_allowed(method)
        written = structure.check(kind, resource)
        if method == "POST" and checked and conditions.get("if-none-exist"):
            matched = self._find(kind, conditions["if-none-exist"])
            if len(matched) > 1:
                raise precondition(f"{len(matched)} resources meet ifNoneExist.")
            if matched:
                return _entry(HTTPStatus.OK, matched[0])
        existed = self._store.exists(kind, name)
        stored = self._stored(
            kind, name or None, written, conditions.get("if-match"), checked=checked, method=method
        )
        return _entry(HTTPStatus.OK if existed else HTTPStatus.CREATED, stored)

    def _stored(
        self,
        kind: str,
        name: str | None,
        resource: Resource,
        match: str | None,
        *,
        checked: bool = True,
        method: str = "PUT",
    ) -> Resource:
        if checked:
            self._check_references(resource)
        referral.check_move(self._store.current(kind, name) if name else None, resource)
        if name is None:
            return self._store.create(resource)
        version = match.strip().removeprefix("W/").strip('"') if match else None
        return self._store.update(kind, name, resource, version, method)

    def _check_references(self, resource: Resource) -> None:
        base = f"{self.base_url}/"
        local = structure.rewritten(resource, lambda reference: reference.removeprefix(base))
        found = structure.dead(local, self._store.exists)
        if found:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "not-found",
                f"The reference {found[0]} leads nowhere.",
                found[1],
            )

    def _find(self, kind: str, query: str) -> list[Resource]:
        return find(self._store, kind, criteria(query), self.base_url)

    def _written(self, status: int, resource: Resource, request: Request) -> Response:
        version = resource["meta"]["versionId"]
        place = f"{self.base_url}/{resource['resourceType']}/{resource['id']}/_history/{version}"
        headers = (("Location", place), ("ETag", f'W/"{version}"'), ("Last-Modified", _http_date(resource)))
        prefer = request.header("prefer") or ""
        if "return=minimal" in prefer:
            return Response(status, b"", headers)
        if "return=OperationOutcome" in prefer:
            return _answer(status, outcome("information", "informational", "Stored."), *headers)
        return _answer(status, resource, *headers)


def _body(request: Request) -> Any:
    try:
        return request.json()
    except ValueError as fault:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "structure", f"The body is not JSON: {fault}") from fault


def _answer(status: int, resource: Resource, *headers: tuple[str, str]) -> Response:
    return as_json(status, resource, *headers, media_type=MEDIA_TYPE)


def _entry(status: HTTPStatus, resource: Resource) -> Resource:
    version = resource["meta"]["versionId"]
    return {
        "resource": resource,
        "response": {
            "status": f"{status.value} {status.phrase}",
            "location": f"{resource['resourceType']}/{resource['id']}/_history/{version}",
            "etag": f'W/"{version}"',
            "lastModified": resource["meta"]["lastUpdated"],
        },
    }


def _not_allowed(method: str) -> RefusedError:
    return RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", f"{method} is not served here.")


def _http_date(resource: Resource) -> str:
    moment = datetime.fromisoformat(resource["meta"]["lastUpdated"])
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
