"""POST, PUT and DELETE of the sandbox Ed-Fi API (school.md §1.5): upsert by natural key, whole documents, If-Match."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from adapters.sandbox.edfi import keys, problem
from adapters.sandbox.edfi.keys import Document
from adapters.sandbox.edfi.problem import Problem
from adapters.sandbox.edfi.store import Row, Store
from adapters.sandbox.wire import Request, Response


def read_body(request: Request, *, new: bool) -> Document | Problem:
    """The document in a POST (`new`) or PUT."""
    if "json" not in (request.header("content-type") or ""):
        return problem.unsupported_media()
    try:
        document = request.json()
    except ValueError as fault:
        return problem.invalid({"$": [f"The request body is not valid JSON: {fault}"]})
    if not isinstance(document, dict) or not document:
        return problem.bad_body("A non-empty request body is required.")
    if new and "id" in document:
        return problem.bad_body(
            "Resource identifiers cannot be assigned by the client. The 'id' property should not be included in the "
            "request body."
        )
    return document


def recased(document: Document, known: Mapping[str, str], *, strict: bool) -> Document:
    """A document as the server reads its member names; `known` maps lower case to the schema's spelling.

    ODS/API takes any case. Ed-Fi API v8 (`strict`) silently drops a member in the wrong case.
    """
    found: Document = {}
    for name, value in document.items():
        spelling = known.get(name.lower(), name)
        if spelling == name or not strict:
            found[spelling] = value
    return found


def faults(store: Store, resource: str, document: Document) -> Problem | None:
    """What stops a document from being stored: a missing part of its key, or a reference to nothing."""
    missing: dict[str, list[str]] = {}
    for member in keys.members(resource):
        value = document.get(member)
        if value is None or value == "" or (member.endswith("Reference") and not _complete(value)):
            missing[f"$.{member}"] = [f"{member[:1].upper()}{member[1:]} is required."]
    if missing:
        return problem.invalid(missing)
    absent = []
    for name, value in document.items():
        if name.endswith("Reference") and isinstance(value, dict):
            checked, row, target = store.resolve(name, value)
            if checked and row is None:
                absent.append(keys.singular(target))
    return problem.unresolved(absent) if absent else None


def _complete(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(inner is not None for inner in value.values())


def post(store: Store, resource: str, document: Document, location: str) -> Response | Problem:
    """201 and where it is, or 200 where the natural key was known."""
    fault = faults(store, resource, document)
    if fault:
        return fault
    row, created = store.upsert(resource, document)
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    return Response(status, b"", (("Location", f"{location}/{row.id}"), ("ETag", f'"{row.etag}"')))


def put(
    store: Store, resource: str, row: Row, document: Document, *, identity_kind: str
) -> Response | Problem:
    """204. The whole document is replaced: what is left out is gone."""
    fault = faults(store, resource, document)
    if fault:
        return fault
    plural = resource.rpartition("/")[2]
    if keys.of(resource, document) != row.key:
        if plural not in keys.UPDATABLE_KEYS:
            return problem.key_change(keys.singular(plural))
        if store.find(resource, document):
            return problem.taken(keys.singular(plural), identity_kind)
    store.replace(resource, row, document)
    return Response(HTTPStatus.NO_CONTENT, b"", (("ETag", f'"{row.etag}"'),))


def delete(store: Store, resource: str, row: Row) -> Response | Problem:
    """204, unless something still refers to the item."""
    holder = store.dependents(resource, row)
    if holder:
        return problem.dependent(keys.singular(holder))
    store.delete(resource, row)
    return Response(HTTPStatus.NO_CONTENT)


def locked(request: Request, row: Row) -> Problem | None:
    """412 where If-Match names another state; `_etag` in a body is ignored."""
    wanted = request.header("if-match")
    if wanted is None or wanted.strip() in {"*", row.etag, f'"{row.etag}"'}:
        return None
    return problem.lock_failed()
