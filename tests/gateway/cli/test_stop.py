"""`planhub consent revoke`: what a guardian takes back ends at once, and once."""

from uuid import uuid4

from consent.directive import AuthMethod
from consent.guardian import Authority
from gateway.cli.exits import Exit
from gateway.exchange.disclosure import Refused
from gateway.exchange.inquiry import said
from gateway.exchange.release import release
from gateway.store import directives
from mappings.record.category import Category
from tests.gateway.cli.forms import NOTICE, UNTIL


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


def test_a_stop_can_be_taken_on_the_telephone_and_a_yes_never(hub, planhub, family, clinic):
    """A stop names who called; whatever opens needs a signed paper, and a permit without one permits nothing."""
    directive = family.permits(clinic)
    called = ("--child", family.child, "--guardian", family.link, "--by", "Ines Vale", "--yes")
    assert planhub("consent", "revoke", directive, *called, "--reason", "called").code == Exit.OK
    spoken = ("--agency", clinic, "--topic", "school", "--purpose", "COC", "--until", UNTIL)
    assert planhub("consent", "record-paper", *called, *spoken, "--notice", NOTICE).code == Exit.USAGE
    assert not {one.value for one in AuthMethod} & {"telephone", "phone", "voice", "verbal"}
    family.permits(clinic, auth_evidence=None)
    assert isinstance(release(hub, family.request(clinic)), Refused)
