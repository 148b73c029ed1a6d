"""The story of one child of the Grand Bend district: pulled in, planned for by three agencies, shown to a fourth.

Who the child is, its school and its guardians are read from the recorded district; the rest is invented.
"""

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from adapters.edfi.source import connect
from adapters.egress import Egress
from adapters.http import HttpClient
from adapters.oauth import Secret
from adapters.port import SourceDocument
from adapters.sandbox.city import PLAN_COLUMNS, City, plan_sheet, sheet_csv
from adapters.sandbox.edfi import CLIENT_ID, CLIENT_SECRET, EdFiSandbox
from adapters.sandbox.fhir import FhirSandbox
from consent.guardian import Authority, GuardianKind
from consent.vocabulary import STATEMENTS, Purpose
from gateway.exchange import inquiry, paper, plans, reading, refer
from gateway.exchange.connect import sheet_documents
from gateway.exchange.context import Hub
from gateway.exchange.deliver import work_lane
from gateway.exchange.intake import take_in
from gateway.exchange.item import Pulled
from gateway.exchange.permission import Changed
from gateway.exchange.plans import Proposed
from gateway.exchange.poll import poll
from gateway.exchange.reading import Reader
from gateway.exchange.refer import Submitted
from gateway.store import people, tables
from mappings.record.category import Category
from mappings.record.contribution import Contribution
from mappings.record.kind import Kind, Part
from mappings.record.plan import Domain
from mappings.record.referral import Referral
from mappings.record.regime import Regime
from tests.gateway.exchange.feeds import add_connection
from tests.gateway.exchange.partners import subscribe
from tests.gateway.family import add_agency

PEOPLE = (
    "schools",
    "students",
    "studentSchoolAssociations",
    "studentEducationOrganizationAssociations",
    "contacts",
    "studentContactAssociations",
)
"""What of the 45 resources says who the children are; all of them are pulled in test_intake_corpus.py."""
NUMBER = "student-unique-id"
STUDENT_NUMBER = "https://clinic.example/district-student-number"
SNOMED = "http://snomed.info/sct"
GOAL = "Reads a chapter book alone by spring"
SCHOOL, CLINIC, PROGRAMME, NAVIGATORS = "district", "clinic", "after-school", "family-navigators"
ALLOWED = {Category.SCHOOL, Category.HEALTH, Category.HOME}


@dataclass(frozen=True)
class Story:
    """What happened. `sent` are the Bundles that arrived at the fourth agency, in order; `kept` what it now holds."""

    hub: Hub
    child: UUID
    version: UUID
    student: dict[str, Any]
    sent: list[dict[str, Any]]
    kept: list[dict[str, Any]]


def play(hub: Hub, district: EdFiSandbox, folder: Path, sheets: Path) -> Story:
    """Everything up to the fourth agency's server. `folder` is the programme's, `sheets` where the school writes."""
    student = _chosen(district)
    connections = _community(hub)
    tally = take_in(hub, connections[SCHOOL], _pull(district))
    assert tally.failure is None
    assert tally.children_new == 960
    ref = reading.find_own(hub, SCHOOL, NUMBER, SCHOOL, student["studentUniqueId"])
    assert ref is not None
    with hub.db.transaction() as conn:
        child = people.child_of(conn, SCHOOL, ref)
    assert child is not None
    guardian = _verified(hub, child)

    _school_says(hub, child, student, sheets)
    _clinic_says(hub, child, guardian, student)
    _programme_says(hub, child, guardian, folder)
    version = _agreed(hub, child)
    with FhirSandbox([]) as navigators:
        _reach(hub, child, guardian, navigators)
        bodies = [json.loads(r.body) for r in navigators.received if r.method == "POST" and r.body]
        sent = [one for one in bodies if one.get("resourceType") == "Bundle"]
        kinds = {entry["resource"]["resourceType"] for one in sent for entry in one["entry"]}
        kept = [resource for kind in sorted(kinds) for resource in navigators.resources(kind)]
    return Story(hub, child, version, student, sent, kept)


def _chosen(district: EdFiSandbox) -> dict[str, Any]:
    """The first student whose mother the district names."""
    mothers = {
        link["studentReference"]["studentUniqueId"]
        for link in district.documents("studentContactAssociations")
        if link["relationDescriptor"].endswith("#Mother")
    }
    return next(one for one in district.documents("students") if one["studentUniqueId"] in mothers)


