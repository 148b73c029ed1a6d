"""What a school knows day by day: enrolment and attendance."""

from datetime import date

from pydantic import Field

from mappings.record.base import Coding, Period, Record


class Enrollment(Record):
    """One child at one school in one grade (Ed-Fi StudentSchoolAssociation, OneRoster enrollment)."""

    school_key: str
    school_name: str | None = None
    grade: Coding | None = None
    school_year: str | None = None
    primary: bool | None = None
    period: Period = Period()


class AttendanceSummary(Record):
    """Days present of days expected in a span, as the organisation that counts them reports it."""

    program: str | None = None
    span: Period
    days_expected: int = Field(ge=0)
    days_present: int = Field(ge=0)


class ReferencedPlan(Record):
    """That an IEP, 504 or health plan exists: type and dates, never its content."""

    plan_type: str
    holder: str
    status: str | None = None
    review_date: date | None = None
    period: Period | None = None
