"""`planhub consent`: staff take in paper and stops, ask whether something may go out, and tell a guardian who saw what."""

import csv
import io
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from consent.directive import AuthMethod
from consent.guardian import Authority, GuardianKind, GuardianLink
from consent.vocabulary import Effect, Purpose
from gateway.cli.exits import Exit
from gateway.cli.paper import WHY
from gateway.exchange.accounting import COLUMNS
from gateway.exchange.disclosure import Refused, Released
from gateway.exchange.inquiry import said
from gateway.exchange.keep import GUARDIANS, candidate_id
from gateway.exchange.paper import NotTaken, evidence_of
from gateway.exchange.permission import object_to
from gateway.exchange.release import release
from gateway.exchange.wording import receipt_number
from gateway.store import directives, people
from mappings.record.category import Category
from mappings.record.kind import Kind
from tests.gateway.cli.conftest import Planhub, Ran
from tests.gateway.family import SOON, Family, add_agency, now

UNTIL = (now() + timedelta(days=60)).date().isoformat()
NOTICE = "family-form@3"


@pytest.fixture
def school(hub):
    return add_agency(hub)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


@pytest.fixture
def only(hub):
    """A child with one guardian."""
    family = Family(hub)
    link = family.guardian(family.other_link, valid_until=now() - timedelta(days=1))
    with hub.db.transaction() as connection:
        directives.change_link(connection, family.key, link)
    return family


def paper(
    planhub: Planhub, family: Family, agency: str, scan: Path, *more: object, topic: str = "school"
) -> Ran:
    return planhub(
        "consent", "record-paper", "--child", family.child, "--guardian", family.link, "--agency", agency,
        "--topic", topic, "--purpose", "COC", "--until", UNTIL, "--form", scan, "--notice", NOTICE, "--by", "Ines Vale",
        *more,
    )  # fmt: skip


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
    paper(planhub, family, clinic, scan, "--yes", "--regime", "HLTH", topic="health")
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


def test_a_candidate_becomes_a_guardian_by_the_hubs_own_step(hub, planhub, family, clinic, scan):
    link = candidate_id(hub.keys.deployment_secret(GUARDIANS), family.child, "district", "c-501")
    candidate = GuardianLink(
        guardian_link_id=link,
        child_id=family.child,
        kind=GuardianKind.PARENT,
        authority=Authority.CANDIDATE,
        valid_from=now() - SOON,
    )
    with hub.db.transaction() as connection:
        directives.add_links(connection, [(family.key, candidate)])
    step = ("consent", "verify-guardian", "--child", family.child, "--guardian", "district:c-501")
    ran = planhub(*step, "--evidence", scan, "--by", "Ines Vale", "--yes", "--json")
    assert ran.code == Exit.OK
    assert ran.json["guardian"] == str(link)
    assert ran.json["evidence"] == str(evidence_of(scan.read_bytes()))
    listed = planhub("consent", "guardians", "--child", family.child, "--json").json["guardians"]
    (row,) = [one for one in listed if one["guardian"] == str(link)]
    assert (row["authority"], row["may_act"], row["verified_by"]) == ("verified", True, "Ines Vale")
    family.link = link
    assert paper(planhub, family, clinic, scan, "--yes").code == Exit.OK


def test_someone_no_feed_named_is_verified_as_what_they_are(planhub, family):
    evidence = uuid4()
    step = (
        "consent",
        "verify-guardian",
        "--child",
        family.child,
        "--kind",
        "foster-parent",
        "--evidence",
        evidence,
    )
    ran = planhub(*step, "--until", UNTIL, "--without", "special-education", "--yes", "--json")
    assert ran.json["evidence"] == str(evidence)
    listed = planhub("consent", "guardians", "--child", family.child, "--json").json["guardians"]
    (row,) = [one for one in listed if one["guardian"] == ran.json["guardian"]]
    assert row["kind"] == "foster-parent"
    assert row["until"] is not None


