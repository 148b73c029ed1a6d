"""`planhub consent record-paper`: a signed form, typed in under the name of whoever attests it."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import pytest

from consent.directive import AuthMethod
from consent.guardian import Authority
from consent.vocabulary import Effect, Purpose
from gateway.cli.exits import Exit
from gateway.cli.paper import WHY
from gateway.exchange.disclosure import Refused, Released
from gateway.exchange.inquiry import said
from gateway.exchange.paper import NotTaken
from gateway.exchange.permission import object_to
from gateway.exchange.release import release
from gateway.exchange.wording import receipt_number
from gateway.store import directives
from mappings.record.category import Category
from tests.gateway.cli.forms import UNTIL, paper
from tests.gateway.family import add_agency


def test_a_paper_form_opens_what_it_says_and_nothing_more(hub, planhub, family, school, clinic, scan):
    family.states(school, Category.SCHOOL, Category.HEALTH)
    ran = paper(planhub, family, clinic, scan, "--yes", "--json")
    assert ran.code == Exit.OK
    assert ran.json["number"] == receipt_number(UUID(ran.json["directive"]))
    assert ran.json["attested_by"] == "Ines Vale"
    assert ran.json["closed"] == []
    answer = release(hub, family.request(clinic, Category.SCHOOL, Category.HEALTH))
    assert isinstance(answer, Released)
    assert answer.categories == {Category.SCHOOL}


def test_the_form_is_kept_as_its_fingerprint_with_who_attests_it(hub, planhub, family, clinic, scan):
    ran = paper(
        planhub, family, clinic, scan, "--yes", "--json", "--signed-on", "2026-11-02", "--locale", "pt"
    )
    assert ran.code == Exit.OK
    digest = sha256(scan.read_bytes()).hexdigest()
    from gateway.exchange.journal import keys_for
    from gateway.store.pipeline import batch
    from gateway.store.snapshot import SnapshotReading

    with hub.db.transaction() as connection, batch(connection) as statements:
        reading = SnapshotReading(statements, [family.child], clinic)
        seen = reading.read(keys_for(hub, [family.child]), hub.rules)
    (given,) = seen.children[family.child].snapshot.directives
    assert given.notice is not None
    assert given.auth_evidence is not None
    assert (given.notice.notice_id, given.notice.version, given.notice.locale) == ("family-form", "3", "pt")
    assert given.notice.sha256 == digest
    assert given.auth_evidence.method is AuthMethod.PAPER
    assert given.auth_evidence.at == datetime(2026, 11, 2, tzinfo=UTC)
    assert given.auth_evidence.reference == f"sha256:{digest}; attested by Ines Vale"
    assert given.categories == {Category.IDENTITY, Category.SCHOOL}
    assert given.purposes == {Purpose.CARE_COORDINATION}
    assert given.valid_until == datetime.fromisoformat(UNTIL).replace(tzinfo=UTC) + timedelta(days=1)


def test_a_dry_run_reads_the_form_back_and_records_nothing(hub, planhub, family, clinic, scan):
    ran = paper(planhub, family, clinic, scan, "--dry-run")
    assert ran.code == Exit.OK
    assert f"Let {clinic} see Who the child is, School, to plan support together, until {UNTIL}." in ran.err
    assert "Nothing changed" in ran.err
    with hub.db.transaction() as connection:
        assert said(connection, family.child) == []


def test_without_a_terminal_and_without_yes_nothing_is_recorded(hub, planhub, family, clinic, scan):
    ran = paper(planhub, family, clinic, scan)
    assert ran.code == Exit.USAGE
    assert "--yes" in ran.err
    with hub.db.transaction() as connection:
        assert said(connection, family.child) == []


def test_the_same_form_typed_in_twice_is_a_conflict_and_stays_so_after_a_stop(
    hub, planhub, family, clinic, scan
):
    first = paper(planhub, family, clinic, scan, "--yes", "--json")
    again = paper(planhub, family, clinic, scan, "--yes")
    assert again.code == Exit.CONFLICT
    assert f"planhub consent show --child {family.child}" in again.err
    stop = planhub(
        "consent", "revoke", first.json["number"], "--child", family.child, "--guardian", family.link, "--yes"
    )
    assert stop.code == Exit.OK
    assert paper(planhub, family, clinic, scan, "--yes").code == Exit.CONFLICT
    assert isinstance(release(hub, family.request(clinic)), Refused)


def test_a_form_signed_by_someone_not_verified_is_not_allowed_and_names_the_step(
    hub, planhub, family, clinic, scan
):
    family.link = uuid4()
    candidate = family.guardian(
        family.link, authority=Authority.CANDIDATE, verified_at=None, verified_by=None
    )
    with hub.db.transaction() as connection:
        directives.add_links(connection, [(family.key, candidate)])
    ran = paper(planhub, family, clinic, scan, "--yes")
    assert ran.code == Exit.NOT_ALLOWED
    assert f"planhub consent verify-guardian --child {family.child} --guardian {family.link}" in ran.err


def test_a_form_is_for_the_laws_it_was_made_for_and_facts_under_others_stay_closed(
    hub, planhub, family, school, clinic, scan
):
    from mappings.record.regime import Regime

    family.states(school, Category.HEALTH, regimes=frozenset({Regime.HLTH}))
    paper(planhub, family, clinic, scan, "--yes", topic="health")
    closed = release(hub, family.request(clinic, Category.HEALTH))
    assert isinstance(closed, Released)
    assert not closed.categories
    scan.write_bytes(b"the form with the statements of 164.508")
    lacking = paper(planhub, family, clinic, scan, "--yes", "--regime", "HLTH", topic="health")
    assert lacking.code == Exit.CHECK_FAILED
    assert "it lacks what HLTH asks for: right-to-revoke, conditioning, redisclosure" in lacking.err
    sentences = ("--states", "right-to-revoke", "--states", "conditioning", "--states", "redisclosure")
    made = paper(planhub, family, clinic, scan, "--yes", "--regime", "HLTH", *sentences, topic="health")
    assert made.code == Exit.OK
    opened = release(hub, family.request(clinic, Category.HEALTH))
    assert isinstance(opened, Released)
    assert opened.categories == {Category.HEALTH}


def test_what_a_form_could_not_open_is_said(hub, planhub, family, scan):
    narrow = add_agency(hub, categories=(Category.IDENTITY, Category.SCHOOL))
    ran = paper(planhub, family, narrow, scan, "--topic", "activities", "--yes")
    assert ran.code == Exit.OK
    assert (
        "Still closed, to plan support together: Clubs and sports: the agency's agreement does not cover this topic"
        in ran.err
    )


def test_a_form_against_another_guardians_stop_is_recorded_as_disputed(hub, planhub, family, clinic, scan):
    stop = family.sentence(clinic, effect=Effect.DENY, signer_link=family.other_link)
    object_to(hub, stop, actor="portal")
    ran = paper(planhub, family, clinic, scan, "--yes", "--json")
    assert ran.code == Exit.CONFLICT
    assert ran.json["disputed"] == [ran.json["directive"]]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--topic", "discipline"), "an extra-private topic is signed for alone"),
        (("--purpose", "BTG"), "no family signs for this purpose"),
        (("--signed-on", "2031-01-01"), "it is dated in the future"),
        (("--until", "2020-01-01"), "its last day has passed"),
        (("--until", "June"), "it is no date"),
        (("--notice", "family-form"), "it has no version"),
        (("--form", "/nowhere/form.pdf"), "No such file"),
    ],
)
def test_a_form_that_cannot_be_taken_is_refused_in_words(planhub, family, clinic, scan, more, says):
    ran = paper(planhub, family, clinic, scan, "--yes", *more)
    assert ran.code == Exit.USAGE
    assert says in ran.err
    assert "  → " in ran.err


def test_a_form_for_an_agency_that_left_is_refused(hub, planhub, family, clinic, scan):
    with hub.db.transaction() as connection:
        connection.exec_driver_sql("UPDATE org SET status = 'retired' WHERE org = %s", (clinic,))
    ran = paper(planhub, family, clinic, scan, "--yes")
    assert (ran.code, "left the community" in ran.err) == (Exit.USAGE, True)


def test_every_reason_not_to_take_paper_has_words_a_step_and_a_code():
    assert set(WHY) == set(NotTaken)
