"""GET of the sandbox Ed-Fi API (school.md §1.4): pages, single items, deletes, key changes and partitions."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from adapters.sandbox.edfi import keys, paging
from adapters.sandbox.edfi.keys import Document
from adapters.sandbox.edfi.problem import Problem
from adapters.sandbox.edfi.store import Row, Store
from adapters.sandbox.wire import Request, Response, as_json


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest page, the page of a client that asks for none, and whether there is cursor paging."""

    page: int
    default: int
    cursor: bool


def collection(store: Store, resource: str, request: Request, limits: Limits) -> Response | Problem:
    """One page of a resource."""
    query = _understood(request, limits, cursor=limits.cursor)
    if isinstance(query, Problem):
        return query
    rows = paging.select(store.shelves[resource].rows.values(), query)
    if isinstance(rows, Problem):
        return rows
    page = paging.page(rows, query, default_limit=limits.default, cursor=limits.cursor)
    headers = [("Next-Page-Token", page.token)] if page.token else []
    headers += [("Total-Count", str(page.total))] if query.total else []
    return as_json(HTTPStatus.OK, [shown(row, store) for row in page.rows], *headers)


def item(store: Store, row: Row, request: Request) -> Response:
    """One document, or 304 where the client has this very state of it."""
    tag = ("ETag", f'"{row.etag}"')
    if (request.header("if-none-match") or "").strip('" ') == row.etag:
        return Response(HTTPStatus.NOT_MODIFIED, b"", (tag,))
    return as_json(HTTPStatus.OK, shown(row, store), tag)


def special(store: Store, resource: str, what: str, request: Request, limits: Limits) -> Response | Problem:
    """`/deletes`, `/keyChanges` and `/partitions`. The first two know offset paging only."""
    query = _understood(request, limits, cursor=False)
    if isinstance(query, Problem):
        return query
    shelf = store.shelves[resource]
    if what == "partitions":
        rows = paging.select(shelf.rows.values(), query)
        tokens = rows if isinstance(rows, Problem) else paging.partitions(rows, query.number, limits.page)
        return tokens if isinstance(tokens, Problem) else as_json(HTTPStatus.OK, {"pageTokens": tokens})
    low, high = query.minimum or 0, paging.LAST if query.maximum is None else query.maximum
    found = shelf.tombstones(low, high) if what == "deletes" else shelf.key_changes(low, high)
    begin = query.offset or 0
    count = limits.default if query.limit is None else query.limit
    headers = [("Total-Count", str(len(found)))] if query.total else []
    return as_json(HTTPStatus.OK, found[begin : begin + count], *headers)


def shown(row: Row, store: Store) -> Document:
    """A document as the API shows it: id first, links in references, etag and time of change last."""
    document: Document = {"id": row.id}
    for name, value in row.document.items():
        document[name] = value
        if name.endswith("Reference") and isinstance(value, dict):
            _checked, target, resource = store.resolve(name, value)
            if target is not None:
                rel = keys.singular(resource)
                link = {"rel": rel[:1].upper() + rel[1:], "href": f"/ed-fi/{resource}/{target.id}"}
                document[name] = {**value, "link": link}
    document["_etag"] = row.etag
    document["_lastModifiedDate"] = _zulu(row.changed)
    return document


def _understood(request: Request, limits: Limits, *, cursor: bool) -> paging.Query | Problem:
    query = paging.parse(request.query)
    if isinstance(query, Problem):
        return query
    return paging.judge(query, page_limit=limits.page, cursor=cursor) or query


def _zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
