"""Tables of the OneRoster 1.2 CSV binding become one document per student."""

from hypothesis import given
from hypothesis import strategies as st

from mappings.engine.shipped import shipped_map
from mappings.oneroster.joining import cells, join_students, rows_from_rest, user_ids

USERS = [
    {"sourcedId": "u-1", "givenName": "Miri", "familyName": "Lind", "userIds": "{studentUniqueId:900101},{LDAP:miri}", "grades": "05,06", "agentSourcedIds": "u-2,u-9", "password": "hunter", "identifier": "900101", "email": ""},
    {"sourcedId": "u-2", "givenName": "Ada", "familyName": "Lind", "Password": "hunter", "phone": "555-010-4470"},
    {"sourcedId": "u-3", "givenName": "Noor", "familyName": "Haddad"},
]  # fmt: skip
ROLES = [
    {
        "sourcedId": "r-1",
        "userSourcedId": "u-1",
        "role": "student",
        "roleType": "primary",
        "orgSourcedId": "o-1",
    },
    {
        "sourcedId": "r-2",
        "userSourcedId": "u-2",
        "role": "parent",
        "roleType": "primary",
        "orgSourcedId": "o-1",
    },
    {
        "sourcedId": "r-3",
        "userSourcedId": "u-3",
        "role": "teacher",
        "roleType": "primary",
        "orgSourcedId": "o-1",
    },
]
ENROLLMENTS = [
    {
        "sourcedId": "e-2",
        "userSourcedId": "u-1",
        "schoolSourcedId": "o-1",
        "role": "student",
        "beginDate": "2026-01-05",
    },
    {
        "sourcedId": "e-1",
        "userSourcedId": "u-1",
        "schoolSourcedId": "o-1",
        "role": "student",
        "beginDate": "2025-08-25",
    },
    {
        "sourcedId": "e-3",
        "userSourcedId": "u-1",
        "schoolSourcedId": "o-7",
        "role": "student",
        "beginDate": "2024-08-25",
    },
]
TABLES = {
    "users": USERS,
    "roles": ROLES,
    "orgs": [{"sourcedId": "o-1", "name": "Harbor Point Elementary", "type": "school", "identifier": "1"}],
    "demographics": [{"sourcedId": "u-1", "birthDate": "2014-03-09", "sex": "female"}],
    "enrollments": ENROLLMENTS,
}


def test_only_students_get_a_document_and_their_agents_stand_in_it():
    [document] = join_students(TABLES)
    assert document["user"]["sourcedId"] == "u-1"
    assert [agent["sourcedId"] for agent in document["agents"]] == ["u-2"]
    assert document["agents"][0]["roles"][0]["role"] == "parent"


def test_lists_in_cells_become_lists_and_empty_cells_are_left_out():
    [document] = join_students(TABLES)
    assert document["user"]["userIds"] == [
        {"type": "studentUniqueId", "identifier": "900101"},
        {"type": "LDAP", "identifier": "miri"},
    ]
    assert document["user"]["grades"] == ["05", "06"]
    assert "email" not in document["user"]


def test_no_password_column_ever_enters_a_document():
    assert "hunter" not in str(list(join_students(TABLES)))


def test_a_role_carries_its_school_and_the_classes_taken_there_the_earliest_first():
    [document] = join_students(TABLES)
    [role] = document["roles"]
    assert role["org"]["name"] == "Harbor Point Elementary"
    assert [one["sourcedId"] for one in role["enrollments"]] == ["e-1", "e-2"]
    assert [one["sourcedId"] for one in document["enrollments"]] == ["e-3"]


def test_missing_tables_count_as_empty():
    assert list(join_students({})) == []
    [document] = join_students({"users": USERS, "roles": ROLES})
    assert document["demographics"] == {}
    assert document["roles"][0]["org"] == {}


def test_a_joined_document_is_what_the_map_reads():
    [document] = join_students(TABLES)
    result = shipped_map("planhub/oneroster-student").run(document | {"connection": {"assigner": "harbor"}})
    assert result.subjects == {"student": "900101"}
    assert result.record_id == "u-1"
    made = {output.rule: output.value for output in result.outputs}
    assert made["enrollment"]["period"] == {"start": "2025-08-25"}
    assert made["guardian"]["relationship"] == "parent"
    assert result.issues == ()


def test_the_rest_binding_gives_the_same_rows_under_the_names_of_the_csv_binding():
    user = {
        "sourcedId": "u-1", "givenName": "Miri", "familyName": "Lind", "preferredFirstName": "M", "preferredLastName": "L",
        "userIds": [{"type": "studentUniqueId", "identifier": "900101"}], "grades": ["05"], "identifier": "900101",
        "roles": [{"roleType": "primary", "role": "student", "org": {"sourcedId": "o-1", "type": "org"}}],
        "agents": [{"sourcedId": "u-2"}],
    }  # fmt: skip
    enrollment = {
        "sourcedId": "e-1",
        "role": "student",
        "user": {"sourcedId": "u-1"},
        "school": {"sourcedId": "o-1"},
        "beginDate": "2025-08-25",
    }
    tables = rows_from_rest(
        [user], orgs=TABLES["orgs"], demographics=TABLES["demographics"], enrollments=[enrollment]
    )
    [document] = join_students(tables)
    assert document["user"]["preferredGivenName"] == "M"
    assert document["user"]["preferredFamilyName"] == "L"
    assert document["user"]["userIds"] == [{"type": "studentUniqueId", "identifier": "900101"}]
    assert document["roles"][0]["enrollments"][0]["beginDate"] == "2025-08-25"
    assert document["roles"][0]["org"]["identifier"] == "1"


WORDS = (
    st.text(st.characters(exclude_characters="{}:,", exclude_categories=("Cs", "Cc")), min_size=1)
    .map(str.strip)
    .filter(bool)
)


@given(st.lists(st.tuples(WORDS, WORDS), max_size=5))
def test_user_ids_written_as_the_standard_says_are_read_back(pairs):
    text = ",".join(f"{{{kind}:{value}}}" for kind, value in pairs)
    assert user_ids(text) == [{"type": kind, "identifier": value} for kind, value in pairs]


@given(st.text())
def test_cells_of_any_text_are_read_without_fault(text):
    assert all(part == part.strip() != "" for part in cells(text))
    assert all(set(one) == {"type", "identifier"} for one in user_ids(text))
