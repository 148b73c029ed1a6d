import json
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from consent.canonical import canonical_json
from consent.entry import (
    CHANGES,
    ChangeEntry,
    DisclosureEntry,
    Emergency,
    EntryKind,
    fingerprint,
    instant_text,
    read_entry,
    record_of,
)
from consent.vocabulary import Basis, Obligation, Reason
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.regime import Regime
from tests.consent.family import NOON, directive

EMERGENCY = Emergency(
    threat_statement="allergic shock",
    affected_person="the child",
    personnel="nurse 2",
    affiliation="harbor-clinic",
)


def disclosure(**changes: Any) -> DisclosureEntry:
    fields: dict[str, Any] = {
        "kind": EntryKind.DISCLOSURE,
        "at": NOON,
        "child_tag": "0f" * 16,
        "disclosers": ("marlow-schools",),
        "requester": "harbor-clinic/ehr",
        "recipient": "harbor-clinic",
        "recipient_address": "https://ehr.harbor-clinic.example/fhir",
        "purpose": "COC",
        "basis": Basis.CONSENT,
        "parts": (Part.PLAN,),
        "directive_ids": (UUID(int=2), UUID(int=1), UUID(int=2)),
        "regimes": (Regime.EDU,),
        "categories": (Category.SCHOOL, Category.IDENTITY),
        "description": "success plan",
        "payload_sha256": "ab" * 32,
        "notices": ("ferpa-99.33",),
        "obligations": (Obligation.NO_REDISCLOSURE,),
        "valid_until": NOON + timedelta(days=200),
        "decision_id": UUID(int=3),
        "rules_version": "cd" * 32,
        "child_epoch": 7,
        "agreement_epoch": 3,
        "attempt_id": UUID(int=4),
    }
    return DisclosureEntry(**fields | changes)


def change(**changes: Any) -> ChangeEntry:
    fields: dict[str, Any] = {
        "kind": EntryKind.DIRECTIVE_ENDED,
        "at": NOON,
        "child_tag": "0f" * 16,
        "actor": "guardian",
        "subject": UUID(int=1),
        "subject_sha256": "ab" * 32,
        "epoch": 8,
    }
    return ChangeEntry(**fields | changes)


@pytest.mark.parametrize(
    "entry",
    [
        disclosure(),
        disclosure(
            kind=EntryKind.DENIAL,
            payload_sha256=None,
            categories=(),
            reasons={Category.SCHOOL: Reason.NO_GRANT},
        ),
        disclosure(kind=EntryKind.BREAK_GLASS, emergency=EMERGENCY),
        change(),
        change(kind=EntryKind.AGREEMENT_CHANGED, child_tag=None),
    ],
)
def test_an_entry_reads_back_from_its_canonical_record(entry):
    assert read_entry(canonical_json(record_of(entry))) == entry


def test_the_order_in_which_facts_were_collected_does_not_show():
    entry = disclosure()
    assert entry.directive_ids == (UUID(int=1), UUID(int=2))
    assert entry.categories == (Category.IDENTITY, Category.SCHOOL)
    assert record_of(entry) == record_of(disclosure(directive_ids=(UUID(int=1), UUID(int=2))))


def test_an_instant_has_one_spelling_whatever_the_zone_it_came_in():
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-5)))
    assert instant_text(elsewhere) == instant_text(NOON) == "2026-11-22T17:00:00.000000Z"
    assert record_of(disclosure(at=elsewhere)) == record_of(disclosure())


def test_which_fields_are_filled_does_not_show_in_their_number():
    empty = disclosure(
        kind=EntryKind.DENIAL, payload_sha256=None, categories=(), notices=(), valid_until=None
    )
    assert record_of(empty).keys() == record_of(disclosure()).keys() == DisclosureEntry.model_fields.keys()


@pytest.mark.parametrize(
    "changes",
    [
        {"payload_sha256": None},
        {"categories": ()},
        {"kind": EntryKind.BREAK_GLASS},
        {"emergency": EMERGENCY},
        {"kind": EntryKind.DIRECTIVE_GIVEN},
        {"at": datetime(2026, 11, 22)},  # noqa: DTZ001 - an instant without a zone is the point
        {"child_tag": "child 7"},
        {"payload_sha256": "AB" * 32},
        {"surprise": 1},
    ],
)
def test_a_disclosure_that_lacks_what_its_kind_must_state_cannot_be_written(changes):
    with pytest.raises(ValidationError):
        disclosure(**changes)


def test_an_emergency_states_the_threat_and_the_parties():
    with pytest.raises(ValidationError):
        Emergency(threat_statement="", affected_person="x", personnel="y", affiliation="z")


@pytest.mark.parametrize("changes", [{"kind": EntryKind.DISCLOSURE}, {"child_tag": None}])
def test_a_change_is_of_a_kind_that_changes_and_names_its_child(changes):
    with pytest.raises(ValidationError):
        change(**changes)


def test_every_kind_is_either_a_flow_or_a_change():
    assert len(CHANGES) == 12
    assert set(EntryKind) - CHANGES == {
        EntryKind.REQUEST, EntryKind.DISCLOSURE, EntryKind.DENIAL, EntryKind.BREAK_GLASS, EntryKind.RECALL,
        EntryKind.READ, EntryKind.WITHHELD, EntryKind.NOT_SENT, EntryKind.ACKNOWLEDGED,
    }  # fmt: skip


def test_a_fingerprint_is_of_the_content_and_not_of_the_order_of_sets():
    one = directive(categories=frozenset({Category.SCHOOL, Category.HEALTH}))
    other = directive(categories=frozenset({Category.HEALTH, Category.SCHOOL}))
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one) != fingerprint(directive(categories=frozenset({Category.SCHOOL})))
    moved = one.model_copy(update={"valid_from": one.valid_from.astimezone(timezone(timedelta(hours=9)))})
    assert fingerprint(moved) == fingerprint(one)
    assert json.loads(canonical_json(record_of(change(subject_sha256=fingerprint(one)))))["at"].endswith("Z")
