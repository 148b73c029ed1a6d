"""What is not in a view leaves no trace in anything made from it: canaries in every field, every link and every name.

The database and the projection keep facts out of a view; these tests hold the maps to their part: what they add around a
view's facts (organisations, references, narrative, labels) says nothing about what was left out.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.community import worklist_out
from mappings.community.worklist_out import SheetReferral
from mappings.fhir.bundle import Context, ReferralContext
from mappings.fhir.bundle import from_view as fhir_from_view
from mappings.organization import Organization, Organizations
from mappings.record.base import Record
from mappings.record.category import Category
from mappings.record.kind import MODEL, Kind
from mappings.view import RecordView, ViewedAssertion
from mappings.webhook.event import Envelope, EventType
from mappings.webhook.event import from_view as event_from_view
from tests.mappings.child import whole_child
from tests.mappings.views import AT, ORGANIZATIONS, fact, view, without

SYSTEM = "https://hub.larkspur.test/id"
EVERY_CATEGORY = pytest.mark.parametrize("category", Category)


def everything_made_from(
    seen: RecordView, organizations: Organizations = ORGANIZATIONS
) -> Mapping[str, bytes]:
    """The bytes each outbound map makes of a view, by format."""
    referral = ReferralContext("r-pantry", "district", "makers", "ref-71")
    bundle = fhir_from_view(seen, context=Context(SYSTEM, organizations), referral=referral)
    rows = [SheetReferral("r-pantry", "ref-71", "district")]
    sheet = worklist_out.from_view(seen, organizations=organizations, referrals=rows)
    envelope = Envelope("d-1", SYSTEM, EventType.PLAN_CHANGED, AT)
    event = event_from_view(seen, envelope, organizations=organizations)
    return {"fhir": bundle.content, "worklist": sheet.content, "webhook": event.content}


def canary_value(kind: Kind, mark: str) -> dict[str, Any]:
    """A value of the kind with every field filled, each text with a canary of its own."""
    return _filled(MODEL[kind], mark)


def _filled(model: type[Record], mark: str) -> dict[str, Any]:
    return {
        name: _field(info.annotation, f"{mark}{name.replace('_', '')}")
        for name, info in model.model_fields.items()
    }


def _field(annotation: Any, mark: str) -> Any:
    options = [one for one in get_args(annotation) if one not in (type(None), ...)]
    if get_origin(annotation) is tuple:
        return [_field(options[0], mark)]
    if options:
        return _field(options[0], mark)
    if issubclass(annotation, Record):
        return _filled(annotation, mark)
    if issubclass(annotation, StrEnum):
        return next(iter(annotation))
    simple: dict[type, Any] = {bool: False, int: 7, Decimal: "3", date: "2020-02-02"}
    if annotation in simple:
        return simple[annotation]
    return "2020-02-02T12:00:00Z" if annotation is not str else mark


def canary_facts(category: Category) -> tuple[ViewedAssertion, ...]:
    """A fact of every kind in the category, stated by an agency whose programme has that topic."""
    return tuple(
        fact(
            f"zq{kind.value}id",
            kind,
            category,
            canary_value(kind, f"zq{kind.value.replace('-', '')}"),
            org="zqorgkey",
        )
        for kind in Kind
    )


def with_canary_agency(category: Category) -> Organizations:
    agency = Organization("zqorgkey", "Zqorg House", category)
    return replace(ORGANIZATIONS, by_key={**ORGANIZATIONS.by_key, agency.key: agency})


def naming_the_agency(category: Category) -> tuple[ViewedAssertion, ...]:
    """Facts in another topic that name the agency of the hidden one, in every way a fact can name an agency."""
    shown = Category.SCHOOL if category is not Category.SCHOOL else Category.HOME
    return (
        fact("a", Kind.GOAL, shown, {"description": "Reads", "domain": "academic"}, org="zqorgkey", links=()),
        fact("b", Kind.IDENTIFIER, shown, {"system": "Zqorg House", "assigner": "district", "value": "zq-1"}),
        fact("c", Kind.IDENTIFIER, shown, {"system": "State", "assigner": "zqorgkey", "value": "zq-2"}),
        fact("d", Kind.SUPPORT, shown, {"name": "Ride", "domain": "family", "provider": "ZQORG HOUSE "}),
        fact(
            "e",
            Kind.CARE_TEAM_MEMBER,
            shown,
            {"name": "zqmember", "role": {"code": "aide"}, "organization": "zqorgkey"},
        ),
    )


def traces(content: bytes) -> bool:
    """Whether a canary shows, plainly or in the encodings a copy could hide in."""
    text = content.decode("utf-8-sig").casefold()
    encoded = base64.b64encode(b"zqorg")[:-2].decode().casefold()
    return "zq" in text or encoded in text


@EVERY_CATEGORY
def test_canaries_in_every_field_of_a_category_show_nowhere_once_a_projection_has_left_it_out(category):
    shown = without(whole_child(), category)
    agency_named = naming_the_agency(category)
    linked = tuple(replace(item, links=(*item.links, "zqgoalid", "zqprofile-itemid")) for item in shown)
    facts = without((*linked, *agency_named, *canary_facts(category)), category)
    for name, content in everything_made_from(view(facts), with_canary_agency(category)).items():
        assert not traces(content), name


@EVERY_CATEGORY
def test_what_is_made_of_the_view_is_the_same_whether_the_hidden_facts_exist_or_not(category):
    never_there = everything_made_from(view(without(whole_child(), category)))
    left_out = everything_made_from(view(without((*whole_child(), *canary_facts(category)), category)))
    assert never_there == left_out


@EVERY_CATEGORY
def test_the_canaries_would_show_if_the_category_were_in_the_view(category):
    facts = (*whole_child(), *naming_the_agency(category), *canary_facts(category))
    organizations = with_canary_agency(category)
    for name, content in everything_made_from(view(facts), organizations).items():
        if name != "worklist":  # a sheet shows one referral, and the canaries' is not the one asked for
            assert traces(content), name
    sheet = worklist_out.from_view(
        view(canary_facts(category)), organizations=organizations,
        referrals=[SheetReferral("zqreferralid", "ref-71", "zqorgkey")],
    )  # fmt: skip
    assert traces(sheet.content)


def test_in_an_event_every_text_of_every_kind_shows_that_is_not_a_sources_own_key():
    facts = canary_facts(Category.SCHOOL)
    data = json.loads(everything_made_from(view(facts), with_canary_agency(Category.SCHOOL))["webhook"])[
        "data"
    ]
    shown = {item["kind"] for item in data["facts"]}
    assert shown == {str(kind) for kind in Kind} - {"equity-attribute"}  # not shareable, so it stays
    text = json.dumps(data)
    assert "personkey" not in text
    assert "servicekey" not in text


@settings(max_examples=40, deadline=None)
@given(st.frozensets(st.sampled_from(sorted(item.id for item in whole_child()))))
def test_of_any_part_of_a_record_nothing_of_the_rest_shows(kept):
    facts = [item for item in whole_child() if item.id in kept]
    part = tuple(replace(item, links=tuple(link for link in item.links if link in kept)) for item in facts)
    hidden = [item for item in whole_child() if item.id not in kept]
    for name, content in everything_made_from(view(part)).items():
        text = content.decode("utf-8-sig")
        for item in hidden:
            assert item.id not in text, (name, item.id)
            for statement in ("statement", "description", "reason"):
                said = item.value.get(statement)
                assert said is None or said not in text, (name, item.id)


@settings(max_examples=40, deadline=None)
@given(st.frozensets(st.sampled_from(sorted(item.id for item in whole_child()))))
def test_what_a_map_says_it_used_is_in_the_view_and_its_categories_are_those_of_what_it_used(kept):
    part = tuple(
        replace(item, links=tuple(link for link in item.links if link in kept))
        for item in whole_child()
        if item.id in kept
    )
    topics = {item.id: item.category for item in part}
    bundle = fhir_from_view(view(part), context=Context(SYSTEM, ORGANIZATIONS))
    envelope = Envelope("d-1", SYSTEM, EventType.PLAN_CHANGED, AT)
    event = event_from_view(view(part), envelope, organizations=ORGANIZATIONS)
    for used, categories in (
        (bundle.assertion_ids, bundle.categories),
        (event.assertion_ids, event.categories),
    ):
        assert used <= topics.keys()
        assert categories == {topics[use] for use in used}
