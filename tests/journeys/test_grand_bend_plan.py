"""One child of the Grand Bend district: what a school, a clinic and a programme each say of it stands in one plan version,
and a fourth agency is sent of it what a verified guardian allowed, as resources the official HL7 validator accepts.

The district is served by the sandbox Ed-Fi API from the recorded documents; who the child is, its school and its guardians
are read from there. What the clinic and the programme say is invented.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from adapters.sandbox.edfi import EdFiSandbox
from gateway.exchange.context import Hub
from gateway.store import tables
from gateway.store.engine import open_database
from mappings.fhir.bindings import vocabulary
from mappings.record.kind import Kind
from tests import servers
from tests.gateway.exchange.partners import hasty
from tests.gateway.family import a_hub
from tests.journeys.grand_bend import CLINIC, GOAL, NAVIGATORS, PROGRAMME, SCHOOL, Story, play
from tests.mappings.fhir.hl7_validator import running
from tests.mappings.fhir.test_hl7_validator import BASE, EXCEPTIONS, excepted
from tests.paths import corpus

pytestmark = pytest.mark.corpus

GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"


@pytest.fixture(scope="module")
def district() -> Iterator[EdFiSandbox]:
    with EdFiSandbox.from_jsonl(corpus("school", "edfi-grandbend-ds52")) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def hub(postgres, template, keystore, tmp_path_factory) -> Iterator[Hub]:
    copy = servers.copy_of(postgres.urls, template)
    database = open_database(copy.app, pool_size=8)
    made = a_hub(database, keystore, tmp_path_factory.mktemp("grand-bend"))
    yield hasty(made)
    database.close()
    servers.drop(postgres.urls, copy)


@pytest.fixture(scope="module")
def story(hub, district, tmp_path_factory) -> Story:
    return play(hub, district, tmp_path_factory.mktemp("programme"), tmp_path_factory.mktemp("sheets"))


def _kinds_by_source(story: Story) -> set[tuple[str, str]]:
    a, v = tables.assertion, tables.plan_version
    with story.hub.db.transaction() as conn:
        rows = conn.execute(
            select(a.c.org, a.c.kind)
            .join(v, a.c.assertion_id == func.any(v.c.assertion_ids))
            .where(v.c.plan_version_id == story.version)
        ).all()
    return {(row.org, row.kind) for row in rows}


def test_a_goal_a_need_and_attendance_of_three_agencies_stand_in_one_version_each_with_its_source(story):
    stated = _kinds_by_source(story)
    assert (SCHOOL, Kind.GOAL.value) in stated
    assert (CLINIC, Kind.PROFILE_ITEM.value) in stated
    assert (PROGRAMME, Kind.SERVICE_DELIVERY.value) in stated
    assert {org for org, _ in stated} == {SCHOOL, CLINIC, PROGRAMME}


def _resources(story: Story, kind: str) -> list[dict[str, Any]]:
    return [
        entry["resource"]
        for bundle in story.sent
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == kind
    ]


def test_the_fourth_agency_is_sent_exactly_the_topics_the_mother_allowed(story):
    assert len(story.sent) == 2
    words = json.dumps(story.sent, ensure_ascii=False)
    assert story.student["lastSurname"] in words
    assert [goal["description"]["text"] for goal in _resources(story, "Goal")] == [GOAL]
    assert any("sthma" in json.dumps(one) for one in _resources(story, "Condition"))
    assert len(_resources(story, "Task")) == len(_resources(story, "ServiceRequest")) == 1
    for kept_back in ("Robots", "Robotics", "Looks after new classmates", "2026-11-10", str(story.child)):
        assert kept_back not in words, kept_back
    with story.hub.db.transaction() as conn:
        entry = tables.ledger_entry
        told = conn.execute(
            select(entry.c.kind).where(entry.c.child_id == story.child, entry.c.recipient == NAVIGATORS)
        ).scalars()
        assert list(told).count("disclosure") == 2


def test_what_arrived_says_of_each_fact_which_agency_it_is_from(story):
    plan = story.sent[0]
    held = {entry["fullUrl"]: entry["resource"] for entry in plan["entry"]}
    stated = set()
    for source in _resources(replace(story, sent=[plan]), "Provenance"):
        author = next(
            agent["who"]["reference"]
            for agent in source["agent"]
            if agent["type"]["coding"][0]["code"] == "author"
        )
        stated |= {
            (held[author]["name"], held[target["reference"]]["resourceType"]) for target in source["target"]
        }
    assert (SCHOOL, "Goal") in stated
    assert (CLINIC, "Condition") in stated
    assert (CLINIC, "Goal") not in stated
    assert {name for name, _ in stated} == {SCHOOL, CLINIC}


@pytest.fixture(scope="module")
def errors() -> Iterator[Callable[[dict[str, Any], str], list[Any]]]:
    """The validator's errors beyond the committed list."""
    with running() as validator:
        yield lambda resource, profile: [
            one for one in validator.errors(resource, profile) if not excepted(one)
        ]


@pytest.mark.peer
@pytest.mark.needs("npm", "java")
@pytest.mark.xdist_group("hl7-validator")
def test_what_arrived_is_valid_r4_us_core_and_gravity_but_for_missing_terminology(story, errors):
    wrong, claimed = [], set()
    for bundle in story.sent:
        wrong += errors(bundle, f"{BASE}Bundle")
    arrived = [entry["resource"] for bundle in story.sent for entry in bundle["entry"]]
    for resource in [*arrived, *story.kept]:
        profiles = resource["meta"].get("profile", [])
        claimed |= set(profiles)
        for profile in (BASE + resource["resourceType"], *profiles):
            wrong += [(profile, one) for one in errors(resource, profile)]
    assert wrong == []
    assert {one.partition("|")[0] for one in claimed} >= {
        f"{US_CORE}us-core-patient",
        f"{US_CORE}us-core-goal",
        f"{GRAVITY}SDOHCC-TaskForReferralManagement",
        f"{GRAVITY}SDOHCC-ServiceRequest",
    }
    assert all(row["system"] in vocabulary() for row in EXCEPTIONS)
