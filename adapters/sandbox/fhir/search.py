"""Searching: criteria joined by AND, includes, sorting, and pages that stand still while data changes (R4 §3.1.1)."""

import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

from adapters.sandbox.fhir.matching import matches, values
from adapters.sandbox.fhir.outcome import RefusedError, Resource, invalid
from adapters.sandbox.fhir.parameters import COMMON, Kind, Parameter, parameters
from adapters.sandbox.fhir.store import Store
from adapters.sandbox.fhir.structure import split

Criteria = Sequence[tuple[str, str]]
Key = tuple[str, str]
MAX_COUNT = 500
KEPT_SEARCHES = 256
_UNSERVED = frozenset({"_content", "_filter", "_has", "_list", "_query", "_text"})


def find(store: Store, kind: str, criteria: Criteria, base: str) -> list[Resource]:
    """The resources of a type that meet every criterion, in order of creation.

    An unknown criterion is refused: a client that believed in a filter nobody applied would receive everyone.
    """
    found = list(store.all(kind))
    for name, wanted in criteria:
        label = name.partition(":")[0].partition(".")[0]
        if label.startswith("_") and label not in COMMON and label not in _UNSERVED:
            continue  # shapes the answer and filters nothing, as _count does
        found = _filtered(store, kind, found, name, wanted, base)
    return found


def _filtered(
    store: Store, kind: str, found: list[Resource], name: str, wanted: str, base: str
) -> list[Resource]:
    head, dot, rest = name.partition(".")
    label, _, modifier = head.partition(":")
    parameter = parameters(kind).get(label)
    if parameter is None:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "not-supported", f"{kind} is not searched by {label}.")
    if not dot:
        return [one for one in found if matches(one, parameter, modifier, wanted, base)]
    if parameter.kind is not Kind.REFERENCE:
        raise invalid(f"{label} is not a reference and cannot be chained.")
    target = modifier or parameter.target
    if target is None:
        raise invalid(f"Say which type {label} leads to, as in {label}:Patient.{rest}.")
    ends = {f"{target}/{one['id']}" for one in find(store, target, [(rest, wanted)], base)}
    return [one for one in found if ends & set(_links(one, parameter, base))]


def _links(resource: Resource, parameter: Parameter, base: str) -> list[str]:
    found = [value for path in parameter.paths for value in values(resource, path)]
    literal = [value.get("reference", "") for value in found if isinstance(value, dict)]
    return [one.removeprefix(f"{base}/").split("/_history/")[0] for one in literal]


@dataclass(frozen=True, slots=True)
class Search:
    """A search whose matches are fixed, so that its pages do not shift."""

    kind: str
    keys: tuple[Key, ...]
    includes: tuple[str, ...]
    reverse: tuple[str, ...]


class Searches:
    """Runs searches and remembers the last few hundred for their next pages."""

    def __init__(self, store: Store, default_count: int) -> None:
        self._store = store
        self._default = default_count
        self._kept: OrderedDict[str, Search] = OrderedDict()

    def bundle(self, kind: str, criteria: Criteria, base: str) -> Resource:
        """The first page of a search, or a further one when the criteria name it."""
        given = dict(criteria)
        if "_getpages" in given:
            search = self._kept.get(given["_getpages"])
            if search is None:
                raise RefusedError(HTTPStatus.GONE, "not-found", "This page is no longer kept. Search again.")
            return self._page(
                search, given["_getpages"], int(given["_offset"]), int(given["_count"]), base, None
            )
        found = _sorted(kind, find(self._store, kind, criteria, base), given.get("_sort", ""))
        if given.get("_summary") == "count" or given.get("_count") == "0":
            return {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        search = Search(
            kind,
            tuple((kind, one["id"]) for one in found),
            tuple(value for name, value in criteria if name.startswith("_include")),
            tuple(value for name, value in criteria if name == "_revinclude"),
        )
        token = secrets.token_urlsafe(12)
        self._kept[token] = search
        while len(self._kept) > KEPT_SEARCHES:
            self._kept.popitem(last=False)
        query = urlencode(criteria)
        self_link = f"{base}/{kind}?{query}" if query else f"{base}/{kind}"
        count = min(_whole(given.get("_count", str(self._default)), "_count"), MAX_COUNT)
        return self._page(search, token, 0, count, base, self_link)

    def _page(
        self, search: Search, token: str, offset: int, count: int, base: str, self_link: str | None
    ) -> Resource:
        keys = search.keys[offset : offset + count]
        matched = [one for one in (self._store.current(*key) for key in keys) if one is not None]
        entries = [_entry(one, "match", base) for one in matched]
        entries += [_entry(one, "include", base) for one in self._included(search, matched, base)]
        here = f"{base}/{search.kind}?" + urlencode({"_getpages": token, "_offset": offset, "_count": count})
        links = [{"relation": "self", "url": self_link or here}]
        if offset + count < len(search.keys):
            follows = urlencode({"_getpages": token, "_offset": offset + count, "_count": count})
            links.append({"relation": "next", "url": f"{base}/{search.kind}?{follows}"})
        found: Resource = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(search.keys),
            "link": links,
        }
        return found | ({"entry": entries} if entries else {})

    def _included(self, search: Search, matched: Iterable[Resource], base: str) -> list[Resource]:
        matched = list(matched)
        shown = {(one["resourceType"], one["id"]) for one in matched}
        found: dict[Key, Resource] = {}
        for include in search.includes:
            source, parameter = _include(include)
            for one in matched:
                if one["resourceType"] != source:
                    continue
                for link in _links(one, parameter, base):
                    key = split(link)
                    target = self._store.current(*key) if key and key not in shown else None
                    if key and target:
                        found[key] = target
        ends = {f"{kind}/{name}" for kind, name in shown}
        for include in search.reverse:
            source, parameter = _include(include)
            for one in self._store.all(source):
                if ends & set(_links(one, parameter, base)):
                    found[source, one["id"]] = one
        return list(found.values())


def _whole(value: str, name: str) -> int:
    if not value.isdigit():
        raise invalid(f"{name} is not a whole number.")
    return int(value)


def _include(value: str) -> tuple[str, Parameter]:
    source, _, name = value.partition(":")
    parameter = parameters(source).get(name.partition(":")[0])
    if parameter is None or parameter.kind is not Kind.REFERENCE:
        raise invalid(f"{value} cannot be included.")
    return source, parameter


def _sorted(kind: str, found: list[Resource], order: str) -> list[Resource]:
    for name in reversed([one for one in order.split(",") if one]):
        parameter = parameters(kind).get(name.removeprefix("-"))
        if parameter is None:
            raise invalid(f"{kind} is not sorted by {name}.")

        def first(resource: Resource, parameter: Parameter = parameter) -> str:
            return next((str(one) for path in parameter.paths for one in values(resource, path)), "")

        found = sorted(found, key=first, reverse=name.startswith("-"))
    return found


def _entry(resource: Resource, mode: str, base: str) -> Resource:
    full = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": full, "resource": resource, "search": {"mode": mode}}
