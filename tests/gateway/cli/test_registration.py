"""`planhub consent verify-guardians`: a registration day from a CSV, row by row, in the name of whoever saw the papers."""

from uuid import uuid4

import pytest

from consent.guardian import Authority, GuardianKind
from gateway.cli.exits import Exit
from gateway.exchange.keep import GUARDIANS, candidate_id
from gateway.store import directives
from tests.gateway.cli.forms import UNTIL, paper
from tests.gateway.family import Family

HEADER = "child,guardian,kind,found,evidence,without,from,until"


@pytest.fixture
def candidate(hub):
    """A child whose feed names one person as guardian."""

    def made(key):
        family = Family(hub)
        link = candidate_id(hub.keys.deployment_secret(GUARDIANS), family.child, "district", key)
        named = family.guardian(link, authority=Authority.CANDIDATE, verified_at=None, verified_by=None)
        with hub.db.transaction() as conn:
            directives.add_links(conn, [(family.key, named)])
        family.link = link
        return family

    return made


@pytest.fixture
def csv(tmp_path):
    def written(*rows):
        path = tmp_path / "registration.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n")
        return path

    return written


def _listed(planhub, family):
    rows = planhub("consent", "guardians", "--child", family.child, "--json").json["guardians"]
    return {row["guardian"]: row for row in rows}


def test_a_registration_day_gives_authority_and_a_faulty_row_stops_no_other(
    planhub, candidate, csv, clinic, scan
):
    one, two, three = (candidate(key) for key in ("c-1", "c-2", "c-3"))
    assert paper(planhub, one, clinic, scan, "--yes").code == Exit.NOT_ALLOWED
    path = csv(
        f"{one.child},district:c-1,,,{uuid4()},,,{UNTIL}",
        f"{two.child},district:c-2,,none,{uuid4()},,,",
        f"{three.child},district:unknown,,,{uuid4()},,,",
        f"{three.child},district:c-3,,,no-such-file.pdf,,,",
        f"{three.child},,legal-guardian,,{scan.name},counseling health,,",
    )
    words = ("consent", "verify-guardians", path, "--by", "Ines Vale", "--json")
    assert {one["result"] for one in planhub(*words, "--dry-run").json["rows"]} == {
        "would-be-taken",
        "not-taken",
    }
    assert _listed(planhub, one)[str(one.link)]["authority"] == "candidate"

    ran = planhub(*words, "--yes")

    assert ran.code == Exit.CONFLICT
    assert [row["result"] for row in ran.json["rows"]] == [
        "verified",
        "none",
        "not-taken",
        "not-taken",
        "verified",
    ]
    assert [row["row"] for row in ran.json["rows"]] == [2, 3, 4, 5, 6]
    assert all(row["entries"] for row in ran.json["rows"] if not row["why"])
    first = _listed(planhub, one)[str(one.link)]
    assert (first["authority"], first["may_act"], first["verified_by"]) == ("verified", True, "Ines Vale")
    assert first["until"] is not None
    assert not _listed(planhub, two)[str(two.link)]["may_act"]
    assert (
        _listed(planhub, three)[ran.json["rows"][4]["guardian"]]["kind"] == GuardianKind.LEGAL_GUARDIAN.value
    )
    assert paper(planhub, one, clinic, scan, "--yes").code == Exit.OK
    assert paper(planhub, two, clinic, scan, "--yes").code == Exit.NOT_ALLOWED


def test_of_two_rows_about_the_same_person_none_is_taken(planhub, candidate, csv):
    family = candidate("c-4")
    rows = [f"{family.child},district:c-4,,{found},{uuid4()},,," for found in ("verified", "none")]
    ran = planhub("consent", "verify-guardians", csv(*rows), "--yes", "--json")
    assert [row["why"] for row in ran.json["rows"]] == ["twice", "twice"]
    assert _listed(planhub, family)[str(family.link)]["authority"] == "candidate"


def test_authority_to_come_counts_from_its_first_day(planhub, candidate, csv):
    family = candidate("c-5")
    ran = planhub(
        "consent",
        "verify-guardians",
        csv(f"{family.child},district:c-5,,,{uuid4()},,{UNTIL},"),
        "--yes",
        "--json",
    )
    assert ran.code == Exit.OK
    row = _listed(planhub, family)[str(family.link)]
    assert (row["authority"], row["may_act"]) == ("verified", False)


@pytest.mark.parametrize("header", ["child,evidence,birthdate", "guardian,evidence"])
def test_a_file_with_other_columns_is_not_begun(planhub, tmp_path, header):
    path = tmp_path / "other.csv"
    path.write_text(header + "\n")
    assert planhub("consent", "verify-guardians", path, "--yes").code == Exit.USAGE


def test_nothing_that_was_typed_is_repeated(planhub, csv):
    ran = planhub("consent", "verify-guardians", csv("Maya Torres,Ana Torres,,,scan.pdf,,,"), "--yes")
    assert ran.code == Exit.CONFLICT
    assert "Torres" not in ran.out + ran.err
