"""`planhub consent verify-guardian`: authority comes from the hub's own step and from nothing else."""

from uuid import uuid4

from consent.guardian import Authority, GuardianKind, GuardianLink
from gateway.cli.exits import Exit
from gateway.exchange.keep import GUARDIANS, candidate_id
from gateway.exchange.paper import evidence_of
from gateway.store import directives
from tests.gateway.cli.forms import UNTIL, paper
from tests.gateway.family import SOON, now


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
