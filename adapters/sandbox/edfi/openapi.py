"""The OpenAPI document of what is served: OpenAPI 3 as Ed-Fi API v8 gives it, Swagger 2 as ODS/API 7 gives it.

Parameters follow the official resources-ds-5.0/6.0 documents. Here change queries and cursor paging are described
when they are switched on; a real host's document does not always say so (school.md §1.4).
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from adapters.sandbox.edfi import keys
from adapters.sandbox.edfi.keys import Document
from adapters.sandbox.edfi.schema import REF, schema_name, schemas

Api = dict[str, Any]
_RESPONSES = {
    "NotModified": "The resource's current server-side ETag matches the If-None-Match header.",
    "BadRequest": "Bad Request. The request was invalid and cannot be completed.",
    "Unauthorized": "Unauthorized. The request requires authentication.",
    "Forbidden": "Forbidden. The request cannot be completed in the current authorization context.",
    "NotFound": "Not Found. The resource could not be found.",
    "Conflict": "Conflict. The request cannot be completed because it would result in an invalid state.",
    "PreconditionFailed": "The resource's current server-side ETag does not match the If-Match header.",
    "Updated": "The resource was updated.",
    "Deleted": "The resource was successfully deleted.",
}
_FAULTS = {"400": "BadRequest", "401": "Unauthorized", "403": "Forbidden", "404": "NotFound"}


def openapi(
    documents: Mapping[str, Iterable[Document]],
    *,
    title: str,
    server: str,
    token_url: str,
    page_limit: int,
    cursor: bool,
    change_queries: bool,
) -> Api:
    """An OpenAPI 3.0 document for these resources at this address."""
    kept = {resource: list(items) for resource, items in documents.items()}
    described = schemas(kept)
    paths: Api = {}
    for resource in kept:
        paths |= _paths(resource, described, cursor=cursor, change_queries=change_queries)
    flow = {"clientCredentials": {"tokenUrl": token_url, "scopes": {}}}
    return {
        "openapi": "3.0.1",
        "info": {"title": title, "version": "3", "description": "Served by a sandbox; invented data."},
        "servers": [{"url": server}],
        "paths": paths,
        "tags": [{"name": resource.rpartition("/")[2], "description": ""} for resource in kept],
        "components": {
            "schemas": described,
            "responses": {name: {"description": text} for name, text in _RESPONSES.items()},
            "parameters": _parameters(page_limit),
            "securitySchemes": {"oauth2_client_credentials": {"type": "oauth2", "flows": flow}},
        },
        "security": [{"oauth2_client_credentials": []}],
    }


def _parameters(page_limit: int) -> Api:
    whole, long = {"type": "integer", "format": "int32"}, {"type": "integer", "format": "int64"}
    inside: dict[str, Api] = {
        "offset": {**whole, "default": 0},
        "limit": {**whole, "minimum": 0, "maximum": page_limit, "default": 25},
        "totalCount": {"type": "boolean", "default": False},
        "MinChangeVersion": long,
        "MaxChangeVersion": long,
        "pageToken": {"type": "string"},
        "pageSize": {**whole, "minimum": 0, "default": 25},
        "numberOfPartitions": {**whole, "minimum": 1, "maximum": 200},
    }
    called = {
        "MinChangeVersion": "minChangeVersion",
        "MaxChangeVersion": "maxChangeVersion",
        "numberOfPartitions": "number",
    }
    found = {
        name: {"name": called.get(name, name), "in": "query", "schema": schema}
        for name, schema in inside.items()
    }
    text = {"type": "string"}
    return {
        **found,
        "id": {"name": "id", "in": "path", "required": True, "schema": text},
        "IfMatch": {"name": "If-Match", "in": "header", "schema": text},
        "IfNoneMatch": {"name": "If-None-Match", "in": "header", "schema": text},
    }


def _paths(resource: str, described: Mapping[str, Any], *, cursor: bool, change_queries: bool) -> Api:
    project, _, plural = resource.rpartition("/")
    root = f"/{project or 'ed-fi'}/{plural}"
    name = schema_name(resource)
    filters = _filters(described, resource)
    window = _refs("parameters", ["MinChangeVersion", "MaxChangeVersion"]) if change_queries else []
    cursors = _refs("parameters", ["pageToken", "pageSize"]) if cursor else []
    paging = _refs("parameters", ["offset", "limit", "totalCount"])
    many = _operation(plural, "get", name, [*paging, *cursors, *window, *filters], many=True)
    put = _operation(plural, "put", name, _refs("parameters", ["id", "IfMatch"]), body=True)
    if plural in keys.UPDATABLE_KEYS:
        put["x-Ed-Fi-isUpdatable"] = True
    paths: Api = {
        root: {"get": many, "post": _operation(plural, "post", name, [], body=True)},
        f"{root}/{{id}}": {
            "get": _operation(plural, "get", name, _refs("parameters", ["id", "IfNoneMatch"])),
            "put": put,
            "delete": _operation(plural, "delete", name, _refs("parameters", ["id", "IfMatch"])),
        },
    }
    if change_queries:
        for what in ("deletes", "keyChanges"):
            paths[f"{root}/{what}"] = {"get": _operation(plural, what, None, [*paging, *window])}
    if cursor:
        number = _refs("parameters", ["numberOfPartitions"])
        paths[f"{root}/partitions"] = {
            "get": _operation(plural, "partitions", None, [*number, *window, *filters])
        }
    return paths


def _filters(described: Mapping[str, Any], resource: str) -> list[Api]:
    """Root members and members of references, by their bare names; those of the natural key are marked."""
    identity = keys.members(resource)
    found: dict[str, Api] = {}
    for name, inner in described[schema_name(resource)]["properties"].items():
        if name.startswith("_") or inner.get("type") == "array":
            continue
        if "$ref" not in inner:
            members = {name: inner}
        elif name.endswith("Reference"):
            members = described[inner["$ref"].removeprefix(REF)]["properties"]
        else:
            continue
        for member, schema in members.items():
            if member == "link" or found.get(member, {}).get("x-Ed-Fi-isIdentity"):
                continue
            plain = {key: value for key, value in schema.items() if not key.startswith("x-")}
            found[member] = {"name": member, "in": "query", "schema": plain}
            if name in identity:
                found[member]["x-Ed-Fi-isIdentity"] = True
    return list(found.values())


def _operation(
    plural: str, verb: str, name: str | None, parameters: list[Api], *, many: bool = False, body: bool = False
) -> Api:
    one = {"$ref": REF + name} if name else {"type": "object"}
    shown = {"type": "array", "items": one} if many or name is None else one
    answers: Api = {code: {"$ref": f"#/components/responses/{text}"} for code, text in _FAULTS.items()}
    if verb in {"get", "deletes", "keyChanges", "partitions"}:
        answers = {
            "200": {"description": "Found.", "content": {"application/json": {"schema": shown}}}
        } | answers
        if name and not many:
            answers["304"] = {"$ref": "#/components/responses/NotModified"}
    else:
        gone = {"put": ("204", "Updated"), "delete": ("204", "Deleted"), "post": ("201", "Updated")}[verb]
        answers |= {gone[0]: {"$ref": f"#/components/responses/{gone[1]}"}}
        answers |= {"409": {"$ref": "#/components/responses/Conflict"}}
        answers |= {} if verb == "post" else {"412": {"$ref": "#/components/responses/PreconditionFailed"}}
    suffix = "" if many or verb == "post" else "ById" if name else ""
    operation: Api = {
        "tags": [plural],
        "operationId": f"{verb}{plural[:1].upper()}{plural[1:]}{suffix}",
        "responses": answers,
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": one}}}
    return operation


def _refs(section: str, names: list[str]) -> list[Api]:
    return [{"$ref": f"#/components/{section}/{name}"} for name in names]


def swagger(api: Api) -> Api:
    """The same document in Swagger 2.0."""
    address = urlsplit(api["servers"][0]["url"])
    components = api["components"]
    flow = components["securitySchemes"]["oauth2_client_credentials"]["flows"]["clientCredentials"]
    paths = {
        path: {verb: _older(operation) for verb, operation in verbs.items()}
        for path, verbs in api["paths"].items()
    }
    document: Api = {
        "swagger": "2.0",
        "basePath": address.path.rstrip("/"),
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "definitions": components["schemas"],
        "host": address.netloc,
        "info": api["info"],
        "parameters": {name: _flat(parameter) for name, parameter in components["parameters"].items()},
        "paths": paths,
        "responses": components["responses"],
        "schemes": [address.scheme],
        "securityDefinitions": {
            "oauth2_client_credentials": {
                "type": "oauth2",
                "flow": "application",
                "tokenUrl": flow["tokenUrl"],
                "scopes": {},
            }
        },
        "security": api["security"],
        "tags": api["tags"],
    }
    return {name: _relocated(inner) for name, inner in document.items()}


def _older(operation: Api) -> Api:
    answers: Api = {}
    for code, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        answers[code] = (
            {"description": answer["description"], "schema": content["schema"]} if content else answer
        )
    parameters = [_flat(parameter) for parameter in operation.get("parameters", [])]
    body = operation.get("requestBody")
    if body:
        schema = body["content"]["application/json"]["schema"]
        parameters.append({"name": "item", "in": "body", "required": True, "schema": schema})
    kept = {name: value for name, value in operation.items() if name != "requestBody"}
    return {**kept, "responses": answers, "parameters": parameters}


def _flat(parameter: Api) -> Api:
    flat: Api = {name: value for name, value in parameter.items() if name != "schema"}
    flat.update(parameter.get("schema", {}))
    return flat


def _relocated(value: Any) -> Any:
    """References of OpenAPI 3 turned into those of Swagger 2."""
    if isinstance(value, dict):
        return {name: _relocated(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_relocated(inner) for inner in value]
    if isinstance(value, str) and value.startswith("#/components/"):
        return value.replace(REF, "#/definitions/").replace("#/components/", "#/")
    return value
