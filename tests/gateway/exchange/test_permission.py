"""Either guardian may grant, any guardian may stop; every change raises the child's epoch once and is in the log."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Row, text

from consent.commitment import parse_header
from consent.directive import State
from consent.guardian import Authority, ChildFacts, Restraint, RestraintKind
from consent.vocabulary import Effect, Purpose, Reason
from gateway.exchange.permission import (
    Changed,
    Unchanged,
    WhyNot,
    change_facts,
    end_guardian,
    grant,
    lift,
    narrow,
    object_to,
    restrain,
    revoke,
    set_guardian,
)
from mappings.record.category import Category
from tests.gateway.family import SOON, Family, add_agency, held_back, let_out, now


@pytest.fixture
def clinic(hub):
    return add_agency(hub)


@pytest.fixture(autouse=True)
def _facts(hub, family):
    family.states(add_agency(hub), Category.SCHOOL, Category.HEALTH, Category.ACTIVITIES)


def made(answer: Changed | Unchanged) -> Changed:
    assert isinstance(answer, Changed), answer
    return answer


def row_of(family: Family, directive: Any) -> Row[Any]:
    with family.hub.db.transaction() as connection:
        return connection.execute(
            text("SELECT state, ended_at, categories, supersedes FROM directive WHERE directive_id = :d"),
            {"d": directive},
        ).one()


def epoch_of(family: Family) -> int:
    with family.hub.db.transaction() as connection:
        epoch: int = connection.execute(
            text("SELECT epoch FROM consent_epoch WHERE child_id = :c"), {"c": family.child}
        ).scalar_one()
        return epoch


def kinds(family: Family) -> list[str]:
    """What the log says of the child, in its order."""
    with family.hub.db.transaction() as connection:
        rows = connection.execute(
            text("SELECT kind, leaf FROM ledger_entry WHERE child_id = :c ORDER BY seq"), {"c": family.child}
        ).all()
    assert all(parse_header(bytes(row.leaf)) is not None for row in rows)
    return [row.kind for row in rows]


def test_a_grant_opens_and_a_revocation_closes(hub, family, clinic):
    held_back(hub, family.request(clinic))
    given = made(grant(hub, family.sentence(clinic), actor="guardian"))
    let_out(hub, family.request(clinic))
    ended = made(
        revoke(hub, family.child, given.subject, by_link=family.link, actor="guardian", reason="moved")
    )
    assert held_back(hub, family.request(clinic)).reasons == {Category.SCHOOL: Reason.REVOKED}
    assert ended.epoch == given.epoch + 1 == epoch_of(family)
    assert kinds(family) == ["deny", "directive_given", "disclosure", "directive_ended", "deny"]


def test_either_guardian_may_grant(hub, family, clinic):
    family.permits(clinic, signer_link=family.other_link)
    let_out(hub, family.request(clinic))


def test_any_guardian_may_stop_what_another_granted(hub, family, clinic):
    directive = family.permits(clinic)
    made(revoke(hub, family.child, directive, by_link=family.other_link, actor="the other parent"))
    held_back(hub, family.request(clinic))


def test_a_revocation_ends_once(hub, family, clinic):
    directive = family.permits(clinic)
    made(revoke(hub, family.child, directive, by_link=family.link, actor="guardian"))
    before = epoch_of(family)
    again = revoke(hub, family.child, directive, by_link=family.link, actor="guardian")
    assert again == Unchanged(WhyNot.NO_SUCH_DIRECTIVE)
    assert epoch_of(family) == before


def test_a_candidate_may_neither_grant_nor_stop(hub, family, clinic):
    candidate = family.guardian(uuid4(), authority=Authority.CANDIDATE, verified_at=None)
    made(set_guardian(hub, candidate, actor="feed"))
    link = candidate.guardian_link_id
    directive = family.permits(clinic)
    for answer in (
        grant(hub, family.sentence(clinic, signer_link=link), actor="candidate"),
        revoke(hub, family.child, directive, by_link=link, actor="candidate"),
        object_to(hub, family.sentence(clinic, effect=Effect.DENY, signer_link=link), actor="candidate"),
        grant(hub, family.sentence(clinic, signer_link=uuid4()), actor="a stranger"),
    ):
        assert answer == Unchanged(WhyNot.NO_AUTHORITY)


def test_verification_makes_a_candidate_a_guardian_and_its_end_lapses_what_they_granted(hub, family, clinic):
    link = family.guardian(uuid4(), authority=Authority.CANDIDATE, verified_at=None)
    made(set_guardian(hub, link, actor="feed"))
    verified = link.model_copy(
        update={"authority": Authority.VERIFIED, "verified_at": now() - timedelta(minutes=10)}
    )
    made(set_guardian(hub, verified, actor="registrar"))
    family.permits(clinic, signer_link=link.guardian_link_id)
    let_out(hub, family.request(clinic))
    made(end_guardian(hub, family.child, link.guardian_link_id, actor="registrar", reason="custody"))
    assert held_back(hub, family.request(clinic)).reasons == {Category.SCHOOL: Reason.AUTHORITY_LAPSED}
    assert kinds(family)[-2:] == ["guardian_ended", "deny"]


def verified_at(family: Family) -> Any:
    with family.hub.db.transaction() as connection:
        return connection.execute(
            text("SELECT verified_at FROM guardian_link WHERE guardian_link_id = :g"), {"g": family.link}
        ).scalar_one()


def test_who_is_verified_again_keeps_the_first_time_and_what_they_signed_since(hub, family, clinic):
    family.permits(clinic)
    first = verified_at(family)
    again = family.guardian(family.link, verified_at=now(), verified_by="another registrar")
    made(set_guardian(hub, again, actor="another registrar"))
    assert verified_at(family) == first
    let_out(hub, family.request(clinic))


@pytest.mark.parametrize("ended", ["denied", "over"])
def test_who_is_verified_after_their_authority_was_gone_begins_anew(hub, family, clinic, ended):
    family.permits(clinic)
    if ended == "over":
        made(end_guardian(hub, family.child, family.link, actor="registrar", reason="custody"))
    else:
        none = family.guardian(family.link, authority=Authority.NONE, verified_at=now())
        made(set_guardian(hub, none, actor="registrar"))
    anew = now()
    made(set_guardian(hub, family.guardian(family.link, verified_at=anew), actor="registrar"))
    assert verified_at(family) == anew
    held_back(hub, family.request(clinic))


def test_a_guardian_of_one_child_is_none_of_another(hub, family, clinic):
    stranger = Family(hub)
    answer = grant(hub, family.sentence(clinic, signer_link=stranger.link), actor="a stranger")
    assert answer == Unchanged(WhyNot.NO_AUTHORITY)


def test_narrowing_leaves_what_remains_in_one_step(hub, family, clinic):
    directive = family.permits(clinic, Category.SCHOOL, Category.HEALTH)
    before = epoch_of(family)
    narrowed = made(
        narrow(
            hub, family.child, directive, by_link=family.link, actor="guardian", categories={Category.SCHOOL}
        )
    )
    assert (narrowed.epoch, len(narrowed.entries)) == (before + 1, 2)
    assert let_out(hub, family.request(clinic, Category.SCHOOL, Category.HEALTH)).categories == {
        Category.SCHOOL
    }
    assert row_of(family, directive).ended_at is not None
    assert row_of(family, narrowed.subject).supersedes == directive


def test_narrowing_by_purpose_and_by_date_works_and_never_widens(hub, family, clinic):
    directive = family.permits(
        clinic, Category.SCHOOL, purposes={Purpose.CARE_COORDINATION, Purpose.TREATMENT}
    )
    how: dict[str, Any] = {"by_link": family.link, "actor": "guardian"}
    sooner = now() + timedelta(days=2)
    shorter = made(narrow(hub, family.child, directive, valid_until=sooner, **how)).subject
    for wider in (
        {"categories": {Category.SCHOOL, Category.SAFETY}},
        {"purposes": {Purpose.CARE_MANAGEMENT}},
        {"valid_until": now() + SOON},
    ):
        assert narrow(hub, family.child, shorter, **wider, **how) == Unchanged(WhyNot.NOT_NARROWER)
    nothing: tuple[dict[str, Any], ...] = (
        {"categories": set()},
        {"purposes": set()},
        {"categories": {Category.IDENTITY}},
    )
    for empty in nothing:
        assert narrow(hub, family.child, shorter, **empty, **how) == Unchanged(WhyNot.NOTHING_LEFT)
    made(narrow(hub, family.child, shorter, purposes={Purpose.TREATMENT}, **how))
    let_out(hub, family.request(clinic, purpose=Purpose.TREATMENT.value))
    assert narrow(hub, family.child, directive, **how) == Unchanged(WhyNot.NO_SUCH_DIRECTIVE)


def test_an_objection_closes_and_the_permit_is_disputed_until_a_person_decides(hub, family, clinic):
    permit = family.permits(clinic)
    stop = family.sentence(clinic, effect=Effect.DENY, signer_link=family.other_link)
    objection = made(object_to(hub, stop, actor="the other parent"))
    assert objection.disputed == (permit,)
    assert row_of(family, permit).state == State.DISPUTED
    assert held_back(hub, family.request(clinic)).reasons == {Category.SCHOOL: Reason.GUARDIAN_DENY}
    how = {"by_link": family.link, "actor": "guardian"}
    assert revoke(hub, family.child, objection.subject, **how) == Unchanged(WhyNot.NO_AUTHORITY)
    made(revoke(hub, family.child, objection.subject, by_link=family.other_link, actor="the other parent"))
    assert held_back(hub, family.request(clinic)).reasons == {Category.SCHOOL: Reason.DISPUTED}


def test_a_grant_against_anothers_stop_is_recorded_as_disputed(hub, family, clinic):
    stop = family.sentence(clinic, effect=Effect.DENY, signer_link=family.other_link)
    made(object_to(hub, stop, actor="the other parent"))
    given = made(grant(hub, family.sentence(clinic), actor="guardian"))
    assert given.disputed == (given.subject,)
    assert row_of(family, given.subject).state == State.DISPUTED


def test_two_guardians_words_come_to_the_same_in_either_order(hub, clinic):
    ends = []
    for order in (0, 1):
        family = Family(hub)
        family.states(add_agency(hub), Category.SCHOOL)
        permit = family.sentence(clinic)
        stop = family.sentence(clinic, effect=Effect.DENY, signer_link=family.other_link)
        if order:
            made(object_to(hub, stop, actor="other"))
            made(grant(hub, permit, actor="guardian"))
        else:
            made(grant(hub, permit, actor="guardian"))
            made(object_to(hub, stop, actor="other"))
        with hub.db.transaction() as connection:
            states = connection.execute(
                text("SELECT effect, state FROM directive WHERE child_id = :c ORDER BY effect"),
                {"c": family.child},
            ).all()
        ends.append((list(map(tuple, states)), held_back(hub, family.request(clinic)).reasons))
    assert ends[0] == ends[1]


def test_ones_own_stop_is_no_dispute(hub, family, clinic):
    family.permits(clinic)
    stop = family.sentence(clinic, effect=Effect.DENY)
    assert made(object_to(hub, stop, actor="guardian")).disputed == ()
    held_back(hub, family.request(clinic))


def test_a_court_order_closes_until_it_is_lifted(hub, family, clinic):
    family.permits(clinic)
    order = Restraint(
        restraint_id=uuid4(),
        child_id=family.child,
        kind=RestraintKind.COURT_ORDER,
        categories=frozenset(Category),
        valid_from=now() - timedelta(minutes=1),
    )
    made(restrain(hub, order, grounds="docket 4", actor="steward"))
    assert held_back(hub, family.request(clinic)).reasons == {Category.SCHOOL: Reason.COURT_ORDER}
    made(lift(hub, family.child, order.restraint_id, actor="steward", reason="vacated"))
    let_out(hub, family.request(clinic))
    again = lift(hub, family.child, order.restraint_id, actor="steward", reason="vacated")
    assert again == Unchanged(WhyNot.NO_SUCH_RESTRAINT)


def test_when_the_child_comes_of_age_a_parents_word_no_longer_opens(hub, family, clinic):
    family.permits(clinic)
    let_out(hub, family.request(clinic))
    grown = ChildFacts(family.child, date(2000, 1, 1), ZoneInfo("America/New_York"))
    made(change_facts(hub, grown, actor="registrar"))
    assert held_back(hub, family.request(clinic)).reasons == {Category.SCHOOL: Reason.AUTHORITY_LAPSED}
    again = grant(hub, family.sentence(clinic), actor="guardian")
    assert again == Unchanged(WhyNot.NO_AUTHORITY)


def test_where_nobody_knows_the_childs_age_nothing_is_opened(hub, clinic):
    family = Family(hub)
    unknown = ChildFacts(family.child, None, ZoneInfo("America/New_York"))
    made(change_facts(hub, unknown, actor="registrar"))
    assert grant(hub, family.sentence(clinic), actor="guardian") == Unchanged(WhyNot.NO_AUTHORITY)


def test_a_permit_is_not_a_stop_and_the_other_way_round(hub, family, clinic):
    stop = family.sentence(clinic, effect=Effect.DENY)
    assert grant(hub, stop, actor="guardian") == Unchanged(WhyNot.NOT_A_PERMIT)
    assert object_to(hub, family.sentence(clinic), actor="guardian") == Unchanged(WhyNot.NOT_A_STOP)
    made(object_to(hub, stop, actor="guardian"))
    how = {"by_link": family.link, "actor": "guardian"}
    assert narrow(hub, family.child, stop.directive_id, **how) == Unchanged(WhyNot.NOT_A_PERMIT)


def test_nothing_changes_for_a_child_nobody_knows(hub, family, clinic):
    stranger = replace_child(family.sentence(clinic))
    assert grant(hub, stranger, actor="guardian") == Unchanged(WhyNot.NO_SUCH_CHILD)
    hub.keys.create((stranger.child_id,))
    assert grant(hub, stranger, actor="guardian") == Unchanged(WhyNot.NO_SUCH_CHILD)
    ended = end_guardian(hub, family.child, uuid4(), actor="registrar", reason="custody")
    assert ended == Unchanged(WhyNot.NO_SUCH_LINK)


def replace_child(sentence: Any) -> Any:
    return sentence.model_copy(update={"child_id": uuid4()})


def test_a_change_that_is_refused_leaves_no_trace(hub, family, clinic):
    before, log = epoch_of(family), kinds(family)
    grant(hub, family.sentence(clinic, signer_link=uuid4()), actor="a stranger")
    assert (epoch_of(family), kinds(family)) == (before, log)


def test_a_stop_is_answered_only_when_its_entry_is_signed_for(hub, family, clinic):
    directive = family.permits(clinic)
    stopped = made(revoke(hub, family.child, directive, by_link=family.link, actor="guardian"))
    with hub.db.transaction() as connection:
        size = connection.execute(text("SELECT max(size) FROM ledger_checkpoint")).scalar_one()
    assert size > max(stopped.entries)


def test_the_entry_holds_the_fingerprint_of_what_was_signed_sealed(hub, family, clinic):
    given = made(grant(hub, family.sentence(clinic), actor="the guardian at the desk"))
    with hub.db.transaction() as connection:
        leaf = connection.execute(
            text("SELECT leaf FROM ledger_entry WHERE seq = :n"), {"n": given.entries[0]}
        ).scalar_one()
    assert b"guardian" not in bytes(leaf)
    assert clinic.encode() not in bytes(leaf)