def test_who_is_found_to_have_no_authority_can_sign_nothing(planhub, family, clinic, scan):
    step = (
        "consent",
        "verify-guardian",
        "--child",
        family.child,
        "--guardian",
        family.link,
        "--evidence",
        uuid4(),
    )
    assert planhub(*step, "--found", "none", "--yes").code == Exit.OK
    assert paper(planhub, family, clinic, scan, "--yes").code == Exit.NOT_ALLOWED


def test_authority_that_was_ended_does_not_come_back_with_what_it_had_allowed(planhub, only, scan):
    step = (
        "consent",
        "verify-guardian",
        "--child",
        only.child,
        "--guardian",
        only.other_link,
        "--evidence",
        scan,
    )
    ran = planhub(*step, "--yes")
    assert ran.code == Exit.CONFLICT
    assert "--kind" in ran.err


def test_a_verification_without_a_person_is_a_usage_error(planhub, family, scan):
    ran = planhub("consent", "verify-guardian", "--child", family.child, "--evidence", scan, "--yes")
    assert (ran.code, "--kind" in ran.err) == (Exit.USAGE, True)


def check(planhub: Planhub, family: Family, agency: str, *topics: str, more: tuple[str, ...] = ()) -> Ran:
    words = [word for topic in topics for word in ("--topic", topic)]
    return planhub("consent", "check", "--child", family.child, "--agency", agency, *words, *more)


def test_a_yes_names_the_permission_and_its_last_day(hub, planhub, family, clinic):
    directive = family.permits(clinic, Category.SCHOOL)
    ran = check(planhub, family, clinic, "school")
    assert ran.code == Exit.OK
    last = (now() + SOON).date().isoformat()
    assert ran.out == f"yes: School ({receipt_number(directive)}, until {last})\n"


def test_a_no_gives_the_reason_and_what_is_shared_instead_and_ends_with_6(hub, planhub, family, clinic):
    directive = family.permits(clinic, Category.SCHOOL, Category.ACTIVITIES)
    ran = check(planhub, family, clinic, "health")
    assert ran.code == Exit.REFUSED_BY_CONSENT
    assert ran.out.startswith(
        "no: Health: this topic was not allowed; the family shared School, Clubs and sports, "
        f"{receipt_number(directive)}, until "
    )


def test_one_no_among_several_topics_is_a_no(planhub, family, clinic):
    family.permits(clinic, Category.SCHOOL)
    ran = check(planhub, family, clinic, "school", "health", more=("--json",))
    assert ran.code == Exit.REFUSED_BY_CONSENT
    assert ran.json["allowed"] is False
    topics = {one["topic"]: one for one in ran.json["topics"]}
    assert topics["school"]["allowed"] is True
    assert topics["health"]["reason"] == "category"


def test_a_purpose_the_family_did_not_sign_for_is_a_no(planhub, family, clinic):
    family.permits(clinic, Category.SCHOOL)
    assert (
        check(planhub, family, clinic, "school", more=("--purpose", "REFOUT")).code == Exit.REFUSED_BY_CONSENT
    )


def test_how_a_referral_ended_is_asked_for_by_its_own_purpose(planhub, family, school):
    family.permits(school, Category.SCHOOL, purposes=(Purpose.REFERRAL_OUTCOME,))
    assert check(planhub, family, school, "school", more=("--purpose", "REFOUT")).code == Exit.OK


def test_an_agency_that_left_is_a_no_whatever_the_family_signed(hub, planhub, family, clinic):
    family.permits(clinic, Category.SCHOOL)
    with hub.db.transaction() as connection:
        connection.exec_driver_sql("UPDATE org SET status = 'retired' WHERE org = %s", (clinic,))
    assert check(planhub, family, clinic, "school").code == Exit.REFUSED_BY_CONSENT


def test_asking_is_no_disclosure_and_shows_no_value(hub, planhub, family, school, clinic):
    family.states(school, Category.SCHOOL, words="a secret wish")
    family.permits(clinic, Category.SCHOOL)
    with hub.db.transaction() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM ledger_entry").scalar_one()
    ran = check(planhub, family, clinic, "school", more=("--json",))
    assert "secret" not in ran.out + ran.err
    with hub.db.transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM ledger_entry").scalar_one() == before


