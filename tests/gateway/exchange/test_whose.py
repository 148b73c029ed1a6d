"""Whose a record is: nobody is matched unasked, nothing flows while a person has not said, what was said stays said."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from consent.vocabulary import Reason
from gateway.exchange import review
from gateway.exchange.context import Hub, identifier_base
from gateway.exchange.disclosure import Refused
from gateway.exchange.intake import take_in
from gateway.exchange.release import release
from gateway.exchange.review import Decided, ReviewRefusal, Verdict, decide, unlink
from gateway.exchange.tally import Tally
from gateway.store import people, referrals
from gateway.store.referrals import ReferralRow
from mappings.record.category import Category
from mappings.record.referral import ReferralConsent, ReferralState
from tests.gateway.exchange.feeds import add_connection, document, full, partial
from tests.gateway.family import Family, add_agency

BORN = "2015-03-04"


def surname() -> str:
    """A name no other test's child has."""
    return "Brook" + "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex[:10])


def student(number: str, name: str, given: str = "Ana", born: str = BORN):
    body = {
        "id": f"s{number}",
        "studentUniqueId": number,
        "firstName": given,
        "lastSurname": name,
        "birthDate": born,
    }
    return document("ed-fi/students", f"s{number}", body)


def patient(key: str, name: str, given: str = "Ana", born: str = BORN, number: tuple[str, str] | None = None):
    body: dict[str, Any] = {
        "resourceType": "Patient",
        "id": key,
        "name": [{"use": "official", "family": name, "given": [given]}],
        "birthDate": born,
    }
    if number is not None:
        assigner, value = number
        body["identifier"] = [
            {
                "type": {"coding": [{"system": "urn:number-kinds", "code": "student"}]},
                "system": "urn:student",
                "value": value,
                "assigner": {"display": assigner},
            }
        ]
    return document("Patient", key, body)


