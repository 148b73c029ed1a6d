import pytest

from mappings.record.base import Record
from mappings.record.category import Category
from mappings.record.elements import elements, leaf_fields, parse_elements, required_category
from mappings.record.kind import MODEL, Kind
from mappings.record.plan import Goal

SHIPPED = "\n".join(
    ["kind,field,category,note"]
    + [f"{kind},{field},assertion," for kind in Kind for field in leaf_fields(MODEL[kind])]
)


def test_every_field_of_every_kind_has_a_category_and_no_row_stands_for_a_field_that_is_gone():
    assert set(elements()) == {(kind, field) for kind in Kind for field in leaf_fields(MODEL[kind])}


def test_a_new_field_of_a_model_fails_until_somebody_decides_its_category(monkeypatch):
    class GoalWithMore(Goal):
        diary: str | None = None

    monkeypatch.setitem(MODEL, Kind.GOAL, GoalWithMore)
    with pytest.raises(ValueError, match="no row for goal diary; decide its category"):
        parse_elements(SHIPPED)


def test_a_new_field_deep_inside_a_model_is_seen_too():
    class Inner(Record):
        fine: str
        deep: str | None = None

    class Outer(Record):
        many: tuple[Inner, ...] = ()
        one: Inner | None = None

    assert list(leaf_fields(Outer)) == ["many.fine", "many.deep", "one.fine", "one.deep"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("kind,field\n", "the header is not"),
        (SHIPPED.replace("goal,voice,assertion,", "goal,voice,assertion"), "3 columns instead of 4"),
        (SHIPPED.replace("goal,voice,assertion,", "goal,voice,public,"), "'public' is not a valid Category"),
        (SHIPPED.replace("goal,voice,", "goals,voice,"), "'goals' is not a valid Kind"),
        (SHIPPED.replace("goal,voice,", "goal,choice,"), "goal choice is not a field of its model"),
        (SHIPPED + "\ngoal,voice,assertion,", "goal voice stands twice"),
        (SHIPPED.replace("goal,voice,assertion,\n", ""), "no row for goal voice"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_line_or_field(table, message):
    with pytest.raises(ValueError, match=message):
        parse_elements(table)


def test_names_and_birth_dates_are_identity_and_a_need_is_what_its_assertion_says():
    assert required_category(Kind.NAME) is Category.IDENTITY
    assert required_category(Kind.BIRTH_DATE) is Category.IDENTITY
    assert required_category(Kind.PROFILE_ITEM) is None
