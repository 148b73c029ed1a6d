"""`planhub consent`: staff ask whether something may go out and what was signed, and tell a guardian who saw what."""

import csv
import io
from uuid import uuid4

import pytest

from consent.vocabulary import Purpose
from gateway.cli.exits import Exit
from gateway.exchange.accounting import COLUMNS
from gateway.exchange.disclosure import Released
from gateway.exchange.release import release
from gateway.exchange.wording import receipt_number
from gateway.store import people
from mappings.record.category import Category
from mappings.record.kind import Kind
from tests.gateway.cli.conftest import Planhub, Ran
from tests.gateway.family import SOON, Family, now


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
