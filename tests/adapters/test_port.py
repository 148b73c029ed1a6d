import ast
import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from adapters.community.folder import FolderDestination
from adapters.community.webhook import WebhookDestination
from adapters.edfi.source import EdfiSource
from adapters.fhir.destination import FhirDestination
from adapters.fhir.source import FhirSource
from adapters.fhir.status import TaskSource
from adapters.port import (
    Cause,
    Delivery,
    Destination,
    Malformed,
    Operation,
    Refused,
    SealBroken,
    Sealed,
    Source,
    SourceDocument,
    Transient,
    Unauthorized,
)
from tests.paths import ROOT

BODY = b'{"name": "Kezia Okonjo"}'
SEALED = Sealed(
    BODY, 9, UUID(int=1), hashlib.sha256(BODY).digest(), datetime(2026, 11, 22, tzinfo=UTC), "release"
)


def test_a_sealed_body_opens_only_if_it_is_the_one_in_the_ledger():
    assert SEALED.unseal() == BODY
    with pytest.raises(SealBroken) as fault:
        dataclasses.replace(SEALED, body=BODY + b" ").unseal()
    assert "Kezia" not in str(fault.value)
    assert "ledger entry 9" in str(fault.value)


def test_nothing_with_content_shows_it():
    document = SourceDocument("students", "a1", "7", Operation.UPSERT, BODY, json.loads(BODY))
    delivery = Delivery(UUID(int=2), BODY, "application/json", subject="pair-Kezia")
    for shown in (repr(SEALED), repr(document), repr(delivery)):
        assert "Kezia" not in shown


@pytest.mark.parametrize("kind", [Transient, Refused, Unauthorized, Malformed])
def test_a_failure_has_no_room_for_text(kind):
    room = {field.name: field.type for field in dataclasses.fields(kind)}
    assert set(room) <= {"cause", "status", "retry_after_s", "codes"}
    assert room["cause"] == "Cause" or room["cause"] is Cause


def test_causes_are_codes():
    assert all(cause.value == cause.name.lower().replace("_", "-") for cause in Cause)


def test_what_is_frozen_stays_so():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SEALED.entry = 10  # type: ignore[misc] # that is what is tested


def test_only_the_gateway_seals():
    outside = [
        path
        for package in ("adapters", "consent", "mappings")
        for path in (ROOT / package).rglob("*.py")
        if any(
            _constructs_sealed(node) for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8")))
        )
    ]
    assert outside == []


def _constructs_sealed(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
    return called == "Sealed"


def shapes(
    edfi: EdfiSource,
    tasks: TaskSource,
    fhir: FhirSource,
    to: FhirDestination,
    hook: WebhookDestination,
    folder: FolderDestination,
) -> tuple[list[Source], list[Destination]]:
    """The type checker proves here that every adapter has the shape the hub expects."""
    return [edfi, tasks, fhir], [to, hook, folder]
