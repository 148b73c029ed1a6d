"""The first half of the story: who the children are, who asks for them, what the family allows, and one plan from three sources."""

import csv
import hashlib
import io
import os
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from adapters.sandbox import city as town
from consent.guardian import Authority
from consent.vocabulary import STATEMENTS, Purpose
from gateway.cli.demo.play import Play, day
from gateway.cli.demo.stage import CLINIC, DISTRICT, NAMES, PROGRAMME
from gateway.exchange import inquiry, paper
from gateway.exchange.community import apply_changes, changes
from gateway.exchange.community_file import read_community
from gateway.exchange.permission import Changed
from gateway.exchange.poll import poll
from gateway.exchange.tally import Tally
from gateway.store import configuration, documents, tables
from mappings.record.category import Category
from mappings.record.regime import Regime

ZONE = ZoneInfo("America/New_York")
JUNE = date(2027, 6, 30)
SCHOOL_YEAR_END = date(2027, 6, 30)


def counted(tally: Tally) -> str:
    """What a pull came to, in one sentence."""
    total = tally.total
    return (
        f"{total.read:,} documents read: {total.accepted:,} taken in, {total.rejected} rejected, "
        f"{total.aside} set aside"
    )


def community(play: Play) -> None:
    """The community file is applied: who there is, what was agreed between agencies, how each is reached."""
    play.tell.begin("Brindlecove sets up its hub")
    wanted = read_community(play.stage.community).rows()
    with play.hub.db.transaction() as conn:
        present = configuration.read_all(conn)
        found = changes(wanted, present)
        apply_changes(conn, found, present)
        for one in wanted["connection"]:  # the story asks them itself, one after the other
            documents.note_poll(conn, one, play.hub.clock())
    play.tell.say(
        f"Four agencies sign agreements and are connected: {', '.join(NAMES.values())} ({len(found)} rows from one file)."
    )
    play.tell.why("without an agreement in force an agency gets nothing, whatever a family grants")


def roster(play: Play) -> None:
    """The school's roster, twice, and the same children from another system."""
    play.tell.begin("The school's roster")
    first = poll(play.hub, "district-edfi")
    play.tell.say(
        f"{NAMES[DISTRICT]} is read through its Ed-Fi interface. {counted(first)}; {first.children_new} children are new."
    )
    play.tell.say(
        f"{first.cuts} fields that are never kept (a social security number, a visa, a password) were cut out before anything was written."
    )
    play.tell.must(
        first.children_new == len(play.stage.city.children), "every child of the district is taken in"
    )
    again = poll(play.hub, "district-edfi")
    play.tell.must(again.changed_nothing, "a second pull changes nothing")
    play.tell.say("It is read again, and nothing changes.")
    package = poll(play.hub, "district-roster")
    play.tell.must(package.children_new == 0, "the OneRoster package brings no new child")
    play.tell.must(package.identities_in_review == 0, "the OneRoster package leaves nobody in review")
    play.tell.say(
        f"The district's OneRoster package names {package.identities_linked} children. All are the ones we know."
    )
    play.tell.why(
        "the same number from the same district, with name and birth date agreeing, is the same child"
    )


REFERRALS = (
    (
        "asthma",
        "maribel",
        CLINIC,
        "health",
        "asthma-plan",
        "An asthma action plan for school",
        "Coughs in gym and misses mornings",
    ),
    (
        "club",
        "maribel",
        PROGRAMME,
        "enrichment",
        "robotics-club",
        "Robotics club",
        "Loves gears; a reason to come to school",
    ),
    ("sleep", "rosalind", CLINIC, "health", "sleep-check", "A talk about sleep", "Falls asleep in class"),
    ("checkup", "adilson", CLINIC, "health", "check-up", "A check-up", "Headaches since October"),
)


def asked_for(play: Play) -> None:
    """Referrals, which wait; and the clinic's patients, of whom only those asked about are looked at."""
    play.tell.begin("Requests for help, and whose patients they are")
    for key in ("maribel", "adilson", "rosalind"):
        play.meet(key)
    for referral in REFERRALS:
        refer_child(play, *referral)
    play.tell.say(
        "The school refers Maribel to the clinic and to the after-school club, Rosalind and Adilson to the clinic."
    )
    for name, key, agency in (("asthma", "maribel", CLINIC), ("club", "maribel", PROGRAMME)):
        state, _ = play.settled(key, agency, "referral")
        play.tell.must(state == "withheld", f"the referral {name} waits")
    play.tell.say("Nothing of it leaves yet.")
    play.tell.why("no family has said yes; a referral waits for that, and the waiting is in the log")
    found = poll(play.hub, "clinic-fhir")
    aside = sum(n for reason, n in found.asides.items() if reason.endswith("nobody-asked"))
    play.tell.must(
        found.identities_linked > 1, "Maribel's and Adilson's records at the clinic are recognised"
    )
    play.tell.must(found.identities_in_review == 1, "one patient goes to review")
    play.tell.say(
        f"The clinic's patients are looked at: {found.identities_linked} are children somebody asked about, "
        f"1 is for a person to decide, {aside} records concern nobody here and are not kept."
    )
    play.tell.why(
        "Rosalind's name and birth date agree, but the clinic has no number of hers that the school gave; "
        "that is not certain enough, and no data flows meanwhile"
    )


