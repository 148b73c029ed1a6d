"""A fictional city: `city = City.build()`, and what its school, clinic and after-school programme each have of it."""

from adapters.sandbox.city.clinic import MEDICAL_RECORD, STUDENT_NUMBER, clinic_resources, patient_id
from adapters.sandbox.city.district import edfi_documents
from adapters.sandbox.city.people import Canary, Child, Guardian, School, Staff
from adapters.sandbox.city.roster import oneroster_zip
from adapters.sandbox.city.sheets import (
    ATTENDANCE_COLUMNS,
    CONFERENCE,
    NEXT_REVIEW,
    PLAN_COLUMNS,
    attendance,
    plan_sheet,
    sheet_csv,
)
from adapters.sandbox.city.town import CLINIC, DISTRICT, DISTRICT_ID, MENTORS, PANTRY, PROGRAMME, City

__all__ = [
    "ATTENDANCE_COLUMNS",
    "CLINIC",
    "CONFERENCE",
    "DISTRICT",
    "DISTRICT_ID",
    "MEDICAL_RECORD",
    "MENTORS",
    "NEXT_REVIEW",
    "PANTRY",
    "PLAN_COLUMNS",
    "PROGRAMME",
    "STUDENT_NUMBER",
    "Canary",
    "Child",
    "City",
    "Guardian",
    "School",
    "Staff",
    "attendance",
    "clinic_resources",
    "edfi_documents",
    "oneroster_zip",
    "patient_id",
    "plan_sheet",
    "sheet_csv",
]
