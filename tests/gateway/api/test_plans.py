"""`/v1/children/{ref}/plan`: what an agency's system can do to a plan, and what it is never told."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mappings.record.category import Category
from tests.gateway.family import Family, add_agency

GOAL = {"kind": "goal", "value": {"description": "Read every day", "domain": "academic", "status": "active"}}
INTEREST = {
    "kind": "profile-item",
    "value": {"profile": "interest", "domain": "enrichment", "statement": "Drums"},
}
STRENGTH = {
    "kind": "profile-item",
    "value": {"profile": "strength", "domain": "social-emotional", "statement": "Kind"},
}


@pytest.fixture
def school(hub, system):
    return system(add_agency(hub, programme=Category.SCHOOL))


@pytest.fixture
def club(hub, system):
    return system(add_agency(hub, programme=Category.ACTIVITIES))


def _add(system, ref, *facts, **kwargs):
    return system.call(
        "POST", f"/v1/children/{ref}/plan/contributions", json={"contributions": facts}, **kwargs
    )


def _statements(answer):
    return sorted(
        str(f["value"].get("statement") or f["value"].get("description")) for f in answer.json()["facts"]
    )


def test_an_agency_sees_what_it_stated_and_what_the_family_opened(school, club, family):
    s, c = school.knows(family.child), club.knows(family.child)
    assert _add(school, s, GOAL).status_code == 201
    assert _add(club, c, INTEREST).status_code == 201
    assert _statements(school.call("GET", f"/v1/children/{s}/plan")) == ["Read every day"]
    family.permits(school.org, Category.ACTIVITIES)
    assert _statements(school.call("GET", f"/v1/children/{s}/plan")) == ["Drums", "Read every day"]
    assert _statements(club.call("GET", f"/v1/children/{c}/plan")) == ["Drums"]


def test_no_such_child_another_agencys_reference_and_not_permitted_are_one_answer(school, club, family):
    c = club.knows(family.child)
    answers = [
        school.call("GET", f"/v1/children/{ref}/plan") for ref in ("a" * 26, c, school.knows(family.child))
    ]
    bodies = [{k: v for k, v in a.json().items() if k != "instance"} for a in answers]
    assert [a.status_code for a in answers] == [404] * 3
    assert bodies[0] == bodies[1] == bodies[2]
    assert len({len(a.content) for a in answers}) == 1


def test_the_etag_grows_only_when_the_readers_own_view_changes(school, club, family):
    s, c = school.knows(family.child), club.knows(family.child)
    _add(school, s, GOAL)
    first = school.call("GET", f"/v1/children/{s}/plan").headers["ETag"]
    _add(club, c, INTEREST)
    unchanged = school.call("GET", f"/v1/children/{s}/plan", headers={"If-None-Match": first})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    _add(school, s, STRENGTH)
    changed = school.call("GET", f"/v1/children/{s}/plan", headers={"If-None-Match": first})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')


def test_two_agencies_contributing_at_once_both_stand(school, club, family):
    s, c = school.knows(family.child), club.knows(family.child)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda a: _add(*a), [(school, s, GOAL), (club, c, INTEREST)] * 4))
    assert [d.status_code for d in done] == [201] * 8
    family.permits(school.org, Category.ACTIVITIES)
    assert len(school.call("GET", f"/v1/children/{s}/plan").json()["facts"]) == 8


def test_a_repeated_request_is_done_once_and_answered_alike(school, family):
    ref = school.knows(family.child)
    first, again = (_add(school, ref, GOAL, key="same-key-1") for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(school.call("GET", f"/v1/children/{ref}/plan").json()["facts"]) == 1
    other = _add(school, ref, STRENGTH, key="same-key-1")
    assert (other.status_code, other.json()["type"]) == (422, "urn:planhub:problem:idempotency-key-reused")


def test_a_contribution_that_cannot_be_accepted_is_named_and_does_not_stop_the_others(school, family):
    ref = school.knows(family.child)
    done = _add(
        school,
        ref,
        GOAL,
        {"kind": "goal", "value": {"domain": "academic", "note": "SECRET-WORD"}},
        {"kind": "name", "value": {"family": "X"}},
    )
    assert done.status_code == 201
    assert [one is not None for one in done.json()["ids"]] == [True, False, False]
    assert {i["path"] for i in done.json()["issues"]} >= {
        "contributions.1.value.description",
        "contributions.2.kind",
    }
    assert "SECRET-WORD" not in done.text


def test_a_label_and_a_ticked_topic_make_a_fact_stricter_never_looser(school, club, family):
    ref = school.knows(family.child)
    labelled = GOAL | {"labels": ["PSY"]}
    ticked = GOAL | {"topics": ["discipline"]}
    _add(school, ref, labelled, ticked)
    assert {f["topic"] for f in school.call("GET", f"/v1/children/{ref}/plan").json()["facts"]} == {
        "counseling",
        "discipline",
    }
    family.permits(club.org, Category.SCHOOL)
    assert club.call("GET", f"/v1/children/{club.knows(family.child)}/plan").json()["facts"] == []


def test_a_correction_replaces_only_what_the_same_agency_stated(school, club, family):
    s, c = school.knows(family.child), club.knows(family.child)
    mine = _add(school, s, GOAL).json()["ids"][0]
    family.permits(club.org, Category.SCHOOL)
    seen = club.call("GET", f"/v1/children/{c}/plan").json()["facts"][0]["id"]
    foreign = _add(club, c, GOAL | {"supersedes": seen})
    assert foreign.status_code == 422
    reworded = {"description": "Read with Grandma", "domain": "academic", "status": "active"}
    better = {"kind": "goal", "value": reworded, "supersedes": mine}
    assert _add(school, s, better).status_code == 201
    assert _statements(school.call("GET", f"/v1/children/{s}/plan")) == ["Read with Grandma"]


def test_if_match_guards_only_the_proposal(school, family):
    ref = school.knows(family.child)
    _add(school, ref, GOAL)
    stale = school.call("GET", f"/v1/children/{ref}/plan").headers["ETag"]
    _add(school, ref, STRENGTH)
    path = f"/v1/children/{ref}/plan/proposals"
    assert school.call("POST", path).status_code == 428
    assert school.call("POST", path, headers={"If-Match": stale}).status_code == 412
    now = school.call("GET", f"/v1/children/{ref}/plan").headers["ETag"]
    done = school.call("POST", path, headers={"If-Match": now})
    assert (done.status_code, done.json()) == (201, {"version": 1})


def test_only_the_lead_agency_activates_and_only_a_whole_plan(school, club, family, system):
    s, c = school.knows(family.child), club.knows(family.child)
    _add(school, s, GOAL)
    etag = school.call("GET", f"/v1/children/{s}/plan").headers["ETag"]
    school.call("POST", f"/v1/children/{s}/plan/proposals", headers={"If-Match": etag})
    foreign = club.call("POST", f"/v1/children/{c}/plan/activation", json={"confirm": "active"})
    assert (foreign.status_code, foreign.json()["type"]) == (403, "urn:planhub:problem:not-permitted")
    early = school.call("POST", f"/v1/children/{s}/plan/activation", json={"confirm": "active"})
    assert early.status_code == 409
    assert {k["what"] for k in early.json()["lacks"]} >= {"strength", "interest", "conference", "agreement"}


def test_the_conference_and_the_familys_answer_are_recorded(school, family):
    ref = school.knows(family.child)
    held = school.call(
        "POST", f"/v1/children/{ref}/plan/conferences", json={"date": "2026-11-10", "family_present": "yes"}
    )
    said = school.call(
        "POST", f"/v1/children/{ref}/plan/agreements", json={"speaker": "mother", "agreement": "agree"}
    )
    assert (held.status_code, said.status_code) == (201, 201)
    unanswered = school.call("POST", f"/v1/children/{ref}/plan/agreements", json={"speaker": "mother"})
    assert (unanswered.status_code, unanswered.json()["faults"]) == (
        422,
        [{"path": "body.agreement", "fault": "missing"}],
    )


@pytest.mark.parametrize("scopes", [("plans.read",), ("referrals.write",)])
def test_a_token_opens_only_what_its_scope_names(hub, system, family, scopes):
    from gateway.store.clients import Scope

    narrow = system(add_agency(hub), scopes=[Scope(s) for s in scopes])
    done = _add(narrow, narrow.knows(family.child), GOAL)
    assert (done.status_code, done.json()["type"]) == (403, "urn:planhub:problem:scope")


def test_a_client_taken_off_the_register_is_out_at_once(hub, school, family):
    ref = school.knows(family.child)
    assert _add(school, ref, GOAL).status_code == 201
    with hub.db.transaction() as conn:
        conn.exec_driver_sql(
            "UPDATE api_client SET status = 'retired' WHERE client_id = %s", (school.client_id,)
        )
    assert school.call("GET", f"/v1/children/{ref}/plan").status_code == 401


def test_a_client_with_several_purposes_must_say_which(hub, system, family):
    both = system(add_agency(hub), purposes=("COC", "TREAT"))
    ref = both.knows(family.child)
    assert both.call("GET", f"/v1/children/{ref}/plan").json()["type"] == "urn:planhub:problem:purpose"
    foreign = both.call("GET", f"/v1/children/{ref}/plan", headers={"Purpose-Of-Use": "BTG"})
    assert foreign.json()["type"] == "urn:planhub:problem:purpose"


def test_the_same_assertion_is_taken_once(school):
    assertion = school.assertion()
    assert [school.ask_token(assertion).status_code for _ in range(2)] == [200, 401]


def test_every_answer_forbids_caching_and_carries_its_request_id(school, family):
    done = school.call(
        "GET", f"/v1/children/{school.knows(family.child)}/plan", headers={"X-Request-Id": "abc-12345"}
    )
    assert done.headers["X-Request-Id"] == "abc-12345"
    assert done.headers["Cache-Control"] == "no-store"
    assert done.json()["instance"] == "urn:planhub:request:abc-12345"


def test_a_family_of_another_hub_test_is_not_mixed_in(hub, school, family):
    other = Family(hub)
    _add(school, school.knows(other.child), GOAL)
    assert school.call("GET", f"/v1/children/{school.knows(family.child)}/plan").status_code == 404


def test_a_sources_own_key_of_a_person_never_leaves(hub, school, club, family):
    from mappings.record.kind import Kind

    guardian = {"person_key": "SIS-PERSON-77", "name": {"family": "Rivera"}, "relationship": "mother"}
    family.states(school.org, Category.IDENTITY, part_of=Kind.FAMILY_VOICE)
    fact = family.fact(school.org, Category.IDENTITY).model_copy(
        update={"kind": Kind.GUARDIAN, "value": guardian}
    )
    from gateway.store import records

    with hub.db.transaction() as conn:
        records.append(conn, [records.Fact(family.key, fact)])
    family.permits(club.org, Category.IDENTITY)
    shown = club.call("GET", f"/v1/children/{club.knows(family.child)}/plan")
    assert "Rivera" in shown.text
    assert "SIS-PERSON-77" not in shown.text