def refer_child(
    play: Play, name: str, key: str, agency: str, domain: str, code: str, display: str, reason: str
) -> None:
    """The school's system refers a child over the API."""
    body = {
        "child": play.refs[key],
        "to_agency": agency,
        "referral": {
            "service": {"code": code, "display": display},
            "domain": domain,
            "reason": reason,
            "requested_on": "2026-11-20",
        },
    }
    done = play.school.call("POST", "/v1/referrals", body)
    play.tell.must(done.status_code == 202, f"the hub takes the referral {name} in")  # noqa: PLR2004
    play.referrals[name] = UUID(done.json()["referral"])


SENTENCES = (
    (
        "maribel",
        "clinic",
        CLINIC,
        {Category.SCHOOL, Category.HEALTH},
        {Purpose.CARE_COORDINATION},
        SCHOOL_YEAR_END,
        None,
    ),
    (
        "maribel",
        "club",
        PROGRAMME,
        {Category.SCHOOL, Category.ACTIVITIES},
        {Purpose.CARE_COORDINATION},
        JUNE,
        None,
    ),
    (
        "maribel",
        "outcome",
        DISTRICT,
        {Category.HEALTH},
        {Purpose.REFERRAL_OUTCOME},
        SCHOOL_YEAR_END,
        frozenset({CLINIC}),
    ),
    (
        "adilson",
        "adilson-clinic",
        CLINIC,
        {Category.SCHOOL, Category.HEALTH},
        {Purpose.CARE_COORDINATION},
        SCHOOL_YEAR_END,
        None,
    ),
)


def permission(play: Play) -> None:
    """Guardians are verified by people, then sign; each sentence says who, what, why and until when."""
    play.tell.begin("What the families allow")
    for key in ("maribel", "adilson"):
        play.guardians[key] = _verify(play, key)
    play.tell.say(
        "The registrar looks at papers and confirms Yesenia Maldonado as Maribel's mother, and Ivone Lopes Tavares as Adilson's."
    )
    play.tell.why("no feed decides who may sign: a school's contact list only names candidates")
    for key, name, agency, topics, purposes, until, disclosers in SENTENCES:
        play.permits[name] = _sign(play, key, name, agency, topics, purposes, until, disclosers)
    play.tell.say(
        f"Maribel's mother signs: let {NAMES[CLINIC]} see School and Health, to help together, until {day(datetime.combine(SCHOOL_YEAR_END, time()))}."
    )
    play.tell.say(
        f"She signs: let {NAMES[PROGRAMME]} see School and Clubs, until {day(datetime.combine(JUNE, time()))}."
    )
    play.tell.say(f"She signs: let {NAMES[DISTRICT]} hear from the clinic how a referral about Health ended.")
    play.tell.say("Adilson's mother lets the clinic see School and Health, and nothing more.")


def _verify(play: Play, key: str) -> UUID:
    child = play.children[key]
    with play.hub.db.transaction() as conn:
        candidates = inquiry.guardians(conn, child)
    mother = next(one for one in candidates if one.kind.value in {"parent", "mother"})
    done = paper.verify(
        play.hub,
        paper.Verification(
            child_id=child,
            guardian_link=mother.guardian_link_id,
            kind=mother.kind,
            authority=Authority.VERIFIED,
            evidence_id=paper.evidence_of(f"birth certificate of {key}".encode()),
            verified_by="registrar",
        ),
    )
    play.tell.must(isinstance(done, Changed), f"the guardian of {key} is verified")
    return mother.guardian_link_id


def _sign(
    play: Play,
    key: str,
    name: str,
    agency: str,
    topics: set[Category],
    purposes: set[Purpose],
    until: date,
    disclosers: frozenset[str] | None,
) -> UUID:
    now = play.hub.clock()
    done = paper.record(
        play.hub,
        paper.PaperForm(
            child_id=play.children[key],
            guardian_link=play.guardians[key],
            recipient=agency,
            topics=frozenset(topics),
            purposes=frozenset(purposes),
            until=datetime.combine(until + timedelta(days=1), time(), ZONE),
            signed_at=now - timedelta(minutes=1),
            notice=("ask", "1", "en"),
            form_sha256=hashlib.sha256(f"form {name}".encode()).hexdigest(),
            regimes=frozenset(Regime),
            attested_by="front desk",
            disclosers=disclosers,
            states=STATEMENTS,
        ),
    )
    play.tell.must(isinstance(done, Changed), f"the permission {name} is recorded")
    assert isinstance(done, Changed)
    return done.subject


