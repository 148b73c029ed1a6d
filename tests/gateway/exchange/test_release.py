"""A release is one decision, one entry, one sealed payload; what is refused looks like what does not exist."""

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Row, text

from consent.checkpoint import Checkpoint
from consent.commitment import parse_header
from consent.entry import EntryKind
from consent.guardian import Restraint, RestraintKind
from consent.law import Law
from consent.proof import verify_proof
from consent.vocabulary import Basis, Effect, Purpose, Reason
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released, Rendered
from gateway.exchange.permission import object_to, restrain
from gateway.exchange.published import receipt
from gateway.exchange.release import RulesNotInForce, release, release_each
from gateway.exchange.sequence import NotSequenced, sequence
from gateway.store import people
from gateway.store.engine import in_transaction, open_database
from gateway.store.epochs import NOBODY
from gateway.store.keys import KeyStore
from gateway.store.pipeline import Batch
from mappings.record.category import Category
from mappings.record.kind import Kind, Part
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from tests.gateway.family import LAW, SIGNER, Family, add_agency, held_back, let_out, now


@pytest.fixture
def school(hub):
    return add_agency(hub)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


def entry_row(hub: Hub, answer: Released | Refused) -> Row[Any]:
    """The row of an answer's entry."""
    number = answer.sealed.entry if isinstance(answer, Released) else answer.entry
    with hub.db.transaction() as connection:
        return connection.execute(
            text("SELECT leaf, kind, child_id, recipient, subject FROM ledger_entry WHERE seq = :n"),
            {"n": number},
        ).one()


def topics(released: Released) -> list[str]:
    return sorted(fact["category"] for fact in json.loads(released.sealed.unseal())["facts"])


def test_what_is_permitted_leaves_and_nothing_more(hub, family, school, clinic):
    family.states(school, Category.SCHOOL, Category.HEALTH, Category.COUNSELING)
    family.permits(clinic, Category.SCHOOL)
    released = let_out(hub, family.request(clinic, Category.SCHOOL, Category.HEALTH, Category.COUNSELING))
    assert topics(released) == ["school"]
    assert released.categories == {Category.SCHOOL}


