"""A guardian who asks is told who saw what: every flow and refusal in a sentence, topics and never values."""

from datetime import UTC
from typing import Any
from uuid import UUID, uuid4

import pytest

from consent.entry import CHANGES, DisclosureEntry, EntryKind
from consent.guardian import Authority, GuardianKind, Restraint, RestraintKind
from consent.vocabulary import Basis, Effect, Purpose, Reason
from gateway.exchange import accounting, telling, wording
from gateway.exchange.accounting import COLUMNS, Accounting, who_saw_what
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused
from gateway.exchange.journal import child_tag, seal_entry
from gateway.exchange.permission import end_guardian, object_to, restrain, revoke, set_guardian
from gateway.exchange.release import release
from gateway.exchange.sequence import sequence
from gateway.exchange.wording import last_day, receipt_number
from gateway.store.ledger import append_pending
from mappings.record.category import Category
from tests.gateway.family import Family, add_agency, let_out, now


@pytest.fixture
def school(hub):
    return add_agency(hub)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


def told(hub: Hub, family: Family, *, link: UUID | None = None) -> Accounting:
    answer = who_saw_what(hub, family.child, guardian_link=link or family.link, requester="front desk")
    assert isinstance(answer, Accounting), answer
    return answer


def entered(hub: Hub, family: Family, kind: EntryKind, agency: str, **changes: Any) -> int:
    """An entry as whoever delivers would write it."""
    entry = DisclosureEntry(
        **{
            "kind": kind,
            "at": now(),
            "child_tag": child_tag(family.key),
            "requester": "worker",
            "recipient": agency,
            "purpose": Purpose.CARE_COORDINATION.value,
            "basis": Basis.CONSENT,
            "categories": (Category.SCHOOL,),
            "description": "the plan",
            "decision_id": uuid4(),
            "rules_version": "0" * 64,
            "child_epoch": 1,
            "agreement_epoch": 1,
        }
        | changes
    )
    pending = seal_entry(family.key, entry, entry_id=uuid4())
    with hub.db.transaction() as connection:
        append_pending(connection, [pending])
    return sequence(hub, [pending.entry_id])[pending.entry_id]


def test_what_an_agency_saw_is_told_with_why_and_by_which_permission(hub, family, school, clinic):
    family.states(school, Category.SCHOOL, Category.HEALTH)
    directive = family.permits(clinic, Category.SCHOOL, Category.HEALTH)
    out = let_out(hub, family.request(clinic, Category.SCHOOL, Category.HEALTH))
    line = next(one for one in told(hub, family).lines if one.number == out.sealed.entry)
    assert out.entry.valid_until is not None
    assert line.sentence == (
        f"{wording.moment_text(out.entry.at, UTC)}: {clinic} saw School, Health, to plan support together. "
        f"Allowed by {receipt_number(directive)}, until {last_day(out.entry.valid_until, UTC)}."
    )
    assert line.left
    assert line.row()["party"] == clinic
    assert line.row()["permissions"] == str(directive)
    assert line.row()["topics"] == "school health"


