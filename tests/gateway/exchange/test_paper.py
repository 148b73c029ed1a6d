"""A signed form is recorded once, under the name of whoever attests it, and opens what was waiting for it."""

import threading
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import pytest

from consent.guardian import Authority, GuardianKind
from consent.vocabulary import STATEMENTS, Purpose, Reason
from gateway.exchange import inquiry, paper, refer
from gateway.exchange.paper import NotTaken, PaperForm, Verification
from gateway.exchange.permission import Changed, end_guardian
from gateway.exchange.refer import Submitted
from gateway.store import outbox
from gateway.store.deliverystate import DeliveryState
from gateway.store.outbox import Settled
from gateway.store.pipeline import batch
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.referral import Referral
from mappings.record.regime import Regime
from tests.gateway.exchange.partners import subscribe
from tests.gateway.family import SOON, Family, add_agency, now


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


def form_of(family: Family, agency: str, *topics: Category) -> PaperForm:
    return PaperForm(
        child_id=family.child,
        guardian_link=family.link,
        recipient=agency,
        topics=frozenset(topics or (Category.SCHOOL,)),
        purposes=frozenset({Purpose.CARE_COORDINATION}),
        until=now() + SOON,
        signed_at=now() - timedelta(hours=1),
        notice=("family-form", "3", "en"),
        form_sha256=sha256(uuid4().bytes).hexdigest(),
        regimes=frozenset(Regime),
        states=STATEMENTS,
        attested_by="Ines Vale",
    )


def test_a_form_is_known_by_what_it_says_and_to_whom(family, clinic):
    form = form_of(family, clinic)
    assert form.directive_id() == replace(form, until=form.until + SOON, attested_by="Tom").directive_id()
    others = [
        replace(form, recipient="another"),
        replace(form, topics=frozenset({Category.HEALTH})),
        replace(form, purposes=frozenset({Purpose.TREATMENT})),
        replace(form, form_sha256="0" * 64),
        replace(form, child_id=uuid4()),
        replace(form, guardian_link=family.other_link),
    ]
    ids = [one.directive_id() for one in (form, *others)]
    assert len(set(ids)) == len(ids)
    assert {one.version for one in ids} == {8}


