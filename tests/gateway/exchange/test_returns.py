"""There and back: a referral is sent, its partner says what became of it, and the asker hears it by a permission of its own."""

import csv
import io
import os
from pathlib import Path
from uuid import UUID

import pytest

from adapters.sandbox.fhir import FhirSandbox
from consent.vocabulary import Purpose
from gateway.exchange import refer, returns
from gateway.exchange.deliver import work_lane
from gateway.exchange.poll import poll
from gateway.exchange.refer import Submitted
from gateway.store import referrals
from gateway.store.referrals import ReferralRow
from mappings.record.category import Category
from mappings.record.issue import IssueCode
from mappings.record.kind import Part
from mappings.record.referral import Referral, ReferralConsent, ReferralOutcome, ReferralState
from tests.gateway.exchange.partners import (
    Scripted,
    attempts_of,
    by_way_of,
    hasty,
    plan_in_force,
    queue,
    state_of,
    subscribe,
)
from tests.gateway.family import Family, add_agency

ASKED = Referral.model_validate(
    {
        "service": {"code": "tutoring", "display": "Tutoring"},
        "domain": "academic",
        "reason": "Two years behind in reading",
        "requested_on": "2026-11-01",
    }
)


class Asked:
    """A school that asked a partner for help for a child."""

    def __init__(self, quick, partner: str, connection: str) -> None:
        self.hub, self.partner, self.connection = quick, partner, connection
        self.school = add_agency(quick)
        self.family = Family(quick)
        self.family.states(self.school, Category.SCHOOL)
        self.way_back = subscribe(quick, self.school, parts=(Part.OUTCOME,), purpose=Purpose.REFERRAL_OUTCOME)
        done = refer.submit(quick, self.school, self.family.child, partner, ASKED)
        assert isinstance(done, Submitted)
        self.referral, self.delivery = done.referral_id, done.delivery_id

    def permit(self) -> UUID:
        return self.family.permits(self.partner, Category.IDENTITY, Category.SCHOOL)

    def send(self) -> None:
        work_lane(self.hub, (self.partner, self.family.child))

    def row(self) -> ReferralRow:
        with self.hub.db.transaction() as conn:
            row = referrals.find_referral(conn, self.referral)
        assert row is not None
        return row

    def told_back(self) -> list[tuple[str, str | None]]:
        """How the deliveries to the asker stand after the lane was worked."""
        with self.hub.db.transaction() as conn:
            statement = "SELECT delivery_id FROM delivery WHERE recipient = %s AND topic = 'outcome' ORDER BY position"
            found = list(conn.exec_driver_sql(statement, (self.school,)).scalars())
        return [state_of(self.hub, one) for one in found]