def _community(hub: Hub) -> dict[str, str]:
    add_agency(hub, SCHOOL, programme=Category.SCHOOL)
    add_agency(hub, CLINIC, programme=Category.HEALTH)
    add_agency(hub, PROGRAMME, programme=Category.ACTIVITIES)
    add_agency(hub, NAVIGATORS, programme=Category.HOME)
    return {SCHOOL: add_connection(hub, SCHOOL, "edfi", roster=True, regimes=["EDU"])}


def _pull(district: EdFiSandbox) -> Iterator[Pulled]:
    with HttpClient(egress=Egress((ip_network("127.0.0.0/8"),))) as http:
        resources = [f"ed-fi/{name}" for name in PEOPLE]
        source = connect(http, district.base_url, Secret(CLIENT_ID, CLIENT_SECRET), resources)
        assert not isinstance(source, SourceDocument)
        yield from source.pull(None)


def _verified(hub: Hub, child: UUID) -> UUID:
    """A person has looked at papers and confirmed the mother the district named; until then she may sign nothing."""
    with hub.db.transaction() as conn:
        candidates = inquiry.guardians(conn, child)
    assert candidates
    assert all(one.authority is Authority.CANDIDATE for one in candidates)
    mother = next(one for one in candidates if one.kind is GuardianKind.PARENT)
    done = paper.verify(
        hub,
        paper.Verification(
            child_id=child,
            guardian_link=mother.guardian_link_id,
            kind=mother.kind,
            authority=Authority.VERIFIED,
            evidence_id=paper.evidence_of(b"birth certificate"),
            verified_by="registrar",
        ),
    )
    assert isinstance(done, Changed), done
    return mother.guardian_link_id


def _permit(hub: Hub, child: UUID, guardian: UUID, agency: str, topics: set[Category]) -> None:
    now = hub.clock()
    done = paper.record(
        hub,
        paper.PaperForm(
            child_id=child,
            guardian_link=guardian,
            recipient=agency,
            topics=frozenset(topics),
            purposes=frozenset({Purpose.CARE_COORDINATION}),
            until=now + timedelta(days=30),
            signed_at=now - timedelta(minutes=1),
            notice=("ask", "1", "en"),
            form_sha256=sha256(agency.encode()).hexdigest(),
            regimes=frozenset(Regime),
            states=STATEMENTS,
            attested_by="front desk",
        ),
    )
    assert isinstance(done, Changed), done


def _school_says(hub: Hub, child: UUID, student: dict[str, Any], folder: Path) -> None:
    """The coordinator's sheet, as the template has it, with this child's number and name in each row."""
    who = {
        "child_id": student["studentUniqueId"],
        "first_name": student["firstName"],
        "last_name": student["lastSurname"],
        "birth_date": student["birthDate"],
    }
    template = [row for row in plan_sheet(City.build(children=45)) if row["row_id"].startswith("maribel")]
    rows = [
        row
        | who
        | {"row_id": f"gb-{n}"}
        | ({"attendees": "Coordinator; mother"} if "attendees" in row else {})
        for n, row in enumerate(template)
    ]
    path = folder / "plan.csv"
    path.write_bytes(sheet_csv(rows, PLAN_COLUMNS))
    connection = add_connection(
        hub, SCHOOL, "plan-sheet", config={"identifier_systems": {"local": NUMBER}}, roster=True
    )
    tally = take_in(hub, connection, sheet_documents(connection, path))
    assert tally.rejections == []
    assert tally.total.accepted == len(rows)
    assert tally.children_new == 0
    terms = Contribution(kind=Kind.PLAN_TERMS, value={"school_year": "2026-27", "next_review": "2027-02-26"})
    assert plans.contribute(hub, SCHOOL, child, [terms], {}).issues == ()


def _clinic_says(hub: Hub, child: UUID, guardian: UUID, student: dict[str, Any]) -> None:
    """The clinic's own server knows the child by the district's number; the family was asked about it, so it is looked at."""
    _permit(hub, child, guardian, CLINIC, {Category.SCHOOL})
    subject = {"reference": "Patient/known"}
    system = "http://terminology.hl7.org/CodeSystem/"
    resources: list[dict[str, Any]] = [
        {
            "resourceType": "Patient",
            "id": "known",
            "identifier": [
                {"system": "https://clinic.example/mrn", "value": "C-1", "assigner": {"display": CLINIC}},
                {"system": STUDENT_NUMBER, "value": student["studentUniqueId"], "assigner": {"display": SCHOOL}},
            ],
            "name": [{"use": "official", "family": student["lastSurname"], "given": [student["firstName"]]}],
            "birthDate": student["birthDate"],
        },
        {
            "resourceType": "Condition",
            "id": "asthma",
            "clinicalStatus": {"coding": [{"system": f"{system}condition-clinical", "code": "active"}]},
            "verificationStatus": {"coding": [{"system": f"{system}condition-ver-status", "code": "confirmed"}]},
            "category": [{"coding": [{"system": f"{system}condition-category", "code": "problem-list-item"}]}],
            "code": {"coding": [{"system": SNOMED, "code": "195967001", "display": "Asthma"}]},
            "subject": subject,
            "recordedDate": "2026-10-03",
        },
    ]  # fmt: skip
    with FhirSandbox(resources) as server:
        config = {"base_url": server.base_url, "identifier_systems": {STUDENT_NUMBER: NUMBER}}
        connection = add_connection(hub, CLINIC, "fhir", config=config, regimes=["HLTH"])
        tally = poll(hub, connection)
    assert tally.rejections == []
    assert (tally.identities_linked, tally.identities_in_review, tally.children_new) == (1, 0, 0)


