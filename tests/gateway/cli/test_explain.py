"""`planhub consent explain`: who can see what of a child, for staff, every agency at once."""

from gateway.cli.exits import Exit
from gateway.exchange.wording import receipt_number
from mappings.record.category import Category


def test_staff_see_every_agency_with_purpose_end_and_permission(planhub, family, school, clinic):
    mine = family.permits(clinic, Category.HEALTH)
    other = family.permits(school, Category.SCHOOL)
    rows = planhub("consent", "explain", "--child", family.child, "--json").json["access"]
    told = {(row["agency"], row["topic"], row["purpose"]): row for row in rows}
    assert set(told) == {(clinic, "health", "COC"), (school, "school", "COC")}
    row = told[clinic, "health", "COC"]
    assert row["permissions"] == [receipt_number(mine)]
    assert row["until"] is not None
    assert receipt_number(other) in planhub("consent", "explain", "--child", family.child).out


def test_what_is_closed_is_told_with_its_reason_when_asked_for(planhub, family, clinic):
    words = ("consent", "explain", "--child", family.child, "--agency", clinic)
    assert planhub(*words).code == Exit.OK
    rows = planhub(*words, "--closed", "--json").json["access"]
    assert {row["allowed"] for row in rows} == {False}
    assert {row["topic"] for row in rows} == set(Category)
    assert all(row["reason"] for row in rows)