def worklist(play: Play) -> None:
    """The club gets a worklist row, fills it in, hands it back."""
    play.tell.begin("The after-school programme has only a folder and a spreadsheet")
    state, reason = play.settled("maribel", PROGRAMME, "referral", count=2)
    play.tell.must(state == "delivered", f"the club's referral is delivered now ({reason})")
    files = sorted((play.stage.folder / "out").glob("*.csv"))
    play.tell.must(files, "a worklist file lies in the programme's folder")
    rows = list(csv.DictReader(io.StringIO(files[-1].read_text(encoding="utf-8-sig"))))
    play.tell.say(
        f"With the yes, Maribel's referral lies in the programme's folder as a sheet with {len(rows)} row."
    )
    filled = _fill(play, rows[0])
    handed_in = play.stage.folder / "in" / "november.csv"
    handed_in.write_bytes(filled)
    long_ago = handed_in.stat().st_mtime - 3_600  # a file nobody is writing any more
    os.utime(handed_in, (long_ago, long_ago))
    done = poll(play.hub, "after-school-folder")
    play.tell.must(done.facts_added >= 8 and not done.rejections, f"the filled-in sheet is taken in ({done})")  # noqa: PLR2004
    play.tell.say(
        f"The programme writes “accepted” and four weeks of attendance into it and puts it back: {done.facts_added} facts, 0 rejected."
    )
    play.tell.must(play.referral_state("club") in {"accepted", "in-progress"}, "the club's referral moved")


def _fill(play: Play, row: dict[str, str]) -> bytes:
    days = [r for r in town.attendance(play.stage.city) if r["row_id"].startswith("maribel")]
    columns = list(dict.fromkeys([*row, "service_date", "minutes", "attended", "absence_reason", "row_id"]))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerow(row | {"status": "accepted", "status_date": "2026-10-19"})
    for one in days:
        keep = {name: row[name] for name in ("child_ref", "referral_id", "topic", "service") if name in row}
        given = {name: one[name] for name in ("service_date", "minutes", "attended") if name in one}
        writer.writerow(
            keep | given | {"absence_reason": one.get("absence_reason", ""), "row_id": one["row_id"]}
        )
    return text.getvalue().encode()


def one_plan(play: Play) -> None:
    """The sheet, the clinic's need and the attendance become one version, which the family has agreed to."""
    play.tell.begin("One plan from three places")
    sheet = play.stage.root / "plan-sheet.csv"
    sheet.write_bytes(town.sheet_csv(town.plan_sheet(play.stage.city), town.PLAN_COLUMNS))
    from gateway.exchange.connect import sheet_documents
    from gateway.exchange.intake import take_in

    read = take_in(play.hub, "district-sheet", sheet_documents("district-sheet", sheet))
    play.tell.must(not read.rejections, f"the plan sheet is taken in ({read.rejections[:1]})")
    play.tell.say(f"The coordinator's plan sheet is read: {counted(read)}.")
    terms = {
        "kind": "plan-terms",
        "value": {"school_year": "2026-27", "next_review": town.NEXT_REVIEW.isoformat()},
    }
    path = f"/v1/children/{play.refs['maribel']}/plan"
    added = play.school.call("POST", f"{path}/contributions", {"contributions": [terms]})
    play.tell.must(added.status_code == 201, "the school sets the review date")  # noqa: PLR2004
    etag = play.school.call("GET", path).headers["ETag"]
    proposed = play.school.call("POST", f"{path}/proposals", If_Match=etag)
    play.tell.must(proposed.status_code == 201, f"a version is proposed ({proposed.text})")  # noqa: PLR2004
    play.tell.say(
        "The school proposes it as version 1; the family's agreement, given at the conference of November 13, stands in it."
    )
    active = play.school.call("POST", f"{path}/activation", {"confirm": "active"})
    play.tell.must(active.status_code == 200, f"the plan becomes active ({active.text})")  # noqa: PLR2004
    sources = _sources(play, "maribel")
    play.tell.must(
        {DISTRICT, CLINIC, PROGRAMME} <= sources.keys(), "three agencies' facts stand in one version"
    )
    named = ", ".join(f"{NAMES[org]} {n}" for org, n in sorted(sources.items()))
    play.tell.say(f"It is active. Who stated how much of it: {named}.")


def _sources(play: Play, key: str) -> dict[str, int]:
    a, v = tables.assertion, tables.plan_version
    with play.hub.db.transaction() as conn:
        rows = conn.execute(
            select(a.c.org, func.count())
            .join(v, a.c.assertion_id == func.any(v.c.assertion_ids))
            .where(v.c.child_id == play.children[key], v.c.status == "active")
            .group_by(a.c.org)
        ).all()
    return {row[0]: row[1] for row in rows}