def test_the_answer_is_the_one_a_release_gives(hub, planhub, family, school, clinic):
    family.states(school, Category.SCHOOL, Category.HEALTH)
    family.permits(clinic, Category.SCHOOL)
    for topic in (Category.SCHOOL, Category.HEALTH):
        allowed = check(planhub, family, clinic, topic.value).code == Exit.OK
        assert allowed is isinstance(release(hub, family.request(clinic, topic)), Released)


def test_an_unknown_agency_is_a_usage_error_that_names_those_there_are(planhub, family, clinic):
    ran = check(planhub, family, "nobody", "school")
    assert ran.code == Exit.USAGE
    assert clinic in ran.err


def test_everything_signed_is_shown_in_sentences_with_where_it_stands(hub, planhub, family, clinic):
    directive = family.permits(clinic, Category.SCHOOL)
    ran = planhub("consent", "show", "--child", family.child)
    assert ran.out.startswith(
        f"{receipt_number(directive)}  holds: let {clinic} see School, to plan support together, until "
    )
    planhub("consent", "revoke", directive, "--child", family.child, "--guardian", family.link, "--yes")
    shown = planhub("consent", "show", "--child", family.child, "--json").json["said"]
    assert [(one["directive"], one["holds"], one["state"]) for one in shown] == [
        (str(directive), False, "withdrawn")
    ]


def test_a_child_for_whom_nothing_was_signed_is_said_to_be_closed(planhub, family):
    ran = planhub("consent", "show", "--child", family.child)
    assert (ran.code, ran.out) == (Exit.OK, "")
    assert "nothing may leave" in ran.err


def test_one_stop_ends_everything_an_agency_was_allowed(hub, planhub, family, school, clinic):
    mine = {family.permits(clinic, Category.SCHOOL), family.permits(clinic, Category.HEALTH)}
    other = family.permits(school, Category.HEALTH)
    ran = planhub(
        "consent", "revoke", "--child", family.child, "--guardian", family.other_link, "--agency", clinic, "--yes",
        "--json", "--reason", "we moved",
    )  # fmt: skip
    assert ran.code == Exit.OK
    assert set(ran.json["ended"]) == {str(one) for one in mine}
    assert isinstance(release(hub, family.request(clinic)), Refused)
    with hub.db.transaction() as connection:
        assert [one.directive_id for one in said(connection, family.child) if one.ended_at is None] == [other]


def test_stopping_what_is_stopped_is_a_conflict(planhub, family, clinic):
    directive = family.permits(clinic)
    words = ("consent", "revoke", directive, "--child", family.child, "--guardian", family.link, "--yes")
    assert planhub(*words).code == Exit.OK
    assert planhub(*words).code == Exit.CONFLICT


def test_only_a_verified_guardian_stops(hub, planhub, family, clinic):
    directive = family.permits(clinic)
    link = family.guardian(uuid4(), authority=Authority.CANDIDATE, verified_at=None, verified_by=None)
    with hub.db.transaction() as connection:
        directives.add_links(connection, [(family.key, link)])
    ran = planhub(
        "consent", "revoke", directive, "--child", family.child, "--guardian", link.guardian_link_id, "--yes"
    )
    assert ran.code == Exit.NOT_ALLOWED


def test_what_to_stop_must_be_said_once(planhub, family, clinic):
    words = ("consent", "revoke", "--child", family.child, "--guardian", family.link, "--yes")
    assert planhub(*words).code == Exit.USAGE
    assert planhub(*words, "PH-AAAA-AA", "--agency", clinic).code == Exit.USAGE


