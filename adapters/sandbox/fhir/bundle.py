"""Bundles of requests: a transaction is done wholly or not at all, a batch entry by entry (FHIR R4 §3.1.0.11)."""

import re
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qsl

from adapters.sandbox.fhir.outcome import RefusedError, Resource, invalid, precondition
from adapters.sandbox.fhir.structure import rewritten

Do = Callable[[str, str, Resource | None, dict[str, str]], Resource]
"""Carries out one entry: method, URL below the base, resource, and conditions by header name; its response entry.

In a transaction the URL of a POST names the id that was reserved for the resource.
"""
Find = Callable[[str, str], list[Resource]]
"""The resources of a type that meet a query string."""

_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 3, "GET": 4, "HEAD": 5}
_CONDITIONS = {
    "ifNoneExist": "if-none-exist",
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
}
_SEARCH = re.compile(r"([A-Z][A-Za-z]+)\?(.+)")


def entries(bundle: Resource) -> list[Resource]:
    """The entries of a Bundle of requests; RefusedError where one has no request."""
    found = bundle.get("entry", [])
    for place, entry in enumerate(found):
        request = entry.get("request", {})
        if request.get("method") not in _ORDER or "url" not in request:
            raise invalid("An entry needs request.method and request.url.", f"Bundle.entry[{place}].request")
        if request["method"] in {"POST", "PUT"} and "resource" not in entry:
            raise invalid("An entry that writes needs a resource.", f"Bundle.entry[{place}].resource")
    return list(found)


def batch(bundle: Resource, do: Do) -> Resource:
    """Every entry for itself."""
    answers = []
    for entry in entries(bundle):
        try:
            answers.append(_do(entry, entry.get("resource"), do))
        except RefusedError as refused:
            answers.append({"response": {"status": _status(refused.status), "outcome": refused.outcome()}})
    return {"resourceType": "Bundle", "type": "batch-response", "entry": answers}


def transaction(bundle: Resource, do: Do, find: Find, reserve: Callable[[str], str]) -> Resource:
    """All entries in the order the standard demands, references between them resolved; the caller undoes a failure.

    `reserve` gives an id for a resource that is about to be created.
    """
    wanted = entries(bundle)
    places: dict[str, str] = {}
    found: dict[int, Resource] = {}
    for place, entry in enumerate(wanted):
        request, full = entry["request"], entry.get("fullUrl")
        existing = _existing(request, find)
        target = _target(request, existing, reserve)
        if existing is not None and request["method"] == "POST":
            found[place] = existing
        entry["request"] = {**request, "url": target}
        if full:
            if full in places:
                raise invalid("Two entries have the same fullUrl.", f"Bundle.entry[{place}].fullUrl")
            places[full] = target

    def change(reference: str) -> str:
        return _resolved(reference, places, find)

    answers: dict[int, Resource] = {}
    for place, entry in sorted(enumerate(wanted), key=lambda pair: _ORDER[pair[1]["request"]["method"]]):
        if place in found:
            existing = found[place]
            location = f"{existing['resourceType']}/{existing['id']}/_history/{existing['meta']['versionId']}"
            etag = f'W/"{existing["meta"]["versionId"]}"'
            answers[place] = {
                "response": {"status": _status(HTTPStatus.OK), "location": location, "etag": etag}
            }
            continue
        resource = entry.get("resource")
        answers[place] = _do(entry, rewritten(resource, change) if resource else None, do)
    ordered = [answers[place] for place in range(len(wanted))]
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": ordered}


def _do(entry: Resource, resource: Resource | None, do: Do) -> Resource:
    request = entry["request"]
    conditions = {header: request[name] for name, header in _CONDITIONS.items() if name in request}
    return do(request["method"], request["url"], resource, conditions)


def _existing(request: Resource, find: Find) -> Resource | None:
    """What a conditional create or update finds: nothing, the one resource that is there already, or too many."""
    kind, asked, query = request["url"].partition("?")
    if request["method"] == "POST" and request.get("ifNoneExist"):
        query = request["ifNoneExist"]
    elif request["method"] != "PUT" or not asked:
        return None
    matched = find(kind, query)
    if len(matched) > 1:
        raise precondition(f"{len(matched)} resources meet {query!r}.")
    return matched[0] if matched else None


def _target(request: Resource, existing: Resource | None, reserve: Callable[[str], str]) -> str:
    """Where an entry's resource will be; a create gets its id now, so that others can refer to it."""
    kind, asked, _query = request["url"].partition("?")
    if request["method"] == "POST" or (request["method"] == "PUT" and asked):
        return f"{kind}/{existing['id'] if existing else reserve(kind)}"
    return str(request["url"])


def _resolved(reference: str, places: dict[str, str], find: Find) -> str:
    """A reference to another entry, or a conditional one (`Patient?identifier=…`), as a literal one."""
    if reference in places:
        return places[reference]
    if reference.startswith("urn:"):
        raise invalid(f"No entry of the Bundle has the fullUrl {reference}.", "reference")
    search = _SEARCH.fullmatch(reference)
    if search is None:
        return reference
    matched = find(*search.groups())
    if len(matched) != 1:
        raise precondition(
            f"{len(matched)} resources meet the reference {search.group(1)}?… where one is needed."
        )
    return f"{search.group(1)}/{matched[0]['id']}"


def criteria(query: str) -> list[tuple[str, str]]:
    """A query string as criteria."""
    return parse_qsl(query.removeprefix("?"), keep_blank_values=True)


def _status(status: int) -> str:
    return f"{int(status)} {HTTPStatus(status).phrase}"