def test_a_refused_request_is_told_with_its_reason(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    refused = release(hub, family.request(clinic))
    assert isinstance(refused, Refused)
    line = next(one for one in told(hub, family).lines if one.number == refused.entry)
    assert line.sentence.endswith(
        f"{clinic} asked to see School, to plan support together, and saw nothing: nobody has allowed it."
    )
    assert not line.left
    assert line.row()["ferpa_99_32_required"] is True


def test_the_asking_is_itself_an_entry_and_the_last_line(hub, family):
    first, second = told(hub, family), told(hub, family)
    assert first.lines[-1].number == first.entry
    assert first.lines[-1].entry.kind is EntryKind.READ
    assert first.lines[-1].row()["requested_by"] == "front desk"
    assert first.lines[-1].sentence.endswith("A parent read here: who saw what.")
    assert [line.number for line in second.lines] == [*(line.number for line in first.lines), second.entry]


def test_changes_of_consent_stand_between_the_flows_in_the_order_of_the_log(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    directive = family.permits(clinic, Category.SCHOOL)
    let_out(hub, family.request(clinic))
    revoke(hub, family.child, directive, by_link=family.link, actor="front desk", reason="he shouts")
    number = receipt_number(directive)
    lines = [line.sentence.partition(": ")[2] for line in told(hub, family).lines]
    assert lines[0].startswith(f"A parent said: let {clinic} see School, to plan support together, until ")
    assert lines[0].endswith(f"({number}, entered by guardian).")
    assert lines[1].startswith(f"{clinic} saw School")
    assert lines[2] == f"{number}, about what {clinic} may see, was ended, entered by front desk."
    assert "shouts" not in " ".join(lines)


def test_who_entered_a_change_is_told_by_what_they_are_to_the_child_and_never_by_an_id(hub, family, clinic):
    directive = family.permits(clinic, Category.SCHOOL)
    revoke(hub, family.child, directive, by_link=family.link, actor=f"guardian:{family.link}")
    set_guardian(hub, family.guardian(uuid4()), actor="steward:4")
    sentences = [line.sentence for line in told(hub, family).lines]
    assert any(one.endswith("was ended, entered by a parent.") for one in sentences)
    assert any(one.endswith("may decide, by a person who reviews records.") for one in sentences)
    assert not any(word in one for one in sentences for word in (str(family.link), "guardian:", "steward:"))


def test_a_stop_is_told_as_one(hub, family, clinic):
    stop = family.sentence(clinic, Category.HEALTH, effect=Effect.DENY, signer_link=family.other_link)
    object_to(hub, stop, actor="portal")
    assert any(f"do not let {clinic} see Health" in line.sentence for line in told(hub, family).lines)


def test_an_attempt_of_which_nothing_left_is_told_so_and_not_as_seen(hub, family, clinic):
    attempt = uuid4()
    out = entered(hub, family, EntryKind.DISCLOSURE, clinic, attempt_id=attempt, payload_sha256="0" * 64)
    entered(hub, family, EntryKind.NOT_SENT, clinic, attempt_id=attempt)
    lines = [line for line in told(hub, family).lines if line.entry.kind is not EntryKind.READ]
    assert [line.number for line in lines] == [out]
    assert lines[0].sentence.endswith(f"School was on its way to {clinic}, and did not leave.")
    assert not lines[0].left


def test_a_delivery_stopped_while_it_waited_is_told_with_the_reason(hub, family, clinic):
    entered(hub, family, EntryKind.WITHHELD, clinic, reasons={Category.SCHOOL: Reason.REVOKED})
    (line,) = [line for line in told(hub, family).lines if line.entry.kind is EntryKind.WITHHELD]
    assert line.sentence.endswith(f"School for {clinic} was stopped before it left: it was stopped.")


def test_a_topic_the_guardian_may_not_read_leaves_no_line_and_no_word(hub, family, school, clinic):
    """Counseling has no row in the default table, so no guardian reads it there."""
    hidden = entered(
        hub, family, EntryKind.DENIAL, clinic, categories=(Category.IDENTITY, Category.COUNSELING)
    )
    both = entered(hub, family, EntryKind.DENIAL, clinic, categories=(Category.SCHOOL, Category.COUNSELING))
    answer = told(hub, family)
    numbers = {line.number: line for line in answer.lines}
    assert hidden not in numbers
    assert numbers[both].topics == (Category.SCHOOL,)
    assert not any("Counseling" in line.sentence or "counseling" in str(line.row()) for line in answer.lines)


def test_an_order_or_hold_is_not_told_and_sounds_like_any_other_no(hub, family, clinic):
    hold = Restraint(
        restraint_id=uuid4(),
        child_id=family.child,
        kind=RestraintKind.SAFETY_HOLD,
        recipient=clinic,
        categories=frozenset({Category.SCHOOL}),
        valid_from=now(),
    )
    restrain(hub, hold, grounds="a protective order", actor="steward")
    release(hub, family.request(clinic))
    sentences = " ".join(line.sentence for line in told(hub, family).lines)
    assert "hold" not in sentences
    assert "it may not be shared now" in sentences


def test_another_childs_entries_are_not_told(hub, family, school, clinic):
    other = Family(hub)
    release(hub, other.request(clinic))
    assert all(line.entry.kind is EntryKind.READ for line in told(hub, family).lines)


def test_who_is_no_guardian_any_more_is_told_nothing_and_the_refusal_is_entered(hub, family):
    end_guardian(hub, family.child, family.link, actor="registrar", reason="custody")
    answer = who_saw_what(hub, family.child, guardian_link=family.link, requester="front desk")
    assert isinstance(answer, Refused)
    lines = told(hub, family, link=family.other_link).lines
    assert answer.entry in {line.number for line in lines}


def test_a_candidate_is_told_nothing(hub, family):
    link = family.guardian(uuid4(), authority=Authority.CANDIDATE, verified_at=None, verified_by=None)
    set_guardian(hub, link, actor="feed")
    answer = who_saw_what(hub, family.child, guardian_link=link.guardian_link_id, requester="front desk")
    assert isinstance(answer, Refused)


def test_a_child_nobody_knows_is_refused_like_any_other(hub):
    answer = who_saw_what(hub, uuid4(), guardian_link=uuid4(), requester="front desk")
    assert isinstance(answer, Refused)


def test_no_fact_is_given_out_by_the_asking(hub, family, school):
    family.states(school, Category.SCHOOL, words="a secret wish")
    answer = told(hub, family)
    assert "secret" not in str([line.row() for line in answer.lines])


def test_every_row_has_the_same_columns(hub, family, school, clinic):
    family.permits(clinic)
    release(hub, family.request(clinic))
    assert {tuple(sorted(line.row())) for line in told(hub, family).lines} == {tuple(sorted(COLUMNS))}


def test_every_kind_of_entry_reason_topic_and_guardian_has_words():
    assert set(telling._FLOW) | set(telling._CHANGE) == set(EntryKind)
    assert set(telling._CHANGE) == CHANGES
    assert set(wording.TOPIC) == set(Category)
    assert set(wording.REASON) == set(Reason)
    assert set(wording.PURPOSE) == set(Purpose)
    assert set(wording.GUARDIAN) == set(GuardianKind)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_told_in_words_and_never_as_its_code(reason):
    words = wording.reason_text(reason.value)
    assert words == wording.REASON[reason]
    assert " " in words
    assert words != reason.value


def test_what_is_no_reason_of_a_decision_is_told_as_it_stands():
    assert wording.reason_text("folder") == "folder"


def test_whom_an_order_protects_cannot_be_told_by_the_words():
    assert wording.REASON[Reason.COURT_ORDER] == wording.REASON[Reason.SAFETY_HOLD]
    assert EntryKind.RESTRAINT_SET in accounting.UNTOLD


def test_a_receipt_number_is_six_letters_that_are_not_mistaken():
    numbers = {receipt_number(UUID(int=n)) for n in range(500)}
    assert len(numbers) == 500
    assert all(len(number) == 10 and not set(number[3:]) & set("ILOU") for number in numbers)