def test_the_entry_says_who_what_why_and_the_digest_of_the_bytes(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    directive = family.permits(clinic, Category.SCHOOL)
    released = let_out(hub, family.request(clinic, Category.SCHOOL, Category.HEALTH))
    entry = released.entry
    assert entry.kind is EntryKind.DISCLOSURE
    assert entry.payload_sha256 == sha256(released.sealed.body).hexdigest()
    assert (entry.recipient, entry.disclosers, entry.directive_ids) == (clinic, (school,), (directive,))
    assert entry.categories == (Category.SCHOOL,)
    assert entry.regimes == (Regime.EDU,)
    assert entry.reasons[Category.SCHOOL] is Reason.GRANTED
    assert entry.reasons[Category.HEALTH] is not Reason.GRANTED
    row = entry_row(hub, released)
    assert (row.kind, row.child_id, row.recipient) == ("disclosure", family.child, clinic)
    header = parse_header(bytes(row.leaf))
    assert header is not None
    assert b"drums" not in bytes(row.leaf)


def test_the_receipt_proves_the_entry_with_the_logs_public_key_alone(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.permits(clinic)
    released = let_out(hub, family.request(clinic))
    proof = receipt(hub, released.sealed.entry)
    assert proof is not None
    leaf = bytes(entry_row(hub, released).leaf)
    checkpoint = verify_proof(proof, leaf, SIGNER.name, [SIGNER.verifier])
    assert isinstance(checkpoint, Checkpoint)
    assert f"\nindex {released.sealed.entry}\n" in proof
    assert receipt(hub, checkpoint.size + 10_000) is None


def test_without_a_directive_nothing_leaves_and_the_request_is_on_record(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    refused = held_back(hub, family.request(clinic))
    assert refused.reasons == {Category.SCHOOL: Reason.NO_GRANT}
    assert entry_row(hub, refused).kind == "deny"


def test_an_unknown_child_and_a_forbidden_one_give_the_same_answer(hub, family, clinic):
    answers = [held_back(hub, family.request(clinic, children=(child,))) for child in (family.child, NOBODY)]
    assert {len(answer.outward) for answer in answers} == {36}
    assert entry_row(hub, answers[1]).child_id is None


@pytest.fixture
def sent(monkeypatch):
    """The statements sent in pipelines, in order."""
    statements = []
    original = Batch.send

    def record(batch, statement, values=None):
        statements.append(statement)
        return original(batch, statement, values)

    monkeypatch.setattr(Batch, "send", record)
    return statements


def test_an_unknown_child_and_a_forbidden_one_run_the_same_statements(hub, family, school, clinic, sent):
    family.states(school, Category.SCHOOL)
    release(hub, family.request(clinic))
    for_a_child = tuple(sent)
    sent.clear()
    release(hub, family.request(clinic, children=(NOBODY,)))
    assert for_a_child == tuple(sent)
    assert any("FOR SHARE" in statement for statement in sent)


def test_the_lock_is_the_first_thing_taken_and_a_statement_of_its_own(hub, family, clinic, sent):
    release(hub, family.request(clinic))
    first = next(statement for statement in sent if "FROM" in statement)
    assert first.endswith("FOR SHARE")
    assert "JOIN" not in first
    assert "directive" not in first


def test_a_child_parked_in_review_is_never_released(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.permits(clinic)
    with hub.db.transaction() as connection:
        connection.execute(
            text("UPDATE child SET state = 'provisional' WHERE child_id = :c"), {"c": family.child}
        )
    for basis in (Basis.CONSENT, Basis.OWN):
        held_back(hub, family.request(clinic, basis=basis))


def test_an_agreement_bounds_what_a_family_may_open(hub, family, school):
    family.states(school, Category.SCHOOL, Category.HEALTH)
    narrow = add_agency(hub, categories=(Category.SCHOOL,))
    none = add_agency(hub, agreement=False)
    for org in (narrow, none):
        family.permits(org, Category.SCHOOL, Category.HEALTH)
    assert topics(let_out(hub, family.request(narrow, Category.SCHOOL, Category.HEALTH))) == ["school"]
    held_back(hub, family.request(none, Category.SCHOOL))


def test_how_a_referral_ended_needs_a_permission_of_its_own(hub, family, school, clinic):
    family.states(clinic, Category.SCHOOL, part_of=Kind.REFERRAL_EVENT)
    outcome = family.request(school, purpose=Purpose.REFERRAL_OUTCOME.value, parts=frozenset({Part.OUTCOME}))
    family.permits(school, Category.SCHOOL)
    held_back(hub, outcome)
    family.permits(school, Category.SCHOOL, purposes=frozenset({Purpose.REFERRAL_OUTCOME}))
    assert topics(let_out(hub, outcome)) == ["school"]


def test_only_what_a_request_is_about_is_read(hub, family, school, clinic):
    one, _ = family.states(school, Category.SCHOOL, Category.SCHOOL)
    family.states(school, Category.IDENTITY)
    family.permits(clinic, Category.SCHOOL, Category.IDENTITY)
    asked = family.request(clinic, Category.SCHOOL, Category.IDENTITY)
    assert topics(let_out(hub, asked)) == ["identity", "school", "school"]
    assert topics(let_out(hub, replace(asked, about=frozenset({one})))) == ["identity", "school"]


def test_a_replaced_fact_does_not_leave(hub, family, school, clinic):
    first = family.states(school, Category.SCHOOL, words="old words")[0]
    family.states(school, Category.SCHOOL, words="new words", supersedes=first)
    family.permits(clinic)
    body = let_out(hub, family.request(clinic)).sealed.body
    assert b"new words" in body
    assert b"old words" not in body


def test_a_court_order_stands_above_every_permission(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.permits(clinic)
    order = Restraint(
        restraint_id=uuid4(),
        child_id=family.child,
        kind=RestraintKind.COURT_ORDER,
        recipient=clinic,
        categories=frozenset({Category.SCHOOL}),
        valid_from=now() - timedelta(minutes=1),
    )
    restrain(hub, order, grounds="docket 12", actor="steward")
    refused = held_back(hub, family.request(clinic))
    assert refused.reasons == {Category.SCHOOL: Reason.COURT_ORDER}


def test_each_recipient_knows_a_child_by_a_reference_of_its_own(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    refs = set()
    for org in (clinic, add_agency(hub)):
        family.permits(org)
        released = let_out(hub, family.request(org))
        refs.add(released.child_ref)
        assert str(family.child).encode() not in released.sealed.body
        with hub.db.transaction() as connection:
            assert people.child_of(connection, org, released.child_ref) == family.child
            assert people.child_of(connection, school, released.child_ref) == NOBODY
    assert len(refs) == 2


def test_a_view_has_a_new_version_only_when_it_changed(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.permits(clinic)
    asked = family.request(clinic, resource="plan")
    first = let_out(hub, asked).version
    assert let_out(hub, asked).version == first
    family.states(school, Category.HEALTH, words="hidden from the clinic")
    assert let_out(hub, asked).version == first
    family.states(school, Category.SCHOOL, words="seen by the clinic")
    second = let_out(hub, asked).version
    assert first is not None
    assert second is not None
    assert (first.n, second.n) == (1, 2)
    assert let_out(hub, family.request(clinic)).version is None


def test_children_of_one_release_have_each_their_own_decision_bytes_and_entry(hub, school, clinic):
    families = [Family(hub) for _ in range(5)]
    for number, one in enumerate(families):
        one.states(school, Category.SCHOOL, words=f"words {number}")
        if number != 2:
            one.permits(clinic)
    asked = families[0].request(clinic, children=tuple(one.child for one in families))
    answers = release_each(hub, asked)
    assert [isinstance(answer, Released) for answer in answers] == [True, True, False, True, True]
    for number, answer in enumerate(answers):
        if isinstance(answer, Released):
            assert f"words {number}".encode() in answer.sealed.body
            assert entry_row(hub, answer).child_id == families[number].child
    assert len({answer.sealed.entry for answer in answers if isinstance(answer, Released)}) == 4


def test_a_release_is_about_1_to_500_different_children(hub, family, clinic):
    for children in ((), (family.child, family.child), tuple(uuid4() for _ in range(501))):
        with pytest.raises(ValueError, match="1 to 500 different children"):
            release_each(hub, family.request(clinic, children=children))
    with pytest.raises(ValueError, match="release_each"):
        release(hub, family.request(clinic, children=(family.child, uuid4())))


def test_when_rendering_fails_nothing_happened(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.permits(clinic)

    def broken(_):
        raise ArithmeticError

    def counts() -> list[int]:
        with hub.db.transaction() as connection:
            return [
                connection.execute(
                    text(f"SELECT count(*) FROM {table} WHERE child_id = :c"), {"c": family.child}
                ).scalar_one()
                for table in ("decision", "ledger_entry", "ledger_pending")
            ]

    before = counts()
    with pytest.raises(ArithmeticError):
        release(hub, family.request(clinic, render=broken))
    assert counts() == before


def test_a_rendering_may_not_name_topics_its_view_does_not_hold(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.permits(clinic)

    def boastful(_):
        return Rendered(b"{}", "application/json", frozenset({Category.SAFETY}))

    with pytest.raises(ValueError, match="safety"):
        release(hub, family.request(clinic, render=boastful))


def test_a_process_with_other_rules_than_those_in_force_releases_nothing(hub, family, clinic):
    other = Law(b"x" * 32, LAW.rows, LAW._spans)
    with pytest.raises(RulesNotInForce):
        release(replace(hub, rules=other), family.request(clinic))


def test_release_refuses_a_connection_in_autocommit(hub, family, clinic, worker_copy):
    database = open_database(worker_copy.app)
    database.engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with pytest.raises(RuntimeError, match="autocommit"):
            release(replace(hub, db=database), family.request(clinic))
    finally:
        database.close()


def test_release_refuses_to_run_inside_another_transaction(hub, family, clinic):
    with hub.db.transaction(), pytest.raises(RuntimeError, match="already open"):
        release(hub, family.request(clinic))


def test_no_other_database_is_asked_while_the_transaction_is_open(hub, family, school, clinic, monkeypatch):
    family.states(school, Category.SCHOOL)
    family.permits(clinic)
    calls = []
    for name in ("get_many", "get", "create", "deployment_secret"):
        original = getattr(KeyStore, name)

        def watched(*arguments: Any, original: Any = original) -> Any:
            calls.append(in_transaction())
            return original(*arguments)

        monkeypatch.setattr(KeyStore, name, watched)
    let_out(hub, family.request(clinic, resource="plan"))
    assert calls
    assert not any(calls)


def test_an_entry_that_was_never_written_is_not_waited_for(hub):
    with pytest.raises(NotSequenced):
        sequence(hub, [uuid4()])


def test_a_refused_delivery_attempt_is_entered_as_withheld(hub, family, clinic):
    asked = family.request(clinic, delivery_id=uuid4(), attempt_id=uuid4(), refused_as=EntryKind.WITHHELD)
    row = entry_row(hub, release(hub, asked))
    assert (row.kind, row.subject) == ("withheld", asked.delivery_id)


def test_a_fact_whose_code_belongs_to_an_extra_private_topic_needs_that_topic(hub, family, school, clinic):
    family.states(school, Category.HEALTH, labels=frozenset({Label.MENTAL_HEALTH}), words="in treatment")
    family.permits(clinic, Category.HEALTH)
    released = let_out(hub, family.request(clinic, Category.HEALTH))
    assert b"in treatment" not in released.sealed.body


def test_a_stop_closes_what_a_permit_opened(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.permits(clinic)
    let_out(hub, family.request(clinic))
    stop = family.sentence(clinic, Category.SCHOOL, effect=Effect.DENY, signer_link=family.other_link)
    object_to(hub, stop, actor="the other parent")
    assert held_back(hub, family.request(clinic)).reasons == {Category.SCHOOL: Reason.GUARDIAN_DENY}