class Place:
    """A district that says who exists, and a clinic that does not."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.district, self.clinic = add_agency(hub), add_agency(hub, programme=Category.HEALTH)
        systems = {"urn:student": "student-unique-id"}
        self.edfi = add_connection(hub, self.district, "edfi", roster=True)
        self.fhir = add_connection(hub, self.clinic, "fhir", config={"identifier_systems": systems})
        self.name = surname()
        self.number = str(uuid4().int % 10**9)
        take_in(hub, self.edfi, full(student(self.number, self.name)))
        self.child = self.rows("SELECT sealed_for FROM source_identity WHERE connection = :it", self.edfi)[0][
            0
        ]

    def rows(self, statement: str, it: object) -> list[Any]:
        with self.hub.db.transaction() as conn:
            return list(conn.execute(text(statement), {"it": it}))

    def asked_about(self, child: UUID) -> None:
        """A referral of the child from the district to the clinic exists."""
        at = self.hub.clock()
        row = ReferralRow(
            referral_id=uuid4(),
            child_id=child,
            assertion_id=uuid4(),
            from_org=self.district,
            to_org=self.clinic,
            category=Category.SCHOOL,
            state=ReferralState.AWAITING_CONSENT,
            outcome=None,
            consent_state=ReferralConsent.NOT_ASKED,
            revision=1,
            sent_at=None,
            accepted_at=None,
            closed_at=None,
            family_informed_at=None,
            created_at=at,
            updated_at=at,
        )
        with self.hub.db.transaction() as conn:
            referrals.add_referral(conn, row)

    def brings(self, *patients: Any, wholly: bool = True) -> Tally:
        return take_in(self.hub, self.fhir, (full if wholly else partial)(*patients))

    def waiting(self) -> list[Any]:
        """The open reviews of what the clinic brought."""
        return self.rows(
            "SELECT r.review_id, r.source_identity_id, r.candidates, r.rule FROM review_item r "
            "JOIN source_identity s USING (source_identity_id) WHERE s.connection = :it AND r.state = 'open'",
            self.fhir,
        )

    def facts(self, child: UUID, status: str = "current") -> int:
        """Facts of the child the clinic brought."""
        return len(
            self.rows(
                "SELECT a.assertion_id FROM assertion a JOIN source_identity s USING (source_identity_id) "
                f"WHERE s.org = '{self.clinic}' AND a.status = '{status}' AND a.child_id = :it",
                child,
            )
        )


@pytest.fixture
def place(hub) -> Place:
    return Place(hub)


@pytest.fixture
def unsure(place: Place) -> Place:
    """The clinic brought a child of the same name and birth date, without a number in common."""
    place.asked_about(place.child)
    place.brings(patient("p1", place.name))
    return place


def test_a_clinics_patient_nobody_asked_about_leaves_nothing(place):
    tally = place.brings(patient("p1", place.name, number=(place.district, place.number)))
    assert (tally.of("Patient").read, tally.of("Patient").aside) == (1, 1)
    for table in ("source_identity", "source_document"):
        assert place.rows(f"SELECT 1 FROM {table} WHERE connection = :it", place.fhir) == []


def test_the_same_number_name_and_birth_date_are_the_same_child(place):
    place.asked_about(place.child)
    tally = place.brings(patient("p1", place.name, number=(place.district, place.number)))
    assert (tally.identities_linked, tally.identities_in_review) == (1, 0)
    assert place.facts(place.child) > 0


@pytest.mark.parametrize(
    ("given", "born", "numbered"),
    [("Ana", BORN, False), ("Mia", BORN, True), ("Ana", "2015-03-05", True)],
    ids=["no number", "another name under the number", "another birth date under the number"],
)
def test_anything_less_than_certain_is_for_a_person(place, given, born, numbered):
    place.asked_about(place.child)
    number = (place.district, place.number) if numbered else None
    tally = place.brings(patient("p1", place.name, given, born, number))
    assert (tally.identities_linked, tally.identities_in_review) == (0, 1)
    assert [row.candidates for row in place.waiting()] == [[place.child]]
    assert place.facts(place.child) == 0


def test_nothing_that_waits_for_a_person_is_released(hub, unsure):
    (provisional,) = unsure.rows(
        "SELECT sealed_for FROM source_identity WHERE connection = :it", unsure.fhir
    )[0]
    assert unsure.rows("SELECT 1 FROM assertion WHERE child_id = :it", provisional) == []
    family = Family(hub)
    other = add_agency(hub)
    answer = release(hub, family.request(other, Category.IDENTITY, children=(provisional,)))
    assert isinstance(answer, Refused)
    assert set(answer.reasons.values()) <= set(Reason)


def test_a_link_brings_what_waited_and_what_comes_later(hub, unsure):
    (review_id, _, candidates, _) = unsure.waiting()[0]
    done = decide(hub, review_id, Verdict.LINK, by="Ines Vale", child=candidates[0])
    assert isinstance(done, Decided)
    assert (done.child_id, done.facts) == (unsure.child, unsure.facts(unsure.child))
    assert done.facts > 0
    tally = unsure.brings(patient("p1", unsure.name))
    assert tally.changed_nothing
    unsure.brings(patient("p1", unsure.name, born="2015-03-05"))
    assert unsure.facts(unsure.child, "superseded") == 1
    assert decide(hub, review_id, Verdict.NEW_CHILD, by="Ines Vale") is ReviewRefusal.DECIDED


def test_a_child_of_its_own_is_matched_like_any_other(hub, unsure):
    done = decide(hub, unsure.waiting()[0].review_id, Verdict.NEW_CHILD, by="Ines Vale")
    assert isinstance(done, Decided)
    assert done.child_id not in (None, unsure.child)
    assert unsure.facts(done.child_id) == done.facts > 0
    assert unsure.facts(unsure.child) == 0


def test_not_the_same_is_kept_even_when_the_signs_become_certain(hub, unsure):
    review_id = unsure.waiting()[0].review_id
    done = decide(hub, review_id, Verdict.NOT_THE_SAME, by="Ines Vale", child=unsure.child)
    assert done == Decided(done.source_identity_id, None)
    tally = unsure.brings(patient("p1", unsure.name, number=(unsure.district, unsure.number)))
    assert tally.settled == 0
    assert unsure.facts(unsure.child) == 0
    assert [row.candidates for row in unsure.waiting()] == [[]]


def test_a_number_that_comes_later_settles_a_review(unsure):
    tally = unsure.brings(patient("p1", unsure.name, number=(unsure.district, unsure.number)))
    assert tally.settled == 1
    assert unsure.waiting() == []
    assert unsure.facts(unsure.child) > 0


def test_a_link_taken_back_takes_its_facts_back_and_is_not_made_again(hub, unsure):
    decide(hub, unsure.waiting()[0].review_id, Verdict.LINK, by="Ines Vale", child=unsure.child)
    brought = unsure.facts(unsure.child)
    (identity,) = unsure.rows(
        "SELECT source_identity_id FROM source_identity WHERE connection = :it", unsure.fhir
    )[0]
    taken = unlink(hub, identity, by="Ines Vale")
    assert taken == Decided(identity, None, brought)
    assert unsure.facts(unsure.child) == 0
    assert unsure.facts(unsure.child, "retracted") == brought
    tally = unsure.brings(patient("p1", unsure.name, number=(unsure.district, unsure.number)))
    assert tally.settled == 0
    assert unsure.facts(unsure.child) == 0
    assert unlink(hub, identity, by="Ines Vale") is ReviewRefusal.NOT_LINKED
    (left,) = unsure.waiting()
    done = decide(hub, left.review_id, Verdict.NEW_CHILD, by="Ines Vale")
    assert isinstance(done, Decided)
    assert done.child_id != unsure.child
    assert done.facts == brought + 1, "the number came while it waited"


def test_only_candidates_can_be_linked(hub, unsure):
    review_id = unsure.waiting()[0].review_id
    refused = decide(hub, review_id, Verdict.LINK, by="Ines Vale", child=Family(hub).child)
    assert refused is ReviewRefusal.NOT_A_CANDIDATE
    assert decide(hub, uuid4(), Verdict.NEW_CHILD, by="Ines Vale") is ReviewRefusal.NO_REVIEW


def test_what_waits_for_a_destroyed_key_cannot_be_linked_and_harms_nobody(hub, unsure):
    (review_id, identity, *_) = unsure.waiting()[0]
    (own,) = unsure.rows("SELECT sealed_for FROM source_identity WHERE connection = :it", unsure.fhir)[0]
    hub.keys.destroy(own)
    assert review.reconsider(hub, [identity]) == 0
    refused = decide(hub, review_id, Verdict.LINK, by="Ines Vale", child=unsure.child)
    assert refused is ReviewRefusal.ERASED
    assert unsure.facts(unsure.child) == 0


def test_twins_with_numbers_of_their_own_are_two_children(hub):
    edfi = add_connection(hub, add_agency(hub), "edfi", roster=True)
    name, first, second = surname(), str(uuid4().int % 10**9), str(uuid4().int % 10**9)
    tally = take_in(hub, edfi, full(student(first, name, "Ana Maria"), student(second, name, "Ana")))
    assert (tally.children_new, tally.identities_in_review) == (2, 0)


def reference(place: Place, child: UUID) -> dict[str, str]:
    """The reference the clinic was given, as it stands on its own record of the child."""
    with place.hub.db.transaction() as conn:
        secret = place.hub.keys.deployment_secret(people.SECRET)
        people.add_references(conn, secret, place.clinic, [child])
    value = people.reference(secret, place.clinic, child)
    return {"system": f"{identifier_base(place.hub.settings.base_url)}/child", "value": value}


def carrying(ours: dict[str, str], *more: dict[str, Any], name: str, given: str = "Ana"):
    one = patient("p1", name, given)
    body = dict(one.body)
    body["identifier"] = [ours, *more]
    return document("Patient", "p1", body)


RECORD_NUMBER = {"system": "urn:clinic:mrn", "value": "77"}


def test_the_hubs_own_reference_on_an_agencys_record_is_certain(place):
    place.asked_about(place.child)
    tally = place.brings(carrying(reference(place, place.child), RECORD_NUMBER, name=place.name))
    assert (tally.identities_linked, tally.identities_in_review) == (1, 0)
    assert place.facts(place.child) > 0


def test_the_hubs_own_reference_on_somebody_else_is_for_a_person(place):
    place.asked_about(place.child)
    tally = place.brings(carrying(reference(place, place.child), RECORD_NUMBER, name=place.name, given="Mia"))
    assert (tally.identities_linked, tally.identities_in_review) == (0, 1)
    assert place.waiting()[0].rule == "hub-reference-but-name-or-birth-date"


def test_a_record_the_hub_wrote_itself_ties_and_states_nothing(place):
    place.asked_about(place.child)
    tally = place.brings(carrying(reference(place, place.child), name=place.name))
    assert (tally.identities_linked, tally.rejections) == (1, [])
    assert place.facts(place.child) == 0


def test_another_agencys_reference_ties_nobody(place):
    place.asked_about(place.child)
    stolen = reference(place, place.child)
    other = add_connection(place.hub, add_agency(place.hub, programme=Category.HEALTH), "fhir")
    tally = take_in(place.hub, other, full(carrying(stolen, RECORD_NUMBER, name=place.name)))
    assert (tally.identities_linked, tally.identities_in_review) == (0, 0)
