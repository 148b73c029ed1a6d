"""The API's shape: what is committed is what is served, every route names its scope, no input leaves a decision out."""

import json

import pytest
from fastapi.routing import APIRoute

from gateway.api import asks, changes, children, emergencies, health, plans, recalls, referrals
from gateway.api.document import openapi
from gateway.exchange.disclosure import ReleaseRequest
from gateway.settings import Settings
from gateway.store.clients import Scope
from tests.paths import ROOT

OPEN = {"/health", "/v1/openapi.json"}
ROUTES = [
    r
    for module in (plans, referrals, recalls, asks, children, emergencies, changes, health)
    for r in module.routes.routes
    if isinstance(r, APIRoute)
]


def test_every_served_path_is_one_of_these_routes():
    assert set(openapi()["paths"]) == {route.path for route in ROUTES}


def test_the_committed_document_equals_the_served_one():
    assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == openapi()
    assert openapi()["openapi"].startswith("3.1")


def _dependencies(dependant):
    for one in dependant.dependencies:
        yield one.call
        yield from _dependencies(one)


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.path not in OPEN], ids=lambda r: f"{next(iter(r.methods))} {r.path}"
)
def test_every_route_names_the_scope_it_needs(route):
    scopes = [
        c.__dict__["scope"] for c in _dependencies(route.dependant) if "scope" in getattr(c, "__dict__", {})
    ]
    assert len(scopes) == 1
    assert scopes[0] in set(Scope)


@pytest.mark.parametrize(
    "route",
    [
        r
        for r in ROUTES
        if "POST" in (r.methods or ()) and "lookup" not in r.path and "acknowledgements" not in r.path
    ],
    ids=lambda r: r.path,
)
def test_every_write_takes_an_idempotency_key(route):
    assert "Idempotency-Key" in {p.alias for p in route.dependant.header_params}


def test_nothing_a_caller_or_operator_can_set_leaves_a_decision_out():
    words = ("skip", "bypass", "nocheck", "unsafe", "disable", "force", "debug_consent", "trust")
    inputs = {p.alias for r in ROUTES for p in (*r.dependant.header_params, *r.dependant.query_params)}
    names = inputs | set(Settings.model_fields) | set(ReleaseRequest.__dataclass_fields__)
    assert not [n for n in names if any(w in n.lower() for w in words) or ("consent" in n.lower())]
