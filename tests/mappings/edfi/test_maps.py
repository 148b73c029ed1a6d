"""What the Ed-Fi maps promise beyond their golden samples."""

import pytest

from mappings.engine.shipped import shipped_map
from mappings.record.category import Category
from mappings.record.sensitivity import Label
from tests.mappings.edfi.feeds import NS, contact_association, of, run, seoa


@pytest.mark.parametrize(
    "kind",
    [
        "Shelter, Transitional housing, Awaiting Foster",
        "Hotels/Motels",
        "Unsheltered",
        "Doubled - up (i.e., living with another family)",
    ],
)
def test_an_address_that_says_how_the_family_is_housed_is_living_situation_and_not_who_the_child_is(kind):
    address = {
        "addressTypeDescriptor": f"{NS}AddressTypeDescriptor#{kind}",
        "city": "Harbor Point",
        "streetNumberName": "1 Quay",
    }
    [output] = of(run("directory", seoa(addresses=[address])), "address")
    assert (output.category, output.labels) == (
        Category.LIVING_SITUATION,
        frozenset({Label.LIVING_ARRANGEMENT}),
    )


def test_an_address_of_a_type_nobody_has_classified_is_treated_as_if_it_said_so():
    address = {
        "addressTypeDescriptor": "uri://harbor.example/AddressTypeDescriptor#Quay house",
        "city": "Harbor Point",
    }
    result = run("directory", seoa(addresses=[address]))
    assert of(result, "address")[0].category is Category.LIVING_SITUATION
    assert {issue.code.value for issue in result.issues} == {"unknown-code"}


def test_an_ordinary_address_is_who_the_child_is():
    address = {"addressTypeDescriptor": f"{NS}AddressTypeDescriptor#Home", "city": "Harbor Point"}
    assert of(run("directory", seoa(addresses=[address])), "address")[0].category is Category.IDENTITY


@pytest.mark.parametrize("system", ["SSN", "Canadian SIN", "National Migrant", "State Migrant", "Family"])
def test_numbers_that_are_never_kept_or_say_why_the_family_moves_are_no_identifiers(system):
    code = {
        "studentIdentificationSystemDescriptor": f"{NS}StudentIdentificationSystemDescriptor#{system}",
        "assigningOrganizationIdentificationCode": "MA",
        "identificationCode": "078051120",
    }
    result = run("directory", seoa(studentIdentificationCodes=[code]))
    assert of(result, "identifier") == []
    assert result.issues == ()


@pytest.mark.parametrize("relation", ["Neighbor", "Emergency", "Friend", "Employer"])
def test_people_who_are_merely_to_be_called_are_no_candidates_for_guardian(relation):
    document = contact_association(
        relationDescriptor=f"{NS}RelationDescriptor#{relation}", emergencyContactStatus=True
    )
    assert run("guardian", document) == ((), (), "900101|c-1", {"student": "900101", "contact": "c-1"})


@pytest.mark.parametrize(
    "relation", ["Mother", "Father, step", "Foster parent", "CourtAppointedGuardian", "GRANDMOTHER"]
)
def test_parents_and_those_who_stand_in_for_them_are_candidates(relation):
    [output] = run(
        "guardian", contact_association(relationDescriptor=f"{NS}RelationDescriptor#{relation}")
    ).outputs
    assert output.category is Category.IDENTITY
    assert "legal_guardian" not in output.value


def test_of_a_contact_restriction_only_its_presence_is_kept():
    [output] = run("guardian", contact_association(contactRestrictions="No contact by order 17/44")).outputs
    assert output.value["contact_restricted"] is True
    assert "17/44" not in str(output)


def test_a_guardians_shelter_is_not_taken_for_an_address():
    document = contact_association()
    document["contact"]["addresses"] = [
        {
            "addressTypeDescriptor": f"{NS}AddressTypeDescriptor#Hotels/Motels",
            "streetNumberName": "5 Inn",
            "city": "Harbor Point",
        }
    ]
    [output] = run("guardian", document).outputs
    assert "address" not in output.value


def test_papers_citizenship_and_visa_are_never_read_by_any_map():
    for name in ("student", "guardian", "staff"):
        ready = shipped_map(f"planhub/edfi-{name}")
        never = {"visa", "citizenship", "identificationdocument", "dateenteredus"}
        assert not [path for path in ready.reads if any(word in path.lower() for word in never)]


def test_the_student_is_known_by_the_unique_id_of_the_organisation_the_connection_names():
    document = {"studentUniqueId": "900101", "firstName": "A", "lastSurname": "B", "birthDate": "2014-03-09"}
    with_name = run("student", document | {"connection": {"assigner": "harbor"}})
    assert [output.value for output in of(with_name, "identifier")] == [
        {"system": "student-unique-id", "assigner": "harbor", "value": "900101"}
    ]
    without = run("student", document)
    assert of(without, "identifier") == []
    assert [(issue.code.value, issue.path) for issue in without.issues] == [
        ("required", "connection.assigner")
    ]
