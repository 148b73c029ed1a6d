"""What an Ed-Fi host serves, read from the host's own OpenAPI document: resources, natural keys, every path.

Swagger 2 (ODS/API 7) and OpenAPI 3 (Ed-Fi API v8, the published specifications) in one reader. The document does not
tell what is switched on (`reference/school.md` §1.4), so capabilities found here are hints, and the client probes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adapters.edfi.discovery import DataStandard, Discovery
from adapters.http import HttpClient, Reply, failure_of
from adapters.port import Cause, Failure, Malformed
from adapters.received import parse_json
from mappings.record.issue import Issue

MAX_DOCUMENT_BYTES = 60_000_000
MAX_SECTIONS = 20
MAX_NESTING = 12

_COLLECTION = re.compile(r"/([A-Za-z0-9-]+/[A-Za-z0-9]+)")
_DATA_SECTIONS = frozenset({"resources", "descriptors"})
_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """One collection. `name` is `ed-fi/students`; `keys` are query names of the natural key (`x-Ed-Fi-isIdentity`)."""

    name: str
    schema: str
    keys: tuple[str, ...]
    change_versions: bool
    cursor: bool
    deletes: bool
    key_changes: bool
    partitions: bool


class SchemaPath(NamedTuple):
    """A path below a resource, dotted and without list marks, as `PathTable.with_extensions` takes it.

    `kind` is text, integer, number, boolean, date or object.
    """

    path: str
    kind: str
    is_list: bool


@dataclass(frozen=True, slots=True)
class Catalog:
    """All collections of a host. Build with `read_catalog` or `fetch_catalog`."""

    resources: Mapping[str, ResourceSpec]
    schemas: Mapping[str, Any] = field(repr=False)

    @property
    def data_standard(self) -> DataStandard | None:
        """Which generation the paths show, whatever the host calls itself."""
        if "ed-fi/studentDirectories" in self.resources:
            return DataStandard.DS6
        if "ed-fi/contacts" in self.resources:
            return DataStandard.DS5
        return DataStandard.DS4 if "ed-fi/parents" in self.resources else None

    def paths(self, resource: str) -> tuple[SchemaPath, ...]:
        """Every path of a resource; empty where the host does not serve it."""
        spec = self.resources.get(resource)
        return tuple(self._below(self.schemas.get(spec.schema), "", ())) if spec else ()

    def extension_paths(self, resource: str) -> tuple[SchemaPath, ...]:
        """The paths under `_ext`: what this host adds to the standard, private until classified."""
        return tuple(each for each in self.paths(resource) if "_ext" in each.path.split("."))

    def _below(self, schema: Any, prefix: str, above: tuple[str, ...]) -> Iterator[SchemaPath]:
        for name, member in self._properties(schema, above).items():
            if name == "link":  # the host's own navigation, the same in every reference
                continue
            path = f"{prefix}{name}"
            is_list = isinstance(member, dict) and member.get("type") == "array"
            inner = member.get("items") if is_list else member
            reference = _reference(inner)
            if reference in above or len(above) > MAX_NESTING:
                continue
            deeper = (*above, reference) if reference else above
            if self._properties(inner, deeper):
                yield SchemaPath(path, "object", is_list)
                yield from self._below(inner, path + ".", deeper)
            else:
                yield SchemaPath(path, _kind(self._resolved(inner)), is_list)

    def _resolved(self, schema: Any) -> Any:
        for _ in range(MAX_NESTING):
            reference = _reference(schema)
            if reference is None:
                return schema
            schema = self.schemas.get(reference)
        return None

    def _properties(self, schema: Any, above: tuple[str, ...]) -> dict[str, Any]:
        resolved = self._resolved(schema)
        if not isinstance(resolved, dict) or len(above) > MAX_NESTING:
            return {}
        found: dict[str, Any] = {}
        parts = resolved.get("allOf")
        for part in parts if isinstance(parts, list) else ():
            found |= self._properties(part, (*above, "allOf"))
        own = resolved.get("properties")
        return found | own if isinstance(own, dict) else found


def _reference(schema: Any) -> str | None:
    target = schema.get("$ref") if isinstance(schema, dict) else None
    return target.rpartition("/")[2] if isinstance(target, str) else None


def _kind(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "text"
    kind = schema.get("type")
    if kind == "string" and schema.get("format") == "date":
        return "date"
    return _TYPES.get(kind, "object" if kind == "object" else "text") if isinstance(kind, str) else "text"


def read_catalog(*documents: Mapping[str, Any]) -> Catalog:
    """The catalog of one or more documents (resources, descriptors, extensions). What cannot be read is left out."""
    resources: dict[str, ResourceSpec] = {}
    schemas: dict[str, Any] = {}
    for document in documents:
        components = document.get("components")
        named = components.get("schemas") if isinstance(components, dict) else document.get("definitions")
        schemas |= named if isinstance(named, dict) else {}
        listed = document.get("paths")
        paths: Mapping[str, Any] = listed if isinstance(listed, dict) else {}
        for path, operations in paths.items():
            collection = _COLLECTION.fullmatch(path)
            get = operations.get("get") if isinstance(operations, dict) else None
            if collection and isinstance(get, dict):
                spec = _resource(collection[1], get, paths, document)
                resources[spec.name] = spec
    return Catalog(resources, schemas)


def _resource(
    name: str, get: Mapping[str, Any], paths: Mapping[str, Any], document: Mapping[str, Any]
) -> ResourceSpec:
    parameters = list(_parameters(get, document))
    names = {str(each.get("name")).lower() for each in parameters}
    return ResourceSpec(
        name=name,
        schema=_item_schema(get) or "",
        keys=tuple(str(each["name"]) for each in parameters if _is_identity(each)),
        change_versions="minchangeversion" in names,
        cursor="pagetoken" in names,
        deletes=f"/{name}/deletes" in paths,
        key_changes=f"/{name}/keyChanges" in paths,
        partitions=f"/{name}/partitions" in paths,
    )


def _parameters(get: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    components = document.get("components")
    shared = components.get("parameters") if isinstance(components, dict) else document.get("parameters")
    listed = get.get("parameters")
    for each in listed if isinstance(listed, list) else ():
        reference = _reference(each)
        found = shared.get(reference) if reference is not None and isinstance(shared, dict) else each
        if isinstance(found, dict) and "name" in found:
            yield found


def _is_identity(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("in") == "query" and parameter.get("x-Ed-Fi-isIdentity") is True


def _item_schema(get: Mapping[str, Any]) -> str | None:
    """The schema of one item of the 200 answer, in either dialect."""
    responses = get.get("responses")
    answer = responses.get("200") if isinstance(responses, dict) else None
    if not isinstance(answer, dict):
        return None
    schema = answer.get("schema")
    content = answer.get("content")
    for media in content.values() if isinstance(content, dict) else ():
        schema = schema or (media.get("schema") if isinstance(media, dict) else None)
    return _reference(schema.get("items")) if isinstance(schema, dict) else None


def fetch_catalog(http: HttpClient, discovery: Discovery) -> Catalog | Failure:
    """The host's own catalog. `openApiMetadata` answers with a list of sections, or with one document at once."""
    if discovery.openapi is None:
        return Malformed(Cause.UNSUPPORTED)
    first = _document(http, discovery.openapi)
    if isinstance(first, Failure):
        return first
    if isinstance(first, dict):
        return read_catalog(first)
    documents: list[Mapping[str, Any]] = []
    for address in _sections(first, discovery):
        document = _document(http, address)
        if isinstance(document, Failure):
            return document
        if isinstance(document, dict):
            documents.append(document)
    return read_catalog(*documents) if documents else Malformed(Cause.BAD_SHAPE)


def _sections(listed: Any, discovery: Discovery) -> list[str]:
    """Addresses of the sections that describe data: the two whole ones, else whatever is listed."""
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    named = {str(entry.get("name", "")).lower(): discovery.own(entry.get("endpointUri")) for entry in entries}
    chosen = {name: url for name, url in named.items() if name in _DATA_SECTIONS} or named
    return [url for url in chosen.values() if url is not None][:MAX_SECTIONS]


def _document(http: HttpClient, address: str) -> Any | Failure:
    reply = http.send("GET", address, headers={"Accept": "application/json"}, max_bytes=MAX_DOCUMENT_BYTES)
    if not isinstance(reply, Reply):
        return reply
    failure = failure_of(reply)
    if failure is not None:
        return failure
    document = parse_json(reply.body)
    return Malformed(Cause.BAD_JSON, reply.status) if isinstance(document, Issue) else document
