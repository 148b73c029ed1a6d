"""What the tests of the FHIR Bundle share: a destination's context, a referral, and ways into a Bundle."""

from collections.abc import Iterable
from typing import Any

from mappings.fhir.bundle import Context, FhirBundle, ReferralContext, from_view
from mappings.view import ViewedAssertion
from tests.mappings.views import ORGANIZATIONS, view

SYSTEM = "https://hub.larkspur.test/id"
CONTEXT = Context(SYSTEM, ORGANIZATIONS)
PANTRY = ReferralContext("r-pantry", "district", "makers", "ref-71")


def made(
    facts: Iterable[ViewedAssertion],
    *,
    referral: ReferralContext | None = None,
    context: Context = CONTEXT,
    **about: Any,
) -> FhirBundle:
    return from_view(view(facts, **about), context=context, referral=referral)


def resources(bundle: FhirBundle, kind: str) -> list[dict[str, Any]]:
    return [
        entry["resource"] for entry in bundle.bundle["entry"] if entry["resource"]["resourceType"] == kind
    ]


def one(bundle: FhirBundle, kind: str) -> dict[str, Any]:
    (found,) = resources(bundle, kind)
    return found


def entry_of(bundle: FhirBundle, kind: str, value: str) -> dict[str, Any]:
    """The entry of a type under one of our identifiers."""
    return next(
        entry
        for entry in bundle.bundle["entry"]
        if entry["resource"]["resourceType"] == kind
        and any(number["value"] == value for number in entry["resource"].get("identifier", ()))
    )


def security_codes(resource: dict[str, Any]) -> list[str]:
    return [coding["code"] for coding in resource["meta"]["security"]]
