"""Sheets people in the city fill in: the school's plan sheet, and the after-school programme's attendance.

One row is one statement, as in the hub's sheet templates (community.md §2.3, domain.md §3.3). Empty cells are left out
of a row; `sheet_csv` writes them.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from adapters.sandbox.city.cast import CANARY_CHILD, FREE_TEXT, PASSWORD, VISA
from adapters.sandbox.city.people import Child
from adapters.sandbox.city.town import COORDINATOR, DISTRICT, PROGRAMME, City

Row = dict[str, str]
NEXT_REVIEW = date(2027, 2, 26)
CONFERENCE = date(2026, 11, 13)
PLAN_COLUMNS = (
    "row_id", "child_id", "first_name", "last_name", "birth_date", "row_kind", "topic", "private_topic", "statement",
    "status", "achievement", "metric", "baseline", "target", "start_date", "due_date", "date", "provider", "supporter",
    "opportunity", "intensity", "frequency", "minutes", "started", "mode", "place", "attendees", "family_present",
    "interpreter", "decisions", "speaker", "language", "agreement", "options_given", "chose", "signed_on",
    "person_name", "person_role", "organization", "next_review_date", "note_internal",
)  # fmt: skip
ATTENDANCE_COLUMNS = (
    "row_id", "first_name", "last_name", "birth_date", "child_name", "service", "topic", "service_date", "minutes",
    "attended", "absence_reason", "portal_password",
)  # fmt: skip
PLANNED = ("maribel", "adilson", "minh-anh")
ATTENDING = ("maribel", "adilson", "wideline", "widelson")


def plan_sheet(city: City) -> list[Row]:
    """The coordinator's sheet for three children: a plan each that is complete enough to be proposed and agreed."""
    stories = {"maribel": _maribel, "adilson": _adilson, "minh-anh": _minh_anh}
    rows: list[Row] = []
    for key in PLANNED:
        child = city.cast[key]
        for number, row in enumerate([*stories[key](), *_meeting(child)], 1):
            rows.append({"row_id": f"{key}-{number:02}", **_who(child), **row})
    return rows