def _programme_says(hub: Hub, child: UUID, guardian: UUID, folder: Path) -> None:
    """A referral lands in the programme's folder as a sheet; it comes back with two afternoons of attendance."""
    for part in ("out", "in"):
        (folder / part).mkdir()
    connection = subscribe(
        hub,
        PROGRAMME,
        "worklist-folder",
        parts=(Part.REFERRAL,),
        categories=(Category.IDENTITY, Category.ACTIVITIES),
        config={"drop": str(folder / "out"), "pick_up": str(folder / "in")},
    )
    _permit(hub, child, guardian, PROGRAMME, {Category.ACTIVITIES})
    _refer(hub, child, PROGRAMME, Domain.ENRICHMENT, "robotics-club", "Robotics club")
    work_lane(hub, (PROGRAMME, child))
    (sheet,) = (folder / "out").glob("*.csv")
    (row,) = csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8-sig")))
    keep = {name: row[name] for name in ("child_ref", "referral_id", "topic", "service")}
    days = [
        keep | {"row_id": f"day-{n}", "service_date": f"2026-11-{n}", "minutes": "90", "attended": "yes"}
        for n in (10, 12)
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*row], restval="")
    writer.writeheader()
    writer.writerows([row | {"status": "accepted", "status_date": "2026-11-09"}, *days])
    filled = folder / "in" / "november.csv"
    filled.write_text(text.getvalue())
    os.utime(filled, (filled.stat().st_mtime - 3_600,) * 2)
    tally = poll(hub, connection)
    assert tally.rejections == []
    assert tally.facts_added >= len(days)


def _refer(hub: Hub, child: UUID, to: str, domain: Domain, code: str, display: str) -> None:
    asked = Referral.model_validate(
        {
            "service": {"code": code, "display": display},
            "domain": domain,
            "reason": "Asked for at the conference",
            "requested_on": date(2026, 11, 16),
        }
    )
    done = refer.submit(hub, SCHOOL, child, to, asked)
    assert isinstance(done, Submitted), done


def _agreed(hub: Hub, child: UUID) -> UUID:
    """Proposed and made active by the school."""
    proposed = plans.propose(hub, SCHOOL, child)
    assert isinstance(proposed, Proposed), proposed
    verdict = reading.judge(hub, Reader(SCHOOL, "district-system", Purpose.CARE_COORDINATION), child)
    assert verdict.next_review is not None
    review = datetime.combine(verdict.next_review, time(), hub.clock().tzinfo)
    active = plans.activate(hub, SCHOOL, child, verdict.lacks, review)
    assert isinstance(active, Proposed), active
    return active.plan_version_id


def _reach(hub: Hub, child: UUID, guardian: UUID, navigators: FhirSandbox) -> None:
    """The fourth agency asks for every topic; the mother allows three of them; a referral goes there too."""
    subscribe(
        hub,
        NAVIGATORS,
        "fhir",
        parts=(Part.PLAN, Part.REFERRAL),
        categories=tuple(Category),
        config={"base_url": navigators.base_url},
    )
    _permit(hub, child, guardian, NAVIGATORS, ALLOWED)
    with hub.db.transaction() as conn:
        plans.announce(hub, conn, child, hub.clock())
    _refer(hub, child, NAVIGATORS, Domain.FAMILY, "food-pantry", "Food pantry")
    worked = work_lane(hub, (NAVIGATORS, child))
    assert worked is not None
    d = tables.delivery
    with hub.db.transaction() as conn:
        ends = conn.execute(select(d.c.topic, d.c.state, d.c.reason).where(d.c.recipient == NAVIGATORS)).all()
    assert sorted(map(tuple, ends)) == [("plan", "delivered", None), ("referral", "delivered", None)]
