"""The community file: strict, resolved, shown as a diff before it is applied."""

import textwrap

import pytest

from gateway.exchange.community import Change, ChangeKind, apply_changes, changes
from gateway.exchange.community_file import CommunityFileError, read_community
from gateway.store import configuration

FILE = """
community: elm-city
name: Elm City
timezone: America/New_York
agencies:
  - {key: district, name: Elm City Schools, kind: school-district, programme: school,
     hub_role: school-official-contractor, regimes: [EDU], roster_authority: true}
  - {key: clinic, name: Elm Street Clinic, kind: clinic, programme: health, hub_role: business-associate, regimes: [HLTH]}
agreements:
  - {key: clinic-2026, agency: clinic, purposes: [COC, TREAT], categories: [identity, school, health],
     starts: 2026-07-01, ends: 2027-07-01}
connections:
  - {key: clinic-fhir, agency: clinic, adapter: fhir, config: {base_url: "http://127.0.0.1:1/fhir"},
     secrets: {bearer: "env:CLINIC_TOKEN"}}
subscriptions:
  - {key: clinic-plan, agency: clinic, connection: clinic-fhir, purpose: COC, categories: [identity, school, health]}
clients:
  - {client_id: clinic-ehr, agency: clinic, jwks: {keys: []}, scopes: [plans.read], purposes: [COC]}
"""


@pytest.fixture
def write(tmp_path):
    def written(text=FILE):
        path = tmp_path / "community.yaml"
        path.write_text(textwrap.dedent(text))
        return path

    return written


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("name: Elm City\n", "nme: Elm City\n", "nme"),
        ("agency: clinic, jwks", "agency: clinc, jwks", "names agency clinc"),
        ("connection: clinic-fhir", "connection: other", "connection other is not one of agency clinic"),
        ("America/New_York", "America/Elm", "no zone is called America/Elm"),
        ("ends: 2027-07-01", "ends: 2026-07-01", "an agreement ends after it starts"),
        (
            'config: {base_url: "http://127.0.0.1:1/fhir"}',
            "config: {client_secret: abc}",
            "never a value in this file",
        ),
        ('bearer: "env:CLINIC_TOKEN"', 'bearer: "swordfish"', "secrets.bearer"),
        ("purposes: [COC, TREAT]", "purposes: [MARKETING]", "purposes"),
        ("scopes: [plans.read]", "scopes: [everything]", "scopes"),
        ("key: clinic, name", "key: district, name", "district stands twice"),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_place(write, old, new, says):
    assert old in FILE
    with pytest.raises(CommunityFileError) as refused:
        read_community(write(FILE.replace(old, new)))
    assert says in str(refused.value)
    assert "swordfish" not in str(refused.value)


def test_what_is_not_yaml_is_refused_with_line_and_column(write):
    with pytest.raises(CommunityFileError, match=r"community\.yaml:\d+:\d+: not YAML"):
        read_community(write("a: 1\nb: [1\n"))


def test_a_missing_file_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(CommunityFileError, match="give the path of a community file"):
        read_community(tmp_path / "none.yaml")


def test_applying_twice_changes_nothing_the_second_time(write, fresh_db):
    wanted = read_community(write()).rows()
    with fresh_db.transaction() as conn:
        present = configuration.read_all(conn)
        found = changes(wanted, present)
        assert [c.kind for c in found] == [ChangeKind.ADD] * len(found)
        apply_changes(conn, found, present)
        assert changes(wanted, configuration.read_all(conn)) == ()
        conn.rollback()


def test_what_leaves_the_file_is_retired_and_ends_live_decisions(write, fresh_db):
    def epoch(conn):
        return conn.exec_driver_sql("SELECT epoch FROM agreement_epoch WHERE org = 'clinic'").scalar_one()

    with fresh_db.transaction() as conn:
        present = configuration.read_all(conn)
        apply_changes(conn, changes(read_community(write()).rows(), present), present)
        before = epoch(conn)
        shorter = FILE[: FILE.index("agreements:")] + FILE[FILE.index("connections:") :]
        present = configuration.read_all(conn)
        found = changes(read_community(write(shorter)).rows(), present)
        assert found == (Change(kind=ChangeKind.RETIRE, table="agreement", key="clinic-2026"),)
        apply_changes(conn, found, present)
        assert configuration.read_all(conn)["agreement"]["clinic-2026"]["status"] == "ended"
        assert epoch(conn) > before
        conn.rollback()