def test_a_guardian_is_told_who_saw_what_and_the_asking_is_entered(hub, planhub, only, school, clinic):
    only.states(school, Category.SCHOOL)
    only.permits(clinic, Category.SCHOOL)
    release(hub, only.request(clinic))
    ran = planhub("consent", "log", "--child", only.child, "--by", "Ines Vale")
    assert ran.code == Exit.OK
    assert f"{clinic} saw School, to plan support together." in ran.out
    assert ran.out.rstrip().endswith("A parent read here: who saw what.")
    again = planhub("consent", "log", "--child", only.child, "--json").json
    assert again["lines"][-2]["requested_by"] == "Ines Vale"
    assert again["lines"][-1]["entry"] == again["entry"]


def test_the_columns_of_99_32_come_as_csv(hub, planhub, only, clinic):
    release(hub, only.request(clinic))
    ran = planhub("consent", "log", "--child", only.child, "--csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["kind"], rows[0]["party"], rows[0]["ferpa_99_32_required"]) == ("deny", clinic, "True")


def test_with_two_guardians_the_one_who_asks_is_named(planhub, family):
    ran = planhub("consent", "log", "--child", family.child)
    assert ran.code == Exit.USAGE
    assert f"planhub consent guardians --child {family.child}" in ran.err
    assert planhub("consent", "log", "--child", family.child, "--guardian", family.link).code == Exit.OK


def test_who_may_not_read_is_told_nothing_and_the_refusal_is_entered(planhub, only):
    ran = planhub("consent", "log", "--child", only.child, "--guardian", only.other_link)
    assert ran.code == Exit.REFUSED_BY_CONSENT
    assert ran.out == ""
    assert "the guardian it rests on may no longer decide this" in ran.err


def test_two_forms_of_one_output_are_a_usage_error(planhub, only):
    assert planhub("consent", "log", "--child", only.child, "--json", "--csv").code == Exit.USAGE


def test_a_child_is_named_by_the_end_of_its_id_or_by_an_agencys_reference(hub, planhub, family, school):
    secret = hub.keys.deployment_secret(people.SECRET)
    with hub.db.transaction() as connection:
        ref = people.add_references(connection, secret, school, [family.child])[family.child]
    for name in (
        str(family.child),
        str(family.child)[-12:],
        str(family.child)[:13],
        f"{school}:{ref}",
        f"{school}:{ref.upper()}",
    ):
        ran = planhub("consent", "show", "--child", name, "--json")
        assert ran.json["child"] == str(family.child), name


@pytest.mark.parametrize(
    "name", ["Mireille Okafor", "abc", "0" * 32, "somewhere:", ":x", "nobody:aaaa", "zzzzzzzz"]
)
def test_a_child_is_never_found_by_a_name_and_what_was_typed_is_not_repeated(planhub, name):
    ran = planhub("consent", "show", "--child", name)
    assert ran.code == Exit.USAGE
    assert ran.out == ""
    assert len(name) < 4 or name not in ran.err


def test_another_agencys_reference_names_nobody(hub, planhub, family, school, clinic):
    secret = hub.keys.deployment_secret(people.SECRET)
    with hub.db.transaction() as connection:
        ref = people.add_references(connection, secret, school, [family.child])[family.child]
    assert planhub("consent", "show", "--child", f"{clinic}:{ref}").code == Exit.USAGE


def test_a_child_that_is_still_in_review_is_pointed_to_the_reviews(hub, planhub):
    from gateway.store.identities import ChildState, add_children

    child = uuid4()
    with hub.db.transaction() as connection:
        add_children(connection, [(child, ChildState.PROVISIONAL)], now())
    ran = planhub("consent", "show", "--child", child)
    assert (ran.code, "planhub review list" in ran.err) == (Exit.USAGE, True)


def test_no_command_prints_a_fact(hub, planhub, only, school, clinic):
    only.states(school, Category.SCHOOL, part_of=Kind.FAMILY_VOICE, words="a secret wish")
    only.permits(clinic, Category.SCHOOL)
    release(hub, only.request(clinic))
    for words in (("show",), ("guardians",), ("log",), ("log", "--csv")):
        ran = planhub("consent", words[0], "--child", only.child, *words[1:])
        assert "secret" not in ran.out + ran.err
