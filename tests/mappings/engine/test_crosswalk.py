import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from mappings.engine.crosswalk import Equivalence, parse_crosswalk

HEAD = "source_code,target_code,equivalence,preferred,comment\n"


def parse(rows: str, **more):
    return parse_crosswalk(HEAD + rows, "t.csv", **more)


def test_a_code_is_looked_up_as_its_table_writes_it():
    table, errors = parse("Home,home,equivalent,,\n")
    assert not errors
    assert table.lookup == {"Home": "home"}


def test_case_may_be_ignored_as_the_ed_fi_api_does():
    table, _ = parse("Home,home,equivalent,,\n", ignore_case=True)
    assert table.lookup[table.fold("HOME")] == "home"


def test_several_sources_of_one_target_make_the_way_back_a_choice_that_preferred_decides():
    table, _ = parse("Mobile,mobile,equivalent,yes,\nCell,mobile,wider,,\nHome,home,equivalent,,\n")
    assert table.many_to_one == ("mobile",)
    assert not table.invertible
    assert table.back() == {"mobile": "Mobile", "home": "Home"}


def test_without_a_preference_there_is_no_way_back_for_a_shared_target():
    table, _ = parse("Mobile,mobile,equivalent,,\nCell,mobile,wider,,\n")
    assert table.back() == {}


def test_a_code_known_to_have_no_target_is_said_with_unmatched():
    table, errors = parse("Fax,,unmatched,,\n")
    assert not errors
    assert table.dropped == ("Fax",)
    assert table.targets == frozenset()


def test_every_bad_row_is_named_with_its_line_and_the_good_ones_stay():
    rows = (
        "Home,home,equivalent,,\nHome,house,equivalent,,\nWork,,equivalent,,\nA,b,same,,\nC,d,equal,maybe,\nE,f\n"
        "G,h,equal,yes,\nI,h,wider,yes,\n"
    )
    table, errors = parse(rows)
    assert [error.line for error in errors] == [3, 4, 5, 6, 7, 9]
    assert [row.source for row in table.rows] == ["Home", "G"]
    assert all(error.file == "t.csv" and error.what and error.why and error.next_step for error in errors)


def test_another_header_is_refused_at_once():
    _, errors = parse_crosswalk("from,to\na,b\n", "t.csv")
    assert [str(error) for error in errors] == [
        (
            "t.csv:1:1: the header is not the one of a crosswalk (columns are read by name). "
            "Write source_code,target_code,equivalence,preferred,comment."
        )
    ]


def test_a_byte_order_mark_is_no_part_of_the_header():
    _, errors = parse_crosswalk("\ufeff" + HEAD + "a,b,equal,,\n", "t.csv")
    assert not errors


CODES = (
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
    .map(str.strip)
    .filter(bool)
)


@given(st.dictionaries(CODES, CODES, min_size=1, max_size=12))
def test_there_and_back_is_the_same_code_wherever_a_table_is_invertible(pairs):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for source, target in pairs.items():
        writer.writerow((source, target, Equivalence.EQUIVALENT.value, "", ""))
    table, errors = parse(text.getvalue())
    assert not errors
    back = table.back()
    if table.invertible:
        assert {back[target]: target for target in table.targets} == dict(table.lookup)
    for source, target in table.lookup.items():
        if target in back:
            assert table.lookup[back[target]] == target
        else:
            assert target in table.many_to_one, source