def attendance(city: City) -> list[Row]:
    """The programme's register of four weeks, two afternoons a week, for the children who go there."""
    rows: list[Row] = []
    for key in ATTENDING:
        child = city.cast[key]
        for afternoon in range(8):
            day = date(2026, 10, 20) + timedelta(weeks=afternoon // 2, days=2 * (afternoon % 2))
            came = (afternoon + len(key)) % 5 != 0
            row = {
                "row_id": f"{key}-{day.isoformat()}",
                "first_name": child.first,
                "last_name": child.last,
                "birth_date": child.born.isoformat(),
                "child_name": child.name,
                "service": f"{PROGRAMME}: robotics and homework",
                "topic": "activities",
                "service_date": day.isoformat(),
                "minutes": "90" if came else "0",
                "attended": "yes" if came else "no",
            }
            row |= {} if came else {"absence_reason": "sick"}
            rows.append(row | ({"portal_password": PASSWORD} if key == CANARY_CHILD else {}))
    return rows


def sheet_csv(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    """Rows as a CSV file in UTF-8 with a header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _who(child: Child) -> Row:
    return {
        "child_id": child.id,
        "first_name": child.first,
        "last_name": child.last,
        "birth_date": child.born.isoformat(),
    }


def _meeting(child: Child) -> Iterator[Row]:
    """Who leads the plan, the meeting, and the family's answer."""
    adult = child.guardians[0]
    spoken_for = {} if adult.language == "eng" else {"interpreter": "x"}
    family = f"{adult.first} {adult.last}"
    yield {
        "row_kind": "navigator",
        "person_name": COORDINATOR,
        "person_role": "Coordinator",
        "organization": DISTRICT,
        "start_date": "2026-09-08",
    }
    yield {
        "row_kind": "conference",
        "date": CONFERENCE.isoformat(),
        "mode": "in person",
        "place": child.school.name,
        "attendees": f"{COORDINATOR}; {family}; {child.first}",
        "family_present": "yes",
        **spoken_for,
        "decisions": "Start the supports named here; meet again in February",
        "next_review_date": NEXT_REVIEW.isoformat(),
    }
    yield {
        "row_kind": "voice",
        "topic": "school",
        "speaker": "family",
        "agreement": "agree",
        "options_given": "x",
        "chose": "x",
        "signed_on": CONFERENCE.isoformat(),
    }


def _maribel() -> Iterator[Row]:
    yield {
        "row_kind": "strength",
        "topic": "school",
        "statement": "Explains her thinking in maths so that others understand",
    }
    yield {
        "row_kind": "strength",
        "topic": "feelings",
        "statement": "Looks after new classmates without being asked",
    }
    yield {"row_kind": "interest", "topic": "activities", "statement": "Robots, and everything with gears"}
    yield {
        "row_kind": "need",
        "topic": "school",
        "statement": "Misses many mornings; reading is behind by half a year",
    }
    yield {
        "row_kind": "goal",
        "topic": "school",
        "statement": "Reads a chapter book alone by spring",
        "status": "active",
        "metric": "reading level",
        "baseline": "J",
        "target": "N",
        "start_date": "2026-11-16",
        "due_date": "2027-04-30",
        "speaker": "child",
    }
    yield from _maribel_supports()


def _maribel_supports() -> Iterator[Row]:
    yield {
        "row_kind": "support",
        "topic": "school",
        "statement": "Reading group before lessons",
        "provider": DISTRICT,
        "intensity": "early-intervention",
        "frequency": "three mornings a week",
        "minutes": "30",
        "start_date": "2026-11-16",
        "started": "x",
    }
    yield {
        "row_kind": "support",
        "topic": "activities",
        "statement": "Robotics club",
        "provider": PROGRAMME,
        "opportunity": "x",
        "intensity": "prevention-enrichment",
        "frequency": "two afternoons a week",
        "minutes": "90",
        "start_date": "2026-10-20",
        "started": "x",
    }
    yield {
        "row_kind": "voice",
        "topic": "school",
        "speaker": "family",
        "language": "es",
        "statement": "Queremos que llegue contenta a la escuela, no solo que lea mejor.",
    }


def _adilson() -> Iterator[Row]:
    yield {
        "row_kind": "strength",
        "topic": "activities",
        "statement": "Keeps a team together, on the field and off",
    }
    yield {
        "row_kind": "interest",
        "topic": "activities",
        "statement": "Football, and cooking with his grandmother",
    }
    yield {
        "row_kind": "need",
        "topic": "home",
        "statement": "Groceries run short in the last week of the month",
        "note_internal": f"Visa {VISA} mentioned; {FREE_TEXT}.",
    }
    yield {
        "row_kind": "goal",
        "topic": "school",
        "statement": "Hands in homework four days of five",
        "status": "active",
        "metric": "days a week",
        "baseline": "2",
        "target": "4",
        "start_date": "2026-11-16",
        "due_date": "2027-02-26",
    }
    yield {
        "row_kind": "support",
        "topic": "activities",
        "statement": "Homework hour and football",
        "provider": PROGRAMME,
        "opportunity": "x",
        "frequency": "two afternoons a week",
        "minutes": "90",
        "start_date": "2026-10-20",
        "started": "x",
    }


def _minh_anh() -> Iterator[Row]:
    yield {"row_kind": "strength", "topic": "school", "statement": "Writes stories far above her grade"}
    yield {"row_kind": "interest", "topic": "activities", "statement": "Violin, comics in two languages"}
    yield {
        "row_kind": "need",
        "topic": "feelings",
        "statement": "Leaves class when she has to speak in front of others",
    }
    yield {
        "row_kind": "need",
        "topic": "feelings",
        "private_topic": "counseling",
        "statement": "Sees a therapist on Thursdays",
    }
    yield {
        "row_kind": "goal",
        "topic": "feelings",
        "statement": "Reads one of her stories to a small group",
        "status": "proposed",
        "due_date": "2027-03-19",
        "speaker": "child",
    }
    yield {
        "row_kind": "support",
        "topic": "feelings",
        "statement": "Lunch group with the school counselor",
        "provider": DISTRICT,
        "intensity": "early-intervention",
        "frequency": "weekly",
        "minutes": "40",
    }
