"""The community file: strict, resolved, shown as a diff before it is applied."""

import textwrap
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from gateway.exchange.community import Change, ChangeKind, apply_changes, changes
from gateway.exchange.community_file import CommunityFileError, read_community
from gateway.exchange.intake import take_in
from gateway.store import configuration
from gateway.store.configuration import Place
from gateway.store.directives import open_child_facts
from gateway.store.engine import Role
from tests.gateway.exchange.feeds import add_connection, full, student, unique

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
        ("name: Elm City\n", "name: Elm City\njurisdiction: Illinois!\n", "jurisdiction"),
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


def applied(hub, path):
    with hub.db.transaction() as conn:
        present = configuration.read_all(conn)
        apply_changes(conn, changes(read_community(path).rows(), present), present)


def test_before_a_file_is_applied_days_are_those_of_utc_and_the_default_law_holds(fresh_hub):
    assert fresh_hub.place() == Place(UTC, "default")


def test_a_hub_knows_where_its_community_is_from_the_file_applied_last(fresh_hub, write):
    applied(fresh_hub, write())
    assert fresh_hub.place() == Place(ZoneInfo("America/New_York"), "default")
    moved = FILE.replace("New_York", "Chicago").replace("\nagencies:", "\njurisdiction: us-il\nagencies:", 1)
    applied(fresh_hub, write(moved))
    assert fresh_hub.place() == Place(ZoneInfo("America/Chicago"), "us-il")


def test_a_community_under_another_key_takes_the_place_of_the_one_before(fresh_hub, write):
    applied(fresh_hub, write())
    renamed = FILE.replace("elm-city\n", "oak-city\n").replace("New_York", "Denver")
    applied(fresh_hub, write(renamed))
    assert fresh_hub.place().zone == ZoneInfo("America/Denver")


def test_a_childs_birthday_begins_where_the_community_is(fresh_hub, write):
    applied(fresh_hub, write(FILE.replace("\nagencies:", "\njurisdiction: us-il\nagencies:", 1)))
    edfi = add_connection(fresh_hub, "district", "edfi")
    take_in(fresh_hub, edfi, full(student(unique())))
    with fresh_hub.db.transaction(role=Role.CONSENT) as conn:
        row = conn.exec_driver_sql("SELECT child_id, body FROM child_fact").one()
    facts = open_child_facts(fresh_hub.keys.get(row.child_id), row.child_id, bytes(row.body))
    assert (facts.zone, facts.jurisdiction) == (ZoneInfo("America/New_York"), "us-il")


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