def test_typed_in_by_two_people_at_once_it_is_recorded_once(hub, family, clinic):
    form = form_of(family, clinic)
    done: list[Changed | NotTaken] = []
    together = threading.Barrier(2)

    def typed() -> None:
        together.wait(timeout=10)
        done.append(paper.record(hub, form))

    threads = [threading.Thread(target=typed) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(type(one).__name__ for one in done) == ["Changed", "NotTaken"]
    assert NotTaken.ALREADY in done


def test_nothing_is_opened_backwards(hub, family, clinic):
    form = replace(form_of(family, clinic), signed_at=now() - timedelta(days=20))
    before = now()
    assert isinstance(paper.record(hub, form), Changed)
    with hub.db.transaction() as connection:
        (said,) = inquiry.said(connection, family.child)
    assert before <= said.valid_from <= now()


def test_what_waited_for_the_familys_yes_is_queued_again(hub, family, clinic):
    school = add_agency(hub)
    subscribe(hub, clinic, parts=(Part.REFERRAL,))
    stated = {
        "service": {"code": "tutoring"},
        "domain": "academic",
        "reason": "r",
        "requested_on": "2026-11-01",
    }
    asked = Referral.model_validate(stated)
    submitted = refer.submit(hub, school, family.child, clinic, asked)
    assert isinstance(submitted, Submitted)
    with hub.db.transaction() as connection:
        refer.mark_withheld(connection, submitted.referral_id, now())
        ended = Settled(submitted.delivery_id, DeliveryState.WITHHELD, now(), reason="no-grant")
        with batch(connection) as statements:
            outbox.settle(statements, ended)
    assert isinstance(paper.record(hub, form_of(family, clinic)), Changed)
    with hub.db.transaction() as connection:
        queued = outbox.list_deliveries(connection, states=[DeliveryState.PENDING], child_id=family.child)
    assert [(one["subject_id"], one["recipient"]) for one in queued] == [(submitted.referral_id, clinic)]


def test_a_topic_the_papers_leave_out_cannot_be_signed_for(hub, family, clinic):
    found = Verification(
        child_id=family.child,
        guardian_link=family.link,
        kind=None,
        authority=Authority.VERIFIED,
        evidence_id=uuid4(),
        verified_by="Ines Vale",
        restricted={Category.HEALTH},
    )
    assert isinstance(paper.verify(hub, found), Changed)
    assert paper.record(hub, form_of(family, clinic, Category.HEALTH)) is NotTaken.NO_AUTHORITY
    assert isinstance(paper.record(hub, form_of(family, clinic, Category.SCHOOL)), Changed)


def test_a_second_look_at_the_papers_leaves_open_what_the_guardian_has_signed(hub, family, clinic):
    found = Verification(
        child_id=family.child,
        guardian_link=family.link,
        kind=None,
        authority=Authority.VERIFIED,
        evidence_id=uuid4(),
        verified_by="Ines Vale",
    )
    family.permits(clinic)
    assert isinstance(paper.verify(hub, found), Changed)
    answer = inquiry.check(hub, family.child, clinic, [Category.SCHOOL], Purpose.CARE_COORDINATION)
    assert answer.allowed


def test_a_link_keeps_the_relation_it_says(hub, family):
    found = Verification(
        child_id=family.child,
        guardian_link=family.link,
        kind=None,
        authority=Authority.VERIFIED,
        evidence_id=uuid4(),
        verified_by="Ines Vale",
    )
    assert isinstance(paper.verify(hub, found), Changed)
    other = replace(found, guardian_link=family.other_link, kind=GuardianKind.FOSTER_PARENT)
    assert paper.verify(hub, other) is NotTaken.OTHER_KIND
    fresh = paper.verify(hub, replace(other, guardian_link=None))
    assert isinstance(fresh, Changed)
    with hub.db.transaction() as connection:
        kinds = {one.guardian_link_id: one.kind for one in inquiry.guardians(connection, family.child)}
    assert kinds == {
        family.link: GuardianKind.PARENT,
        family.other_link: GuardianKind.PARENT,
        fresh.subject: GuardianKind.FOSTER_PARENT,
    }


def test_what_an_ended_guardian_had_allowed_stays_closed_when_they_are_verified_anew(hub, family, clinic):
    family.permits(clinic)
    end_guardian(hub, family.child, family.link, actor="registrar", reason="custody")
    anew = Verification(
        child_id=family.child,
        guardian_link=family.link,
        kind=None,
        authority=Authority.VERIFIED,
        evidence_id=uuid4(),
        verified_by="Ines Vale",
    )
    assert paper.verify(hub, anew) is NotTaken.ENDED
    fresh = paper.verify(hub, replace(anew, guardian_link=None, kind=GuardianKind.PARENT))
    assert isinstance(fresh, Changed)
    answer = inquiry.check(hub, family.child, clinic, [Category.SCHOOL], Purpose.CARE_COORDINATION)
    assert (answer.allowed, answer.topics[0].reason) == (False, Reason.AUTHORITY_LAPSED)


@pytest.mark.parametrize("missing", ["child", "guardian"])
def test_nobody_can_be_verified_for_a_child_or_link_that_is_not_there(hub, family, missing):
    found = Verification(
        child_id=uuid4() if missing == "child" else family.child,
        guardian_link=None if missing == "child" else uuid4(),
        kind=GuardianKind.PARENT,
        authority=Authority.VERIFIED,
        evidence_id=uuid4(),
        verified_by="Ines Vale",
    )
    wanted = NotTaken.NO_SUCH_CHILD if missing == "child" else NotTaken.NO_SUCH_GUARDIAN
    assert paper.verify(hub, found) is wanted