@pytest.fixture
def quick(hub):
    return hasty(hub)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("out", "in"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def club(quick, folder) -> Asked:
    """The partner is a club with a folder and a spreadsheet."""
    partner = add_agency(quick, programme=Category.ACTIVITIES)
    config = {"drop": str(folder / "out"), "pick_up": str(folder / "in")}
    return Asked(
        quick, partner, subscribe(quick, partner, "worklist-folder", parts=(Part.REFERRAL,), config=config)
    )


def handed_back(folder: Path, name: str = "november.csv", **cells: str) -> None:
    """The club fills in the sheet it was given and puts it back."""
    (sheet,) = (folder / "out").glob("*.csv")
    (row,) = csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig")))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerow(row | cells)
    path = folder / "in" / name
    path.write_text(text.getvalue(), encoding="utf-8")
    os.utime(path, (path.stat().st_mtime - 60,) * 2)  # nobody is writing it any more


def test_without_a_yes_nothing_lies_in_the_partners_folder(club, folder):
    club.send()
    assert list((folder / "out").glob("*.csv")) == []
    assert state_of(club.hub, club.delivery)[0] == "withheld"
    assert (club.row().state, club.row().consent_state) == (
        ReferralState.AWAITING_CONSENT,
        ReferralConsent.WAITING,
    )


def test_a_worklist_goes_out_and_comes_back_filled_in(club, folder):
    club.permit()
    club.send()
    assert state_of(club.hub, club.delivery) == ("delivered", None)
    assert club.row().state is ReferralState.SENT
    handed_back(folder, status="accepted", status_date="2026-11-20")
    tally = poll(club.hub, club.connection)
    assert (tally.total.accepted, tally.rejections) == (1, [])
    assert club.row().state is ReferralState.ACCEPTED
    assert club.row().accepted_at is not None
    assert [path.name for path in (folder / "in" / "processed").iterdir()] != []


def test_handed_in_twice_it_counts_once(club, folder):
    club.permit()
    club.send()
    handed_back(folder, status="accepted", status_date="2026-11-20")
    poll(club.hub, club.connection)
    revision = club.row().revision
    handed_back(folder, status="accepted", status_date="2026-11-20")
    again = poll(club.hub, club.connection)
    assert again.rejections == []
    assert club.row().revision == revision
    with club.hub.db.transaction() as conn:
        assert len(referrals.events(conn, club.referral)) == 1


def test_what_its_table_does_not_allow_is_refused_with_the_row_and_the_file_put_aside(club, folder):
    club.permit()
    club.send()
    done = {"status": "completed", "status_date": "2026-11-20", "outcome": "service received"}
    handed_back(folder, **done)
    poll(club.hub, club.connection)
    handed_back(folder, "later.csv", status="accepted", status_date="2026-11-21")
    tally = poll(club.hub, club.connection)
    assert [one.issue.code for one in tally.rejections] == [IssueCode.ILLEGAL_TRANSITION]
    assert tally.total.read == tally.total.accepted + tally.total.rejected + tally.total.aside == 1
    assert (club.row().state, club.row().outcome) == (
        ReferralState.COMPLETED,
        ReferralOutcome.SERVICE_RECEIVED,
    )


def test_another_agencys_reference_is_refused(quick, club, folder, tmp_path):
    club.permit()
    club.send()
    (tmp_path / "other").mkdir()
    stranger = add_agency(quick)
    config = {"drop": str(tmp_path), "pick_up": str(tmp_path / "other")}
    connection = subscribe(quick, stranger, "worklist-folder", parts=(Part.REFERRAL,), config=config)
    handed_back(folder, status="accepted", status_date="2026-11-20")
    (folder / "in" / "november.csv").rename(tmp_path / "other" / "november.csv")
    tally = poll(quick, connection)
    assert [one.issue.code for one in tally.rejections] == [IssueCode.NOT_OURS]
    assert club.row().state is ReferralState.SENT


def test_the_asker_is_told_nothing_without_a_permission_for_how_it_ended(club, folder, monkeypatch):
    club.permit()
    club.send()
    handed_back(folder, status="accepted", status_date="2026-11-20")
    poll(club.hub, club.connection)
    way = Scripted()
    with by_way_of(monkeypatch, way):
        work_lane(club.hub, (club.school, club.family.child))
    assert [state for state, _ in club.told_back()] == ["withheld"]
    assert way.got == []


def test_the_asker_is_told_by_a_permission_for_how_it_ended(club, folder, monkeypatch):
    club.permit()
    club.family.permits(club.school, Category.IDENTITY, Category.SCHOOL, purposes=(Purpose.REFERRAL_OUTCOME,))
    club.send()
    done = {"status": "completed", "status_date": "2026-11-20", "outcome": "service received"}
    handed_back(folder, **done)
    poll(club.hub, club.connection)
    way = Scripted()
    with by_way_of(monkeypatch, way):
        work_lane(club.hub, (club.school, club.family.child))
    assert [state for state, _ in club.told_back()] == ["delivered"]
    assert len(way.got) == 1
    informed = refer.family_informed(club.hub, club.school, club.referral)
    assert isinstance(informed, refer.Moved)
    assert club.row().family_informed_at is not None


@pytest.fixture
def server():
    with FhirSandbox([]) as running:
        yield running


@pytest.fixture
def clinic(quick, server) -> Asked:
    """The partner has a FHIR server."""
    partner = add_agency(quick, programme=Category.HEALTH)
    config = {"base_url": server.base_url}
    return Asked(quick, partner, subscribe(quick, partner, parts=tuple(Part), config=config))


def test_how_a_referral_goes_is_read_from_the_partners_task(clinic, server):
    clinic.permit()
    clinic.send()
    assert attempts_of(clinic.hub, clinic.delivery) == [("delivered", None)]
    (task,) = server.resources("Task")
    assert poll(clinic.hub, clinic.connection).of(returns.TASKS).accepted <= 1
    assert clinic.row().state is ReferralState.SENT
    server.task_transition(task["id"], "accepted")
    poll(clinic.hub, clinic.connection)
    assert clinic.row().state is ReferralState.ACCEPTED
    server.task_transition(task["id"], "in-progress")
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "410155007"}]}
    server.task_transition(
        task["id"], "completed", output_procedure={"resourceType": "Procedure", "code": code}
    )
    tally = poll(clinic.hub, clinic.connection)
    assert tally.rejections == []
    assert clinic.row().state is ReferralState.COMPLETED
    assert clinic.row().closed_at is not None
    revision = clinic.row().revision
    poll(clinic.hub, clinic.connection)
    assert clinic.row().revision == revision


def test_what_the_hub_wrote_itself_does_not_come_back_as_what_the_partner_says(clinic, server):
    clinic.permit()
    plan_in_force(clinic.hub, clinic.family, clinic.school)
    queue(clinic.hub, clinic.partner, clinic.family.child, clinic.connection)
    clinic.send()
    assert len(server.resources("Patient")) == 1
    assert server.resources("Observation") != []
    charted = {
        "resourceType": "Condition",
        "subject": {"reference": f"Patient/{server.resources('Patient')[0]['id']}"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "195967001", "display": "Asthma"}]},
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
            ]
        },
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-category",
                        "code": "problem-list-item",
                    }
                ]
            }
        ],
    }
    server.add(charted)
    tally = poll(clinic.hub, clinic.connection)
    assert tally.rejections == []
    assert tally.of("Observation").aside == len(server.resources("Observation"))
    assert (tally.identities_linked, tally.identities_in_review, tally.children_new) == (1, 0, 0)
    with clinic.hub.db.transaction() as conn:
        statement = "SELECT kind, org FROM assertion WHERE child_id = %s AND source_identity_id IS NOT NULL"
        found = conn.exec_driver_sql(statement, (clinic.family.child,)).all()
    assert [row.org for row in found] == [clinic.partner], "only what the clinic charted itself"
    assert poll(clinic.hub, clinic.connection).changed_nothing


def test_a_task_that_is_declined_closes_the_referral(clinic, server):
    clinic.permit()
    clinic.send()
    (task,) = server.resources("Task")
    server.task_transition(task["id"], "rejected", "No place until March")
    poll(clinic.hub, clinic.connection)
    assert clinic.row().state is ReferralState.DECLINED
    assert clinic.row().closed_at is not None
